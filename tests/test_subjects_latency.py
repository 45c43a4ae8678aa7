"""The circle: counts by hand, the loop, physics, limits, a reader's own cities, and the other sentence."""

import csv

import numpy as np
import pytest
from conftest import edited

import analysis
from analysis.errors import DataError, ParameterError
from analysis.facts import DATA, open_facts
from analysis.facts.places import cities, clusters, hubs, national_hubs
from analysis.models.geography import geodesic_km
from analysis.subjects.latency import ASSUMPTIONS, CIRCLE, READINGS, bandwidth, budget_ms, lines, tables
from analysis.subjects.latency.distances import COVERAGES, between_hubs_km, cluster_distances, national_hub_pairs_km

DEFAULTS = {row["name"]: row["default"] for row in analysis.parameters(CIRCLE).to_dict("records") if row["default"]}
STRAIGHT = {"route_factor": 1.2, "fibre_group_index": 1.462, "equipment_delay_ms": 0.1}


def count(reading="one-way", **pins):
    return analysis.evaluate(CIRCLE, detail="verdict", samples=256, **pins).readings[reading]["estimate"]


def all_in_one_place(folder):
    """Hubs and cities moved to one and the same point."""
    for table, key in (("hubs", "hub"), ("cities", "city")):
        rows = {row[key]: {"lat": "30.5", "lon": "110.25"} for row in analysis.load(table).to_dict("records")}
        edited(folder, table, rows, columns=("lat", "lon"))
    return folder


def test_beijing_to_shanghai_is_as_far_as_is_published():
    # 1,067 to 1,068 km from centre to centre in public tables of distances.
    places = cities(open_facts())
    beijing, shanghai = places["Beijing"], places["Shanghai"]
    assert geodesic_km(beijing.lat, beijing.lon, shanghai.lat, shanghai.lon) == pytest.approx(1067, abs=2)


def test_every_cluster_has_its_core_city_first_and_every_city_stands_in_one_cluster():
    facts = open_facts()
    found = clusters(facts)
    assert all(cluster.cities[0] == cluster.core for cluster in found)
    members = [city.name for cluster in found for city in cluster.cities]
    assert len(members) == len(set(members))
    hub_only = {place.name for place in national_hubs(facts)} - set(members)
    assert set(members) | hub_only == set(cities(facts))
    tiers = [cluster.tier for cluster in found]
    assert {tier: tiers.count(tier) for tier in tiers} == {"1": 5, "2": 5, "3": 9}


def test_everything_at_the_hub_is_covered_and_far_below_the_limit(tmp_path):
    folder = all_in_one_place(tmp_path)
    for reading in READINGS:
        assert count(reading, data=folder, limit_ms=5.0) == len(clusters(open_facts()))
    assert analysis.evaluate(CIRCLE, detail="verdict", data=folder).verdict == "reproduced"
    # The equipment alone takes longer than a limit of a tenth of a millisecond there and back.
    assert count("round-trip", data=folder, limit_ms=0.1) == 0


@pytest.mark.parametrize("pins", [{}, {"hubs": "Ulanqab"}, {"hubs": "Gui'an, Wuhu", "coverage": "every-city"}], ids=str)
@pytest.mark.parametrize("factor", [1.2, 1.5, 1.85, 2.1])
def test_the_count_is_that_of_break_even_route_factors_above_the_factor(pins, factor):
    record = analysis.evaluate(CIRCLE, samples=64, route_factor=factor, **pins)
    found = [method["estimate"] for method in record.methods.values()]
    # A sphere is up to half a per cent off: one city at the rim may fall on the other side.
    assert abs(found[0] - found[1]) <= 1


def test_break_evens_of_the_table_count_the_clusters_of_the_prediction():
    facts = open_facts()
    at = tables.ends(facts, ASSUMPTIONS, {})
    limits = {reading: budget_ms(DEFAULTS, reading) for reading in READINGS}
    table = tables.cluster_table(facts, DEFAULTS, READINGS, at, limits)
    factors = np.linspace(1.0, 3.0, 41)
    counts = tables.counts_over_route_factor(facts, DEFAULTS, READINGS, factors, at["mode"], limits)
    for reading in READINGS:
        broken = table[f"break-even: {reading}"].to_numpy()
        assert counts[reading]["core-city"].tolist() == [(broken >= factor).sum() for factor in factors]


def test_there_and_back_is_one_way_at_half_the_limit():
    for limit in (6.0, 10.0, 24.0):
        assert count("round-trip", limit_ms=limit) == count("one-way", limit_ms=limit / 2)


def test_the_count_falls_with_the_route_factor_and_rises_with_the_limit():
    for reading in READINGS:
        by_factor = [count(reading, route_factor=factor) for factor in (1.2, 1.4, 1.65, 1.9, 2.1)]
        by_limit = [count(reading, limit_ms=limit) for limit in (1.0, 5.0, 10.0, 17.0, 30.0, 50.0)]
        assert by_factor == sorted(by_factor, reverse=True) and by_limit == sorted(by_limit)
        assert by_factor[0] > by_factor[-1] and by_limit[0] < by_limit[-1]


