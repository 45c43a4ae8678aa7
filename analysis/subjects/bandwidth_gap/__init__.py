"""The bandwidth gap: in eight years compute grew 40x, the bus inside a node 9x, the network between nodes 4x.

The article names no card, number format, bus or network share. Every pair of cards of one vendor about eight years
apart, under every convention, is one option; the ratio of the two figures, scaled to eight years, is the prediction.
"""

from itertools import product

import numpy as np
import pandas as pd

from analysis.facts.assumptions import assumptions as declared_assumptions
from analysis.facts.hardware import accelerators
from analysis.judgement.case import Case, Options
from analysis.judgement.uncertainty import option_weights, weighted_quantile
from analysis.models import card_pairs
from analysis.models.growth import growth_over
from analysis.subjects.bandwidth_gap import lines as evidence_lines
from analysis.subjects.bandwidth_gap import loop as plain_loop
from analysis.subjects.bandwidth_gap.conventions import (
    BUS,
    COMPUTE,
    JOINT,
    NETWORK,
    READINGS,
    SETTINGS,
    conventions,
    latest_month,
)
from analysis.subjects.model import ClaimModel

# Whether a higher value raises the ratio of a card that grows.
ENDS_THAT_RAISE = {
    "start_date_error_years": True,
    "end_date_error_years": False,
    "start_disputed_position": False,
    "end_disputed_position": True,
}
ASSUMPTIONS = tuple(ENDS_THAT_RAISE)
SHORTEST_SPAN_YEARS = 0.5


def specification(facts, settings, reading):
    """Enumerate every defensible combination for one reading, confirmed or not.

    Parameters
    ----------
    facts : Facts
    settings : dict
        Values of `SETTINGS`.
    reading : str
        Of a single ratio.

    Returns
    -------
    pandas.DataFrame
        One combination a row: the pair, the convention, figures, `confirmed`, and the ratio as the cards have it
        (`ratio_as_is`) and scaled to the span asked for (`ratio_scaled`), both at the modes of the assumptions, with
        the ends that the assumptions allow (`ratio_low`, `ratio_high`).
    """
    cards = accelerators(facts)
    chosen = {name: settings[name] for name in ("years", "window_years", "vendor")}
    pairs = card_pairs.card_pairs(cards, **chosen, latest_month=latest_month(settings))
    tables = [
        card_pairs.growth_rows(pairs, label, convention)
        for label, convention in conventions(cards, reading, settings).items()
    ]
    found = pd.concat(tables, ignore_index=True)
    declared = {one.name: one for one in declared_assumptions(facts, ASSUMPTIONS)}
    modes, lows, highs = (
        {name: getattr(one, end) for name, one in declared.items()} for end in ("mode", "low", "high")
    )
    columns = {name: found[name].to_numpy() for name in found.columns}
    rows = np.arange(len(found))

    def ratio_at(values, scaled=True):
        return ratios(columns, rows, values, years=settings["years"], scaled=scaled)

    # A ratio grows with the end's figure and a late start, and falls with the start's figure and a late end.
    most = {name: (highs if ENDS_THAT_RAISE[name] else lows)[name] for name in ASSUMPTIONS}
    least = {name: (lows if ENDS_THAT_RAISE[name] else highs)[name] for name in ASSUMPTIONS}
    ends = np.stack([ratio_at(least), ratio_at(most)])
    shown = {"ratio_as_is": ratio_at(modes, scaled=False), "ratio_scaled": ratio_at(modes)}
    return found.assign(**shown, ratio_low=ends.min(axis=0), ratio_high=ends.max(axis=0))


def _options(facts, found, settings):
    """Options from a table of combinations."""
    cards = accelerators(facts)
    pair = found["start_card"] + " > " + found["end_card"]
    columns = {name: found[name].to_numpy() for name in found.columns} | {"pair": pair.to_numpy(dtype=object)}
    sources = tuple(
        (cards[start].sources, cards[end].sources) for start, end in zip(found["start"], found["end"], strict=True)
    )
    low, high = settings["years"] - settings["window_years"], settings["years"] + settings["window_years"]
    choices = [name for name in CHOICES if name in columns]
    return Options(
        columns=columns,
        choices=("pair", *choices),
        categories=("vendor", "segment", *choices),
        ordered={"span_years": (low, high, "years")} if high > low else {},
        rows=("start_card", "end_card"),
        vendor="vendor",
        sources=sources,
    )


CHOICES = ("convention", "compute_convention", "bus_convention", "network_convention", "date_basis")


def ratios(columns, rows, values, *, years, scaled, prefix=""):
    """Return end over start at sampled dates and disputed figures, scaled to `years` where asked.

    Parameters
    ----------
    columns : dict of str to ndarray
        The columns of `specification`; figures may carry a prefix.
    rows : ndarray of int, shape (N,)
    values : dict of str to ndarray, shape (N,)
        The assumptions.
    years : float
    scaled : bool
    prefix : str
        Of the four figure columns.

    Returns
    -------
    ndarray of shape (N,)
    """

    def figure(end):
        low, high = (columns[f"{prefix}{end}_{side}"][rows] for side in ("low", "high"))
        return low + values[f"{end}_disputed_position"] * (high - low)

    ratio = figure("end") / figure("start")
    if not scaled:
        return ratio
    span = columns["span_years"][rows]
    span = span + values["end_date_error_years"] * columns["end_unconfirmed"][rows]
    span = span - values["start_date_error_years"] * columns["start_unconfirmed"][rows]
    return growth_over(ratio, np.maximum(span, SHORTEST_SPAN_YEARS), years)


