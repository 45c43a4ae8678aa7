"""Hubs, cities and city clusters, with their coordinates checked."""

from dataclasses import dataclass

from analysis.errors import DataError, nearest

LIMITS = {"lat": 90.0, "lon": 180.0}


@dataclass(frozen=True)
class Place:
    """A point on the Earth.

    Attributes
    ----------
    name, name_zh : str
        In English and in Chinese.
    lat, lon : float
        Degrees.
    """

    name: str
    name_zh: str
    lat: float
    lon: float


@dataclass(frozen=True)
class Cluster:
    """A city cluster with its core city and every city of the tables that belongs to it.

    Attributes
    ----------
    name, name_zh, tier : str
    core : Place
    cities : tuple of Place
        The core city first.
    """

    name: str
    name_zh: str
    tier: str
    core: Place
    cities: tuple[Place, ...]


def hubs(facts):
    """Return the hubs, in the order of their table.

    Raises
    ------
    DataError
        For a coordinate out of range.
    """
    return tuple(_places(facts, "hubs", "hub").values())


def cities(facts):
    """Return the cities by name.

    Raises
    ------
    DataError
        For a coordinate out of range.
    """
    return _places(facts, "cities", "city")


def clusters(facts):
    """Return the city clusters, in the order of their table.

    Parameters
    ----------
    facts : Facts

    Returns
    -------
    tuple of Cluster

    Raises
    ------
    DataError
        For a coordinate out of range, a city of an unknown cluster, or a core city that is not in its cluster.
    """
    members = _members(facts)
    found = []
    for position, row in facts.table("city_clusters").iterrows():
        inside = {place.name: place for place in members[row["cluster"]]}
        core = row["core_city"]
        if core not in inside:
            where = facts.where("city_clusters", position)
            told = nearest(core, inside) if inside else "cities.csv has no city of this cluster"
            raise DataError(f"{where}, column core_city: {core!r} is no city of {row['cluster']!r}. {told}")
        ordered = (inside[core], *(place for name, place in inside.items() if name != core))
        found.append(Cluster(row["cluster"], row["cluster_zh"], row["tier"], inside[core], ordered))
    return tuple(found)


def national_hubs(facts):
    """Return the cities that stand for a data centre cluster of a national computing hub."""
    table = facts.table("cities")
    names = table.loc[table["national_hub"] != "", "city"]
    known = cities(facts)
    return tuple(known[name] for name in names)


def _members(facts):
    names = list(facts.table("city_clusters")["cluster"])
    members = {name: [] for name in names}
    known = cities(facts)
    for position, row in facts.table("cities").iterrows():
        if not row["cluster"]:
            continue
        if row["cluster"] not in members:
            where = facts.where("cities", position)
            raise DataError(f"{where}, column cluster: no cluster {row['cluster']!r}. {nearest(row['cluster'], names)}")
        members[row["cluster"]].append(known[row["city"]])
    return members


def _places(facts, table, key):
    found = {}
    for position, row in facts.table(table).iterrows():
        for column, limit in LIMITS.items():
            if not -limit <= row[column] <= limit:
                where = facts.where(table, position)
                raise DataError(f"{where}, column {column}: {row[column]:g}; expected degrees, {-limit:g} to {limit:g}")
        found[row[key]] = Place(row[key], row[f"{key}_zh"], row["lat"], row["lon"])
    return found
