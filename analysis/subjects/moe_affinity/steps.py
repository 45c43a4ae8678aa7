"""Time of a decoding step by skew, context and batch, prepared once; and the batch that a limit leaves."""

from dataclasses import dataclass, replace

import numpy as np

from analysis.models.collectives import GIGA
from analysis.models.expert_exchange import direct_s
from analysis.models.inference import MILLI, Work, layer_s, step_s, step_work
from analysis.models.rank import GROUPS, Batch
from analysis.subjects.moe_affinity.crowding import SKEW, declared_grid, peaks, skews
from analysis.subjects.moe_affinity.layouts import placed

CONTEXT, LIMIT = "cached_tokens", "token_time_limit_ms"
MEMORY = ("cache_memory_share", "working_memory_gb")
CONTEXTS, BATCHES, MOST_SEQUENCES = 9, 33, 4096
MICRO_BATCHES = (1, 2)
# Parts of a step that can be counted alone, with the fields of `Work` besides their products of matrices.
PARTS = {
    "experts": ("expert_moved_s",),
    "exchange": ("dispatch_s", "combine_s"),
    "dispatch": ("dispatch_s",),
    "combine": ("combine_s",),
}
COUNTS = ("layers", "moe_layers", "micro_batches", "sequences")


def batches():
    """Return the sequences of one rank at which steps are prepared."""
    return np.geomspace(1, MOST_SEQUENCES, BATCHES)


def contexts(facts):
    """Return the lengths at which steps are prepared, over the declared range, doubled."""
    return declared_grid(facts, CONTEXT, np.geomspace, CONTEXTS)


def only(work, part):
    """Return the work of one part of a step, all else taking no time.

    Parameters
    ----------
    work : Work
    part : str
        A name of `PARTS`: routed experts, or what is handed to them and back.

    Returns
    -------
    Work
    """
    kept = {*PARTS[part], *COUNTS}
    names = [name for name in Work.__dataclass_fields__ if name not in (*kept, "compute_s", "read_s")]
    mask = np.array([part == name for name in GROUPS], dtype=float)
    mask = mask.reshape(-1, *(1,) * (np.ndim(work.compute_s) - 1))
    return replace(work, **dict.fromkeys(names, 0.0), compute_s=mask * work.compute_s, read_s=mask * work.read_s)


def part_s(work, rates, part):
    """Return the time of one part of a step, nothing running beside it."""
    bare = replace(rates, layer_overhead_us=0.0, step_overhead_ms=0.0, sequence_overhead_us=0.0)
    return step_s(replace(only(work, part), micro_batches=1), bare) * work.micro_batches


@dataclass(frozen=True)
class Prepared:
    """Many sides, each array of shape (sides, SKEWS, CONTEXTS, BATCHES).

    Attributes
    ----------
    step_s : ndarray
        With one or two micro-batches, whichever is faster.
    exchange_s : ndarray
        Dispatch and combine of a step.
    expert_share : ndarray
        Of peak arithmetic reached in the experts, until the busiest rank is done.
    """

    step_s: np.ndarray
    exchange_s: np.ndarray
    expert_share: np.ndarray


def at_batch(side, sequences, cached_tokens, peak, micro_batches):
    """Return the work of a step and the rates with the busiest rank in it.

    Parameters
    ----------
    side : Placed
    sequences, cached_tokens : array_like
    peak : array_like
        Load of the busiest rank over the mean.
    micro_batches : int

    Returns
    -------
    work : Work
    rates : Reached
    """
    work = step_work(side.rank, Batch(sequences=sequences, cached_tokens=cached_tokens), micro_batches)
    # Deployments are never evener than those that were measured, whatever the popularity.
    extra = np.maximum(peak / side.rates.peak_load, 1.0)
    handover, tokens = side.rank.handover, np.asarray(sequences) / micro_batches
    moved = ((handover.dispatch, handover.dispatch_kernel), (handover.combine, handover.combine_kernel))
    # Popularity crowds the link of the busiest rank; launching a kernel and sending copies takes no longer for it.
    crowded = [
        direct_s(replace(exchange, tokens=tokens), kernel, peak=extra)
        - direct_s(replace(exchange, tokens=tokens), kernel)
        for exchange, kernel in moved
    ]
    dispatch_s, combine_s = (
        base + work.moe_layers * more for base, more in zip((work.dispatch_s, work.combine_s), crowded, strict=True)
    )
    rates = replace(side.rates, peak_load=side.rates.peak_load * extra)
    return replace(work, dispatch_s=dispatch_s, combine_s=combine_s), rates


def layer_parts_s(side, sequences, cached_tokens, peak, micro_batches):
    """Return what each operator of one layer takes for one micro-batch, nothing running beside it.

    Parameters
    ----------
    side, sequences, cached_tokens, peak, micro_batches
        As of `at_batch`, numbers.

    Returns
    -------
    dict of str to float
        Seconds: "attention" (with the shared expert), "dispatch", "experts", "combine".
    """
    work, rates = at_batch(side, sequences / micro_batches, cached_tokens, peak, 1)
    parts = {name: float(np.squeeze(part_s(work, rates, name))) for name in ("dispatch", "experts", "combine")}
    parts = {name: seconds / work.moe_layers for name, seconds in parts.items()}
    whole = float(np.squeeze(layer_s(work, rates)))
    return {"attention": whole - sum(parts.values())} | parts