def test_two_hubs_cover_no_more_than_one_and_every_city_no_more_than_the_nearest():
    for factor in (1.2, 1.65, 2.1):
        assert count("two-hubs", route_factor=factor) <= count("one-way", route_factor=factor)
        every, core, nearest = (
            count(coverage=name, route_factor=factor) for name in ("every-city", "core-city", "nearest-city")
        )
        assert every <= core <= nearest


def test_one_hub_alone_never_gives_two():
    assert count("two-hubs", hubs="Wuhu", limit_ms=50.0) == 0


def test_a_hub_more_never_covers_less():
    names = [hub.name for hub in hubs(open_facts())]
    alone = max(count(hubs=name) for name in names)
    assert alone <= count(hubs=", ".join(names[:2])) <= count() == count(hubs=", ".join(names))


def test_urumqi_is_out_of_reach_of_straight_fibre_in_every_reading():
    # By hand: 10 ms of light in vacuum is 2,998 km, in fibre 2,042; Ulanqab to Urumqi is more than 2,100.
    facts = open_facts()
    limits = {reading: budget_ms(DEFAULTS, reading) for reading in READINGS}
    found = tables.beyond_physics(facts, DEFAULTS, READINGS, 1.468, limits)
    assert found.groupby("reading")["cluster"].agg(set).map(lambda names: "Northern Tianshan Slope" in names).all()
    assert found["distance_km"].min() > found["reach_km"].min()
    everything = len(clusters(facts))
    assert all(count(reading, **STRAIGHT) < everything for reading in READINGS)


def test_the_limit_for_all_is_where_the_last_cluster_comes_in():
    facts = open_facts()
    at = tables.ends(facts, ASSUMPTIONS, {})
    (_, *limits), *_ = tables.limits_for_all_ms(facts, DEFAULTS, READINGS, at)
    mode = dict(zip(at, limits, strict=True))["mode"]
    pins = at["mode"] | {"coverage": "core-city"}
    everything = len(clusters(facts))
    assert count(limit_ms=mode + 1e-6, **pins) == everything
    assert count(limit_ms=mode - 1e-6, **pins) == everything - 1


def test_a_limit_that_reaches_all_reproduces_the_claim_and_one_between_depends_on_the_route_factor():
    assert analysis.evaluate(CIRCLE, detail="verdict", limit_ms=30.0).verdict == "reproduced"
    record = analysis.evaluate(CIRCLE, detail="verdict", limit_ms=16.5)
    assert record.verdict == "conditional" and "route_factor" in record.region["box"]


def test_changing_the_claimed_number_changes_no_estimate(tmp_path):
    folder = edited(tmp_path, "claims", {CIRCLE: {"value": "3"}}, columns=("value",))
    before, after = (analysis.evaluate(CIRCLE, detail="verdict", data=data).to_dict() for data in (None, folder))
    assert before["estimate"] == after["estimate"] and before["interval"] == after["interval"]
    assert (before["verdict"], after["verdict"]) == ("not reproduced", "reproduced")


