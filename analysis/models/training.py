"""Time of one training step of a dense or mixture-of-experts model, in closed form.

Communication is added where it waits and hidden where it runs beside computation. The pipeline is one forward, one
backward, with interleaved pieces [narayanan2021megatron]. `analysis.models.schedule` composes the same pieces event by
event.
"""

from dataclasses import dataclass, replace

import numpy as np

from analysis.facts.transformers import Transformer
from analysis.models.training_setup import Layout, Software
from analysis.models.training_times import Machine, Segments, layer_segments
from analysis.models.training_work import micro_batch_work

# Multiprocessors that a library of plain collectives takes from the computation beside it: 32 of about 132.
COLLECTIVE_PART = 0.24
# A dispatch and a combine, forward and backward.
EXCHANGES = 4


@dataclass(frozen=True)
class Step:
    """Seconds of one training step, and what they are made of.

    Attributes
    ----------
    total_s : ndarray
    computation_s : ndarray
        Of the busiest stage, with its launches and its collectives of tensor parallelism.
    exchange_s, hop_s, bubble_s, gradient_s, optimiser_s : ndarray
        Waiting for the exchange of tokens, for hand-overs, for other stages, for gradients and parameters; and the
        optimiser.
    """

    total_s: float
    computation_s: float
    exchange_s: float
    hop_s: float
    bubble_s: float
    gradient_s: float
    optimiser_s: float


def layer_s(segments: Segments, software: Software, *, experts, overlapped):
    """Return the time of a layer, forward and backward.

    Parameters
    ----------
    segments : Segments
    software : Software
    experts : bool
        A layer with experts; else a dense one.
    overlapped : array_like of bool
        The exchange runs beside the computation of another micro-batch: attention forward beside a combine backward,
        and so on round; in each of four slots the longer one counts.

    Returns
    -------
    ndarray
        Seconds.
    """
    attention, one = segments.attention, segments.exchange_s
    if not experts:
        return attention.both + segments.dense.both
    # Plain collectives take multiprocessors from the products beside them.
    slowed = np.where(software.forwards, 0.0, COLLECTIVE_PART * one)
    slots = (attention.forward, segments.experts.backward, segments.experts.forward, attention.backward)
    hidden = sum(np.maximum(slot + slowed, one) for slot in slots)
    return np.where(overlapped, hidden, attention.both + segments.experts.both + EXCHANGES * one)


def stage_layers(shape: Transformer, layout: Layout):
    """Return the layers of a middle stage and of the last one, which also has the head.

    Where layers do not divide evenly over the pieces of the pipeline, embedding and head take the place of a layer
    each if the layers then fit, else the head alone, and each layer of multi-token prediction.
    """
    stages = np.asarray(layout.pipeline, dtype=float)
    pieces = stages * layout.virtual
    even = (np.mod(shape.layers, pieces) == 0) | (stages == 1)
    filled = np.ceil((shape.layers + layout.mtp_layers + 1) / pieces) * layout.virtual
    middle = np.where(even, shape.layers / stages, filled)
    left = np.where(both_ends_count(shape, layout), middle - 1, shape.layers - middle * (stages - 1))
    return middle, np.where(even, middle, np.maximum(left, 0))


def both_ends_count(shape: Transformer, layout: Layout):
    """Return whether embedding and head each take the place of a layer."""
    pieces = np.asarray(layout.pipeline, dtype=float) * layout.virtual
    fits = np.mod(shape.layers + 2, pieces) == 0
    return fits & (np.mod(shape.layers, pieces) != 0) & (np.asarray(layout.pipeline) > 1)


def _stage_s(shape, layout, segments, software, layers, *, overlapped):
    """Time of one micro-batch on a middle stage and on the busiest one, forward and backward."""
    middle, last = layers
    dense = layer_s(segments, software, experts=False, overlapped=False)
    typical = layer_s(segments, software, experts=True, overlapped=overlapped) if shape.routed_experts else dense
    alone = np.asarray(layout.pipeline) == 1
    first_dense = np.where(alone, shape.dense_layers, 0) if shape.routed_experts else 0
    ending = last * typical + first_dense * (dense - typical) + layout.mtp_layers * (typical + segments.head.both)
    inner = np.where(alone, 0.0, middle * typical)
    return inner, np.maximum(ending + segments.head.both, inner)


def training_step(shape: Transformer, layout: Layout, software: Software, machine: Machine):
    """Return the time of one training step.

    Parameters
    ----------
    shape : Transformer
    layout : Layout
    software : Software
    machine : Machine

    Returns
    -------
    Step
    """
    work = micro_batch_work(shape, layout, software, machine.chip, machine.ranks_per_domain)
    return composed(shape, layout, software, layer_segments(shape, work, layout, software, machine))


def composed(shape: Transformer, layout: Layout, software: Software, segments: Segments):
    """Return the step that the pieces make.

    The first micro-batch forward and the last one backward have no other beside them, so their exchange waits.
    """
    layers, without = stage_layers(shape, layout), replace(segments, exchange_s=np.zeros_like(segments.exchange_s))
    overlap = np.asarray(software.exchange_overlap)
    _, busiest = _stage_s(shape, layout, segments, software, layers, overlapped=overlap)
    lone_fill, lone = _stage_s(shape, layout, segments, software, layers, overlapped=False)
    _, computing = _stage_s(shape, layout, without, software, layers, overlapped=False)
    count, virtual = np.asarray(layout.micro_batches), np.asarray(layout.virtual, dtype=float)
    hop = np.where(software.pipeline_overlap & (virtual > 1), 0.0, 2 * virtual * segments.hop_s)
    bubble = (np.asarray(layout.pipeline) - 1) / virtual * (lone_fill + hop)
    stages = count * busiest + (lone - busiest) / virtual
    gradient = _gradient_wait_s(shape, layout, segments, busiest, layers[0]) + _offload_wait_s(layout, segments)
    total = stages + count * hop + bubble + gradient + segments.optimiser_s
    return Step(
        total, count * computing, stages - count * computing, count * hop, bubble, gradient, segments.optimiser_s
    )


def _layer_times(shape, segments):
    other = segments.experts if shape.routed_experts else segments.dense
    return segments.attention.forward + other.forward, segments.attention.backward + other.backward


def _gradient_wait_s(shape, layout, segments, busiest, layers):
    """What of summing gradients and gathering parameters is not hidden behind a micro-batch, or behind a layer."""
    forward, backward = _layer_times(shape, segments)
    part = forward / (forward + backward)
    plain = np.maximum(segments.scatter_s - busiest * (1 - part), 0) + np.maximum(segments.gather_s - busiest * part, 0)
    gather, scatter = segments.gather_s / layers, segments.scatter_s / layers
    a_layer = np.maximum(gather - forward, 0) + np.maximum(gather + scatter - backward, 0)
    sharded = np.asarray(layout.micro_batches) * layers * a_layer + gather + scatter
    return np.where(layout.sharded, sharded, plain)


def _offload_wait_s(layout, segments):
    waits = np.maximum(segments.offload_s - segments.attention.forward - segments.dense.forward, 0)
    return np.asarray(layout.micro_batches) * layout.offloaded_layers * waits


def tokens_per_s_per_card(layout: Layout, total_s):
    """Return the training throughput of a step that takes so long."""
    return np.asarray(layout.global_batch) * layout.sequence_tokens / (np.asarray(layout.cards) * total_s)
