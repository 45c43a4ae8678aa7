"""Growth over time: scaling to a span, log-linear regression, and what the gap hides or exposes."""

from dataclasses import dataclass

import numpy as np


def growth_over(ratio, span_years, years):
    """Scale a growth factor from the span over which it happened to another span, at a constant yearly rate.

    Parameters
    ----------
    ratio : array_like
        End value over start value.
    span_years : array_like
        Years between them; above 0.
    years : float
        Span to scale to.

    Returns
    -------
    ndarray or float
        ``ratio ** (years / span_years)``.

    Examples
    --------
    >>> growth_over(4.0, 4.0, 8.0)
    16.0
    """
    return ratio ** (years / span_years)


def growth_from_doubling(doubling_years, years):
    """Return the growth factor over `years` of something that doubles every `doubling_years`.

    Examples
    --------
    >>> growth_from_doubling(2.0, 8.0)
    16.0
    """
    return 2.0 ** (years / doubling_years)


@dataclass(frozen=True)
class Trend:
    """A log-linear regression: yearly growth, its bootstrap replicates, and the line itself.

    Attributes
    ----------
    yearly_log : float
        Natural logarithm of the yearly growth factor.
    intercept_log : float
        Logarithm of the value at year 0 of the calendar.
    replicates : ndarray of shape (B,)
        `yearly_log` of bootstrap samples of the points.
    points : int
        Points fitted.
    """

    yearly_log: float
    intercept_log: float
    replicates: np.ndarray
    points: int

    def factor(self, years):
        """Growth factor over `years`."""
        return float(np.exp(self.yearly_log * years))

    def interval(self, years):
        """5th and 95th percentile of the growth factor over `years`."""
        return [float(end) for end in np.exp(np.quantile(self.replicates, (0.05, 0.95)) * years)]

    def at(self, year):
        """Value of the line at a calendar year."""
        return np.exp(self.intercept_log + self.yearly_log * np.asarray(year, dtype=float))

    def year_of(self, value):
        """Calendar year at which the line passes a value."""
        return float((np.log(value) - self.intercept_log) / self.yearly_log)


def fit_trend(year, value, *, replicates=2000, seed=0):
    """Fit ``log(value) = a + b * year`` by least squares, with a bootstrap over the points.

    Parameters
    ----------
    year, value : array_like of shape (n,)
        Calendar years and positive values; at least two different years.
    replicates : int
        Bootstrap samples.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Trend

    Raises
    ------
    ValueError
        With fewer than two different years.

    Examples
    --------
    >>> round(fit_trend([2016, 2018, 2020], [1.0, 4.0, 16.0]).factor(8), 6)
    256.0
    """
    year, log_value = np.asarray(year, dtype=float), np.log(np.asarray(value, dtype=float))
    if len(np.unique(year)) < 2:
        raise ValueError("a trend needs points in at least two different years")
    slope, intercept = _slopes(year[None], log_value[None])
    draws = np.random.default_rng([seed, 4]).integers(0, len(year), (replicates, len(year)))
    # A sample of one and the same year has no slope; it is drawn rarely and left out.
    spread = np.ptp(year[draws], axis=1) > 0
    replicate_slopes, _ = _slopes(year[draws][spread], log_value[draws][spread])
    return Trend(float(slope[0]), float(intercept[0]), replicate_slopes, len(year))


def _slopes(year, log_value):
    mean_year, mean_log = year.mean(axis=1, keepdims=True), log_value.mean(axis=1, keepdims=True)
    slope = ((year - mean_year) * (log_value - mean_log)).sum(axis=1) / ((year - mean_year) ** 2).sum(axis=1)
    return slope, mean_log[:, 0] - slope * mean_year[:, 0]


def bytes_per_flop(bandwidth_GBps, compute_tflops):
    """Return how many bytes a link moves in the time of one floating-point operation.

    Parameters
    ----------
    bandwidth_GBps : array_like
        Of the link, one way.
    compute_tflops : array_like
        Of the card.

    Returns
    -------
    ndarray or float
        Bytes per FLOP; communication that needs fewer can hide behind compute.

    Examples
    --------
    >>> bytes_per_flop(100.0, 1000.0)
    0.0001
    """
    return bandwidth_GBps / (compute_tflops * 1e3)
