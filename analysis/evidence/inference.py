"""Prefill and decoding: published measurements as counts of work, and predictions."""

from dataclasses import dataclass, fields

import numpy as np

from analysis.errors import DataError
from analysis.evidence.calibrate import constants
from analysis.evidence.exchange_kernels import is_ub_card
from analysis.evidence.rows import number, text
from analysis.evidence.serving import Layout, assumed, card_of, formats_of, needed, noted, rank_of
from analysis.evidence.serving_kernels import UNALIGNED, Kernels, joined, kernels_of, published_shares, reached
from analysis.facts.names import resolved
from analysis.facts.transformers import transformer
from analysis.models.batching import GIB
from analysis.models.collectives import GIGA, MICRO
from analysis.models.inference import Work, layer_s, step_s, step_work
from analysis.models.rank import Batch
from analysis.models.transformer_costs import attention_pairs

MOST_MICRO_BATCHES = 2
# Copies of an expert beyond which a layout is taken for a mistake.
MOST_RANKS_AN_EXPERT = 2
DEFAULT_PROMPT = 4096


@dataclass(frozen=True, eq=False)
class Case:
    """One measurement as the model sees it; equal to another one that asks the same.

    Attributes
    ----------
    quantity : str
    work : Work
        Kinds of step, side by side.
    steps : ndarray or None
        How many steps of each kind make up the run, shape (2, kinds): when its ranks prefill together, and when each
        does by itself. None where the kinds are alternatives of which the engine takes the fastest.
    tokens : float
        That one accelerator puts out in that time.
    extra_layers : float
    kernels : Kernels
    """

    quantity: str
    work: Work
    steps: np.ndarray | None
    tokens: float
    kernels: Kernels
    extra_layers: float = 0.0

    def __eq__(self, other):
        return isinstance(other, Case) and all(map(np.array_equal, self._cells(), other._cells()))

    __hash__ = None

    def _cells(self):
        own = [getattr(self, field.name) for field in fields(self) if field.name not in ("work", "kernels")]
        return own + [getattr(part, field.name) for part in (self.work, self.kernels) for field in fields(part)]


def case_of(row, facts, exchange_values):
    """Return one row of prefill or decoding as a case, with a note on what was assumed.

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
        A name that nobody knows, a blank cell that is needed, or a layout that cannot be.
    """
    name, _ = resolved(facts, "accelerator", text(row, "accelerator"))
    model, alias_precision = resolved(facts, "model", text(row, "model"))
    shape, (card, dies) = transformer(facts, model), card_of(facts, name)
    prefill, notes = row["quantity"] == "prefill_throughput", []
    precision = text(row, "precision") or alias_precision or noted(notes, "precision", "FP8")
    layout = _layout(row, shape, name, dies, prefill, notes)
    formats = formats_of(facts, model, precision)
    rank = rank_of(facts, shape, card, formats, layout, exchange_values)
    batch = (_prefill if prefill else _decode)(row, shape, dies, notes)
    if rank.weight_bytes > card.memory_gb * GIB:
        raise DataError(f"{card.name}: {rank.weight_bytes / GIGA:.0f} GB of weights on a rank of {card.memory_gb:g} GB")
    overlapping = rank.handover is not None
    balanced = text(row, "routing") == "balanced"
    if overlapping and not text(row, "routing"):
        notes.append("routing default")
    free = 1 - assumed(facts, "exchange_core_share") if overlapping and prefill and layout.library == "DeepEP" else 1.0
    kernels, warning = kernels_of(card, formats, layout, rank.handover, balanced=balanced, free_cores=free)
    works = [step_work(rank, batch, count) for count in range(1, _micro_batches(row, overlapping, notes) + 1)]
    drafts = batch.queries - 1
    accepted = 1 + drafts * (number(row, "acceptance", 0.0) if drafts else 0.0)
    tokens = batch.prompts * batch.prompt_tokens if prefill else batch.sequences * accepted
    case = Case(row["quantity"], joined(works), None, dies * tokens, kernels, drafts)
    assumption = "assumed: " + ", ".join(notes) if notes else ""
    return case, "; ".join(filter(None, (warning, assumption)))


