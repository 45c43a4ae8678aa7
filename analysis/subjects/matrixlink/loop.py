"""Second method: training steps and layers of inference played event by event, one combination after the other."""

from dataclasses import replace

import numpy as np

from analysis.facts.transformers import transformer
from analysis.facts.units import PER_CENT
from analysis.models.inference import MILLI, layer_s, step_s, step_work
from analysis.models.overlap import scheduled_s
from analysis.models.rank import GROUPS, Batch
from analysis.models.schedule import played_s
from analysis.models.transformer_costs import attention_pairs
from analysis.subjects.matrixlink import serving, training
from analysis.subjects.matrixlink.sides import DECODE, LEAST_PART, baseline, die, joined

# Layouts that are played, of those that the closed form finds fastest; its own order may be wrong by a little.
PLAYED = 6


def gains(facts, settings, reading, options, values):
    """Return the gain of every combination in per cent.

    Parameters
    ----------
    facts : Facts
    settings : dict
    reading : str
    options : Options
    values : dict of str to float

    Returns
    -------
    list of float
        Of `both`, the smaller of the two gains.
    """
    ours, found = joined(facts, settings["supernode_cards"]), []
    for place in range(len(options)):
        row = {name: cells[place] for name, cells in options.columns.items()}
        other, parts = baseline(facts, row["baseline"]), []
        if reading != "inference":
            before, after = (token_s(facts, row, side, values) for side in (other, ours))
            parts.append(PER_CENT * (before / after - 1))
        if reading != "training":
            before, after = (rate(facts, row, side, values) for side in (other, ours))
            parts.append(PER_CENT * (after / max(before, LEAST_PART * after) - 1) if after or before else 0.0)
        found.append(min(parts))
    return found


def token_s(facts, row, side, values):
    """Return the card-seconds of one token: steps played at the two nearest batches, straight in the inverse batch."""
    exchange = row["exchange"] if transformer(facts, row["model"]).routed_experts else ""
    key = ("matrixlink played", row["model"], side, row["cards"], exchange, tuple(values.items()))
    if key not in facts.derived:
        low, part = training.bracket(-1 / training.batch_nodes(), -1 / values[training.BATCH])
        ends = [_played_token_s(facts, row, side, values, int(low) + step) for step in (0, 1)]
        facts.derived[key] = float((1 - part) * ends[0] + part * ends[1])
    return facts.derived[key]


def _played_token_s(facts, row, side, values, place):
    model, exchange = row["model"], row["exchange"]
    shape, how, found = transformer(facts, model), training.software(exchange), []
    for layout in training.fastest_at(facts, model, side, row["cards"], exchange, values, place, PLAYED):
        _, segments = training.step_and_segments(facts, model, side, layout, exchange, values)
        tokens = layout.global_batch * layout.sequence_tokens
        found.append(played_s(shape, layout, how, segments) * layout.cards / tokens)
    return min(found)


def rate(facts, row, side, values):
    """Return tokens a second and card, layers being played; at the degree that the closed form prefers."""
    key = ("matrixlink played", row["model"], side, row["phase"], tuple(values.items()))
    if key not in facts.derived:
        shape = transformer(facts, row["model"])
        _, dies = die(facts, side, 1.0)
        degree = serving.best_degree(facts, shape, side, row["phase"], values)
        network = values[training.NETWORK]
        rank, rates = serving.rank_and_rates(facts, shape, side, degree, row["phase"], network)
        ask = _decoded if row["phase"] == DECODE else _prefilled
        facts.derived[key] = dies * ask(facts, shape, side, rank, rates, values) / rank.sum_ranks
    return facts.derived[key]


def _counts(rank):
    return serving.MICRO_BATCHES if rank.handover else serving.MICRO_BATCHES[:1]


def _decoded(facts, shape, side, rank, rates, values):
    length = values[serving.CONTEXT]
    fits = serving.fitting_sequences(facts, side, shape, rank, length)
    limit_s = MILLI * values[serving.LIMIT]

    def seconds(sequences):
        batch = Batch(sequences=sequences, cached_tokens=length)
        return min(played_step_s(step_work(rank, batch, count), rates) for count in _counts(rank))

    low, high = 1.0, min(float(fits), serving.MOST_SEQUENCES * rank.sum_ranks)
    if high < low or seconds(low) > limit_s:
        return 0.0
    while high - low > 1e-3 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if seconds(middle) <= limit_s else (low, middle)
    return low / seconds(low)


def _prefilled(facts, shape, side, rank, rates, values):
    length = values[serving.CONTEXT]
    prompts = serving.PROMPT_TOKENS / length
    if serving.fitting_sequences(facts, side, shape, rank, length) < prompts:
        return 0.0
    pairs = float(attention_pairs(shape, length, 0.0))
    batch = Batch(prompts=prompts, prompt_tokens=length, prompt_pairs=pairs)
    return serving.PROMPT_TOKENS / min(played_step_s(step_work(rank, batch, count), rates) for count in _counts(rank))


def played_step_s(work, rates):
    """Return the time of a step whose layers with experts are played operator by operator.

    Parameters
    ----------
    work : Work
        Of numbers.
    rates : Reached

    Returns
    -------
    float
        Seconds; what lies outside those layers is as in the closed form.
    """
    whole, layer = (float(np.squeeze(ask(work, rates))) for ask in (step_s, layer_s))
    if not work.moe_layers:
        return whole
    count, micro = work.moe_layers, int(work.micro_batches)
    quiet = replace(work, dispatch_s=0.0, combine_s=0.0, micro_batches=1)
    kept = np.array([name != "experts" for name in GROUPS], dtype=float)
    kept = kept.reshape(-1, *(1,) * (np.ndim(work.compute_s) - 1))
    masked = {"compute_s": kept * work.compute_s, "read_s": kept * work.read_s, "expert_moved_s": 0.0}
    computing, home = (float(np.squeeze(layer_s(one, rates))) for one in (quiet, replace(quiet, **masked)))
    exchanged = [float(np.squeeze(rates.exchange_load * part)) / count for part in (work.dispatch_s, work.combine_s)]
    chain = (home, exchanged[0], computing - home, exchanged[1])
    return whole - count * layer + scheduled_s(chain, int(count), micro)
