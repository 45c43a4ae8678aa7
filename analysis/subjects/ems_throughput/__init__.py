"""EMS and throughput: attention and cached tokens moved to pooled memory, and prefixes read instead of computed.

The two are kept apart. The article names no model, no length, no limit, no baseline: models, how widely they are
spread, fabric, way of offloading and workload are enumerated, the rest is sampled.
"""

from itertools import product

import numpy as np

from analysis.facts.assumptions import assumptions as declared_assumptions
from analysis.facts.units import PER_CENT
from analysis.judgement.case import Case, Options
from analysis.models.collectives import GIGA
from analysis.models.offload import WAYS, system_gain
from analysis.subjects.ems_throughput import lines as evidence_lines
from analysis.subjects.ems_throughput import requests as plain_loop
from analysis.subjects.ems_throughput.layouts import (
    MEMORY,
    MODELS,
    card_sources,
    chosen,
    free_share,
    placed,
    sides,
)
from analysis.subjects.ems_throughput.pool import FABRICS, POOL, remote_of
from analysis.subjects.ems_throughput.pool import sources as pool_sources
from analysis.subjects.ems_throughput.reuse import with_reuse_s, workloads
from analysis.subjects.ems_throughput.steps import (
    OwnStep,
    Question,
    decode_ratio,
    limit_of,
    sequence_of,
    tables_of,
    without_pool,
)
from analysis.subjects.model import ClaimModel, Setting

CLAIM = "ems.throughput"
OFFLOAD, REUSE, BOTH, AT_LEAST = READINGS = ("offload", "reuse", "both", "at-least-100")
LIMIT, CONTEXT, SHARE, HIDDEN = (
    "token_time_limit_ms",
    "decode_context_tokens",
    "prefill_work_share",
    "load_hidden_share",
)
SERVING = (LIMIT, *MEMORY, *POOL)
ASSUMPTIONS = (*SERVING, CONTEXT, SHARE, HIDDEN)
DECODING, ALL_CARDS = COUNTED = ("decoding", "all cards")


def _words(*accepted):
    return lambda facts: ("all", *map(str, accepted))


SETTINGS = (
    Setting("served", "all", "models", options=_words(*MODELS), several=True),
    Setting("fabric", "all", "between cards and pool", options=_words(*FABRICS), several=True),
    Setting("way", "all", "how offloading is done", options=_words(*WAYS), several=True),
)


def options_of(facts, settings, reading):
    """Return every combination that a reading asks about; column side holds positions in ``sides(...)``."""
    listed, offloads, requests = sides(facts, settings), reading != REUSE, reading in (REUSE, BOTH)
    ways = chosen(settings, "way", WAYS) if offloads else ("",)
    counted = (ALL_CARDS,) if requests else COUNTED
    asked = workloads(facts) if requests else (None,)
    axes = (enumerate(listed), chosen(settings, "fabric", FABRICS), ways, counted, enumerate(asked))
    rows = list(product(*map(list, axes)))
    words = {
        "model": [side.model for (_, side), *_ in rows],
        "attention": ["MLA" if placed(facts, side).shape.latent_attention else "GQA" for (_, side), *_ in rows],
        "fabric": [row[1] for row in rows],
        "way": [row[2] for row in rows],
        "counted": [row[3] for row in rows],
        "workload": [row[4][1].name if requests else "" for row in rows],
        "kind": [row[4][1].kind if requests else "" for row in rows],
    }
    shares = [free_share(facts, side) for side in listed]
    numbers = {
        "spread": np.array([side.spread for (_, side), *_ in rows]),
        "side": np.array([place for (place, _), *_ in rows], dtype=int),
        "request": np.array([row[4][0] for row in rows], dtype=int),
        "free_share": np.array([shares[place] for (place, _), *_ in rows]),
    }
    used = ["fabric", *(["way"] if offloads else []), *(["workload"] if requests else ["counted"])]
    sources = []
    for (_, side), *_, (_, workload) in rows:
        own = (placed(facts, side).shape.sources, card_sources(facts))
        sources.append((*own, workload.sources) if workload else own)
    return Options(
        {name: np.array(cells, dtype=object) for name, cells in words.items()} | numbers,
        choices=("model", "spread", *used),
        categories=tuple("kind" if name == "workload" else name for name in ("attention", *used)),
        ordered={"free_share": (0.0, 1.0, "fraction")},
        rows=("model", "workload") if requests else ("model",),
        sources=tuple(sources),
    )


