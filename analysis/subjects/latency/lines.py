"""Independent lines of evidence: published route factors and measured delays, each turned into a count of clusters."""

import numpy as np

from analysis.facts.assumptions import assumptions
from analysis.facts.places import cities
from analysis.judgement.uncertainty import option_weights, weighted_quantile
from analysis.models.geography import break_even_route_factor, fibre_delay_ms, reach_km, within
from analysis.subjects.latency.distances import distances_km, national_hub_pairs_km

# Rows of operations.csv: quantity to what the line is called.
PUBLISHED_FACTORS = {
    "conduit_shortest_path_factor": "shortest ways along US conduits",
    "rule_of_thumb_factor": "US rule of thumb",
}
WAYS = {"round-trip": 2}
NATIONAL_HUBS = "national hubs"
PLANNING_RULE = "ITU-T planning rule"
US_A_MS = 1000


def sources(facts):
    """Return the citation keys behind the lines."""
    found = [*facts.table("network_delay")["source"], *(row["source"] for row in _published(facts))]
    return sorted({key for source in found for key in source.split(";")})


def lines_of(facts, settings, options, limit_ms):
    """Return the lines of evidence for one reading.

    Parameters
    ----------
    facts : Facts
    settings : dict
    options : Options
        With the deciding distance of each cluster under each coverage.
    limit_ms : float
        One way.

    Returns
    -------
    dict
        Name to ``{estimate, interval, note}``; where a measurement is a range, the interval has the counts at its ends.
    """
    (index,) = assumptions(facts, ("fibre_group_index",))

    def count(route_factor):
        counts = within(options.columns["distance_km"], reach_km(limit_ms, route_factor, index.mode)[None])
        return float(weighted_quantile(counts, option_weights(options), [0.5])[0])

    floor = "straight fibre and no equipment: no network can do better; shares only the coordinates and the fibre"
    found = {"physical floor, route factor 1": _line([count(np.array(1.0))], floor)}
    for row in _published(facts):
        note = f"route factor {row['value']:g} [{row['source']}], nothing for equipment"
        found[PUBLISHED_FACTORS[row["quantity"]]] = _line([count(np.array(row["value"]))], note)
    found |= _planning_rule(facts, options, limit_ms)
    for implied in implied_factors(facts, index.mode):
        if implied["statistic"] == "max":
            continue
        note = f"{implied['told']} implies a route factor of {implied['shown']} [{implied['source']}]"
        found[f"measured, {implied['name']}"] = _line([count(np.array(factor)) for factor in implied["factors"]], note)
    return found


def _line(counts, note):
    """The first count is the estimate; more of them span the interval."""
    interval = [[min(counts), max(counts)]] if len(counts) > 1 else None
    return {"estimate": counts[:1], "interval": interval, "note": note}


def _published(facts):
    table = facts.table("operations")
    return table[table["quantity"].isin(PUBLISHED_FACTORS)].to_dict("records")


def _measured(facts):
    """Published delays between two named places."""
    table = facts.table("network_delay")
    return table[(table["quantity"] == "delay") & (table["role"] != "claim")].to_dict("records")


def _planning_rule(facts, options, limit_ms):
    """The count by the planning rule of ITU-T, which shares no constant with the model."""
    table = facts.table("network_delay")
    rule = table[table["system"] == PLANNING_RULE].set_index("quantity")
    if not {"route_factor", "delay_per_km"} <= set(rule.index):
        return {}
    factor, us_per_km = rule.loc["route_factor", "value"], rule.loc["delay_per_km", "value"]
    counts = within(options.columns["distance_km"], np.array([limit_ms * US_A_MS / (factor * us_per_km)]))
    note = (
        f"{factor:g} x air distance, {us_per_km:g} us/km [{rule.loc['route_factor', 'source']}]; made for long routes"
    )
    median = float(weighted_quantile(counts, option_weights(options), [0.5])[0])
    return {PLANNING_RULE: _line([median], note)}


def implied_factors(facts, group_index):
    """Return the route factors that measured delays imply, with equipment counted as fibre.

    Parameters
    ----------
    facts : Facts
    group_index : float

    Returns
    -------
    list of dict
        name, statistic, direction, distance_km, delays_ms (as published), factors (one way, the value first, then the
        ends of its range), shown, told, source, floor_ms (one way in straight fibre). A mean over pairs is held
        against the mean distance of the pairs, a maximum against the longest. Where no direction is stated the delay
        is taken as one way: read as a round trip it would beat light in the fibre where it is below twice the floor.
    """
    found = []
    for row in _measured(facts):
        kilometres, pair = _distance_km(facts, row)
        published = [row["value"], *(row[end] for end in ("value_low", "value_high") if row[end] == row[end])]
        delays = [delay / WAYS.get(row["direction"], 1) for delay in published]
        factors = [float(break_even_route_factor(kilometres, delay, group_index)) for delay in delays]
        layer = f", {row['layer']}" if row["layer"] else ""
        statistic = f", {row['statistic']}" if row["statistic"] else ""
        bound = "at most " if row["bound"] == "at_most" else ""
        span = f"{min(factors):.2f} to {max(factors):.2f}" if len(factors) > 1 else f"{factors[0]:.2f}"
        found.append(
            {
                "name": f"{pair}{layer}{statistic}",
                "statistic": row["statistic"],
                "direction": row["direction"],
                "distance_km": kilometres,
                "delays_ms": published,
                "factors": factors,
                "shown": bound + span,
                "told": f"{bound}{row['value']:g} ms ({row['direction']}) over {kilometres:,.0f} km",
                "source": row["source"],
                "floor_ms": float(fibre_delay_ms(kilometres, 1.0, group_index)),
            }
        )
    return found


def _distance_km(facts, row):
    if row["from_city"] == NATIONAL_HUBS:
        pairs = national_hub_pairs_km(facts)
        return float(pairs.max() if row["statistic"] == "max" else pairs.mean()), NATIONAL_HUBS
    known = cities(facts)
    ends = [known[row[end]] for end in ("from_city", "to_city")]
    return float(distances_km(ends[:1], ends[1:])[0, 0]), f"{ends[0].name} to {ends[1].name}"
