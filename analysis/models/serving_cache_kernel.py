"""Compiled least-recently-used caches of bounded memory: one row for each instance and one for a pool.

Every touch of a block takes the next slot of its row's log, from slot 1 on; 0 stands for none. A slot is live while it
holds the last touch of its block. A near cache of N blocks holds the N latest live slots, a far one behind it, which
holds all that the near one does, the M latest; so one log serves both. A full log moves its live slots to the front.
"""

from analysis.models.compiling import inner


@inner
def leading_near(cache, slot_of, blocks, start, end):
    """Return the position behind the leading blocks that the near cache holds."""
    while start < end and slot_of[blocks[start]] >= cache.near:
        start += 1
    return start


@inner
def leading_far(slot_of, blocks, start, end):
    """Return the position behind the leading blocks that the far cache holds."""
    while start < end and slot_of[blocks[start]] > 0:
        start += 1
    return start


@inner
def touch(cache, slot_of, log, blocks, start, end):
    """Insert a prompt, its tail first, then evict.

    Parameters
    ----------
    cache : record of `serving_state.CACHE`
    slot_of : ndarray of int32, shape (distinct,)
        The slot of each block; 0 where the far cache does not hold it.
    log : ndarray of int32
        The block of each slot; at least as long as the far cache and a prompt together.
    blocks : ndarray of int64
    start, end : int
        Of the prompt in `blocks`.
    """
    if cache.now + end - start > len(log):
        _compact(cache, slot_of, log)
    now, near, far = cache.now, cache.near, cache.far
    near_held, far_held = cache.near_held, cache.far_held
    for position in range(end - 1, start - 1, -1):
        block = blocks[position]
        slot = slot_of[block]
        slot_of[block] = now
        log[now] = block
        now += 1
        near_held += slot < near
        far_held += slot == 0
    # Where there is but one cache, what leaves it leaves both at once.
    alone = cache.near_blocks == cache.far_blocks
    while near_held > cache.near_blocks and not alone:
        near_held -= slot_of[log[near]] == near
        near += 1
    while far_held > cache.far_blocks:
        block = log[far]
        if slot_of[block] == far:
            far_held -= 1
            slot_of[block] = 0
        far += 1
    if alone:
        near, near_held = far, far_held
    cache.now, cache.near, cache.far = now, near, far
    cache.near_held, cache.far_held = near_held, far_held


@inner
def _compact(cache, slot_of, log):
    """Move the live slots to the front of the log."""
    kept = 1
    near = -1
    for slot in range(cache.far, cache.now):
        if slot == cache.near:
            near = kept
        block = log[slot]
        if slot_of[block] == slot:
            log[kept] = block
            slot_of[block] = kept
            kept += 1
    cache.near = kept if near < 0 else near
    cache.far = 1
    cache.now = kept