def _single_case(claim_id):
    def case(facts, settings, reading, assumptions):
        found = specification(facts, settings, reading)
        options = _options(facts, found[found["confirmed"]], settings)

        def predict(options, rows, values):
            return ratios(options.columns, rows, values, years=settings["years"], scaled=settings["scaled"])

        def methods(options, values):
            return _compared(predict, options, values, plain_loop.ratios_of(facts, settings, reading))

        def lines():
            return evidence_lines.lines_of(facts, settings, claim_id, reading)

        evidence = _evidence(options)
        return Case(assumptions, options, predict, methods, lines, evidence)

    return case


def _evidence(options):
    return tuple(sorted(frozenset().union(*(keys for rows in options.sources for keys in rows))))


def _compared(predict, options, values, looped):
    """The vectorised enumeration beside the plain loop: medians over all combinations."""
    rows = np.arange(len(options))
    prediction = predict(options, rows, {name: np.full(len(options), value) for name, value in values.items()})
    shared = ["data/accelerators.csv", "data/disputed.csv"]
    weight = option_weights(options)
    medians = [float(weighted_quantile(part, weight, [0.5])[0]) for part in np.atleast_2d(prediction)]
    return {
        "vectorised enumeration": {"estimate": medians, "standard_error": 0.0, "shares": shared},
        "plain loop over the CSV": {"estimate": looped(values), "standard_error": 0.0, "shares": shared},
    }


def _joint_table(facts, settings):
    """Every pair and date basis under every combination of a compute, a bus and a network convention."""
    parts = {}
    for part, claim_id in (("compute", COMPUTE), ("bus", BUS), ("network", NETWORK)):
        tables = [specification(facts, settings, reading) for reading in READINGS[claim_id]]
        table = pd.concat(tables, ignore_index=True)
        figures = ["convention", "start_low", "start_high", "end_low", "end_high"]
        table = table.loc[table["confirmed"], [*card_pairs.PAIR_COLUMNS, *figures]]
        parts[part] = table.rename(columns={name: f"{part}_{name}" for name in figures})
    found = parts["compute"]
    for part in ("bus", "network"):
        found = found.merge(parts[part], on=list(card_pairs.PAIR_COLUMNS))
    return found


def _one_pair_case(facts, settings, assumptions):
    options = _options(facts, _joint_table(facts, settings), settings)

    def predict(options, rows, values):
        kept = {"years": settings["years"], "scaled": settings["scaled"]}
        return np.stack(
            [ratios(options.columns, rows, values, **kept, prefix=f"{part}_") for part in ("compute", "bus", "network")]
        )

    def methods(options, values):
        return _compared(predict, options, values, plain_loop.joint_ratios(facts, settings))

    def lines():
        return evidence_lines.joint_lines(facts, settings)

    return Case(assumptions, options, predict, methods, lines, _evidence(options))


def _vendor_trend_case(facts, settings):
    """Growth of each vendor's trend line under every combination of conventions."""
    trends = {
        claim_id: evidence_lines.vendor_trends(facts, settings, READINGS[claim_id])
        for claim_id in (COMPUTE, BUS, NETWORK)
    }
    rows = []
    for vendor in dict.fromkeys(key[0] for key in trends[COMPUTE]):
        labels = [[label for owner, label in trends[claim_id] if owner == vendor] for claim_id in trends]
        for chosen in product(*labels):
            factors = [trends[claim_id][vendor, label] for claim_id, label in zip(trends, chosen, strict=True)]
            rows.append((vendor, *chosen, *factors))
    table = pd.DataFrame(rows, columns=["vendor", *CHOICES[1:4], "compute", "bus", "network"])
    sources = tuple((evidence_lines.vendor_sources(facts, vendor),) for vendor in table["vendor"])
    choices = CHOICES[1:4]
    columns = {name: table[name].to_numpy() for name in table.columns}
    options = Options(columns, choices, ("vendor", *choices), rows=("vendor",), vendor="vendor", sources=sources)

    def predict(options, rows, values):
        return np.stack([options.columns[part][rows] for part in ("compute", "bus", "network")])

    return Case((), options, predict, lambda options, values: {}, lambda: {}, _evidence(options))


def _joint_case(facts, settings, reading, assumptions):
    if reading == "one-vendor-trend":
        return _vendor_trend_case(facts, settings)
    return _one_pair_case(facts, settings, assumptions)


def _model(claim_id, readings, case):
    return ClaimModel(claim_id, "01_bandwidth_gap", ASSUMPTIONS, SETTINGS, readings, case)


CLAIMS = (
    *(_model(claim_id, readings, _single_case(claim_id)) for claim_id, readings in READINGS.items()),
    _model(JOINT, ("one-pair", "one-vendor-trend"), _joint_case),
)
