"""Does the supernode answer NVL72? Supernode over NVL72 by every figure that can be meant, in three readings.

The article says no more than that NVL72 exists and that the supernode is there for the same work. Which figure
decides is open: every metric against every NVL72 is one option. Peaks and powers on which sources differ are sampled.
"""

import numpy as np
import pandas as pd

from analysis.facts.assumptions import assumptions as declared_assumptions
from analysis.facts.systems import RACK, supernode, systems
from analysis.judgement.case import Case, Options
from analysis.judgement.uncertainty import option_weights, weighted_quantile
from analysis.subjects.model import ClaimModel, Setting
from analysis.subjects.supernode import jobs
from analysis.subjects.supernode import lines as evidence_lines
from analysis.subjects.supernode import loop as plain_loop
from analysis.subjects.supernode.compute import CARDS
from analysis.subjects.supernode.metrics import (
    METRICS,
    PER_CARD,
    PER_WATT,
    READINGS,
    card_figure,
    cards_of,
    chosen_metrics,
    domain_size,
)

CLAIM = "supernode.nvl72"
OURS, THEIRS = SIDES = ("supernode", "opponent")
ASSUMPTIONS = tuple(f"{side}_{what}_position" for what in ("peak", "power") for side in SIDES)


def opponents(facts):
    """Return the racks of the tables by name."""
    return {name: one for name, one in systems(facts).items() if one.kind == RACK}


SETTINGS = (
    CARDS,
    Setting("opponent", "all", "which NVL72", options=lambda facts: ("all", *opponents(facts))),
    Setting(
        "metrics",
        "all",
        "compared",
        options=lambda facts: ("all", *METRICS),
        several=True,
    ),
    Setting("tpot_limit_ms", 50.0, "longest time of an output token", "ms", 5.0, 500.0),
    Setting("context_tokens", 4096, "length of a prompt, and of the cache when decoding", "tokens", 128, 131072),
)


def ends(facts, parameters):
    """Return the assumptions at the low end, the mode and the high end of their ranges, or where they are pinned.

    Parameters
    ----------
    facts : Facts
    parameters : dict
        Of a record; holds the pinned ones.

    Returns
    -------
    dict of str to dict
        "low", "mode" and "high" to values by name.
    """
    declared = declared_assumptions(facts, ASSUMPTIONS)
    return {
        end: {one.name: parameters.get(one.name, getattr(one, end)) for one in declared}
        for end in ("low", "mode", "high")
    }


def comparisons(facts, settings, reading, left_out=""):
    """Enumerate metric and opponent with the figures of one card on both sides.

    Parameters
    ----------
    facts : Facts
    settings : dict
        Values of `SETTINGS`.
    reading : str
    left_out : str
        A source without which fitted constants are taken.

    Returns
    -------
    table : pandas.DataFrame
        metric, opponent, unit, note; for each side its low and high figure of a card (`supernode_low` and so on), its
        cards, and its power (`supernode_power_low` and so on, kW, NaN where nobody prints one).
    absent : dict of (str, str) to str
        Metric and opponent to why there is no comparison.
    """
    ours, rows, absent = supernode(facts), [], {}
    for metric in chosen_metrics(settings, reading):
        for name, theirs in opponents(facts).items():
            if settings["opponent"] not in ("all", name):
                continue
            row, why = _comparison(facts, settings, metric, (ours, theirs), left_out)
            if row is not None and reading == PER_WATT and None in (ours.power_kw, theirs.power_kw):
                row, why = None, "nobody prints a power"
            if row is None:
                absent[metric, name] = why
            else:
                rows.append({"metric": metric, "opponent": name, "unit": METRICS[metric].unit, "note": why} | row)
    return pd.DataFrame(rows, columns=COLUMNS), absent


COLUMNS = ["metric", "opponent", "unit", "note"] + [
    f"{side}_{what}" for side in SIDES for what in ("low", "high", "cards", "power_low", "power_high")
]


def _comparison(facts, settings, metric, pair, left_out):
    row, notes = {}, []
    for side, system in zip(SIDES, pair, strict=True):
        figure, note = card_range(facts, settings, metric, system, left_out)
        if figure is None:
            return None, note
        cards = cards_of(settings, system)
        low, high = system.power_kw or (np.nan, np.nan)
        # The power is that of a whole system; a part of the supernode takes its part.
        part = cards / system.accelerators
        row |= {f"{side}_low": figure[0], f"{side}_high": figure[1], f"{side}_cards": cards}
        row |= {f"{side}_power_low": part * low, f"{side}_power_high": part * high}
        notes += [f"{system.name}: {note}"] if note else []
    return row, "; ".join(notes)


