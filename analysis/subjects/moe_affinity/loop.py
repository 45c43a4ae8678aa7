"""Second method: whole sequences, loads of ranks drawn at random, and a layer played operator by operator."""

import numpy as np

from analysis.models.inference import MILLI, layer_s, step_s
from analysis.models.rank import GROUPS
from analysis.subjects.moe_affinity.crowding import SKEW, shares
from analysis.subjects.moe_affinity.layouts import placed
from analysis.subjects.moe_affinity.steps import CONTEXT, LIMIT, MEMORY, MICRO_BATCHES, at_batch, layer_parts_s

DRAWS, PLAYED_LAYERS = 16, 12
CORES, NETWORK = "cores", "network"
CHAIN = ("attention", "dispatch", "experts", "combine")


def both(facts, reading, one, many, values):
    """Return what two sides reach.

    Parameters
    ----------
    facts : Facts
    reading : str
    one, many : Side
    values : dict of str to float
        The assumptions.

    Returns
    -------
    tuple of float
        With one sequence on each rank where neither keeps the limit or has room; else 0 for a side that serves none.
    """
    sides = [_reached(facts, side, values) for side in (one, many)]
    if all(within is None for within, _ in sides):
        return tuple(alone[reading] for _, alone in sides)
    return tuple(within[reading] if within else 0.0 for within, _ in sides)


def _reached(facts, side, values):
    """Figures by reading with the largest batch within limit and memory, None where there is none, and with one."""
    key = ("moe affinity loop", side, tuple(values.items()))
    if key not in facts.derived:
        facts.derived[key] = _searched(facts, side, values)
    return facts.derived[key]


def _searched(facts, side, values):
    one = placed(facts, side)
    part = shares(one.shape, side.ranks, side.slots(one.shape), values[SKEW])
    fits = int(one.sequences(values[CONTEXT], **{name: values[name] for name in MEMORY}))

    def step(sequences):
        found = (_step(one, part, sequences, values[CONTEXT], count) for count in MICRO_BATCHES)
        return min(found, key=lambda times: times[0])

    low, high = 0, fits
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if step(middle)[0] <= MILLI * values[LIMIT] else (low, middle - 1)
    return _figures(low, step(low)) if low else None, _figures(1, step(1))


def _figures(sequences, times):
    seconds, exchange, share = times
    return {
        "throughput-at-tpot": sequences / seconds,
        "compute-efficiency": share,
        "communication-efficiency": sequences / exchange,
    }


def _step(one, part, sequences, cached_tokens, micro_batches):
    """Step time, exchange time and share of peak in the experts, with the busiest rank as it is drawn."""
    peak = drawn_peak(part, sequences * one.shape.experts_per_token / micro_batches)
    operators = layer_parts_s(one, sequences, cached_tokens, peak, micro_batches)
    chain = [(CORES if name in ("attention", "experts") else NETWORK, operators[name]) for name in CHAIN]
    work, rates = at_batch(one, sequences, cached_tokens, peak, micro_batches)
    whole, layer = (float(np.squeeze(function(work, rates))) for function in (step_s, layer_s))
    count = work.moe_layers * micro_batches
    useful = float(np.squeeze(work.compute_s[GROUPS.index("experts")])) / work.moe_layers
    return (
        whole + work.moe_layers * (played_layer_s(chain, micro_batches) - layer),
        count * (operators["dispatch"] + operators["combine"]),
        useful / operators["experts"],
    )


def drawn_peak(part, copies, seed=0):
    """Return the load of the busiest rank over the mean, drawing the rank of every copy.

    Parameters
    ----------
    part : ndarray
        Share of each rank.
    copies : float
        Of one rank on average.
    seed : int

    Returns
    -------
    float
        Mean over some draws.
    """
    total = max(round(len(part) * copies), 1)
    loads = np.random.default_rng(seed).multinomial(total, part, size=DRAWS)
    return float((loads.max(axis=1) * len(part) / total).mean())


def played_layer_s(chain, micro_batches):
    """Return the time of a layer, playing several: an operator waits for its micro-batch and for its stream.

    Parameters
    ----------
    chain : sequence of (str, float)
        Stream and seconds of each operator of one micro-batch.
    micro_batches : int

    Returns
    -------
    float
        Seconds for all micro-batches, in the steady state.
    """
    free, ready, ends = {CORES: 0.0, NETWORK: 0.0}, [0.0] * micro_batches, []
    # The second micro-batch follows one operator behind, so that cores and network take turns.
    for turn in range(PLAYED_LAYERS * len(chain) + micro_batches - 1):
        for micro in range(micro_batches):
            if not 0 <= turn - micro < PLAYED_LAYERS * len(chain):
                continue
            stream, seconds = chain[(turn - micro) % len(chain)]
            ready[micro] = free[stream] = max(free[stream], ready[micro]) + seconds
            if (turn - micro) % len(chain) == len(chain) - 1:
                ends.append(ready[micro])
    half = len(ends) // 2
    return (ends[-1] - ends[half - 1]) / ((len(ends) - half) / micro_batches)
