"""What a policy holds above the load it expects, so that no more than a limit of requests find capacity short."""

import numpy as np

from analysis.models.day_curves import window_maxima
from analysis.models.tidal_pool import held_blocks

# A forecast that is off by a day's factor 1 + e: three points that have the first five moments of a normal error.
ERROR_POINTS = np.array([-np.sqrt(3.0), 0.0, np.sqrt(3.0)])
ERROR_WEIGHTS = np.array([1.0, 4.0, 1.0]) / 6
# What a controller sees at no load at all, so that a margin in proportion to it is finite.
LEAST_LOAD = 1e-3


def forecast_reserve(error, late_limit):
    """Return the reserve, as a fraction of the forecast, that keeps late requests to a limit.

    Only on a day with the low forecast is capacity short; the part of its requests that come too many is
    ``1 - (1 + reserve) * (1 - sqrt(3) * error)``, and a sixth of the days is of that kind.

    Parameters
    ----------
    error : array_like
        Standard deviation of the forecast error of a day, a fraction of the load; below ``1 / sqrt(3)``.
    late_limit : float
        Largest share of requests that may find capacity short.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> float(forecast_reserve(0.0, 0.01)), round(float(forecast_reserve(0.1, 0.01)), 3)
    (0.0, 0.137)
    """
    allowed = 1 - late_limit / ERROR_WEIGHTS[0]
    return np.maximum(allowed / (1 + ERROR_POINTS[0] * np.asarray(error, dtype=float)) - 1, 0.0)


def reaction_reserve(days, lag_bins, late_limit):
    """Return the smallest reserve with which a controller that only sees the past keeps late requests to a limit.

    Capacity in a bin is (1 + reserve) times the least load seen between `lag_bins` bins and one bin before.

    Parameters
    ----------
    days : ndarray of shape (rows, bins)
        Load, a fraction of the peak.
    lag_bins : int
        Bins that a block needs to come back, at least 1 (the bin that is observed).
    late_limit : float

    Returns
    -------
    ndarray of shape (rows,)
    """
    seen = np.maximum(-window_maxima(-np.roll(days, lag_bins, axis=-1), lag_bins)[..., -1, :], LEAST_LOAD)
    order = np.argsort(-days / seen, axis=-1)
    load, capacity = (np.take_along_axis(values, order, axis=-1) for values in (days, seen))
    late = late_limit * days.sum(axis=-1, keepdims=True)
    # With the k worst bins short, (1 + reserve) = (their load - late requests) / (their capacity); the largest counts.
    needed = (np.cumsum(load, axis=-1) - late) / np.cumsum(capacity, axis=-1)
    return np.maximum(needed.max(axis=-1) - 1, 0.0)


def error_factors(reserve, error):
    """Return what a forecast level is multiplied with at each point of its error, shape (N, 3)."""
    reserve, error = (np.asarray(value, dtype=float)[..., None] for value in (reserve, error))
    return (1 + reserve) * (1 + ERROR_POINTS * error)


def late_share(load, wanted, factors, blocks, lag_bins=0):
    """Return the share of a day's requests that come above the capacity held, at most.

    Parameters
    ----------
    load, wanted : ndarray of shape (bins,)
        Load and the load to hold for, fractions of the peak.
    factors : ndarray of shape (E,)
        What `wanted` is multiplied with at each point of its error.
    blocks : float
        How many blocks the inference cards make.
    lag_bins : int
        Whole bins that a block is late, for a controller that does not look ahead.

    Returns
    -------
    ndarray of shape (E,)
    """
    capacity = held_blocks(wanted * factors[:, None], blocks)
    if lag_bins:
        # What serves now was wanted all the while that it took to return.
        capacity = -window_maxima(-np.roll(capacity, lag_bins, axis=-1), lag_bins + 1)[:, -1]
    return np.maximum(load - capacity, 0).sum(axis=-1) / load.sum()