class Asked:
    """Samples of one reading: what is asked of decoding and of prompts for each of them.

    Parameters
    ----------
    facts : Facts
    listed : list of Side
    columns : dict
        Of the options, taken at the samples, shape (N,).
    values : dict of str to ndarray
    """

    def __init__(self, facts, listed, columns, values):
        self.facts, self.listed, self.columns, self.values = facts, listed, columns, values
        self.ranks = [placed(facts, side) for side in listed]
        self.which = columns["side"]
        self.tables = tables_of(facts, listed, self.ranks)
        # Every rank is a die of the same card.
        self.remote = remote_of(facts, columns["fabric"], values, self.ranks[0].ranks_a_card)

    def requests(self):
        """Return prompt, hit and output tokens of the samples' workloads, shape (N,) each."""
        known, at = workloads(self.facts), self.columns["request"]
        names = {"hit": "hit", "prompt": "prompt_tokens", "output": "output_tokens"}
        return {name: np.array([getattr(one, field) for one in known])[at] for name, field in names.items()}

    def question(self, context):
        """Return what is asked of decoding at a context, shape (N,)."""
        sequence = sequence_of(self.ranks, self.which, context)
        free = np.array([one.free_bytes(0 * self.values[MEMORY[0]] + 1.0, 0.0) for one in self.ranks])[:, 0]
        taken = self.ranks[0].working_part * self.values[MEMORY[1]] * GIGA
        left = np.maximum(free[self.which] - taken, 0) * self.values[MEMORY[0]]
        return Question(limit_of(self.values), left[:, None] / sequence.cache_bytes, sequence, self.remote)

    def own_s(self, rows=slice(None)):
        """Return the accelerator's step for some of the samples."""
        return OwnStep(self.tables, self.which[rows])

    def decoded(self, question):
        """Return decoding with a pool over without, shape (N,)."""
        return decode_ratio(self.own_s, lambda rows: taken_at(question, rows), self.columns["way"])


def taken_at(one, rows):
    """Return a dataclass of arrays at some rows, those of its own fields with it."""
    if isinstance(one, np.ndarray):
        return one[rows] if len(one) > 1 else one
    return type(one)(**{name: taken_at(getattr(one, name), rows) for name in one.__dataclass_fields__})


def gains(facts, reading, listed, columns, values):
    """Return the gain in throughput, per cent, shape (N,).

    Parameters
    ----------
    facts : Facts
    reading : str
    listed : list of Side
    columns : dict
        Of the options, taken at the samples.
    values : dict of str to ndarray
    """
    asked = Asked(facts, listed, columns, values)
    if reading in (OFFLOAD, AT_LEAST):
        found = asked.decoded(asked.question(values[CONTEXT]))
        share = np.where(columns["counted"] == ALL_CARDS, values[SHARE], 0.0)
        return PER_CENT * (system_gain(found, share) - 1)
    return PER_CENT * (request_gain(asked, offloads=reading == BOTH) - 1)


def request_gain(asked, *, offloads):
    """Return throughput with the pool over without, for whole requests of published workloads, shape (N,)."""
    request = asked.requests()
    question = asked.question(request["prompt"] + request["output"] / 2)
    sequences, rate = without_pool(asked.own_s(), question)
    # Where not one sequence keeps the limit, it is decoded alone, as fast as can be.
    alone = 1 / asked.own_s()(np.ones_like(question.limit_s), question.sequence.local_s)[:, 0]
    decode = request["output"] / np.where(sequences > 0, rate, alone)
    sequence = sequence_of(asked.ranks, asked.which, request["prompt"])
    before, after = with_reuse_s(
        asked.facts, asked.listed, asked.which, request, asked.remote, sequence, asked.values[HIDDEN]
    )
    faster = asked.decoded(question) if offloads else 1.0
    return (before + decode) / (after + decode / faster)


def _used(reading):
    if reading in (OFFLOAD, AT_LEAST):
        return (*SERVING, CONTEXT, SHARE)
    return (*SERVING, HIDDEN)


def _case(facts, settings, reading, assumptions):
    listed, options = sides(facts, settings), options_of(facts, settings, reading)
    declared = tuple(one for one in assumptions if one.name in _used(reading))

    def predict(options, rows, values):
        return gains(facts, reading, listed, {name: cells[rows] for name, cells in options.columns.items()}, values)

    def methods(options, values):
        return plain_loop.methods(facts, reading, listed, options, values, predict)

    error = evidence_lines.model_error(facts, reading)
    keys = {key for rows in options.sources for row in rows for key in row}
    return Case(
        declared,
        options,
        predict,
        methods,
        lambda: evidence_lines.lines_of(facts, reading, listed, options, declared),
        tuple(sorted({*keys, *pool_sources(facts), *evidence_lines.sources(facts, reading)})),
        model_error=error,
        model_error_reason="" if error else "no measurement that was not fitted is predicted",
        calibrate=evidence_lines.measured_sources(facts, "calibrate"),
        validate=evidence_lines.measured_sources(facts, "validate"),
    )


def case_of(facts, parameters, reading):
    """Return the case of one reading, with the settings of a record and every assumption open."""
    return _case(facts, parameters, reading, declared_assumptions(facts, ASSUMPTIONS))


CLAIMS = (ClaimModel(CLAIM, "06_ems_throughput", ASSUMPTIONS, SETTINGS, READINGS, _case),)
