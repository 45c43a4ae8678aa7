"""Prefix caching of a request trace: LRU hits at every capacity from one pass, private caches against a pool."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from analysis.facts.traces import BLOCK_TOKENS


@dataclass(frozen=True, eq=False)
class HitCurve:
    """Hits at every capacity.

    Attributes
    ----------
    hit_blocks, hit_tokens : ndarray of int64, shape (distinct + 1,)
        Prompt blocks and tokens found in a cache of 0, 1, 2, ... blocks; the last figure is that of an infinite cache.
    blocks, tokens : int
        Of all prompts together.
    """

    hit_blocks: np.ndarray
    hit_tokens: np.ndarray
    blocks: int
    tokens: int

    def block_hit(self, capacities):
        """Fraction of prompt blocks found by caches of some capacities in blocks; infinity is accepted."""
        return self.hit_blocks[self._index(capacities)] / self.blocks

    def token_hit(self, capacities):
        """Fraction of prompt tokens found by caches of some capacities in blocks; infinity is accepted."""
        return self.hit_tokens[self._index(capacities)] / self.tokens

    def blocks_for(self, token_hit):
        """Fewest blocks of a cache whose token-weighted hit fraction reaches each target; infinity where none does."""
        found = np.searchsorted(self.hit_tokens / self.tokens, token_hit)
        return np.where(found < len(self.hit_tokens), found, np.inf)

    def _index(self, capacities):
        return np.asarray(np.clip(capacities, 0, len(self.hit_blocks) - 1)).astype(np.int64)


def miss_ratio_curve(trace, caches=1):
    """Replay a trace once and return the hits of LRU caches of every capacity.

    A lookup counts the leading blocks of a prompt that are present before it is inserted. All its blocks are then
    inserted or touched; the least recently used block goes first, a prompt's tail before its head, and only when the
    whole prompt is in. So the blocks in order of use are the same for every capacity N, which holds the first N of them
    before each request, and a leading block is hit where the deepest block up to it lies among those N.
    Source: [mattson1970evaluation], the stack; [bennett1975stack], the tree over times of use.

    Parameters
    ----------
    trace : Trace
    caches : int
        With more than one, request i goes to cache i mod `caches`. Hits are summed over the caches, and a capacity is
        that of each of them.

    Returns
    -------
    HitCurve

    Notes
    -----
    A pool of K N blocks against K private caches of N blocks, for any rule that gives a request to a cache without
    looking at its prompt:

    - Without a limit on size the pool loses no hit, request by request: it has seen what any private cache has seen.
    - On average over all orders of the requests a pool loses nothing, even one of N blocks. The j-th request of a
      private cache then comes after j - 1 requests drawn like any others, the i-th of the pool after i - 1 of them,
      i >= j; and a longer past changes nothing among the N blocks used last, it only fills up what was empty.
    - In one given order it can lose: where long prompts that come once always go to other caches than short ones that
      come back, private caches keep the two apart.

    Examples
    --------
    >>> from analysis.facts.traces import trace_of
    >>> trace = trace_of([0, 1, 2], [1024, 512, 1000], [1, 1, 1], [2, 1, 2], [7, 8, 9, 7, 8])
    >>> miss_ratio_curve(trace).hit_blocks.tolist()
    [0, 0, 1, 2]
    >>> miss_ratio_curve(trace).hit_tokens.tolist()
    [0, 0, 512, 1000]
    """
    by_reach, shortfall_by_reach = np.zeros((2, trace.distinct + 1), dtype=np.int64)
    shortfalls = BLOCK_TOKENS * np.diff(trace.ends, prepend=0) - trace.input_tokens
    slot_of = np.full(trace.distinct, -1, dtype=np.int64)
    stale_tree = np.zeros(len(trace.blocks) + 1, dtype=np.int64)
    scratch = (slot_of, stale_tree, by_reach[1:], shortfall_by_reach[1:])
    _kernels().count_reaches(trace.blocks, trace.ends, shortfalls, min(caches, trace.requests), *scratch)
    hit_blocks = np.cumsum(by_reach)
    hit_tokens = BLOCK_TOKENS * hit_blocks - np.cumsum(shortfall_by_reach)
    return HitCurve(hit_blocks, hit_tokens, len(trace.blocks), trace.tokens)


def request_hits(trace, capacity, caches=1):
    """Return what each request finds in a cache of one capacity.

    Plays the cache itself, by the rules of `miss_ratio_curve` and without a distance or a tree.

    Parameters
    ----------
    trace : Trace
    capacity : float
        Blocks of each cache; infinity is accepted.
    caches : int
        Request i goes to cache i mod `caches`.

    Returns
    -------
    blocks, tokens : ndarray of int64, shape (requests,)
        Leading blocks present, and the tokens that they hold.

    Examples
    --------
    >>> from analysis.facts.traces import trace_of
    >>> trace = trace_of([0, 1, 2], [1024, 512, 1000], [1, 1, 1], [2, 1, 2], [7, 8, 9, 7, 8])
    >>> [found.tolist() for found in request_hits(trace, 2)]
    [[0, 0, 1], [0, 0, 512]]
    """
    hits = np.empty(trace.requests, dtype=np.int64)
    size = int(min(capacity, trace.distinct))
    slot_of = np.full(trace.distinct, -1, dtype=np.int64)
    stale = np.zeros(len(trace.blocks), dtype=np.uint8)
    _kernels().count_hits(trace.blocks, trace.ends, size, min(caches, trace.requests), slot_of, stale, hits)
    return hits, np.minimum(BLOCK_TOKENS * hits, trace.input_tokens)


def working_set(trace, windows_ms):
    """Return the mean number of different blocks used within the last while.

    The mean is over every millisecond from the first request to the last: each use of a block keeps it in the window
    until its next use, the window's length or the end, whichever comes first. Source: [denning1972workingset]

    Parameters
    ----------
    trace : Trace
    windows_ms : array_like of float
        Lengths of the window; 1 or more.

    Returns
    -------
    ndarray of float, shape of `windows_ms`
        Blocks.
    """
    times = np.repeat(trace.timestamps_ms, np.diff(trace.ends, prepend=0))
    # A stable sort by block leaves each block's uses in order of time.
    order = np.argsort(trace.blocks, kind="stable")
    blocks, used = trace.blocks[order], times[order]
    end = times[-1] + 1
    until = np.append(np.where(blocks[1:] == blocks[:-1], used[1:], end), end)
    kept = np.sort(until - used)
    sums = np.append(0, np.cumsum(kept))
    windows = np.asarray(windows_ms, dtype=float)
    shorter = np.searchsorted(kept, windows)
    return (sums[shorter] + windows * (len(kept) - shorter)) / (end - times[0])


@cache
def _kernels():
    # Compiled when first asked for, so that importing the package does not load the compiler.
    from analysis.models import prefix_cache_kernel

    return prefix_cache_kernel
