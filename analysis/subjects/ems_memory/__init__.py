"""Memory without more NPUs: cards that are bought without a pool, over cards that are bought with it.

The sentence names neither what is kept nor how much. Every way of asking, model and trace is one option. Where memory
is not short a pool saves no card, and what it must transfer counts against it.
"""

from functools import partial

import numpy as np

from analysis.facts.transformers import transformer
from analysis.judgement.case import Case, Options
from analysis.judgement.uncertainty import option_weights, weighted_quantile
from analysis.subjects.ems_memory import lines as evidence_lines
from analysis.subjects.ems_memory import loop as plain_loop
from analysis.subjects.ems_memory.choices import (
    KILO,
    MODELS,
    SETTINGS,
    TRACE_SOURCE,
    WAYS,
    card_sources,
    combinations,
    kept,
)
from analysis.subjects.ems_memory.counts import READINGS, ratios
from analysis.subjects.model import ClaimModel

CLAIM = "ems.memory"
ASSUMPTIONS = (
    "hit_target_share",
    "weights_memory_share",
    "cache_memory_share",
    "working_memory_gb",
    "prefill_peak_share",
    "memory_bandwidth_share",
    "token_time_limit_ms",
    "pool_link_share",
    "load_hidden_share",
    "memory_price_ratio",
)


def options_of(facts, settings):
    """Return every combination that the settings let count, as options.

    Parameters
    ----------
    facts : Facts
    settings : dict
        Values of `SETTINGS`.

    Returns
    -------
    Options
        Columns use, way, model, trace, cache_kb_per_token, model_place (in `MODELS`) and group (of way and trace).
    """
    ways, models, traces = (np.array(column, dtype=object) for column in zip(*combinations(settings), strict=True))
    place = np.array([MODELS.index(model) for model in models])
    sizes = kept(facts, place, 0).token_bytes / KILO
    groups = [(way, trace) for way, trace in zip(ways, traces, strict=True)]
    columns = {
        "use": np.array([WAYS[way] for way in ways], dtype=object),
        "way": ways,
        "model": models,
        "trace": traces,
        "cache_kb_per_token": sizes,
        "model_place": place,
        "group": np.array([groups.index(one) for one in groups]),
    }
    spread = {} if np.ptp(sizes) == 0 else {"cache_kb_per_token": (float(sizes.min()), float(sizes.max()), "KB")}
    return Options(
        columns,
        choices=("way", "model", "trace"),
        categories=("use", "way"),
        ordered=spread,
        rows=("model",),
        sources=tuple((transformer(facts, model).sources,) for model in models),
    )


def _case(facts, settings, reading, assumptions):
    options = options_of(facts, settings)

    def predict(options, rows, values):
        return ratios(facts, settings, reading, options.columns, rows, values)

    keys = {key for ((sources),) in options.sources for key in sources}
    return Case(
        assumptions,
        options,
        predict,
        partial(_methods, facts, settings, reading, predict),
        lambda: evidence_lines.lines_of(facts, settings, reading, assumptions),
        tuple(sorted({*keys, *card_sources(facts), TRACE_SOURCE, *evidence_lines.sources(facts)})),
    )


def _methods(facts, settings, reading, predict, options, values):
    """Miss-ratio curves and formulas beside caches that are played: medians over the options."""
    rows, weight = np.arange(len(options)), option_weights(options)
    closed = predict(options, rows, {name: np.full(len(rows), value) for name, value in values.items()})
    listed = zip(*(options.columns[name] for name in ("way", "model", "trace")), strict=True)
    played = np.array([plain_loop.played_ratio(facts, settings, reading, *one, values) for one in listed])
    shared = ["the traces", "data/transformers.csv", "data/accelerators.csv", "operations of a prompt"]
    told = {"from miss-ratio curves": closed, "caches played, cards added": played}
    return {
        name: {
            "estimate": weighted_quantile(one, weight, [0.5]).tolist(),
            "standard_error": 0.0,
            "shares": shared,
        }
        for name, one in told.items()
    }


CLAIMS = (ClaimModel(CLAIM, "06_ems_throughput", ASSUMPTIONS, SETTINGS, READINGS, _case),)
