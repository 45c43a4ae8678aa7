"""Day curves: how a load runs through the day, in bins of ten minutes, and what a pool must hold to serve it.

A curve is normalised to its peak. The day is periodic: its last bin is followed by its first.
"""

import numpy as np

MINUTES_A_DAY = 1440
HOURS_A_DAY = 24
BIN_MIN = 10
BINS = MINUTES_A_DAY // BIN_MIN
BINS_AN_HOUR = 60 // BIN_MIN


def binned(loads):
    """Return a load given in equal steps over a day as means over bins of ten minutes, as a fraction of their peak.

    Parameters
    ----------
    loads : array_like of shape (steps,)
        Loads of equal steps that together make a day; not negative, not all zero.

    Returns
    -------
    ndarray of shape (BINS,)

    Examples
    --------
    >>> binned([1, 2, 4])[[0, 48, 143]].tolist()
    [0.25, 0.5, 1.0]
    """
    loads = np.asarray(loads, dtype=float)
    cumulated = np.concatenate([[0.0], np.cumsum(loads)]) / len(loads)
    edges = np.linspace(0, 1, len(loads) + 1)
    means = np.diff(np.interp(np.linspace(0, 1, BINS + 1), edges, cumulated)) * BINS
    # Differences of a cumulated sum lose the last digits; a load of nought stays nought.
    means = np.maximum(np.round(means, 12), 0.0)
    return means / means.max()


def dip(trough, night_hours, ramp_hours):
    """Return the parametric day: full load by day, a trough by night, straight ramps between.

    Its mean is ``1 - (1 - trough) * night_hours / 24`` whatever the ramps.

    Parameters
    ----------
    trough : array_like of shape (...)
        Lowest load over the peak.
    night_hours : array_like of shape (...)
        Width of the dip at half of its depth.
    ramp_hours : array_like of shape (...)
        Length of each ramp; at most `night_hours` and ``24 - night_hours``.

    Returns
    -------
    ndarray of shape (..., BINS)

    Examples
    --------
    >>> day = dip(0.4, 8.0, 2.0)
    >>> round(float(day.mean()), 12), float(day.min()), float(day.max())
    (0.8, 0.4, 1.0)
    """
    trough, night, ramp = (np.asarray(value, dtype=float)[..., None] for value in (trough, night_hours, ramp_hours))
    edges = np.linspace(0, HOURS_A_DAY, BINS + 1)
    # Depth rises over the first ramp and falls over the second; each is the difference of two bent lines.
    start, end = HOURS_A_DAY / 2 - night / 2, HOURS_A_DAY / 2 + night / 2
    depth = _ramp_area(edges, start, ramp) - _ramp_area(edges, end, ramp)
    # Twelve digits, so that equal loads are equal.
    return np.round(1 - (1 - trough) * np.diff(depth, axis=-1) * BINS / HOURS_A_DAY, 12)


def _ramp_area(hours, middle, ramp):
    """Integral, up to some hours, of a step from 0 to 1 at `middle` that takes `ramp` hours."""
    inside = np.clip(hours - (middle - ramp / 2), 0, ramp)
    return inside**2 / (2 * np.maximum(ramp, 1e-9)) + np.maximum(hours - (middle + ramp / 2), 0)


def dip_of_mean(mean_to_peak, night_hours, ramp):
    """Return the parametric day of a given mean; a night too short for it is drawn out until its trough is nought.

    Parameters
    ----------
    mean_to_peak : float
        At least a half.
    night_hours : ndarray of shape (...)
    ramp : float
        Length of each ramp as a fraction of the night.

    Returns
    -------
    ndarray of shape (..., BINS)

    Examples
    --------
    >>> days = dip_of_mean(0.8, np.array([3.0, 8.0]), 0.25)
    >>> days.mean(axis=-1).round(9).tolist(), days.max(axis=-1).tolist()
    ([0.8, 0.8], [1.0, 1.0])
    """
    night = np.maximum(night_hours, HOURS_A_DAY * (1 - mean_to_peak))
    return dip(1 - (1 - mean_to_peak) * HOURS_A_DAY / night, night, ramp * night)


def window_maxima(days, widths):
    """Return the maximum over windows of 1 to `widths` bins, each beginning at its bin.

    Parameters
    ----------
    days : ndarray of shape (..., BINS)
    widths : int

    Returns
    -------
    ndarray of shape (..., widths, BINS)

    Examples
    --------
    >>> window_maxima(np.array([3.0, 1.0, 2.0]), 2).tolist()
    [[3.0, 1.0, 2.0], [3.0, 2.0, 3.0]]
    """
    found = [days]
    for width in range(1, widths):
        found.append(np.maximum(found[-1], np.roll(days, -width, axis=-1)))
    return np.stack(found, axis=-2)


def hour_maxima(days):
    """Return the load that a timetable by the hour must hold: the largest of each hour.

    Parameters
    ----------
    days : ndarray of shape (..., BINS)

    Returns
    -------
    ndarray of shape (..., BINS)
    """
    hours = days.reshape(*days.shape[:-1], HOURS_A_DAY, BINS_AN_HOUR)
    return np.repeat(hours.max(axis=-1), BINS_AN_HOUR, axis=-1)


def best_night(days):
    """Return the load that two fixed windows must hold: without limit by day, the night's largest by night.

    The night is the one window, of any length, in which most card-time comes free: length times what lies above the
    largest load inside.

    Parameters
    ----------
    days : ndarray of shape (..., BINS)

    Returns
    -------
    ndarray of shape (..., BINS)
        Infinite by day: the whole pool is held then, whatever the forecast.
    """
    flat = days.reshape(-1, days.shape[-1])
    maxima = window_maxima(flat, flat.shape[-1])
    lengths = np.arange(1, flat.shape[-1] + 1)
    free = lengths[:, None] * (1 - maxima)
    best = free.reshape(len(flat), -1).argmax(axis=1)
    width, start = best // flat.shape[-1], best % flat.shape[-1]
    place = (np.arange(flat.shape[-1]) - start[:, None]) % flat.shape[-1]
    level = maxima[np.arange(len(flat)), width, start]
    return np.where(place <= width[:, None], level[:, None], np.inf).reshape(days.shape)
