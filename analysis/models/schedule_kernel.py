"""The compiled loop of the event schedule; imported only when a schedule is asked for."""

import numpy as np
from numba import njit

# Places in the vector of durations.
ATTENTION_F, ATTENTION_B, DENSE_F, DENSE_B, EXPERTS_F, EXPERTS_B, EXCHANGE, HEAD_F, HEAD_B, HOP, SLOWED = range(11)
# Places in the clocks of a stage: its computation, its exchange of tokens, its sums of gradients.
COMPUTE, LINK, GRADIENT = range(3)
NEVER = -1.0


@njit(cache=True)
def forward(clock, ready, layers, head, d, first, each):
    """Run one piece forward alone; parameters of layer j are there at ``first + j * each``. Return when it ends."""
    now = max(clock[COMPUTE], ready)
    for layer in range(layers[0] + layers[1]):
        now = max(now, first + (layer + 1) * each) + d[ATTENTION_F]
        if layer < layers[0]:
            now += d[DENSE_F]
        else:
            clock[LINK] = max(clock[LINK], now) + d[EXCHANGE]
            now = clock[LINK] + d[EXPERTS_F]
            clock[LINK] = max(clock[LINK], now) + d[EXCHANGE]
            now = clock[LINK]
    clock[COMPUTE] = now + head * d[HEAD_F]
    return clock[COMPUTE]


@njit(cache=True)
def backward(clock, ready, layers, head, d, each):
    """Run one piece backward alone; each layer's gradients are then summed in time `each`. Return when it ends."""
    now = max(clock[COMPUTE], ready) + head * d[HEAD_B]
    for layer in range(layers[0] + layers[1]):
        if layer < layers[1]:
            clock[LINK] = max(clock[LINK], now) + d[EXCHANGE]
            now = clock[LINK] + d[EXPERTS_B]
            clock[LINK] = max(clock[LINK], now) + d[EXCHANGE]
            now = clock[LINK] + d[ATTENTION_B]
        else:
            now += d[DENSE_B] + d[ATTENTION_B]
        if each > 0:
            clock[GRADIENT] = max(clock[GRADIENT], now) + each
    clock[COMPUTE] = now
    return now


@njit(cache=True)
def together(clock, ready_f, ready_b, layers_f, layers_b, head_f, head_b, d, ends):
    """Run the piece of one micro-batch forward and of another backward, the exchange of each beside the other."""
    pairs = min(layers_f[1], layers_b[1])
    rest_f, rest_b = np.array([layers_f[0], layers_f[1] - pairs]), np.array([layers_b[0], layers_b[1] - pairs])
    # Dense layers come first forward and last backward; a head comes last forward and first backward.
    first = forward(clock, ready_f, rest_f, 0.0, d, 0.0, 0.0) if rest_f.sum() else ready_f
    now = max(clock[COMPUTE], ready_f, ready_b) + head_b * d[HEAD_B]
    link, after_f, after_b, slowed = clock[LINK], first, now, d[SLOWED]
    for _ in range(pairs):
        attended = max(now, after_f) + d[ATTENTION_F] + slowed
        link = max(link, after_b) + d[EXCHANGE]
        done_b = max(attended, link) + d[EXPERTS_B] + slowed
        link = max(link, attended) + d[EXCHANGE]
        done_f = max(done_b, link) + d[EXPERTS_F] + slowed
        link = max(link, done_b) + d[EXCHANGE]
        now = max(done_f, link) + d[ATTENTION_B] + slowed
        after_b = now
        link = max(link, done_f) + d[EXCHANGE]
        after_f = link
    clock[COMPUTE], clock[LINK] = max(now, after_f), link
    ends[0] = clock[COMPUTE] + head_f * d[HEAD_F]
    clock[COMPUTE] = ends[0]
    ends[1] = backward(clock, after_b, rest_b, 0.0, d, 0.0) if rest_b.sum() else after_b


@njit(cache=True)
def place(turn, stages, pieces):
    """Which piece and which micro-batch a stage takes in its turn."""
    if pieces == 1:
        return 0, turn
    inside = turn % (stages * pieces)
    return inside // stages, turn // (stages * pieces) * stages + inside % stages


@njit(cache=True)
def lead_of(stage, stages, pieces, total, overlapped):
    """How many turns forward a stage takes before its first one backward.

    Two for each stage behind it where pieces interleave, and where turns run in pairs, which hand on only at their end;
    pairs then need one more, as a micro-batch cannot be beside itself.
    """
    behind = stages - stage - 1
    lead = behind if pieces == 1 and not overlapped else 2 * behind + (pieces - 1) * stages
    return min(lead + (1 if overlapped else 0), total)


