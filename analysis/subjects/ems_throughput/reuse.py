"""Prefixes read from the pool: published workloads, and what their prompts cost with and without."""

from dataclasses import dataclass, replace

import numpy as np

from analysis.evidence.calibrate import constants
from analysis.evidence.serving import card_of, formats_of, rank_of
from analysis.evidence.serving_kernels import kernels_of, published_shares
from analysis.facts.traces import TRACES, read_trace
from analysis.facts.transformers import transformer
from analysis.models.inference import step_s, step_work
from analysis.models.offload import reuse_prefill_s, streamed_s
from analysis.models.prefix_cache import miss_ratio_curve
from analysis.models.rank import Batch
from analysis.models.transformer_costs import attention_pairs
from analysis.subjects.ems_throughput.layouts import CARD, PRECISION, layout_of, one_reached, placed

# Tokens that a rank prefills in one step: half of the 16,384 of a package in [zuo2025cloudmatrix384].
STEP_TOKENS = 8192
ATTENTION_TIMES = np.concatenate([[0.0], np.geomspace(1e-3, 128.0, 26)])


@dataclass(frozen=True)
class Workload:
    """One published workload.

    Attributes
    ----------
    name, kind : str
    hit : float
        Cached part of the prompts; the middle where a range is published.
    prompt_tokens, output_tokens : float
    sources : frozenset of str
    """

    name: str
    kind: str
    hit: float
    prompt_tokens: float
    output_tokens: float
    sources: frozenset


def workloads(facts):
    """Return every workload of ``workloads.csv`` that names lengths and hit rates, traces measured by replay."""
    if "ems throughput workloads" not in facts.derived:
        found = []
        for row in facts.table("workloads").to_dict("records"):
            sizes = _traced(row["trace"]) if row["trace"] else _stated(row)
            if sizes is not None:
                found.append(Workload(row["title"], row["kind"], *sizes, frozenset(row["source"].split(";"))))
        facts.derived["ems throughput workloads"] = tuple(found)
    return facts.derived["ems throughput workloads"]


def _traced(name):
    trace = read_trace(TRACES[name])
    hit = float(miss_ratio_curve(trace).token_hit(np.inf))
    prompt, output = float(trace.input_tokens.mean()), float(trace.output_tokens.mean())
    return hit, prompt, output


def _stated(row):
    cells = [row[name] for name in ("hit_low", "hit_high", "prompt_low", "prompt_high", "output_tokens")]
    if any(cell != cell for cell in cells):
        return None
    return sum(cells[:2]) / 2, sum(cells[2:4]) / 2, cells[4]


@dataclass(frozen=True, eq=False)
class Prompts:
    """How a rank takes in prompts.

    Attributes
    ----------
    rank : Rank
        With the kernels for many tokens.
    rates : Reached
    pair_s : float
        Of a query and a key in one layer.
    steps_s : ndarray
        Of a step with `STEP_TOKENS`, at `ATTENTION_TIMES` in attention within the prompts.
    """

    rank: object
    rates: object
    pair_s: float
    steps_s: np.ndarray


def _step_s(rank, rates, pairs):
    batch = Batch(prompts=1.0, prompt_tokens=float(STEP_TOKENS), prompt_pairs=np.asarray(pairs, dtype=float))
    counts = (1, 2) if rank.handover else (1,)
    return np.min([step_s(step_work(rank, batch, count), rates) for count in counts], axis=0)


def prompt_step_s(facts, side, pairs):
    """Return the time of a step with `STEP_TOKENS` of prompts, by their query-key pairs over all layers."""
    known = prompts_of(facts, side)
    return _step_s(known.rank, known.rates, pairs)


def prompts_of(facts, side):
    """Return how one rank of a side takes in prompts."""
    key = ("ems throughput prompts", side)
    if key not in facts.derived:
        shape, (card, _) = transformer(facts, side.model), card_of(facts, CARD)
        layout = replace(layout_of(shape, placed(facts, side).ranks), normal=True)
        values = {name: one.value for name, one in constants(facts).items()}
        formats = formats_of(facts, side.model, PRECISION)
        rank = rank_of(facts, shape, card, formats, layout, values)
        kernels, _ = kernels_of(card, formats, layout, rank.handover, balanced=False)
        rates = one_reached(kernels, values, published_shares(facts))
        one = step_work(rank, Batch(prompts=1.0, prompt_tokens=1.0, prompt_pairs=1.0))
        pair_s = float(np.squeeze(one.prompt_compute_s / rates.attention_share))
        facts.derived[key] = Prompts(rank, rates, pair_s, _step_s(rank, rates, ATTENTION_TIMES / pair_s))
    return facts.derived[key]


def prefill_s(facts, listed, which, suffix, prompt):
    """Return the time of one prompt's computed part on a rank.

    Parameters
    ----------
    facts : Facts
    listed : list of Side
    which : ndarray of int
        Shape (N,).
    suffix, prompt : ndarray
        Shape (N,), tokens that are computed, and those that they look back on.

    Returns
    -------
    ndarray
        Seconds, shape (N,): its share of a step that is full of such prompts.
    """
    found = np.empty(len(which))
    for place, side in enumerate(listed):
        rows = np.flatnonzero(which == place)
        if len(rows):
            costs, shape = prompts_of(facts, side), placed(facts, side).shape
            pairs = attention_pairs(shape, suffix[rows], prompt[rows] - suffix[rows])
            inside_s = costs.pair_s * pairs * STEP_TOKENS / suffix[rows]
            found[rows] = np.interp(inside_s, ATTENTION_TIMES, costs.steps_s) * suffix[rows] / STEP_TOKENS
    return found


def with_reuse_s(facts, listed, which, request, remote, sequence, hidden):
    """Return the time of a prompt with its prefix computed, and with it read from the pool.

    Parameters
    ----------
    facts : Facts
    listed, which
        As of `prefill_s`.
    request : dict of str to ndarray
        prompt and hit, shape (N,).
    remote : Remote
    sequence : Sequence
        Of a context as long as the prompt.
    hidden : ndarray
        Part of the loading that runs beside computation.

    Returns
    -------
    before_s, after_s : ndarray
        Shape (N,); a prefix that is slower to read than to compute is computed.
    """
    prompt, hit = request["prompt"], request["hit"]
    before = prefill_s(facts, listed, which, prompt, prompt)
    rest = prefill_s(facts, listed, which, np.maximum((1 - hit) * prompt, 1.0), prompt)
    load = hit * streamed_s(remote, sequence)[:, 0]
    return before, np.minimum(before, reuse_prefill_s(rest, load, hidden))
