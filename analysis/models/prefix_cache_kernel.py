"""The compiled loops over the blocks of a trace; imported only when a trace is replayed.

Every touch of a block takes the next slot. A slot is live while it holds the last touch of its block, then stale. A
request touches its blocks from the last to the first, so that its head is the most recent and its tail goes first.
The blocks in order of use are the live slots, the latest first, and a cache of N blocks holds the first N of them.
"""

from numba import njit


@njit(cache=True)
def count_reaches(blocks, ends, shortfalls, caches, slot_of, stale_tree, by_reach, shortfall_by_reach):
    """Count blocks by the capacity that it takes to hit them, in one pass.

    A block's distance is the number of other blocks used since its last use, before its request came; its reach is the
    largest distance among it and the blocks before it in the prompt. A cache of N blocks hits it where its reach < N.

    Parameters
    ----------
    blocks, ends : ndarray of int64
        As in `Trace`.
    shortfalls : ndarray of int64, shape (requests,)
        Tokens that the last block of each request lacks to be full.
    caches : int
        Request i goes to cache i mod `caches`.
    slot_of : ndarray of int64, shape (distinct,)
        All -1; holds the slot of each block's last touch.
    stale_tree : ndarray of int64, shape (blocks + 1,)
        All 0; a Fenwick tree over the slots that counts the stale ones.
    by_reach, shortfall_by_reach : ndarray of int64, shape (distinct,)
        All 0; receive the number of blocks of each reach, and the tokens that they lack to be full.
    """
    now = 0
    stale = 0
    for cache in range(caches):
        # What lies below the first slot is not in this cache.
        first = now
        for request in range(cache, len(ends), caches):
            start = ends[request - 1] if request else 0
            end = ends[request]
            reach = _look_up(blocks, start, end, slot_of, first, now - stale, stale_tree, by_reach)
            if reach >= 0:
                shortfall_by_reach[reach] += shortfalls[request]
            for position in range(end - 1, start - 1, -1):
                block = blocks[position]
                if slot_of[block] >= first:
                    _add_one(stale_tree, slot_of[block])
                    stale += 1
                slot_of[block] = now
                now += 1


@njit(cache=True)
def _look_up(blocks, start, end, slot_of, first, live, stale_tree, by_reach):
    """Count a prompt's leading blocks by reach; return the last one's, or -1 where a block was never seen."""
    reach = 0
    distance = 0
    before = -1
    for position in range(start, end):
        slot = slot_of[blocks[position]]
        if slot < first:
            return -1
        if slot == before - 1:
            # The block touched just before its predecessor: one further down, no need to count.
            distance += 1
        else:
            distance = live - 1 - slot + _sum_before(stale_tree, slot)
        before = slot
        reach = max(reach, distance)
        by_reach[reach] += 1
    return reach


@njit(cache=True)
def _add_one(tree, index):
    """Add one at an index of a Fenwick tree."""
    node = index + 1
    while node < len(tree):
        tree[node] += 1
        node += node & -node


@njit(cache=True)
def _sum_before(tree, index):
    """Sum a Fenwick tree below an index."""
    total = 0
    node = index
    while node:
        total += tree[node]
        node &= node - 1
    return total


@njit(cache=True)
def count_hits(blocks, ends, capacity, caches, slot_of, stale, hits):
    """Play one capacity: look up, touch, then evict; no distance is computed.

    Parameters
    ----------
    blocks, ends, caches, slot_of
        As for `count_reaches`.
    capacity : int
        Blocks of each cache.
    stale : ndarray of uint8, shape (blocks,)
        All 0; marks the slots that are stale.
    hits : ndarray of int64, shape (requests,)
        Receives the leading blocks of each request that were present.
    """
    now = 0
    for cache in range(caches):
        oldest = now
        held = 0
        for request in range(cache, len(ends), caches):
            start = ends[request - 1] if request else 0
            end = ends[request]
            position = start
            while position < end and slot_of[blocks[position]] >= oldest:
                position += 1
            hits[request] = position - start
            for position in range(end - 1, start - 1, -1):
                block = blocks[position]
                slot = slot_of[block]
                slot_of[block] = now
                now += 1
                if slot >= oldest:
                    stale[slot] = 1
                else:
                    held += 1
            # Behind the oldest slot nothing is held.
            while held > capacity:
                held -= 1 - stale[oldest]
                oldest += 1