def _side(facts, side):
    key = ("moe affinity steps", side)
    if key not in facts.derived:
        one, found = placed(facts, side), []
        for count in MICRO_BATCHES:
            copies = batches() * one.shape.experts_per_token / count
            peak = peaks(facts, one.shape, side.ranks, side.slots(one.shape), copies)[:, None, :]
            work, rates = at_batch(one, batches()[None, None], contexts(facts)[None, :, None], peak, count)
            experts = part_s(work, rates, "experts")
            useful = count * work.compute_s[GROUPS.index("experts")]
            cells = (step_s(work, rates), part_s(work, rates, "exchange"), useful / experts)
            found.append([np.broadcast_to(cell, (len(peak), CONTEXTS, BATCHES)) for cell in cells])
        alone, halves = np.array(found)
        facts.derived[key] = np.where(halves[0] < alone[0], halves, alone)
    return facts.derived[key]


def prepared(facts, listed):
    """Return the steps of many sides."""
    return Prepared(*np.stack([_side(facts, side) for side in listed], axis=1))


@dataclass(frozen=True)
class Operating:
    """Where ranks work, shape (N,): the largest batch within the limit and the memory.

    Attributes
    ----------
    sequences, step_s, exchange_s, expert_share : ndarray
    """

    sequences: np.ndarray
    step_s: np.ndarray
    exchange_s: np.ndarray
    expert_share: np.ndarray


def operating(facts, listed, which, values):
    """Return where sides work.

    Parameters
    ----------
    facts : Facts
    listed : list of Side
    which : ndarray of int
        Shape (N,), positions in `listed`.
    values : dict of str to ndarray
        The assumptions, shape (N,).

    Returns
    -------
    Operating
        No sequences where even one takes longer than the limit, or none fits.
    """
    table, sizes = prepared(facts, listed), batches()
    corners = list(_corners(facts, which, values))
    steps = sum(weight[:, None] * table.step_s[at] for at, weight in corners)
    within = within_limit(steps, sizes, MILLI * values[LIMIT])
    sequences = np.minimum(within, _memory(facts, listed, which, values))
    sequences = np.minimum(np.where(sequences < 1, 0.0, sequences), sizes[-1])
    place = np.log(np.maximum(sequences, 1)) / np.log(sizes[1])
    low = np.minimum(place.astype(int), BATCHES - 2)
    part = (np.maximum(sequences, 1) - sizes[low]) / (sizes[low + 1] - sizes[low])

    def read(cells):
        ends = [sum(weight * cells[(*at, low + one)] for at, weight in corners) for one in (0, 1)]
        return (1 - part) * ends[0] + part * ends[1]

    return Operating(sequences, read(table.step_s), read(table.exchange_s), read(table.expert_share))


def _corners(facts, which, values):
    """The four prepared points around each sample, with their weights."""
    axes = []
    for grid, position in ((skews(facts), values[SKEW]), (contexts(facts), values[CONTEXT])):
        low = np.clip(np.searchsorted(grid, position, side="right") - 1, 0, len(grid) - 2)
        axes.append((low, (position - grid[low]) / (grid[low + 1] - grid[low])))
    (skew, along), (context, across) = axes
    for first in (0, 1):
        for second in (0, 1):
            weight = (along if first else 1 - along) * (across if second else 1 - across)
            yield (which, skew + first, context + second), weight


def within_limit(steps, sizes, limit_s):
    """Return the largest batch whose step keeps the limit, between the prepared ones on a straight line.

    Parameters
    ----------
    steps : ndarray
        Shape (N, B), rising.
    sizes : ndarray
        Shape (B,).
    limit_s : ndarray
        Shape (N,).

    Returns
    -------
    ndarray
        Shape (N,); 0 where the smallest batch is too slow.
    """
    kept = (steps <= limit_s[:, None]).sum(axis=1)
    low = np.clip(kept - 1, 0, len(sizes) - 2)
    rows = np.arange(len(steps))
    first, second = steps[rows, low], steps[rows, low + 1]
    part = np.clip((limit_s - first) / (second - first), 0, 1)
    return np.where(kept, sizes[low] + part * (sizes[low + 1] - sizes[low]), 0.0)


def _memory(facts, listed, which, values):
    """Sequences that fit, by side and sample."""
    found = [placed(facts, side) for side in listed]
    parts = np.array([(one.memory_bytes - one.rank.weight_bytes, one.working_part) for one in found])
    token_bytes = np.array([one.cached_token_bytes for one in found])
    left = parts[which, 0] - parts[which, 1] * GIGA * values["working_memory_gb"]
    return np.maximum(left, 0) * values["cache_memory_share"] / (token_bytes[which] * values[CONTEXT])
