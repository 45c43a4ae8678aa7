"""Offline serving: a queue of equal requests on one server, as published for TensorRT-LLM."""

from dataclasses import replace

import numpy as np

from analysis.errors import DataError
from analysis.evidence.calibrate import constants
from analysis.evidence.inference import Case, answers
from analysis.evidence.rows import number, text
from analysis.evidence.serving import Layout, assumed, card_of, formats_of, needed, noted, rank_of
from analysis.evidence.serving_kernels import joined, kernels_of, published_shares
from analysis.facts.devices import bytes_per_value
from analysis.facts.names import resolved
from analysis.facts.transformers import transformer
from analysis.models.batching import GIB, phases, prepared_size, queue, sequences_in_memory, tool_limits
from analysis.models.collectives import GIGA
from analysis.models.inference import step_work
from analysis.models.rank import Batch
from analysis.models.transformer_costs import (
    attention_pairs,
    attention_parameters,
    expert_parameters,
    layer_parameters,
    output_parameters,
    parameters,
)

# Batches for which the published runs let the engine capture graphs; others are filled up to the next. With a prompt,
# a step runs without a graph [nvidia2025trtllmperf].
PREPARED_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 384, 512, 1024, 2048, 4096, 8192)
# Values that are stored for one parameter: two share one, and a number of them a scale.
PACKED = {"fp4": 1 / 2 + 1 / 16, "mxfp4": 1 / 2 + 1 / 32}
# Requests that the published runs queue, by tokens of the longer side; they keep a run to some hours.
DEFAULT_REQUESTS = ((2048, 3000), (12288, 1500), (float("inf"), 1000))


def case_of(row, facts, exchange_values):
    """Return one row as a case, with a note on what was assumed.

    Parameters
    ----------
    row : dict of str to str
        Condition columns.
    facts : Facts
    exchange_values : dict of str to float
        Fitted constants of the libraries that exchange tokens.

    Returns
    -------
    Case
    note : str

    Raises
    ------
    DataError
        A name that nobody knows, a blank cell that is needed, a layout that cannot be, or too little memory.
    """
    notes = []
    name, _ = resolved(facts, "accelerator", text(row, "accelerator"))
    model, alias_precision = resolved(facts, "model", text(row, "model"))
    shape, (card, dies) = transformer(facts, model), card_of(facts, name)
    precision = text(row, "precision") or alias_precision or noted(notes, "precision", "FP8")
    cache = text(row, "kv_precision") or noted(notes, "kv_precision", "FP8")
    formats = formats_of(facts, model, precision, cache)
    layout, ranks = _layout(row, shape, dies)
    rank = rank_of(facts, shape, card, formats, layout, exchange_values)
    run = _queue(row, facts, shape, card, precision, formats, rank, layout, ranks, notes)
    work, steps = _counted(run, rank, shape)
    kernels, warning = kernels_of(card, formats, layout, rank.handover, balanced=False)
    tokens = run.requests * run.output_tokens * layout.data_ranks / ranks * dies
    case = Case(row["quantity"], work, steps, tokens, kernels)
    assumption = "assumed: " + ", ".join(notes) if notes else ""
    return case, "; ".join(filter(None, (warning, assumption)))


def _counted(run, rank, shape):
    """Work of every kind of step, and how many there are: with ranks that prefill together, and each by itself."""
    works, counts = [], []
    for ranks in (1.0, run.unaligned_ranks):
        found = phases(replace(run, unaligned_ranks=ranks))
        free_places = prepared_size(found.sequences, PREPARED_SIZES) - found.sequences
        batch = Batch(
            sequences=found.sequences,
            cached_tokens=run.input_tokens + run.output_tokens / 2,
            padding=np.where(found.prompts > 0, 0.0, free_places),
            prompts=found.prompts,
            prompt_tokens=run.input_tokens,
            prompt_pairs=float(attention_pairs(shape, run.input_tokens, 0.0)),
            prompting=found.prompting,
        )
        works.append(step_work(rank, batch))
        counts.append(found.steps)
    steps = np.zeros((2, sum(map(len, counts))))
    steps[0, : len(counts[0])], steps[1, len(counts[0]) :] = counts
    return joined(works), steps


