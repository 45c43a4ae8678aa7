"""Distances on the Earth, the delay of fibre along them, and what lies within a delay."""

import math

import numpy as np

SPEED_OF_LIGHT_KM_PER_MS = 299.792458
EARTH_MEAN_RADIUS_KM = 6371.0088
METRES_A_KM = 1000


def geodesic_km(lat, lon, other_lat, other_lon):
    """Return lengths of geodesics on the WGS 84 ellipsoid.

    Parameters
    ----------
    lat, lon, other_lat, other_lon : array_like
        Degrees; broadcast against each other.

    Returns
    -------
    ndarray
        Kilometres.
        Source: [karney2013geodesics].

    Examples
    --------
    >>> geodesic_km(0.0, 0.0, [0.0, 1.0], [0.0, 0.0]).round(3).tolist()
    [0.0, 110.574]
    """
    from geographiclib.geodesic import Geodesic

    ends = np.broadcast_arrays(*(np.asarray(angle, dtype=float) for angle in (lat, lon, other_lat, other_lon)))
    pairs = zip(*(angle.ravel().tolist() for angle in ends), strict=True)
    metres = [Geodesic.WGS84.Inverse(*pair, Geodesic.DISTANCE)["s12"] for pair in pairs]
    return np.array(metres).reshape(ends[0].shape) / METRES_A_KM


def geodesic_circle(lat, lon, radius_km, points=181):
    """Return the points at one distance from a centre.

    Parameters
    ----------
    lat, lon : float
        Centre, degrees.
    radius_km : float
    points : int
        The last one is the first one again.

    Returns
    -------
    lat, lon : ndarray of shape (points,)
        Degrees; longitudes run on across the date line.
        Source: [karney2013geodesics].
    """
    from geographiclib.geodesic import Geodesic

    wanted = Geodesic.STANDARD | Geodesic.LONG_UNROLL
    rim = [
        Geodesic.WGS84.Direct(lat, lon, azimuth, radius_km * METRES_A_KM, wanted)
        for azimuth in np.linspace(0, 360, points).tolist()
    ]
    return np.array([point["lat2"] for point in rim]), np.array([point["lon2"] for point in rim])


def great_circle_km(lat, lon, other_lat, other_lon):
    """Return the length of a great circle on a sphere, from the angle between two vectors.

    Plain numbers, plain arithmetic: a second way to a distance that shares no formula with `geodesic_km`.

    Parameters
    ----------
    lat, lon, other_lat, other_lon : float
        Degrees.

    Returns
    -------
    float
        Kilometres; up to about half a per cent off the ellipsoid's.

    Examples
    --------
    >>> round(great_circle_km(0.0, 0.0, 0.0, 180.0) / great_circle_km(0.0, 0.0, 90.0, 0.0), 9)
    2.0
    """
    one, two = _unit_vector(lat, lon), _unit_vector(other_lat, other_lon)
    across = (
        one[1] * two[2] - one[2] * two[1],
        one[2] * two[0] - one[0] * two[2],
        one[0] * two[1] - one[1] * two[0],
    )
    along = one[0] * two[0] + one[1] * two[1] + one[2] * two[2]
    return EARTH_MEAN_RADIUS_KM * math.atan2(math.hypot(*across), along)


def _unit_vector(lat, lon):
    lat, lon = math.radians(lat), math.radians(lon)
    return math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)


def fibre_delay_ms(distance_km, route_factor, group_index, equipment_delay_ms=0.0):
    """Return the one-way delay of a fibre route.

    Parameters
    ----------
    distance_km : array_like
        Geodesic between the ends.
    route_factor : array_like
        Length of the fibre over the geodesic.
    group_index : array_like
        Speed of light in vacuum over the speed of a signal in the fibre.
    equipment_delay_ms : array_like
        Everything that is not fibre.

    Returns
    -------
    ndarray or float
        Milliseconds.

    Examples
    --------
    >>> fibre_delay_ms(299.792458, 1.5, 1.5, 0.25)
    2.5
    """
    return distance_km * route_factor * group_index / SPEED_OF_LIGHT_KM_PER_MS + equipment_delay_ms


def reach_km(delay_ms, route_factor, group_index, equipment_delay_ms=0.0):
    """Return the geodesic distance that a one-way delay reaches; negative where the equipment alone takes longer.

    Parameters
    ----------
    delay_ms, route_factor, group_index, equipment_delay_ms : array_like
        As of `fibre_delay_ms`.

    Returns
    -------
    ndarray or float
        Kilometres.

    Examples
    --------
    >>> reach_km(2.5, 1.5, 1.5, 0.25)
    299.792458
    """
    return (delay_ms - equipment_delay_ms) * SPEED_OF_LIGHT_KM_PER_MS / (route_factor * group_index)


def break_even_route_factor(distance_km, delay_ms, group_index, equipment_delay_ms=0.0):
    """Return the route factor up to which a distance stays within a one-way delay; below 1 it never does.

    Parameters
    ----------
    distance_km, delay_ms, group_index, equipment_delay_ms : array_like
        As of `fibre_delay_ms`.

    Returns
    -------
    ndarray or float
        Infinite where there is no distance and time is left.

    Examples
    --------
    >>> float(break_even_route_factor(299.792458, 2.5, 1.5, 0.25))
    1.5
    """
    left_ms = np.subtract(delay_ms, equipment_delay_ms)
    with np.errstate(divide="ignore"):
        return np.divide(left_ms * SPEED_OF_LIGHT_KM_PER_MS, np.multiply(distance_km, group_index))[()]


def nth_nearest_km(distance_km, needed):
    """Return how far the `needed`-th nearest hub is; infinite where there are fewer hubs.

    Parameters
    ----------
    distance_km : ndarray of shape (hubs, places)
    needed : int
        1 for the nearest.

    Returns
    -------
    ndarray of shape (places,)

    Examples
    --------
    >>> nth_nearest_km(np.array([[3.0, 1.0], [2.0, 5.0]]), 2).tolist()
    [3.0, 5.0]
    """
    if needed > len(distance_km):
        return np.full(distance_km.shape[1], np.inf)
    return np.sort(distance_km, axis=0)[needed - 1]


def within(distance_km, radius_km):
    """Count the places within a radius.

    Parameters
    ----------
    distance_km : ndarray of shape (..., places)
    radius_km : ndarray of shape (...)

    Returns
    -------
    ndarray of shape (...)
        How many, as floats.

    Examples
    --------
    >>> within(np.array([[1.0, 2.0, 3.0]]), np.array([2.0, 0.5])).tolist()
    [2.0, 0.0]
    """
    return (distance_km <= np.asarray(radius_km)[..., None]).sum(axis=-1).astype(float)