def card_range(facts, settings, metric, system, left_out=""):
    """Return the figure of one card of a system as a range, with what was assumed or why there is none.

    Parameters
    ----------
    facts : Facts
    settings : dict
    metric : str
    system : System
    left_out : str

    Returns
    -------
    figure : tuple of float or None
    note : str
    """
    if METRICS[metric].job:
        rate, note = jobs.job_rate(facts, settings, metric, system, left_out)
        return None if rate is None else (rate, rate), note
    if METRICS[metric].intensive:
        # A property of the system: divided by its cards here, because a system's figure is cards times this one.
        size = domain_size(system, cards_of(settings, system)) / cards_of(settings, system)
        return (size, size), ""
    figure = card_figure(system.card, METRICS[metric])
    return figure, "" if figure else f"{system.name}: nobody prints it"


def ratios(columns, rows, values, reading):
    """Return supernode over opponent.

    Parameters
    ----------
    columns : mapping of str to ndarray
        Of `comparisons`.
    rows : ndarray of int, shape (N,)
    values : dict of str to ndarray, shape (N,)
        The assumptions.
    reading : str

    Returns
    -------
    ndarray of shape (N,)
    """
    sides = []
    for side in SIDES:
        low, high = (columns[f"{side}_{end}"][rows] for end in ("low", "high"))
        figure = low + values[f"{side}_peak_position"] * (high - low)
        if reading != PER_CARD:
            figure = figure * columns[f"{side}_cards"][rows]
        if reading == PER_WATT:
            low, high = (columns[f"{side}_power_{end}"][rows] for end in ("low", "high"))
            figure = figure / (low + values[f"{side}_power_position"] * (high - low))
        sides.append(figure)
    return sides[0] / sides[1]


def _options(facts, table, reading):
    ours, theirs = supernode(facts), opponents(facts)

    def keys(system):
        return system.card.sources | system.sources | (system.power_sources if reading == PER_WATT else frozenset())

    return Options(
        columns={name: table[name].to_numpy() for name in table.columns},
        choices=("metric", "opponent"),
        categories=("metric",),
        rows=("opponent",),
        sources=tuple((keys(ours), keys(theirs[name])) for name in table["opponent"]),
    )


def _case(facts, settings, reading, assumptions, left_out=""):
    table, _ = comparisons(facts, settings, reading, left_out)
    options = _options(facts, table, reading)
    names = tuple(name for name in dict.fromkeys(table["metric"]) if METRICS[name].job)

    def predict(options, rows, values):
        return ratios(options.columns, rows, values, reading)

    def methods(options, values):
        rows = np.arange(len(options))
        found = predict(options, rows, {name: np.full(len(rows), value) for name, value in values.items()})
        median = weighted_quantile(found, option_weights(options), [0.5]).tolist()
        looped = plain_loop.median_ratio(facts, settings, reading, values)
        shared = ["data/accelerators.csv", "data/disputed.csv", "data/systems.csv"]
        shared += ["modelled rates of jobs"] if names else []
        return {
            "vectorised comparison": {"estimate": median, "standard_error": 0.0, "shares": shared},
            "plain loop over the CSV": {"estimate": [looped], "standard_error": 0.0, "shares": shared},
        }

    def lines():
        return evidence_lines.lines_of(facts, settings, reading)

    def without(source):
        return lambda: _case(facts, settings, reading, assumptions, source)

    keys = frozenset().union(*(part for pair in options.sources for part in pair))
    error = jobs.ratio_error(facts, names) if names else None
    calibrate = jobs.job_sources(facts, names, "calibrate")
    left = set(facts.table("calibration")["left_out"]) & set(calibrate) if names and not left_out else ()
    return Case(
        assumptions,
        options,
        predict,
        methods,
        lines,
        evidence=tuple(sorted({*keys, *evidence_lines.sources(facts, reading)})),
        model_error=error,
        model_error_reason="printed figures alone: no constant is fitted" if not names else NO_PAIR,
        calibrate=calibrate,
        validate=jobs.job_sources(facts, names, "validate"),
        refitted={source: without(source) for source in sorted(left)},
    )


NO_PAIR = "no two measurements of one job that were not fitted"
CLAIMS = (ClaimModel(CLAIM, "02_supernode", ASSUMPTIONS, SETTINGS, READINGS, _case),)
