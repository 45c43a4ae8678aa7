"""Time of collective communication over two fabrics: a fast one inside a domain of ranks, a slower one between domains.

Latency plus bytes over bandwidth [hockney1987parametrization], with the steps and bytes of the bandwidth-optimal
algorithms [thakur2005optimization]. Where a group spans domains, a collective works in the domain first and hands
each rank's own part to its own network card, so that only ``1 / ranks_per_domain`` of the data crosses. Everything
broadcasts; one rank costs nothing.
"""

from dataclasses import dataclass

import numpy as np

GIGA, MICRO = 1e9, 1e-6


@dataclass(frozen=True)
class Fabrics:
    """Two fabrics as one rank sees them; numbers or arrays, one way.

    Attributes
    ----------
    scaleup_GBps, scaleout_GBps : array_like
        Rate that a rank reaches inside its domain, and through its network card.
    scaleup_latency_us, scaleout_latency_us : array_like
        Time of a message without bytes.
    """

    scaleup_GBps: float
    scaleout_GBps: float
    scaleup_latency_us: float = 0.0
    scaleout_latency_us: float = 0.0


def transfer_s(bytes_sent, GBps, latency_us=0.0):
    """Return the time of one message from one rank to another.

    Examples
    --------
    >>> float(transfer_s(1e9, GBps=100.0))
    0.01
    """
    return MICRO * np.asarray(latency_us, dtype=float) + np.asarray(bytes_sent, dtype=float) / (GIGA * GBps)


def point_to_point_s(bytes_sent, fabrics, *, same_domain):
    """Return the time of one message between two ranks that share a domain, or do not.

    Parameters
    ----------
    bytes_sent : array_like
    fabrics : Fabrics
    same_domain : array_like of bool

    Returns
    -------
    ndarray
        Seconds.
    """
    inside = transfer_s(bytes_sent, fabrics.scaleup_GBps, fabrics.scaleup_latency_us)
    return np.where(same_domain, inside, transfer_s(bytes_sent, fabrics.scaleout_GBps, fabrics.scaleout_latency_us))


def all_gather_s(bytes_per_rank, ranks, ranks_per_domain, fabrics):
    """Return the time in which every rank collects the parts of all.

    Parameters
    ----------
    bytes_per_rank : array_like
        What each rank holds at the end; each brings ``1 / ranks`` of it.
    ranks, ranks_per_domain : array_like
        Members of the group, and how many of them share a domain.
    fabrics : Fabrics

    Returns
    -------
    ndarray
        Seconds. Large messages go in chunks, so both fabrics work at once and the slower one counts; the steps of both
        add up, as a chunk passes both. Recursive doubling: as many steps as the logarithm of the ranks.
    """
    inside, domains = _spread(ranks, ranks_per_domain)
    size = np.asarray(bytes_per_rank, dtype=float)
    near = transfer_s(size * (inside - 1) / inside, fabrics.scaleup_GBps)
    far = transfer_s(size / inside * (domains - 1) / domains, fabrics.scaleout_GBps)
    near_us = np.ceil(np.log2(inside)) * fabrics.scaleup_latency_us
    return np.maximum(near, far) + MICRO * (near_us + np.ceil(np.log2(domains)) * fabrics.scaleout_latency_us)


def reduce_scatter_s(bytes_per_rank, ranks, ranks_per_domain, fabrics):
    """Return the time in which every rank receives the sum of one part; an all-gather run backwards.

    Parameters
    ----------
    bytes_per_rank : array_like
        What each rank holds at the start; it keeps ``1 / ranks`` of it, summed.
    ranks, ranks_per_domain, fabrics
        As in `all_gather_s`.

    Returns
    -------
    ndarray
        Seconds.
    """
    return all_gather_s(bytes_per_rank, ranks, ranks_per_domain, fabrics)


def all_reduce_s(bytes_per_rank, ranks, ranks_per_domain, fabrics):
    """Return the time in which every rank receives the sum of everything: a reduce-scatter, then an all-gather.

    Parameters
    ----------
    bytes_per_rank : array_like
        What each rank holds, at the start and at the end.
    ranks, ranks_per_domain, fabrics
        As in `all_gather_s`.

    Returns
    -------
    ndarray
        Seconds.
    """
    return 2 * all_gather_s(bytes_per_rank, ranks, ranks_per_domain, fabrics)


def all_to_all_s(bytes_per_rank, ranks, ranks_per_domain, fabrics, *, per_peer_us=0.0):
    """Return the time in which every rank sends an equal part to each rank.

    Parameters
    ----------
    bytes_per_rank : array_like
        What each rank sends in all, ``1 / ranks`` of it to itself.
    ranks, ranks_per_domain, fabrics
        As in `all_gather_s`.
    per_peer_us : array_like
        Time that a rank spends on each message that it sends: the gap of LogP [culler1993logp].

    Returns
    -------
    ndarray
        Seconds. Both fabrics work at once, so the slower part counts.
    """
    inside, domains = _spread(ranks, ranks_per_domain)
    count = inside * domains
    part = np.asarray(bytes_per_rank, dtype=float) / count
    near = transfer_s(part * (inside - 1), fabrics.scaleup_GBps, np.where(inside > 1, fabrics.scaleup_latency_us, 0))
    out_latency_us = np.where(domains > 1, fabrics.scaleout_latency_us, 0)
    far = transfer_s(part * (count - inside), fabrics.scaleout_GBps, out_latency_us)
    return np.maximum(near, far) + MICRO * np.asarray(per_peer_us) * (count - 1)


def _spread(ranks, ranks_per_domain):
    """Ranks of the group in each domain, and domains that it spans."""
    inside = np.minimum(ranks, ranks_per_domain).astype(float)
    return inside, ranks / inside
