"""Distances from hubs to cities, and the one distance of a cluster that decides."""

import numpy as np

from analysis.facts.places import clusters, hubs, national_hubs
from analysis.models.geography import geodesic_km, nth_nearest_km

# What it can mean that a cluster is covered: of its cities on record, the distance that must lie within reach.
CORE, NEAREST, EVERY = COVERAGES = ("core-city", "nearest-city", "every-city")


def chosen_hubs(facts, settings):
    """Return the hubs that a setting lets count."""
    words = [word.strip() for word in settings["hubs"].split(",")]
    return tuple(hub for hub in hubs(facts) if "all" in words or hub.name in words)


def chosen_coverages(settings):
    """Return the meanings of "covered" that a setting lets count."""
    words = [word.strip() for word in settings["coverage"].split(",")]
    return tuple(name for name in COVERAGES if "all" in words or name in words)


def distances_km(places, others):
    """Return geodesics between two sets of places, shape (places, others)."""
    (lat, lon), (other_lat, other_lon) = (
        np.array([(place.lat, place.lon) for place in group], dtype=float).reshape(-1, 2).T
        for group in (places, others)
    )
    return geodesic_km(lat[:, None], lon[:, None], other_lat[None], other_lon[None])


def hub_distances(facts, settings):
    """Return geodesics from the chosen hubs to the cities of every cluster, as a list of (hubs, cities) arrays."""
    kept = facts.derived.setdefault("hub distances", {})
    chosen = chosen_hubs(facts, settings)
    if chosen not in kept:
        kept[chosen] = [distances_km(chosen, cluster.cities) for cluster in clusters(facts)]
    return kept[chosen]


def cluster_distances(facts, settings, needed):
    """Return the distance of each cluster that decides whether it is covered.

    Parameters
    ----------
    facts : Facts
    settings : dict
        `hubs` and `coverage` are used.
    needed : int
        From how many hubs a city must be reached.

    Returns
    -------
    dict of str to ndarray of shape (clusters,)
        Coverage to kilometres from the `needed`-th nearest hub: to the core city, the nearest or the farthest of the
        cluster's cities on record.
    """
    cities = [nth_nearest_km(distance, needed) for distance in hub_distances(facts, settings)]
    # The core city stands first in its cluster.
    decides = {CORE: lambda city: city[0], NEAREST: np.min, EVERY: np.max}
    return {name: np.array([decides[name](city) for city in cities]) for name in chosen_coverages(settings)}


def nearest_hub(facts, settings):
    """Return the name of the hub nearest to the core city of each cluster."""
    names = [hub.name for hub in chosen_hubs(facts, settings)]
    return [names[int(distance[:, 0].argmin())] for distance in hub_distances(facts, settings)]


def between_hubs_km(facts, settings):
    """Return the hubs' distances to each other, shape (hubs, hubs)."""
    chosen = chosen_hubs(facts, settings)
    return distances_km(chosen, chosen)


def national_hub_pairs_km(facts):
    """Return the distances of all pairs of cities of the national computing hubs."""
    places = national_hubs(facts)
    return distances_km(places, places)[np.triu_indices(len(places), 1)]
