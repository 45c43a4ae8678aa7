"""Distances against published ones, delays against the speed of light, counts against a plain count."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.models.geography import (
    EARTH_MEAN_RADIUS_KM,
    SPEED_OF_LIGHT_KM_PER_MS,
    break_even_route_factor,
    fibre_delay_ms,
    geodesic_circle,
    geodesic_km,
    great_circle_km,
    nth_nearest_km,
    reach_km,
    within,
)

LATITUDE = st.floats(-89, 89)
LONGITUDE = st.floats(-180, 180)
POINT = st.tuples(LATITUDE, LONGITUDE)
DISTANCE = st.floats(1, 5000)
FACTOR = st.floats(1, 4)
INDEX = st.floats(1.4, 1.5)


def test_a_quarter_meridian_and_a_degree_of_the_equator_have_their_published_lengths():
    # WGS 84: the quarter meridian is 10,001.965729 km, the equatorial radius 6,378.137 km.
    assert geodesic_km(0.0, 0.0, 90.0, 0.0) == pytest.approx(10001.965729, abs=1e-6)
    assert geodesic_km(0.0, 10.0, 0.0, 11.0) == pytest.approx(math.radians(6378.137), abs=1e-6)


def test_a_geodesic_that_others_publish():
    # The worked example of the Australian geodetic manual: Flinders Peak to Buninyong on GRS 80, 54,972.271 m.
    flinders, buninyong = (-37.95103341666667, 144.42486788888888), (-37.65282113888889, 143.92649552777777)
    assert geodesic_km(*flinders, *buninyong) == pytest.approx(54.972271, abs=1e-6)


def test_a_circle_of_a_quarter_of_the_globe_is_a_quarter_of_the_globe_away():
    assert great_circle_km(0.0, 0.0, 0.0, 90.0) == pytest.approx(EARTH_MEAN_RADIUS_KM * math.pi / 2)
    assert great_circle_km(90.0, 0.0, -90.0, 77.0) == pytest.approx(EARTH_MEAN_RADIUS_KM * math.pi)


@given(POINT, POINT)
def test_distances_are_symmetric_and_nought_at_the_same_place(one, other):
    there, back = geodesic_km(*one, *other), geodesic_km(*other, *one)
    assert there == pytest.approx(back, abs=1e-6)
    assert geodesic_km(*one, *one) == 0.0 and great_circle_km(*one, *one) == pytest.approx(0.0, abs=1e-9)


@given(POINT, POINT, POINT)
def test_no_detour_is_shorter(one, other, by_way_of):
    direct = geodesic_km(*one, *other)
    assert direct <= geodesic_km(*one, *by_way_of) + geodesic_km(*by_way_of, *other) + 1e-6


@given(POINT, POINT)
def test_the_sphere_agrees_with_the_ellipsoid_within_its_flattening(one, other):
    # Flattening 1/298.257 changes a curvature by at most three times as much.
    ellipsoid, sphere = float(geodesic_km(*one, *other)), great_circle_km(*one, *other)
    assert sphere == pytest.approx(ellipsoid, rel=0.007, abs=1e-6)


def test_distances_broadcast():
    lat = np.array([[10.0], [20.0]])
    found = geodesic_km(lat, 0.0, np.array([[10.0, 20.0, 30.0]]), 0.0)
    assert found.shape == (2, 3) and found[0, 0] == 0.0 and found[0, 1] == found[1, 0]


@given(st.floats(-60, 60), LONGITUDE, st.floats(1, 3000))
def test_every_point_of_a_circle_lies_at_its_radius(lat, lon, radius_km):
    lats, lons = geodesic_circle(lat, lon, radius_km, points=9)
    assert geodesic_km(lat, lon, lats, lons) == pytest.approx(np.full(9, radius_km), abs=1e-6)
    assert (lats[0], lons[0]) == pytest.approx((lats[-1], lons[-1]), abs=1e-9)
    assert np.all(np.abs(np.diff(lons)) < 180)


def test_light_in_fibre_takes_about_five_microseconds_a_kilometre():
    # Published: 4.9 us/km at a group index of 1.468.
    assert fibre_delay_ms(1.0, 1.0, 1.468) == pytest.approx(4.9e-3, rel=1e-3)
    assert fibre_delay_ms(SPEED_OF_LIGHT_KM_PER_MS, 1.0, 1.0) == 1.0


@given(DISTANCE, FACTOR, INDEX, st.floats(0, 3))
def test_reach_and_break_even_undo_the_delay(distance, factor, index, equipment):
    delay = fibre_delay_ms(distance, factor, index, equipment)
    assert reach_km(delay, factor, index, equipment) == pytest.approx(distance)
    assert break_even_route_factor(distance, delay, index, equipment) == pytest.approx(factor)


@given(DISTANCE, FACTOR, INDEX, st.floats(0, 3), st.floats(0.01, 1))
def test_delay_grows_with_everything_and_doubles_with_the_distance(distance, factor, index, equipment, more):
    delay = fibre_delay_ms(distance, factor, index, equipment)
    assert fibre_delay_ms(distance, factor + more, index, equipment) > delay
    assert fibre_delay_ms(distance, factor, index + more, equipment) > delay
    assert fibre_delay_ms(distance, factor, index, equipment + more) == pytest.approx(delay + more)
    assert fibre_delay_ms(2 * distance, factor, index) == pytest.approx(2 * fibre_delay_ms(distance, factor, index))


def test_at_the_hub_only_the_equipment_takes_time():
    assert fibre_delay_ms(0.0, 2.0, 1.468) == 0.0 and fibre_delay_ms(0.0, 2.0, 1.468, 0.5) == 0.5
    assert break_even_route_factor(0.0, 10.0, 1.468, 0.5) == math.inf


def test_equipment_that_takes_longer_than_the_limit_reaches_nothing():
    assert reach_km(1.0, 1.5, 1.468, 2.0) < 0
    assert within(np.array([0.0, 5.0]), reach_km(np.array(1.0), 1.5, 1.468, 2.0)) == 0


@given(st.lists(st.lists(st.floats(0, 100), min_size=3, max_size=3), min_size=1, max_size=4), st.integers(1, 5))
def test_the_nth_nearest_hub_is_the_nth_of_a_sorted_list(rows, needed):
    found = nth_nearest_km(np.array(rows), needed)
    for place in range(3):
        sorted_km = sorted(row[place] for row in rows)
        assert found[place] == (sorted_km[needed - 1] if needed <= len(rows) else math.inf)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30), st.lists(st.floats(-1, 120), min_size=1, max_size=5))
def test_within_counts_like_a_loop_and_never_falls_with_the_radius(distances, radii):
    found = within(np.array(distances)[None], np.array(sorted(radii)))
    assert found.tolist() == [sum(distance <= radius for distance in distances) for radius in sorted(radii)]
    assert np.all(np.diff(found) >= 0)
