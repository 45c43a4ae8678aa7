"""Checkpoints: how long one blocks training, and how often to take one."""

import numpy as np

SECONDS_A_MINUTE = 60


def young_interval_min(between_min, block_min):
    """Return the interval between checkpoints to first order.

    Parameters
    ----------
    between_min, block_min : array_like
        Mean time between failures, and what one checkpoint blocks.

    Returns
    -------
    ndarray or float
        ``sqrt(2 delta M)``. Source: [young1974first], equation 1.

    Examples
    --------
    >>> float(young_interval_min(200.0, 0.01))
    2.0
    """
    return np.sqrt(2 * np.asarray(block_min, dtype=float) * between_min)


def best_interval_min(between_min, block_min):
    """Return the interval between checkpoints that makes the effective training time largest.

    For failures at a constant rate the optimum of ``tau / (e^((tau + delta)/M) - 1)`` has a closed form; the time of
    recovery does not enter it.

    Parameters
    ----------
    between_min : array_like
        M, finite.
    block_min : array_like
        delta, above 0.

    Returns
    -------
    ndarray or float
        ``M (1 + W(-e^(-1 - delta/M)))`` with W the principal branch of Lambert's function.
        Source: the derivative of Daly's formula [daly2006optimum] set to zero.
    """
    from scipy.special import lambertw

    between_min = np.asarray(between_min, dtype=float)
    part = np.asarray(block_min, dtype=float) / between_min
    found = between_min * (1 + lambertw(-np.exp(-1 - part)).real)
    # Next to its branch point W is known to eight digits only; there the series in sqrt(2 delta/M) is exact enough.
    return np.where(part < 1e-6, between_min * (np.sqrt(2 * part) - 2 * part / 3), found)


def checkpoint_s(parameters_billion, bytes_per_parameter, bandwidth_GBps):
    """Return how long it takes to write the state of a model.

    Parameters
    ----------
    parameters_billion : array_like
        Of the model.
    bytes_per_parameter : array_like
        Weights, master weights and moments of the optimiser.
    bandwidth_GBps : array_like
        Of everything that writes together, in gigabytes a second.

    Returns
    -------
    ndarray or float
        Seconds.

    Examples
    --------
    >>> checkpoint_s(405.0, 14.0, 2000.0)
    2.835
    """
    return parameters_billion * bytes_per_parameter / bandwidth_GBps
