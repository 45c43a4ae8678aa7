"""The 10 ms circle: from three hubs a latency circle of 10 milliseconds covers 19 city clusters.

The article does not say one way or there and back, to which city of a cluster, or over which network. Fibre along the
geodesic is the floor; a route factor and the equipment make it a delay, and the prediction is how many clusters lie
within the limit. The limit is the condition of the sentence and a setting; the count is what the ledger claims.
"""

import numpy as np

from analysis.facts.places import hubs
from analysis.judgement.case import Case, Options
from analysis.judgement.uncertainty import option_weights, weighted_quantile
from analysis.models.geography import reach_km, within
from analysis.subjects.latency import lines as evidence_lines
from analysis.subjects.latency import loop as plain_loop
from analysis.subjects.latency.distances import COVERAGES, cluster_distances
from analysis.subjects.model import ClaimModel, Setting

CIRCLE = "latency.circle"
ASSUMPTIONS = ("route_factor", "fibre_group_index", "equipment_delay_ms")
# Reading to how often the way is gone, and from how many hubs the limit must hold.
READINGS = {"one-way": (1, 1), "round-trip": (2, 1), "two-hubs": (1, 2)}
SETTINGS = (
    Setting("limit_ms", 10.0, "delay that draws the circle, the condition of the sentence", "ms", 0.1, 50.0),
    Setting(
        "coverage",
        "all",
        "which city of a cluster must lie inside",
        options=lambda facts: ("all", *COVERAGES),
        several=True,
    ),
    Setting(
        "hubs",
        "all",
        "hubs that count",
        options=lambda facts: ("all", *(hub.name for hub in hubs(facts))),
        several=True,
    ),
)
SOURCES = (
    "bozkurt2018infrastructure",
    "geonames2025cities",
    "huawei2021wdm",
    "itut2016g652",
    "wuaishare2021clusters",
)


def budget_ms(settings, reading):
    """Return the one-way delay that a reading leaves: half of the limit where the way is gone there and back."""
    ways, _ = READINGS[reading]
    return settings["limit_ms"] / ways


def _options(facts, settings, reading):
    """The ways in which a cluster can be covered, each with the distance that decides for every cluster."""
    distances = cluster_distances(facts, settings, READINGS[reading][1])
    columns = {
        "coverage": np.array(list(distances), dtype=object),
        "distance_km": np.stack(list(distances.values())),
    }
    return Options(columns, choices=("coverage",), categories=("coverage",), sources=((),) * len(distances))


def _case(facts, settings, reading, assumptions):
    options = _options(facts, settings, reading)
    limit_ms = budget_ms(settings, reading)

    def predict(options, rows, values):
        reach = reach_km(limit_ms, *(values[name] for name in ASSUMPTIONS))
        return within(options.columns["distance_km"][rows], reach)

    def methods(options, values):
        rows = np.arange(len(options))
        counts = predict(options, rows, {name: np.full(len(rows), value) for name, value in values.items()})
        median = weighted_quantile(counts, option_weights(options), [0.5]).tolist()
        looped = plain_loop.median_count(facts, settings, limit_ms, READINGS[reading][1], values)
        shared = ["data/cities.csv", "data/city_clusters.csv", "data/hubs.csv"]
        return {
            "delays along geodesics": {"estimate": median, "standard_error": 0.0, "shares": shared},
            "break-even route factors on a sphere": {"estimate": [looped], "standard_error": 0.0, "shares": shared},
        }

    def lines():
        return evidence_lines.lines_of(facts, settings, options, limit_ms)

    evidence = tuple(sorted({*SOURCES, *evidence_lines.sources(facts)}))
    return Case(assumptions, options, predict, methods, lines, evidence)


CLAIMS = (ClaimModel(CIRCLE, "09_latency", ASSUMPTIONS, SETTINGS, tuple(READINGS), _case),)
