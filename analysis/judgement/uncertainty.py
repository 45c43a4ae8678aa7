"""Sampling what is declared: assumptions by a Sobol sequence, options by their weights."""

import math
from dataclasses import dataclass, replace

import numpy as np

from analysis.facts.assumptions import Assumption

SEARCH, FRESH = 0, 1


@dataclass(frozen=True)
class Sample:
    """Points of the declared set.

    Attributes
    ----------
    values : dict of str to ndarray of shape (N,)
        Assumptions.
    rows : ndarray of shape (N,)
        Positions in the options.
    weight : ndarray of shape (N,)
        Adds up to one.
    counted : bool
        True where the set is enumerated in full rather than sampled.
    """

    values: dict
    rows: np.ndarray
    weight: np.ndarray
    counted: bool


def draw(assumptions, options, weight, samples, seed, stream=SEARCH):
    """Draw points of the declared set, or count it where nothing but options is open.

    Parameters
    ----------
    assumptions : sequence of Assumption
        What is sampled.
    options : Options
        What is enumerated.
    weight : ndarray of shape (K,)
        Weights of the options; add up to one.
    samples : int
        Points to draw.
    seed, stream : int
        Same seed, same points; another stream is another sample.

    Returns
    -------
    Sample
    """
    if not assumptions:
        return Sample({}, np.arange(len(options)), weight, counted=True)
    from scipy.stats import qmc

    rng = np.random.default_rng([seed, stream])
    sobol = qmc.Sobol(len(assumptions) + (len(options) > 1), scramble=True, rng=rng)
    unit = sobol.random_base2(max(0, math.ceil(math.log2(samples))))[:samples]
    values, rows = at_unit(assumptions, unit, weight)
    return Sample(values, rows, np.full(samples, 1 / samples), counted=False)


def at_unit(assumptions, unit, weight):
    """Map points of the unit cube to assumptions and, by a last column where there is one, to option rows."""
    values = {declared.name: quantile(declared, unit[:, axis]) for axis, declared in enumerate(assumptions)}
    if unit.shape[1] == len(assumptions):
        return values, np.zeros(len(unit), dtype=np.intp)
    rows = np.searchsorted(np.cumsum(weight), unit[:, -1], side="right")
    return values, np.minimum(rows, len(weight) - 1)


def quantile(declared: Assumption, probability):
    """Return quantiles of a declared distribution.

    Parameters
    ----------
    declared : Assumption
        Range, mode and distribution.
    probability : array_like
        In [0, 1].

    Returns
    -------
    ndarray
        In the assumption's unit.

    Examples
    --------
    >>> half = Assumption("share", 0, 0.5, 1, "fraction", "triangular", "author's judgement", "")
    >>> float(quantile(half, 0.5))
    0.5
    """
    low, mode, high = _scale(declared, (declared.low, declared.mode, declared.high))
    probability = np.asarray(probability, dtype=float)
    if declared.distribution.endswith("uniform"):
        scaled = low + probability * (high - low)
    else:
        rising = low + np.sqrt(probability * (high - low) * (mode - low))
        falling = high - np.sqrt((1 - probability) * (high - low) * (high - mode))
        scaled = np.where(probability < (mode - low) / (high - low), rising, falling)
    return np.exp(scaled) if declared.logarithmic else scaled


def position(declared, values):
    """Return where values lie in the declared range, 0 at its low and 1 at its high end."""
    low, high, scaled = _scale(declared, (declared.low, declared.high, values))
    return (scaled - low) / (high - low)


def stretched(declared, factor):
    """Return the assumption with its range scaled about the mode, clipped to what is possible."""
    low, mode, high = _scale(declared, (declared.low, declared.mode, declared.high))
    ends = (mode + factor * (low - mode), mode + factor * (high - mode))
    low, high = (float(np.exp(end)) if declared.logarithmic else float(end) for end in ends)
    return replace(declared, low=max(low, declared.possible_low), high=min(high, declared.possible_high))


def flattened(declared):
    """Return the assumption with a uniform distribution over the same range."""
    return replace(declared, distribution="log-uniform" if declared.logarithmic else "uniform")


def _scale(declared, numbers):
    return [np.log(number) if declared.logarithmic else number for number in numbers]


def option_weights(options, scheme="declared"):
    """Return the weight of each combination.

    Parameters
    ----------
    options : Options
        What is enumerated.
    scheme : str
        "declared": equal per source, and within a source per option, where every option has one source; else per
        option. "option", "vendor" and "source" weigh equally per option, per vendor and per set of sources.

    Returns
    -------
    ndarray of shape (K,)
        Adds up to one.
    """
    if scheme == "vendor" and options.vendor:
        groups = options.columns[options.vendor].astype(str)
    elif scheme == "source" or (scheme == "declared" and _single_source(options)):
        groups = np.array([";".join(sorted(frozenset().union(*rows))) for rows in options.sources])
    else:
        groups = np.zeros(len(options), dtype=int)
    _, code, count = np.unique(groups, return_inverse=True, return_counts=True)
    return 1 / (len(count) * count[code])


def _single_source(options):
    return all(len(rows) == 1 and len(rows[0]) == 1 for rows in options.sources)


def weighted_quantile(values, weight, probability):
    """Return quantiles of weighted values: the mean of the two values where the cumulated weight meets `probability`.

    Parameters
    ----------
    values, weight : ndarray of shape (N,)
        Points and their weights.
    probability : sequence of float
        In [0, 1].

    Returns
    -------
    ndarray

    Examples
    --------
    >>> weighted_quantile(np.array([1.0, 2.0, 4.0]), np.ones(3) / 3, [0.5]).tolist()
    [2.0]
    >>> weighted_quantile(np.array([1.0, 2.0]), np.ones(2) / 2, [0.5]).tolist()
    [1.5]
    """
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(weight[order])
    goal = np.asarray(probability) * cumulated[-1]
    # A sum of many equal weights misses its goal by rounding; a relative slack keeps ties ties.
    slack = 1e-9 * cumulated[-1]
    last = len(values) - 1
    below = np.minimum(np.searchsorted(cumulated, goal - slack), last)
    above = np.minimum(np.searchsorted(cumulated, goal + slack), last)
    return (values[order][below] + values[order][above]) / 2
