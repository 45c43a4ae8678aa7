"""Second method: a step with a pool, played operator by operator on its streams.

Accelerator, link and processors elsewhere each do one thing at a time, in the order in which work was given to them; an
operator starts when its stream is free and what it needs has ended. What this tests is how the times of
`analysis.models.offload` compose.
"""

import numpy as np

ACCELERATOR, LINK, ELSEWHERE = "accelerator", "link", "elsewhere"


def ends_of(operators):
    """Return when each operator ends.

    Parameters
    ----------
    operators : sequence of (str, array_like, tuple of int)
        Stream, seconds, and the positions of the operators that it waits for, all of them earlier in the sequence.

    Returns
    -------
    list of array_like
        Seconds from the start; arrays play many schedules at once.

    Examples
    --------
    >>> ends = ends_of([("link", 2.0, ()), ("accelerator", 1.0, ()), ("accelerator", 1.0, (0,))])
    >>> [float(end) for end in ends]
    [2.0, 1.0, 3.0]
    """
    free, ends = {}, []
    for stream, seconds, needs in operators:
        start = free.get(stream, 0.0)
        for one in needs:
            start = np.maximum(start, ends[one])
        ends.append(start + seconds)
        free[stream] = ends[-1]
    return ends


def played_beside_s(local_s, out_s, elsewhere_s, back_s):
    """Return the time of one layer's attention, here for some sequences and elsewhere for the others.

    Parameters
    ----------
    local_s, out_s, elsewhere_s, back_s : array_like
        Attention here; queries out, attention elsewhere, and results back.

    Returns
    -------
    ndarray
    """
    operators = [(LINK, out_s, ()), (ACCELERATOR, local_s, ()), (ELSEWHERE, elsewhere_s, (0,)), (LINK, back_s, (2,))]
    return np.maximum.reduce(np.broadcast_arrays(*ends_of(operators)))


def played_turns_s(own_s, elsewhere_s, layers):
    """Return the time of a layer of two batches that take turns, in the steady state.

    Parameters
    ----------
    own_s, elsewhere_s : sequence of array_like
        Of one layer, for the first and the second batch: on the accelerator, and elsewhere for sequences moved there.
    layers : int
        That are played; the first half fills the pipeline.

    Returns
    -------
    ndarray
        Seconds of one layer, both batches together.
    """
    operators, last = [], {0: (), 1: ()}
    for _ in range(layers):
        for batch in (0, 1):
            place = len(operators)
            operators.append((ACCELERATOR, own_s[batch], last[batch]))
            operators.append((ELSEWHERE, elsewhere_s[batch], (place,)))
            last[batch] = (place + 1,)
    ends = ends_of(operators)
    done = [np.maximum.reduce(np.broadcast_arrays(*ends[4 * one : 4 * one + 4])) for one in range(layers)]
    half = layers // 2
    return (done[-1] - done[half - 1]) / (layers - half)


def played_stream_s(own_s, link_s, layers, buffers=2):
    """Return the time of a layer whose cache comes over the link before it is needed, in the steady state.

    Parameters
    ----------
    own_s, link_s : array_like
        Of one layer.
    layers : int
        That are played; the first half fills the pipeline.
    buffers : int
        Layers whose cache the accelerator has room for.

    Returns
    -------
    ndarray
    """
    operators = []
    for layer in range(layers):
        emptied = (2 * (layer - buffers) + 1,) if layer >= buffers else ()
        operators.append((LINK, link_s, emptied))
        operators.append((ACCELERATOR, own_s, (2 * layer,)))
    ends, half = ends_of(operators), layers // 2
    return (ends[-1] - ends[2 * half - 1]) / (layers - half)
