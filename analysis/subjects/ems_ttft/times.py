"""Time to first token of a service: what its requests take on an idle instance, and how long they wait for it."""

from dataclasses import dataclass

import numpy as np

from analysis.models.collectives import GIGA
from analysis.models.first_token import prefill_s
from analysis.models.queueing import mg1_wait_s


@dataclass(frozen=True)
class Moments:
    """Means over the requests of a service, arrays that broadcast.

    Attributes
    ----------
    work, work_squared : ndarray
        Seconds of computing at the calibrated speed, beside what every request takes; and their square.
    size, size_squared : ndarray
        Bytes that are loaded.
    work_size : ndarray
        Product of both.
    loading : ndarray
        Part of the requests that loads anything.
    """

    work: np.ndarray
    work_squared: np.ndarray
    size: np.ndarray
    size_squared: np.ndarray
    work_size: np.ndarray
    loading: np.ndarray


@dataclass(frozen=True)
class Loading:
    """How a cached prefix arrives.

    Attributes
    ----------
    rate_GBps : array_like
        Reached, into the whole instance; infinite where it lies in the memory of the accelerators.
    hidden : array_like
        Part that can pass behind the computation.
    lookup_s : array_like
    """

    rate_GBps: float = np.inf
    hidden: float = 0.0
    lookup_s: float = 0.0


def own_s(prefiller):
    """Return what a request takes whatever its length."""
    return prefiller.fixed_s + prefiller.step_s


def of_requests(one, prompt, cached):
    """Return seconds of computing and bytes to load of requests on an instance.

    Parameters
    ----------
    one : Instance
    prompt, cached : ndarray

    Returns
    -------
    work, size : ndarray
    """
    work = prefill_s(one.shape, one.prefiller, prompt - cached, prompt) - own_s(one.prefiller)
    return work, one.copies * one.token_bytes * cached


def moments(work, size, part, starts):
    """Return means over groups of classes of requests.

    Parameters
    ----------
    work, size, part : ndarray, shape (classes,)
    starts : ndarray of int, shape (groups,)
        Where the classes of each group begin.

    Returns
    -------
    Moments
        Of shape (groups,).
    """
    cells = (work, work**2, size, size**2, work * size, size > 0)
    return Moments(*(np.add.reduceat(part * cell, starts) for cell in cells))


def mean_s(found, own, speed, loading):
    """Return the mean time to first token on an idle instance.

    Parameters
    ----------
    found : Moments
    own : array_like
        Of every request: see `own_s`.
    speed : array_like
        Over the calibrated one.
    loading : Loading

    Returns
    -------
    ndarray
        Seconds.
    """
    work = found.work / speed
    return own + work + _exposed_s(found, work, loading) + found.loading * loading.lookup_s


def _exposed_s(found, work, loading):
    load = found.size / (GIGA * loading.rate_GBps)
    return load - np.minimum(loading.hidden * load, work)


def squared_s(found, own, speed, loading):
    """Return the mean square of the time that a request keeps an instance busy, looking up apart.

    Parameters
    ----------
    found, own, speed, loading
        As of `mean_s`.

    Returns
    -------
    ndarray
        Square seconds.
    """
    work, load = found.work / speed, found.size / (GIGA * loading.rate_GBps)
    # Where computing is too short to hide the load, that much less of each load is hidden.
    shown = np.divide(_exposed_s(found, work, loading), load, out=np.zeros_like(load), where=load > 0)
    rate = shown / (GIGA * loading.rate_GBps)
    both = found.work_squared / speed**2 + 2 * rate * found.work_size / speed + rate**2 * found.size_squared
    return own**2 + 2 * own * (work + shown * load) + both


def busy_s(found, own, speed, loading):
    """Return the mean time that a request keeps an instance busy."""
    return mean_s(found, own, speed, loading) - found.loading * loading.lookup_s


def waiting_s(rate_per_s, busy, squared):
    """Return the mean wait for an idle instance when requests come at random.

    Parameters
    ----------
    rate_per_s : array_like
        Of requests to one instance.
    busy, squared : array_like
        See `busy_s` and `squared_s`.

    Returns
    -------
    ndarray
        Seconds; infinite from full load on.
    """
    return mg1_wait_s(rate_per_s, busy, squared / busy**2 - 1)