def test_measured_delays_do_not_enter_the_estimate(tmp_path):
    with open(DATA / "measurements" / "network_delay.csv", newline="", encoding="utf-8") as stream:
        changed = [row | {"value": str(3 * float(row["value"]))} for row in csv.DictReader(stream)]
    with open(tmp_path / "network_delay.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, changed[0])
        writer.writeheader()
        writer.writerows(changed)
    before, after = (analysis.evaluate(CIRCLE, data=data, samples=64).to_dict() for data in (None, tmp_path))
    assert before["readings"] == after["readings"] and before["lines"] != after["lines"]


def test_a_delay_implies_the_route_factor_that_gives_it_back():
    for one in lines.implied_factors(open_facts(), 1.468):
        ways = 2 if one["direction"] == "round-trip" else 1
        for delay, factor in zip(one["delays_ms"], one["factors"], strict=True):
            assert one["floor_ms"] * factor * ways == pytest.approx(delay)
            # Nothing is faster than straight fibre.
            assert factor >= 1


def test_pairs_of_national_hubs_are_all_pairs():
    facts = open_facts()
    places = national_hubs(facts)
    pairs = [
        geodesic_km(one.lat, one.lon, other.lat, other.lon)
        for place, one in enumerate(places)
        for other in places[place + 1 :]
    ]
    assert sorted(national_hub_pairs_km(facts)) == pytest.approx(sorted(map(float, pairs)))


def test_at_least_one_line_shares_no_range_with_the_model():
    found = analysis.evaluate(CIRCLE, samples=64).lines
    assert len(found) >= 2
    # By hand from the ITU-T rule: 10 ms at 5 us/km and 1.25 x is 1,600 km; every core city but one is nearer.
    core = cluster_distances(open_facts(), DEFAULTS, 1)["core-city"]
    assert found[lines.PLANNING_RULE]["estimate"] == (core <= 1600).sum()


def test_hubs_are_apart_alike_both_ways():
    apart = between_hubs_km(open_facts(), DEFAULTS)
    assert np.allclose(apart, apart.T) and np.all(np.diag(apart) == 0) and np.all(apart[~np.eye(3, dtype=bool)] > 1000)


def test_a_readers_own_hub_brings_a_cluster_in(overlay):
    folder = overlay(hubs="hub,hub_zh,lat,lon,source\nMy hub,我,43.8,87.6,me2025notes\n")
    assert count(data=folder, route_factor=1.5) == count(route_factor=1.5) + 1
    assert "My hub" in analysis.parameters(CIRCLE, folder).set_index("name").loc["hubs", "options"]


def test_a_readers_own_city_counts_where_every_city_must(overlay):
    text = "city,city_zh,cluster,lat,lon,source\nMohe,漠河,Harbin-Changchun,53.0,122.5,me2025notes\n"
    folder = overlay(cities=text)
    pins = {"route_factor": 1.5, "limit_ms": 10.0}
    assert count(data=folder, coverage="every-city", **pins) == count(coverage="every-city", **pins) - 1
    assert count(data=folder, coverage="core-city", **pins) == count(coverage="core-city", **pins)


@pytest.mark.parametrize(
    ("table", "text", "told"),
    [
        ("cities", "city,lat\nBeijing,95\n", r"cities\.csv, line 2, column lat: 95; expected degrees, -90 to 90"),
        ("cities", "city,lon\nBeijing,-200\n", r"cities\.csv, line 2, column lon: -200"),
        ("hubs", "hub,lat\nWuhu,95\n", r"hubs\.csv, line 2, column lat: 95"),
        ("hubs", "hub,lat\nWuhu,\n", r"hubs\.csv, line 2, column lat: blank"),
        ("hubs", "hub,lat\nWuhu,north\n", r"hubs\.csv, line 2, column lat: 'north' is no finite number"),
        ("cities", "city,cluster\nBeijing,Centrl Plains\n", r"cities\.csv, line 2, column cluster: .*Central Plains"),
        (
            "city_clusters",
            "cluster,core_city\nCentral Plains,Beijing\n",
            r"city_clusters\.csv, line 2, column core_city: 'Beijing' is no city of 'Central Plains'",
        ),
    ],
)
def test_a_wrong_place_names_file_line_and_column(overlay, table, text, told):
    with pytest.raises(DataError, match=told):
        analysis.evaluate(CIRCLE, detail="point", data=overlay(**{table: text}))


@pytest.mark.parametrize(
    ("pins", "told"),
    [
        ({"limit_ms": 0.0}, r"limit_ms: 0 is out of range"),
        ({"hubs": "Wuhan"}, r"hubs: 'Wuhan' is not accepted. Did you mean Wuhu"),
        ({"coverage": "core"}, r"coverage: 'core' is not accepted. Did you mean core-city"),
        ({"route_factor": 0.9}, r"route_factor: 0\.9 is out of range"),
    ],
)
def test_a_wrong_parameter_names_what_is_accepted(pins, told):
    with pytest.raises(ParameterError, match=told):
        analysis.evaluate(CIRCLE, detail="point", **pins)


def test_everything_pinned_is_counted_not_sampled():
    pins = {"route_factor": 1.8, "fibre_group_index": 1.468, "equipment_delay_ms": 0.1, "coverage": COVERAGES[0]}
    record = analysis.evaluate(CIRCLE, **pins)
    assert record.interval == [record.estimate, record.estimate] and record.methods_agree


def test_transfers_by_hand():
    # A petabyte at 100 Tbit/s: 8e15 bits over 1e14 a second.
    moved = bandwidth.transfer_seconds(open_facts(), 100.0).set_index("payload")
    assert moved.loc["training data set", "Tbit/s"] == pytest.approx(80.0)
    assert moved.loc["training data set", "TB/s"] == pytest.approx(10.0)
    assert (moved["Tbit/s"] / moved["TB/s"]).to_numpy() == pytest.approx(8.0)


def test_sizes_of_transfers_follow_from_the_shape_of_the_model():
    shape = analysis.load("transformers").set_index("name").loc["DeepSeek-V3"]
    rows = analysis.load("transfers").set_index("payload")
    weights = rows[rows["item"] == "parameters"]
    assert set(weights["items"]) == {1e9 * shape["parameters_billion_published"]}
    # A latent of 512 values and a rotary key of 64, two bytes each, in every layer.
    (cache,) = rows.loc[rows["item"] == "tokens", "bytes_per_item"]
    assert cache == shape["layers"] * (512 + 64) * 2


def test_no_link_can_have_more_than_is_installed_in_all():
    total, shares, _ = bandwidth.installed(open_facts(), 100.0)
    assert shares["Tbit/s"] == pytest.approx(100 / total) and shares["TB/s"] == pytest.approx(8 * shares["Tbit/s"])


def test_the_bandwidth_is_not_computable_and_takes_no_parameter():
    assert analysis.evaluate("latency.bandwidth").verdict == "not computable"
    with pytest.raises(ParameterError, match="this claim has none"):
        analysis.evaluate("latency.bandwidth", hubs="Wuhu")
