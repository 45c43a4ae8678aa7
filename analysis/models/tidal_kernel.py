"""The loop over minutes and blocks of the tidal simulation, compiled."""

import numpy as np
from numba import njit

from analysis.models.tidal_simulation import DRAINING, RETURNING, SERVING, TRAINING


@njit(cache=True)
def run(called, blocks, last_block, switch_min, warm_up):
    """Count blocks by state in every minute.

    Parameters
    ----------
    called : ndarray of int of shape (warm_up + minutes,)
        Blocks, counted from the first, that must serve or be on their way back.
    blocks : int
    last_block : float
        Size of the last block in blocks.
    switch_min : int
        Minutes that a block drains, and minutes that it returns.
    warm_up : int
        Minutes that are not counted.

    Returns
    -------
    ndarray of shape (minutes, 4)
    """
    state = np.zeros(blocks, dtype=np.int8)
    timer = np.zeros(blocks, dtype=np.int16)
    counts = np.zeros((len(called) - warm_up, 4))
    for minute in range(len(called)):
        now = np.zeros(4, dtype=np.int64)
        for block in range(blocks):
            wanted = block < called[minute]
            if wanted and (state[block] == DRAINING or state[block] == TRAINING):
                state[block], timer[block] = RETURNING, switch_min
            elif not wanted and (state[block] == SERVING or state[block] == RETURNING):
                state[block], timer[block] = DRAINING, switch_min
            if state[block] == DRAINING or state[block] == RETURNING:
                if timer[block] == 0:
                    state[block] = TRAINING if state[block] == DRAINING else SERVING
                else:
                    timer[block] -= 1
            now[state[block]] += 1
        if minute >= warm_up:
            counts[minute - warm_up] = now
            counts[minute - warm_up, state[blocks - 1]] -= 1 - last_block
    return counts