def _layout(row, shape, name, dies, prefill, notes):
    """Attention runs on each rank for its own sequences; experts are spread over all ranks of the group."""
    cards, stated = number(row, "accelerators"), number(row, "ep_degree")
    ranks = 1
    if shape.routed_experts and stated is not None:
        ranks = round(needed(row, "ep_degree", stated))
    elif shape.routed_experts:
        ranks = noted(notes, "ep_degree", round((cards or 1) * (dies if (cards or 1) > 1 else 1)))
    if cards is not None and ranks > cards * dies:
        raise DataError(f"column ep_degree: {ranks} ranks on {cards * dies:g}")
    if ranks > MOST_RANKS_AN_EXPERT * shape.routed_experts > 0:
        raise DataError(f"column ep_degree: {ranks} ranks for {shape.routed_experts} experts")
    library, fabric = ("CANN EP", "UB") if is_ub_card(name) else ("DeepEP", "InfiniBand 400G")
    return Layout(ranks, 1, ranks, library, fabric, normal=prefill)


def _prefill(row, shape, dies, notes):
    tokens = needed(row, "batch_tokens", number(row, "batch_tokens")) / dies
    length = number(row, "input_tokens")
    length = needed(row, "input_tokens", length) if length is not None else noted(notes, "input_tokens", DEFAULT_PROMPT)
    # A batch smaller than the prompt is a part of it: the mean over all its parts counts.
    pairs = float(attention_pairs(shape, length, 0.0))
    return Batch(prompts=tokens / length, prompt_tokens=length, prompt_pairs=pairs)


def _decode(row, shape, dies, notes):
    sequences = needed(row, "batch_per_accelerator", number(row, "batch_per_accelerator")) / dies
    cached = needed(row, "kv_tokens", number(row, "kv_tokens"))
    drafts = number(row, "speculative_tokens", 0.0)
    if drafts and not text(row, "acceptance"):
        raise DataError("column acceptance: blank; expected a fraction, as tokens are drafted")
    return Batch(sequences=sequences, queries=1 + drafts, cached_tokens=cached)


def _micro_batches(row, overlapping, notes):
    if row["quantity"] == "decode_micro_batch_gain":
        return MOST_MICRO_BATCHES
    if not overlapping:
        return 1
    stated = number(row, "micro_batches") or noted(notes, "micro_batches", MOST_MICRO_BATCHES)
    return min(max(round(stated), 1), MOST_MICRO_BATCHES)


def answers(cases, values, published):
    """Return what each case is predicted to measure.

    Parameters
    ----------
    cases : sequence of Case
    values : dict of str to float
        Fitted constants.
    published : tuple of float

    Returns
    -------
    ndarray
        Tokens a second and accelerator, microseconds of a layer, or per cent; shape (len(cases),).
    """
    return Prepared(cases).answers(values, published)


class Prepared:
    """Cases whose work is laid side by side, so that constants can be tried quickly."""

    def __init__(self, cases):
        self.cases = cases
        self.work = joined([case.work for case in cases])
        counts = [case.work.prompt_compute_s.size for case in cases]
        self.ends = np.cumsum(counts)
        self.kernels = [case.kernels for case, count in zip(cases, counts, strict=True) for _ in range(count)]
        self.extra_layers = np.repeat([case.extra_layers for case in cases], counts)

    def answers(self, values, published):
        """Return what each case is predicted to measure; see `answers`."""
        rates = reached(self.kernels, values, published)
        steps, layers = step_s(self.work, rates, self.extra_layers), layer_s(self.work, rates)
        found, start = [], 0
        for case, end in zip(self.cases, self.ends, strict=True):
            found.append(_answer(case, steps[start:end], layers[start:end], values[UNALIGNED]))
            start = end
        return np.array(found)


def _answer(case, steps, layers, unaligned):
    if case.steps is not None:
        together, by_itself = case.steps @ steps
        return case.tokens / float((1 - unaligned) * together + unaligned * by_itself)
    if case.quantity == "decode_layer_latency":
        return float(layers.min()) / MICRO
    if case.quantity == "decode_micro_batch_gain":
        return 100 * float(layers[0] / layers.min() - 1)
    return case.tokens / float(steps.min())


def predict_inference(row, facts, left_out=""):
    """Predict throughput of prefill or decoding, the latency of a layer, or the gain from two micro-batches.

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
