"""Time of one step of an inference engine, as one of its ranks sees it.

A step takes sequences that decode and prompts that are prefilled through all layers. Work is counted in seconds at peak
rates, operator by operator; what kernels reach of the peaks comes on top, so that counting is done once for a batch and
the shares can be fitted. An operator takes what its arithmetic or its memory traffic takes, whichever is longer
[williams2009roofline]. Numbers, or arrays that broadcast.
"""

from dataclasses import dataclass

import numpy as np

from analysis.models.collectives import GIGA, MICRO, all_reduce_s
from analysis.models.expert_load import experts_touched
from analysis.models.overlap import overlapped_s
from analysis.models.rank import GROUPS
from analysis.models.roofline import TERA

MILLI = 1e-3
ACTIVATION_BYTES = 2
# Attention and feed-forward network of a layer each end in a sum over the ranks that share their matrices.
SUMS_A_LAYER = 2


@dataclass(frozen=True)
class Work:
    """One micro-batch through all layers, in seconds at peak rates.

    Attributes
    ----------
    compute_s, read_s : ndarray
        Products of matrices, and reading them; shape (len(GROUPS), ...).
    attention_moved_s, dense_moved_s, shared_moved_s, expert_moved_s : ndarray
        Activations between the products.
    cache_read_s, cache_compute_s, prompt_compute_s : ndarray
        Attention with the cache, and within prompts.
    dispatch_s, combine_s, sum_s : ndarray
        Communication, not at a peak but as it is.
    layers, moe_layers, micro_batches, sequences : array_like
        `sequences` of all micro-batches.
    """

    compute_s: np.ndarray
    read_s: np.ndarray
    attention_moved_s: np.ndarray
    dense_moved_s: np.ndarray
    shared_moved_s: np.ndarray
    expert_moved_s: np.ndarray
    cache_read_s: np.ndarray
    cache_compute_s: np.ndarray
    prompt_compute_s: np.ndarray
    dispatch_s: np.ndarray
    combine_s: np.ndarray
    sum_s: np.ndarray
    layers: float
    moe_layers: float
    micro_batches: float
    sequences: float


@dataclass(frozen=True)
class Reached:
    """What kernels and engine reach.

    Attributes
    ----------
    matrix_share, attention_share, memory_share : array_like
        Of the peaks, by products of matrices, attention's own products, and memory traffic.
    peak_load, exchange_load : array_like
        Tokens of the busiest rank's experts over the mean, and of the busiest link; the others wait for it.
    layer_overhead_us : array_like
        Between the operators of one layer and micro-batch.
    step_overhead_ms, sequence_overhead_us : array_like
        Outside the layers, of a step and of each sequence in it.
    """

    matrix_share: float = 1.0
    attention_share: float = 1.0
    memory_share: float = 1.0
    peak_load: float = 1.0
    exchange_load: float = 1.0
    layer_overhead_us: float = 0.0
    step_overhead_ms: float = 0.0
    sequence_overhead_us: float = 0.0


def step_work(rank, batch, micro_batches=1):
    """Count one step.

    Parameters
    ----------
    rank : Rank
    batch : Batch
    micro_batches : array_like of int
        Equal parts in which the batch passes the layers.

    Returns
    -------
    Work
    """
    sequences, prompts = batch.sequences / micro_batches, batch.prompts / micro_batches
    decoded = (batch.sequences * batch.queries + batch.padding) / micro_batches
    tokens = decoded + prompts * batch.prompt_tokens
    expert_tokens = decoded + batch.prompting * prompts * batch.prompt_tokens
    pooled = expert_tokens * rank.pooled_ranks
    slots = np.maximum(rank.expert_slots, 1)
    routed = pooled * rank.experts_per_token / slots
    touched = experts_touched(pooled, slots, np.minimum(rank.experts_per_token, slots)) / slots
    rows = dict.fromkeys(GROUPS, tokens) | {"experts": routed, "head": decoded + prompts}
    parts = {name: getattr(rank, name) for name in GROUPS}
    compute = [2 * one.parameters * rows[name] / (TERA * one.tflops) for name, one in parts.items()]
    read = [one.parameters * one.stored_bytes / (GIGA * rank.memory_GBps) for one in parts.values()]
    read[GROUPS.index("experts")] = read[GROUPS.index("experts")] * touched
    carried = dict.fromkeys(GROUPS, tokens) | {"experts": expert_tokens}
    moved = {
        name: ACTIVATION_BYTES * carried[name] * one.moved_values / (GIGA * rank.memory_GBps)
        for name, one in parts.items()
    }
    seen = rank.full_layers * batch.cached_tokens
    seen = seen + rank.windowed_layers * np.minimum(batch.cached_tokens, rank.window)
    dispatch_s, combine_s = rank.handover.seconds(tokens) if rank.handover else (0.0, 0.0)
    return Work(
        compute_s=np.stack(np.broadcast_arrays(*compute)),
        read_s=np.stack(np.broadcast_arrays(*read)),
        attention_moved_s=moved["attention"] + moved["output"],
        dense_moved_s=moved["dense"],
        shared_moved_s=moved["shared"],
        expert_moved_s=moved["experts"],
        cache_read_s=sequences * seen * rank.cached_bytes / (GIGA * rank.memory_GBps),
        cache_compute_s=sequences * batch.queries * seen * rank.cached_pair_flops / (TERA * rank.cached_tflops),
        prompt_compute_s=prompts * batch.prompt_pairs * rank.pair_flops / (TERA * rank.prompt_tflops),
        dispatch_s=rank.moe_layers * dispatch_s,
        combine_s=rank.moe_layers * combine_s,
        sum_s=SUMS_A_LAYER * rank.layers * _sum_s(rank, tokens),
        layers=rank.layers,
        moe_layers=rank.moe_layers,
        micro_batches=micro_batches,
        sequences=batch.sequences,
    )


