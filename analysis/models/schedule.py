"""Second method: one training step played event by event.

Every stage has three streams that work in order: its computation, its exchange of tokens, its sums of gradients. A
piece of the model starts when the stage is free and its input has arrived, in the order of one forward, one backward,
with interleaved pieces [narayanan2021megatron]. The durations of half layers, exchanges and hand-overs are those of
`analysis.models.training_times`; what this tests is how they compose.
"""

import numpy as np

from analysis.errors import ParameterError
from analysis.facts.transformers import Transformer
from analysis.models.training import COLLECTIVE_PART, both_ends_count, stage_layers
from analysis.models.training_setup import Layout, Software
from analysis.models.training_times import Machine, Segments, layer_segments
from analysis.models.training_work import micro_batch_work


def scheduled_step_s(shape: Transformer, layout: Layout, software: Software, machine: Machine):
    """Return the time of one training step by its schedule.

    Parameters
    ----------
    shape : Transformer
    layout : Layout
        Of numbers, not of arrays; parameters are not sharded.
    software : Software
    machine : Machine

    Returns
    -------
    float
        Seconds.

    Raises
    ------
    ParameterError
        For a layout whose micro-batches do not fill rounds of interleaved pieces, or whose parameters are sharded.
    """
    work = micro_batch_work(shape, layout, software, machine.chip, machine.ranks_per_domain)
    return played_s(shape, layout, software, layer_segments(shape, work, layout, software, machine))


def played_s(shape: Transformer, layout: Layout, software: Software, segments: Segments):
    """Return the time of one step from its pieces; see `scheduled_step_s`."""
    from analysis.models.schedule_kernel import play

    count = round(float(layout.micro_batches))
    if layout.sharded or abs(count - layout.micro_batches) > 0 or (layout.virtual > 1 and count % layout.pipeline):
        raise ParameterError(
            f"{float(layout.micro_batches):g} micro-batches on {layout.pipeline} stages of {layout.virtual} pieces: a "
            "schedule needs whole rounds of micro-batches, and parameters that are not sharded"
        )
    layers, heads = pieces_of(shape, layout)
    overlapped = bool(software.exchange_overlap) and shape.routed_experts > 0
    blocks = not (software.pipeline_overlap and layout.virtual > 1)
    held = np.maximum(layers.sum(axis=(1, 2)), 1)
    once = np.stack([float(one) / held for one in (segments.gather_s, segments.scatter_s)], axis=1)
    flags = np.array([overlapped, blocks])
    ends = play(count, layers, heads, _durations(segments, software, overlapped), flags, once)
    return float(ends.max()) + float(segments.optimiser_s)


def pieces_of(shape: Transformer, layout: Layout):
    """Return the layers of every piece of the pipeline, and its heads.

    Parameters
    ----------
    shape : Transformer
    layout : Layout

    Returns
    -------
    layers : ndarray of int, shape (stages, pieces, 2)
        Dense layers, and layers with experts; dense ones come first. The last piece has the layers of multi-token
        prediction.
    heads : ndarray, shape (stages, pieces)
    """
    stages, pieces = layout.pipeline, layout.virtual
    middle, _ = stage_layers(shape, layout)
    each = round(float(middle)) // pieces
    ahead = 1 if both_ends_count(shape, layout) else 0
    starts = np.clip(np.arange(stages * pieces + 1) * each - ahead, 0, shape.layers)
    starts[-1] = shape.layers
    counts = np.diff(starts)
    first = shape.dense_layers if shape.routed_experts else shape.layers
    dense = np.clip(first - starts[:-1], 0, counts)
    layers = np.stack([dense, counts - dense], axis=1)
    layers[-1, 1 if shape.routed_experts else 0] += layout.mtp_layers
    heads = np.zeros(stages * pieces)
    heads[-1] = 1 + layout.mtp_layers
    # Piece after piece goes round the stages.
    return (
        np.ascontiguousarray(layers.reshape(pieces, stages, 2).swapaxes(0, 1)),
        np.ascontiguousarray(heads.reshape(pieces, stages).T),
    )


def _durations(segments, software, overlapped):
    halves = (segments.attention, segments.dense, segments.experts)
    found = [float(one) for half in halves for one in (half.forward, half.backward)]
    one = float(segments.exchange_s)
    slowed = COLLECTIVE_PART * one if overlapped and not software.forwards else 0.0
    found += [one, float(segments.head.forward), float(segments.head.backward), float(segments.hop_s), slowed]
    return np.array(found)
