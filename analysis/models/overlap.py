"""Two micro-batches on one card: the matrices of one hide the exchange of the other.

A layer with experts is a chain of four operators: attention, dispatch, experts, combine. Attention and experts need the
cores, dispatch and combine the network; each does one thing at a time.
"""

import numpy as np


def overlapped_s(attention_s, dispatch_s, experts_s, combine_s, micro_batches):
    """Return the time of one layer, on average over many, for all micro-batches together.

    Parameters
    ----------
    attention_s, dispatch_s, experts_s, combine_s : array_like
        Seconds of each operator for one micro-batch.
    micro_batches : array_like of int
        1: one after the other. 2: cores and network take turns, first micro-batch first.

    Returns
    -------
    ndarray
        Seconds. With two, each operator runs beside the other micro-batch's next or last one, and the longer of each
        pair counts: the cycle time of the schedule that `scheduled_s` plays, whose operators wait only for one another
        [baccelli1992synchronization].

    Examples
    --------
    >>> float(overlapped_s(3.0, 1.0, 2.0, 1.0, 1)), float(overlapped_s(3.0, 1.0, 2.0, 1.0, 2))
    (7.0, 10.0)
    """
    operators = np.broadcast_arrays(attention_s, dispatch_s, experts_s, combine_s)
    pairs = [np.maximum(one, following) for one, following in zip(operators, np.roll(operators, -1, 0), strict=True)]
    return np.where(np.asarray(micro_batches) > 1, sum(pairs), sum(operators))


def scheduled_s(operators_s, layers, micro_batches):
    """Return when the last operator ends, playing the schedule operator by operator; the second method.

    Parameters
    ----------
    operators_s : sequence of float
        Attention, dispatch, experts, combine of one micro-batch.
    layers, micro_batches : int

    Returns
    -------
    float
        Seconds from the start of the first layer. An operator starts when the micro-batch's operator before it has
        ended and its resource is free; a resource serves in the order layer, operator, micro-batch.
    """
    free = {"cores": 0.0, "network": 0.0}
    ready = [0.0] * micro_batches
    for _ in range(layers):
        for operator, seconds in enumerate(operators_s):
            resource = "network" if operator % 2 else "cores"
            for one in range(micro_batches):
                free[resource] = ready[one] = max(free[resource], ready[one]) + seconds
    return max(ready)