@njit(cache=True)
def run(clock, stage, turns, ready, layers, heads, d, once, last_micro, ends):
    """Run one turn forward, backward, or both: `turns` holds piece and micro-batch of each, or a negative piece."""
    piece_f, micro_f, piece_b, micro_b = turns
    gather = once[0] if micro_f == 0 else 0.0
    scatter = once[1] if micro_b == last_micro else 0.0
    if piece_f >= 0 and piece_b >= 0:
        together(
            clock,
            ready[0],
            ready[1],
            layers[stage, piece_f],
            layers[stage, piece_b],
            heads[stage, piece_f],
            heads[stage, piece_b],
            d,
            ends,
        )
        if scatter > 0:
            clock[GRADIENT] = max(clock[GRADIENT], ends[1]) + scatter * layers[stage, piece_b].sum()
    elif piece_f >= 0:
        before = piece_f * layers[stage, piece_f].sum() * gather
        ends[0] = forward(clock, ready[0], layers[stage, piece_f], heads[stage, piece_f], d, before, gather)
    else:
        ends[1] = backward(clock, ready[1], layers[stage, piece_b], heads[stage, piece_b], d, scatter)


@njit(cache=True)
def advance(stage, done, there, clocks, layers, heads, d, flags, once, ends):
    """Take the next turn of a stage where its input is there; return how many passes it made."""
    stages, pieces, micro_batches = layers.shape[0], layers.shape[1], there.shape[2]
    total, last = pieces * micro_batches, stages * pieces - 1
    lead = lead_of(stage, stages, pieces, total, flags[0])
    f, b = done[stage]
    goes_f = f < total and f - b <= lead
    goes_b = b < total and (not goes_f or (flags[0] and f - b == lead))
    turns, ready = np.full(4, -1), np.zeros(2)
    if goes_f:
        turns[0], turns[1] = place(f, stages, pieces)
        ready[0] = there[0, turns[0] * stages + stage, turns[1]]
    if goes_b:
        turns[2], turns[3] = place(b, stages, pieces)
        turns[2] = pieces - 1 - turns[2]
        ready[1] = there[1, turns[2] * stages + stage, turns[3]]
    if not (goes_f or goes_b) or ready.min() < 0:
        return 0
    run(clocks[stage], stage, turns, ready, layers, heads, d, once[stage], micro_batches - 1, ends)
    for way in range(2):
        if turns[2 * way] < 0:
            continue
        here, micro = turns[2 * way] * stages + stage, turns[2 * way + 1]
        if flags[1]:
            clocks[stage, COMPUTE] = max(clocks[stage, COMPUTE], ends[way]) + d[HOP]
        following = here + 1 if way == 0 else here - 1
        if way == 0 and here == last:
            there[1, last, micro] = ends[0]
        elif 0 <= following <= last:
            there[way, following, micro] = ends[way] + d[HOP]
        done[stage, way] += 1
    return int(goes_f) + int(goes_b)


@njit(cache=True)
def play(micro_batches, layers, heads, d, flags, once):
    """Play one step and return when each stage has computed and summed its gradients.

    Parameters
    ----------
    micro_batches : int
    layers : ndarray of int, shape (stages, pieces, 2)
        Dense layers and layers with experts of each piece.
    heads : ndarray, shape (stages, pieces)
        Heads of each piece.
    d : ndarray
        Durations, seconds.
    flags : ndarray of bool
        Whether exchanges run beside another micro-batch, and whether hand-overs block a stage.
    once : ndarray, shape (stages, 2)
        Time of one layer's parameters, and of its gradients.

    Returns
    -------
    ndarray, shape (stages,)
        Seconds; not a number where the stages wait for each other.
    """
    stages, pieces = layers.shape[0], layers.shape[1]
    clocks, done = np.zeros((stages, 3)), np.zeros((stages, 2), np.int64)
    there = np.full((2, stages * pieces, micro_batches), NEVER)
    there[0, 0] = 0.0
    ends = np.zeros(2)
    left = 2 * micro_batches * pieces * stages
    while left > 0:
        passes = 0
        for stage in range(stages):
            while True:
                made = advance(stage, done, there, clocks, layers, heads, d, flags, once, ends)
                if made == 0:
                    break
                passes += made
        if passes == 0:
            return np.full(stages, np.nan)
        left -= passes
    return np.maximum(clocks[:, COMPUTE], clocks[:, GRADIENT])
