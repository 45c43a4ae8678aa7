"""Asking one case: sample, predict, share, region, verdict; and the same under each variation."""

from dataclasses import dataclass

import numpy as np

from analysis.judgement import regions, robustness, uncertainty, verdict
from analysis.judgement.case import Case, Target

# A share or density this close to its threshold makes a verdict fragile.
CLOSE = 0.02


@dataclass(frozen=True)
class Judged:
    """What was found about one case.

    Attributes
    ----------
    estimate : ndarray of shape (parts,)
        Median over the declared set.
    interval : ndarray of shape (parts, 2)
        5th and 95th percentile.
    shares : Shares
    region : Region or None
    verdict : str
    resolved : bool
        Whether the share stays above its threshold at both ends of the model's error; False says that the model
        cannot resolve the claim.
    near_region : bool
        Whether there is no region, but a box that misses the density of one by a hair.
    """

    estimate: np.ndarray
    interval: np.ndarray
    shares: verdict.Shares
    region: regions.Region | None
    verdict: str
    resolved: bool
    near_region: bool


def predictions(case, sample):
    """Return predictions at the points of a sample, shape (parts, N)."""
    return np.atleast_2d(case.predict(case.options, sample.rows, sample.values))


def judge(case: Case, target: Target, weight, samples, seed):
    """Judge one case.

    Parameters
    ----------
    case : Case
    target : Target
    weight : ndarray of shape (K,)
        Weights of the options.
    samples, seed : int

    Returns
    -------
    Judged
    """
    search = uncertainty.draw(case.assumptions, case.options, weight, samples, seed)
    prediction = predictions(case, search)
    shares = verdict.shares(prediction, search.weight, target)
    resolved = _resolved(case, prediction, search.weight, target, shares)
    region, near = None, False
    if shares.holds < target.share_needed:
        region, near = _region(case, target, weight, samples, seed, search, prediction)
    spread = [uncertainty.weighted_quantile(part, search.weight, (0.05, 0.5, 0.95)) for part in prediction]
    return Judged(
        estimate=np.array([part[1] for part in spread]),
        interval=np.array([[part[0], part[2]] for part in spread]),
        shares=shares,
        region=region,
        verdict=verdict.verdict(shares.holds, region, target, resolved),
        resolved=resolved,
        near_region=near,
    )


def _resolved(case, prediction, weight, target, shares):
    if case.model_error is None or shares.holds < target.share_needed:
        return True
    error = case.model_error
    moved = [error.moved(prediction, end) for end in (error.low, error.high)]
    return all(verdict.shares(part, weight, target).holds >= target.share_needed for part in moved)


def _region(case, target, weight, samples, seed, search, prediction):
    fresh = search
    if not search.counted:
        fresh = uncertainty.draw(case.assumptions, case.options, weight, samples, seed, uncertainty.FRESH)
    holding = [
        verdict.held(verdict.margins(part, target)).all(axis=0) for part in (prediction, predictions(case, fresh))
    ]
    if not holding[0].any():
        return None, False
    asked = (case.assumptions, case.options, (search, fresh), holding)
    region = regions.densest_box(*asked)
    near = region is None and regions.densest_box(*asked, least_density=regions.LEAST_DENSITY - CLOSE) is not None
    return region, near


def robust(case, target, judged, samples, seed):
    """Return the verdict under every variation, and whether the verdict is fragile.

    Parameters
    ----------
    case : Case
    target : Target
    judged : Judged
        As declared.
    samples, seed : int

    Returns
    -------
    verdicts : dict of str to str
    fragile : bool
        A verdict differs, or what decides it lies within 0.02 of its threshold.
    """
    found = {}
    for name, varied, weight in robustness.variations(case):
        found[name] = judge(varied, target, weight, samples, seed).verdict if len(varied.options) else verdict.OPEN
    differs = any(other != judged.verdict for other in found.values())
    return found, differs or _close(judged, target)


def _close(judged, target):
    share = abs(judged.shares.holds - target.share_needed) <= CLOSE
    density = judged.region is not None and judged.region.density - regions.LEAST_DENSITY <= CLOSE
    return share or density or judged.near_region
