"""Second method: break-even route factors on a sphere, in plain Python from the rows of the tables."""

import statistics

from analysis.models.geography import SPEED_OF_LIGHT_KM_PER_MS, great_circle_km
from analysis.subjects.latency.distances import CORE, NEAREST, chosen_coverages


def median_count(facts, settings, limit_ms, needed, values):
    """Return the number of clusters whose break-even route factor is not exceeded: the median over the coverages.

    Parameters
    ----------
    facts : Facts
    settings : dict
    limit_ms : float
        One way.
    needed : int
        From how many hubs.
    values : dict of str to float
        The assumptions.

    Returns
    -------
    float
    """
    counts = []
    for coverage in chosen_coverages(settings):
        factors = sorted(_break_evens(facts, settings, coverage, limit_ms, needed, values))
        counts.append(float(len([factor for factor in factors if factor >= values["route_factor"]])))
    return statistics.median(counts)


def _break_evens(facts, settings, coverage, limit_ms, needed, values):
    """For each cluster, the largest route factor at which its deciding city stays within the limit."""
    allowed = [word.strip() for word in settings["hubs"].split(",")]
    hubs = [row for row in facts.table("hubs").to_dict("records") if "all" in allowed or row["hub"] in allowed]
    speed_km_per_ms = SPEED_OF_LIGHT_KM_PER_MS / values["fibre_group_index"]
    longest_km = (limit_ms - values["equipment_delay_ms"]) * speed_km_per_ms
    for cluster in facts.table("city_clusters").to_dict("records"):
        factors = []
        for city in facts.table("cities").to_dict("records"):
            if city["cluster"] != cluster["cluster"] or (coverage == CORE and city["city"] != cluster["core_city"]):
                continue
            ways = sorted(great_circle_km(hub["lat"], hub["lon"], city["lat"], city["lon"]) for hub in hubs)
            factors.append(_factor(longest_km, ways[needed - 1]) if len(ways) >= needed else 0.0)
        # The nearest city has the largest factor, the farthest the smallest.
        yield max(factors) if coverage == NEAREST else min(factors)


def _factor(longest_km, way_km):
    """How much longer than the way the fibre may be; a hub next door allows any detour while time is left."""
    if way_km:
        return longest_km / way_km
    return float("inf") if longest_km >= 0 else 0.0
