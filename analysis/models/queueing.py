"""Mean waits in queues with one server, or several, first come first served; numbers, or arrays that broadcast."""

import numpy as np


def utilisation(rate_per_s, service_s, servers=1):
    """Return the part of its time that each server is busy, were it never overloaded."""
    return np.asarray(rate_per_s, dtype=float) * service_s / servers


def mean_number(rate_per_s, time_s):
    """Return the mean number of requests inside, from how many come and how long each stays.

    Source: [little1961proof]

    Examples
    --------
    >>> float(mean_number(4.0, 0.5))
    2.0
    """
    return np.asarray(rate_per_s, dtype=float) * time_s


def moments(service_s, weights=None):
    """Return the mean of some service times, and their squared coefficient of variation.

    Parameters
    ----------
    service_s : array_like, last axis the times
    weights : array_like or None
        None for equal weights.

    Returns
    -------
    mean_s, squared_variation : ndarray
    """
    times = np.asarray(service_s, dtype=float)
    mean = np.average(times, axis=-1, weights=weights)
    square = np.average(times**2, axis=-1, weights=weights)
    return mean, square / mean**2 - 1


def mg1_wait_s(rate_per_s, service_s, squared_variation):
    """Return the mean wait before service when requests come at random to one server: Pollaczek and Khinchine.

    With load r = rate x service, ``wait = service x r / (1 - r) x (1 + squared_variation) / 2``. Source:
    [pollaczek1930aufgabe], [khinchine1932mathematical]

    Parameters
    ----------
    rate_per_s : array_like
        Of a Poisson process.
    service_s : array_like
        Mean.
    squared_variation : array_like
        Variance of the service times over their squared mean.

    Returns
    -------
    ndarray
        Seconds; infinite from full load on.

    Examples
    --------
    >>> mg1_wait_s([0.5, 0.9, 1.0], 1.0, 0.0).round(3).tolist()
    [0.5, 4.5, inf]
    """
    load = utilisation(rate_per_s, service_s)
    free = np.maximum(1 - load, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        wait = np.asarray(service_s) * load / free * (1 + np.asarray(squared_variation)) / 2
    return np.where(free > 0, wait, np.inf)


def mm1_wait_s(rate_per_s, service_s):
    """Return the mean wait before service with exponential service times. See `mg1_wait_s`."""
    return mg1_wait_s(rate_per_s, service_s, 1.0)


def md1_wait_s(rate_per_s, service_s):
    """Return the mean wait before service when all services take the same time. See `mg1_wait_s`."""
    return mg1_wait_s(rate_per_s, service_s, 0.0)


def mmc_wait_s(rate_per_s, service_s, servers):
    """Return the mean wait before one of several servers that share a queue, with exponential service times.

    From blocking of a system without a queue, one server more at a time. Source: [erlang1917solution]

    Parameters
    ----------
    rate_per_s, service_s : array_like
    servers : int

    Returns
    -------
    ndarray
        Seconds; infinite from full load on.
    """
    offered = utilisation(rate_per_s, service_s)
    blocked = np.ones_like(offered)
    for busy in range(1, servers + 1):
        blocked = offered * blocked / (busy + offered * blocked)
    free = np.maximum(servers - offered, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        waits = servers * blocked / (servers - offered * (1 - blocked))
        return np.where(free > 0, waits * service_s / free, np.inf)


def closed_response_s(clients, service_s, think_s=0.0):
    """Return the mean response, wait and service, of one server whose clients think between requests.

    Mean value analysis: a request finds what there is on average with one client less. Exact for exponential service
    times and any thinking times; without thinking, for any service times. Source: [reiser1980meanvalue]

    Parameters
    ----------
    clients : array_like of int
    service_s, think_s : array_like
        Means.

    Returns
    -------
    ndarray
        Seconds; nothing for no client.

    Examples
    --------
    >>> closed_response_s([1, 2, 3], 1.0).tolist()
    [1.0, 2.0, 3.0]
    """
    clients, service, think = np.broadcast_arrays(clients, service_s, think_s)
    waiting, response = np.zeros((2, *clients.shape))
    for count in range(1, int(clients.max(initial=0)) + 1):
        response = np.where(count <= clients, service * (1 + waiting), response)
        waiting = np.where(count <= clients, count * response / (think + response), waiting)
    return response


def closed_deterministic_response_s(clients, service_s, think_s=0.0):
    """Return the response of one server whose clients think, when all services and all thoughts take the same time.

    Once they have spread out, clients wait for nobody, or the server is never idle. Source: [denning1978operational],
    the asymptotes, which are reached where nothing varies.

    Parameters
    ----------
    clients, service_s, think_s : array_like

    Returns
    -------
    ndarray
        Seconds.
    """
    service = np.asarray(service_s, dtype=float)
    return np.maximum(service, clients * service - think_s)


def closed_rate_per_s(clients, response_s, think_s=0.0):
    """Return the requests a second of a closed loop from its response time, by Little's law."""
    return np.asarray(clients, dtype=float) / (np.asarray(response_s) + think_s)