def _layout(row, shape, dies):
    """Ranks that share matrices, hold experts and serve sequences of their own."""
    words = text(row, "parallelism")
    cards = number(row, "accelerators")
    sums, experts, data = (number(row, f"{name}_parallel") for name in ("tensor", "expert", "data"))
    if cards is None and sums is None and data is None:
        raise DataError("column accelerators: blank; expected a number above 0")
    ranks = round(needed(row, "accelerators", cards) * dies if cards is not None else (sums or 1) * (data or 1))
    if data is None:
        data = ranks / sums if sums else ranks if "data" in words else 1
    sums = ranks / data if sums is None else sums
    if experts is None:
        experts = ranks if shape.routed_experts and "expert" in words else 1
    if round(sums * data) != ranks:
        raise DataError(f"tensor_parallel {sums:g} x data_parallel {data:g}: not {ranks:g} ranks")
    if experts > ranks or (shape.routed_experts and experts > shape.routed_experts):
        raise DataError(f"expert_parallel {experts:g}: {ranks:g} ranks, {shape.routed_experts} experts")
    experts = experts if shape.routed_experts else 1
    return Layout(round(experts), round(sums), round(data)), ranks


def _queue(row, facts, shape, card, precision, formats, rank, layout, ranks, notes):
    inputs, outputs = (needed(row, name, number(row, name)) for name in ("input_tokens", "output_tokens"))
    requests = number(row, "requests")
    if requests is None:
        longer = max(inputs, outputs)
        requests = noted(notes, "requests", next(count for below, count in DEFAULT_REQUESTS if longer <= below))
    share = assumed(facts, "cache_memory_share")
    memory, taken = card.memory_gb * GIB, GIGA * assumed(facts, "working_memory_gb")
    sequence_bytes = shape.layers * rank.cached_bytes * (inputs + outputs)
    fitting = float(sequences_in_memory(memory - taken, rank.weight_bytes, sequence_bytes, share))
    if fitting < 1:
        raise DataError(f"{card.name}: memory holds no sequence of {inputs + outputs:g} tokens beside the weights")
    free = share * (memory * ranks - _estimated_weight_bytes(shape, precision, formats))
    limit, tokens = tool_limits(free, _estimated_token_bytes(shape, formats, ranks), inputs, outputs)
    limits = {"sequences": min(fitting, limit), "tokens": tokens}
    unaligned = 1 if formats.aligned else layout.data_ranks
    return queue(requests / layout.data_ranks, inputs, outputs, **limits, unaligned_ranks=unaligned)


def _estimated_weight_bytes(shape, precision, formats):
    """What the benchmark tool takes the weights for: values as stored, in the label's bytes or in two."""
    per_value = 2.0 if formats.experts == "mxfp4" else {"fp4": 0.5, "fp8": 1.0}.get(precision.lower(), 2.0)
    experts = shape.moe_layers * shape.routed_experts * expert_parameters(shape) if shape.routed_experts else 0
    output = shape.layers * output_parameters(shape)
    attention = shape.layers * attention_parameters(shape) - output
    embeddings = parameters(shape) - layer_parameters(shape)
    others = layer_parameters(shape) - experts - output - attention
    packed = [(experts, formats.experts), (output, formats.attention_output), (attention, formats.attention)]
    values = sum(size * PACKED.get(name, 1.0) for size, name in (*packed, (others, formats.other)))
    return (values + embeddings) * per_value


def _estimated_token_bytes(shape, formats, ranks):
    """What the benchmark tool takes the cache of one token for."""
    heads = shape.attention_heads if shape.latent_attention else shape.key_value_heads
    size = shape.head_dim or shape.hidden_size // shape.attention_heads
    return 2 * shape.layers * max(ranks, heads) * size * bytes_per_value(formats.cache)


def predict_offline(row, facts, left_out=""):
    """Predict the output tokens a second and accelerator of a queue of equal requests.

    Parameters
    ----------
    row : dict of str to str
        Condition columns.
    facts : Facts
    left_out : str
        A source whose measurements the constants do without.

    Returns
    -------
    value : float or None
    note : str
        What was assumed, or why there is no value.
    """
    values = {name: one.value for name, one in constants(facts, left_out).items()}
    try:
        case, note = case_of(row, facts, values)
    except DataError as error:
        return None, str(error)
    return float(answers([case], values, published_shares(facts))[0]), note
