"""Time of handing tokens to their experts (dispatch) and taking the results back (combine).

Two kinds of kernel. A direct one sends every copy of a token straight to the rank of its expert. A forwarding one sends
one copy a token to each server concerned, and a rank there passes it on inside [deepseek2025deepep]. Copies for the
rank itself, or for a die of the same package, do not load a link. Everything broadcasts.
"""

from dataclasses import dataclass

import numpy as np

from analysis.models.collectives import MICRO, Fabrics, transfer_s
from analysis.models.expert_load import balanced_peak, distinct_groups

NANO = 1e-9


@dataclass(frozen=True)
class Exchange:
    """What a group of ranks exchanges; numbers or arrays.

    Attributes
    ----------
    tokens : array_like
        Of one rank.
    copies : array_like
        Experts that each token goes to.
    bytes_per_copy : array_like
    ranks : array_like
        Of the group: the degree of expert parallelism.
    ranks_per_server : array_like
    chosen_servers : array_like
        Among how many servers the experts of one token may lie; all, where not given.
    """

    tokens: float
    copies: float
    bytes_per_copy: float
    ranks: float
    ranks_per_server: float
    chosen_servers: float = np.inf

    @property
    def servers(self):
        """Servers over which the group spreads."""
        return self.ranks / self.inside

    @property
    def inside(self):
        """Ranks of the group in one server."""
        return np.minimum(self.ranks, self.ranks_per_server)

    @property
    def server_copies(self):
        """Servers that one token reaches, on average, its own included."""
        return distinct_groups(np.minimum(self.chosen_servers, self.servers), self.copies)

    @property
    def rank_copies(self):
        """Ranks that one token reaches, on average, its own included."""
        return distinct_groups(np.minimum(self.chosen_servers, self.servers) * self.inside, self.copies)


@dataclass(frozen=True)
class Kernel:
    """How one library exchanges tokens on one kind of card.

    Attributes
    ----------
    fabrics : Fabrics
        Rates that the kernel reaches; latencies are part of `fixed_us`.
    scaleup_domain : array_like
        Ranks that the scale-up fabric joins.
    fixed_us : array_like
        Launch, flags and barriers: what an exchange without tokens takes.
    package_ranks : int
        Ranks of one package, between which copies load no link; 1 where a rank is a package.
    copy_ns, outside_copy_ns : array_like
        Time that each copy adds because a core works on it alone, and because it leaves the server.
    """

    fabrics: Fabrics
    scaleup_domain: float
    fixed_us: float
    package_ranks: int = 1
    copy_ns: float = 0.0
    outside_copy_ns: float = 0.0


def exchange_s(exchange, kernel, *, combine, forwards):
    """Return the time of one dispatch or combine when all experts are equally popular.

    Parameters
    ----------
    exchange : Exchange
    kernel : Kernel
    combine, forwards : array_like of bool
        Else dispatch, and else direct.

    Returns
    -------
    ndarray
        Seconds. A direct combine ends for all when the rank that was given most has sent it back; a dispatch ends, on
        average over ranks, with the mean load.
    """
    busiest = balanced_peak(exchange.ranks, np.asarray(exchange.tokens) * exchange.copies)
    direct = direct_s(exchange, kernel, peak=np.where(combine, busiest, 1.0))
    return np.where(forwards, forwarded_s(exchange, kernel), direct)


def direct_s(exchange, kernel, *, peak=1.0):
    """Return the time of an exchange in which every copy travels by itself.

    Parameters
    ----------
    exchange : Exchange
    kernel : Kernel
    peak : array_like
        Load of the rank that decides over the mean: see `analysis.models.expert_load`.

    Returns
    -------
    ndarray
        Seconds. Both fabrics work at once, so the slower one counts.
    """
    ranks = np.asarray(exchange.ranks, dtype=float)
    copies = np.asarray(exchange.tokens, dtype=float) * exchange.copies
    size = copies * exchange.bytes_per_copy * peak
    joined = np.minimum(ranks, kernel.scaleup_domain)
    near = transfer_s(size * np.maximum(joined - kernel.package_ranks, 0) / ranks, kernel.fabrics.scaleup_GBps)
    far = transfer_s(size * (1 - joined / ranks), kernel.fabrics.scaleout_GBps)
    outside = 1 - exchange.inside / ranks
    each_ns = kernel.copy_ns + outside * kernel.outside_copy_ns
    return MICRO * np.asarray(kernel.fixed_us) + NANO * copies * each_ns + np.maximum(near, far)


def forwarded_s(exchange, kernel):
    """Return the time of an exchange that crosses between domains once a token and server, and fans out inside.

    Parameters
    ----------
    exchange : Exchange
        `ranks_per_server` is the size of the scale-up domain here.
    kernel : Kernel

    Returns
    -------
    ndarray
        Seconds. The network card carries what leaves the own server; the scale-up link carries one copy for each rank
        concerned, but for the rank that received it. The slower of the two counts.
    """
    size = np.asarray(exchange.tokens, dtype=float) * exchange.bytes_per_copy
    far = transfer_s(size * exchange.server_copies * (1 - 1 / exchange.servers), kernel.fabrics.scaleout_GBps)
    passed_on = exchange.rank_copies * (1 - 1 / exchange.inside)
    return MICRO * np.asarray(kernel.fixed_us) + np.maximum(
        far, transfer_s(size * passed_on, kernel.fabrics.scaleup_GBps)
    )


def counted_bytes(exchange, *, per_expert, logical=False):
    """Return the bytes that a published bandwidth of an exchange is reckoned with.

    Parameters
    ----------
    exchange : Exchange
    per_expert : array_like of bool
        Whether a rank receives a copy for each of its experts that a token chose, or one copy in all.
    logical : array_like of bool
        Count one copy for each server that a token reaches, its own included, where there is more than one server.

    Returns
    -------
    ndarray
        Bytes of one rank.
    """
    received = np.where(per_expert, exchange.copies, exchange.rank_copies)
    counted = np.where(logical & (np.asarray(exchange.servers) > 1), exchange.server_copies, received)
    return np.asarray(exchange.tokens, dtype=float) * exchange.bytes_per_copy * counted