def _sum_s(rank, tokens):
    size = tokens * rank.hidden_size * ACTIVATION_BYTES
    return all_reduce_s(size, rank.sum_ranks, rank.ranks_per_domain, rank.fabrics)


def _parts_s(work, reached):
    """Attention, dense networks, shared and routed experts, head: of one micro-batch, in all layers that have them."""
    memory, load = reached.memory_share, np.asarray(reached.peak_load, dtype=float)
    matrices = {}
    for name, compute_s, read_s in zip(GROUPS, work.compute_s, work.read_s, strict=True):
        crowded = load if name == "experts" else 1.0
        matrices[name] = np.maximum(crowded * compute_s / reached.matrix_share, read_s / memory)
    cache = np.maximum(work.cache_read_s / memory, work.cache_compute_s / reached.attention_share)
    attention = matrices["attention"] + matrices["output"] + work.attention_moved_s / memory
    attention = attention + cache + work.prompt_compute_s / reached.attention_share + work.sum_s
    dense = matrices["dense"] + work.dense_moved_s / memory
    shared = matrices["shared"] + work.shared_moved_s / memory
    experts = matrices["experts"] + load * work.expert_moved_s / memory
    return attention, dense, shared, experts, matrices["head"]


def _attention_layer_s(attention, work, reached):
    return attention / work.layers + MICRO * np.asarray(reached.layer_overhead_us)


def layer_s(work, reached):
    """Return the time of one layer with experts, all micro-batches together.

    Parameters
    ----------
    work : Work
    reached : Reached

    Returns
    -------
    ndarray
        Seconds; of a dense layer where the model has no experts. Shared experts need no exchange: they run beside
        attention, while results of the routed ones come back.
    """
    attention, dense, shared, experts, _ = _parts_s(work, reached)
    attention_s, count = _attention_layer_s(attention, work, reached), np.maximum(work.moe_layers, 1)
    dispatch_s, combine_s = (reached.exchange_load * part / count for part in (work.dispatch_s, work.combine_s))
    at_home_s = attention_s + shared / count
    with_experts = overlapped_s(at_home_s, dispatch_s, experts / count, combine_s, work.micro_batches)
    return np.where(work.moe_layers, with_experts, work.micro_batches * (attention_s + dense / work.layers))


def step_s(work, reached, extra_layers=0.0):
    """Return the time of one step.

    Parameters
    ----------
    work : Work
    reached : Reached
    extra_layers : array_like
        Passes through a layer besides the model's own: those that draft speculative tokens.

    Returns
    -------
    ndarray
        Seconds: layers with experts, dense layers, output head, and what lies outside.
    """
    attention, dense, _, _, head = _parts_s(work, reached)
    with_experts = np.where(work.moe_layers, work.moe_layers, work.layers)
    first_s = (work.layers - work.moe_layers) * _attention_layer_s(attention, work, reached) + dense
    first_s = np.where(work.moe_layers, work.micro_batches * first_s, 0.0)
    outside = MILLI * np.asarray(reached.step_overhead_ms)
    outside = outside + MICRO * np.asarray(reached.sequence_overhead_us) * work.sequences
    layers_s = (with_experts + extra_layers) * layer_s(work, reached) + first_s
    return layers_s + work.micro_batches * head + outside
