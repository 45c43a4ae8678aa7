"""The one rule by which a prediction holds and a claim gets its verdict."""

from dataclasses import dataclass

import numpy as np

REPRODUCED, CONDITIONAL, NOT_REPRODUCED = "reproduced", "conditional", "not reproduced"
NOT_COMPUTABLE, OPEN = "not computable", "open"
VERDICTS = (REPRODUCED, CONDITIONAL, NOT_REPRODUCED, NOT_COMPUTABLE, OPEN)

FACT_TOLERANCE = 0.05


@dataclass(frozen=True)
class Shares:
    """Fractions of the declared set: the claim holds, the prediction lies below it, beyond it."""

    holds: float
    below: float
    above: float


def margins(prediction, target):
    """Return by how much each prediction holds; negative where it does not.

    Parameters
    ----------
    prediction : ndarray of shape (parts, N)
        In the unit of the claim.
    target : Target
        Claimed numbers and comparators.

    Returns
    -------
    ndarray of shape (parts, N)
        Relative to the claimed number; absolute where that is zero.
    """
    rows = []
    for part, (comparator, value) in enumerate(zip(target.comparators, target.values, strict=True)):
        scale = abs(value) or 1.0
        # Over a claimed number next to zero the excess is infinite, which says the same.
        with np.errstate(over="ignore"):
            excess = (prediction[part] - value) / scale
        if comparator in ("eq", "fact"):
            width = target.tolerance if comparator == "eq" else FACT_TOLERANCE
            rows.append((width if value else 0.0) - np.abs(excess))
        else:
            rows.append(-excess if comparator == "at_most" else excess)
    return np.stack(rows)


def shares(prediction, weight, target):
    """Return the shares of the declared set in which a claim holds and fails.

    A joint claim falls short where a part does and none goes beyond, and the reverse.

    Parameters
    ----------
    prediction : ndarray of shape (parts, N)
    weight : ndarray of shape (N,)
    target : Target

    Returns
    -------
    Shares

    Examples
    --------
    >>> from analysis.judgement.case import Target
    >>> shares(np.array([[10.0, 31.0]]), np.array([0.5, 0.5]), Target(("at_least",), np.array([30.0]), 0.25))
    Shares(holds=0.5, below=0.5, above=0.0)
    """
    failing = ~held(margins(prediction, target))
    low = failing & (prediction < target.values[:, None])
    high = failing & ~low
    below = low.any(axis=0) & ~high.any(axis=0)
    above = high.any(axis=0) & ~low.any(axis=0)
    return Shares(*(_fraction(mask, weight) for mask in (~failing.any(axis=0), below, above)))


def held(margin):
    """Return where a margin counts as holding; rounding at the boundary does not decide."""
    return margin >= -1e-12


def _fraction(mask, weight):
    return round(float(weight @ mask / weight.sum()), 12)


def verdict(share, region, target, resolved=True):
    """Return the verdict that follows from a share and a region.

    Parameters
    ----------
    share : float
        Fraction of the declared set in which the claim holds.
    region : object or None
        The box in which it holds, where one was found.
    target : Target
        Sets the share that is needed.
    resolved : bool
        Whether the share stays above the threshold at both ends of the model's error.

    Returns
    -------
    str
        reproduced, conditional or not reproduced.
    """
    if share >= target.share_needed:
        return REPRODUCED if resolved else CONDITIONAL
    return CONDITIONAL if region is not None else NOT_REPRODUCED
