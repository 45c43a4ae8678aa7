"""What the notebook shows of the circle: delays by cluster, counts over the route factor, what physics forbids."""

import numpy as np
import pandas as pd

from analysis.facts.assumptions import assumptions
from analysis.facts.places import clusters
from analysis.facts.units import PER_CENT
from analysis.models.geography import (
    break_even_route_factor,
    fibre_delay_ms,
    geodesic_circle,
    nth_nearest_km,
    reach_km,
    within,
)
from analysis.subjects.latency.distances import CORE, chosen_hubs, cluster_distances, hub_distances, nearest_hub

SECOND_MS = 1000
STRAIGHT = 1.0


def ends(facts, names, parameters):
    """Return the assumptions at the low end, the mode and the high end of their ranges, or where they are pinned.

    Parameters
    ----------
    facts : Facts
    names : sequence of str
        In the order of the arguments of `fibre_delay_ms`.
    parameters : dict
        Of a record; holds the pinned ones.

    Returns
    -------
    dict of str to dict
        "low", "mode" and "high" to values by name.
    """
    declared = assumptions(facts, names)
    return {
        end: {one.name: parameters.get(one.name, getattr(one, end)) for one in declared}
        for end in ("low", "mode", "high")
    }


def circles(facts, settings, at, limit_ms):
    """Return the circles of one delay around each hub, as `coverage_map` draws them: straight fibre and `at`'s ends."""
    straight = {"route_factor": STRAIGHT, "fibre_group_index": at["mode"]["fibre_group_index"]}
    found = {}
    for name, values in {"floor": straight, **at}.items():
        reach = max(float(reach_km(limit_ms, *values.values())), 0.0)
        found[name] = [geodesic_circle(hub.lat, hub.lon, reach) for hub in chosen_hubs(facts, settings)]
    return found


def cluster_table(facts, settings, readings, at, limits_ms):
    """Return one row a cluster, by the distance of its core city from the nearest hub.

    Parameters
    ----------
    facts : Facts
    settings : dict
    readings : dict of str to (int, int)
        How often the way is gone, and from how many hubs.
    at : dict of str to dict
        "low", "mode" and "high" to the values of the three assumptions.
    limits_ms : dict of str to float
        Reading to the one-way delay that it leaves.

    Returns
    -------
    pandas.DataFrame
        cluster, cluster_zh, city, city_zh, lat, lon, hub, distance_km (nearest hub), second_km, low_ms, mode_ms,
        high_ms and floor_ms (straight fibre, no equipment; all one way), round_trip_percent_of_a_second, status
        ("inside", "depends" or "outside" of the first reading's limit), and for each reading "break-even: READING"
        and "covered: READING" at the mode.
    """
    found, mode = clusters(facts), at["mode"]
    to_core = np.stack([distance[:, 0] for distance in hub_distances(facts, settings)], axis=1)
    nearest, second = nth_nearest_km(to_core, 1), nth_nearest_km(to_core, 2)
    table = pd.DataFrame(
        {
            "cluster": [cluster.name for cluster in found],
            "cluster_zh": [cluster.name_zh for cluster in found],
            "city": [cluster.core.name for cluster in found],
            "city_zh": [cluster.core.name_zh for cluster in found],
            "lat": [cluster.core.lat for cluster in found],
            "lon": [cluster.core.lon for cluster in found],
            "hub": nearest_hub(facts, settings),
            "distance_km": nearest,
            "second_km": second,
        }
    )
    for end, values in at.items():
        table[f"{end}_ms"] = fibre_delay_ms(nearest, *values.values())
    table["floor_ms"] = fibre_delay_ms(nearest, STRAIGHT, mode["fibre_group_index"])
    limit_ms = next(iter(limits_ms.values()))
    certain = np.where(table["high_ms"] <= limit_ms, "inside", "depends")
    table["status"] = np.where(table["floor_ms"] > limit_ms, "outside", certain)
    table["round_trip_percent_of_a_second"] = PER_CENT * 2 * table["mode_ms"] / SECOND_MS
    for reading, (_, needed) in readings.items():
        decides = nth_nearest_km(to_core, needed)
        factor = break_even_route_factor(
            decides, limits_ms[reading], mode["fibre_group_index"], mode["equipment_delay_ms"]
        )
        table[f"break-even: {reading}"] = factor
        table[f"covered: {reading}"] = factor >= mode["route_factor"]
    return table.sort_values("distance_km", ignore_index=True)


def beyond_physics(facts, settings, readings, group_index, limits_ms):
    """Return the clusters whose core city no fibre reaches in time, not even a straight one without equipment.

    Parameters
    ----------
    facts, settings, readings, limits_ms
        As of `cluster_table`.
    group_index : float

    Returns
    -------
    pandas.DataFrame
        reading, reach_km, and for each cluster out of reach its name and distance_km.
    """
    rows = []
    for reading, (_, needed) in readings.items():
        reach = float(reach_km(limits_ms[reading], STRAIGHT, group_index))
        distances = cluster_distances(facts, settings | {"coverage": CORE}, needed)[CORE]
        pairs = zip(clusters(facts), distances, strict=True)
        rows += [(reading, reach, cluster.name, float(far)) for cluster, far in pairs if far > reach]
    return pd.DataFrame(rows, columns=["reading", "reach_km", "cluster", "distance_km"])


def counts_over_route_factor(facts, settings, readings, factors, values, limits_ms):
    """Return how many clusters are covered at each route factor: reading to coverage to an array like `factors`."""
    found = {}
    for reading, (_, needed) in readings.items():
        reach = reach_km(limits_ms[reading], factors, values["fibre_group_index"], values["equipment_delay_ms"])
        distances = cluster_distances(facts, settings, needed)
        found[reading] = {name: within(far[None], reach) for name, far in distances.items()}
    return found


def limits_for_all_ms(facts, settings, readings, at):
    """Return the limit at which the last cluster's core city comes in, by reading and by end of the assumptions."""
    rows = []
    for reading, (ways, needed) in readings.items():
        farthest = cluster_distances(facts, settings | {"coverage": CORE}, needed)[CORE].max()
        rows.append([reading, *(ways * float(fibre_delay_ms(farthest, *values.values())) for values in at.values())])
    return rows
