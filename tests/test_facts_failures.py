"""Failure rates and recovery times: units, bounds, and rows that are no rate or no time."""

import csv

import pytest

import analysis
from analysis.errors import DataError
from analysis.facts import DATA, open_facts
from analysis.facts.failure_rates import published_failure_rates
from analysis.facts.recovery_times import STAGES, recovery_regime, recovery_times


@pytest.fixture
def changed(tmp_path):
    """Change cells of rows of `operations`, and return the tables."""

    def change(**rows):
        with open(DATA / "measurements" / "operations.csv", newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            found = [row | rows[row["id"]] for row in reader if row["id"] in rows]
        with open(tmp_path / "operations.csv", "w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, reader.fieldnames)
            writer.writeheader()
            writer.writerows(found)
        return open_facts(tmp_path)

    return change


def test_published_rates_by_hand():
    rates = published_failure_rates(open_facts()).set_index("id")["failures_per_1000_node_days"]
    # 419 interruptions in 54 days of 2,048 nodes; one in 18 minutes on 12,500 nodes; the others are printed as rates.
    expected = {"OP054": 1000 * 419 / (54 * 2048), "OP058": 6.5, "OP059": 2.34, "OP120": 1000 * 80 / 12500}
    assert rates.to_dict() == pytest.approx(expected)


def test_a_rate_without_its_conditions_names_the_cell(changed):
    with pytest.raises(DataError, match=r"operations\.csv, line 2, column days: nan"):
        published_failure_rates(changed(OP054={"days": ""}))


def test_a_unit_that_is_no_rate_is_refused(changed):
    with pytest.raises(DataError, match="column unit: 'GB' is no failure rate"):
        published_failure_rates(changed(OP058={"unit": "GB"}))


def test_a_further_cluster_of_the_reader_counts(changed):
    facts = changed(OP061={"role": "calibrate", "unit": "per 1000 node-days", "value": "9"})
    assert published_failure_rates(facts)["failures_per_1000_node_days"].tolist()[-1:] == [6.4]
    assert 9.0 in published_failure_rates(facts)["failures_per_1000_node_days"].tolist()


def test_times_are_in_minutes_and_bounds_become_ranges(changed):
    facts = changed(
        OP122={"value": "90", "unit": "s"},
        OP125={"value": "2", "unit": "h", "bound": "at_least"},
        OP135={"value": "10", "bound": "less_than"},
    )
    ends = recovery_times(facts).set_index("id")[["low_min", "high_min"]]
    assert ends.loc["OP122"].tolist() == [1.5, 1.5] and ends.loc["OP125"].tolist() == [120.0, 120.0]
    assert ends.loc["OP135"].tolist() == [0.0, 10.0]
    # Logs and exit codes locate an explicit failure in 2 to 15 minutes.
    assert ends.loc["OP126"].tolist() == [2.0, 15.0]


def test_the_vendors_own_times_stay_apart():
    facts = open_facts()
    counted, claimed = (recovery_times(facts, role) for role in ("context", "claim"))
    assert len(claimed) and not set(counted["id"]) & set(claimed["id"])
    assert set(claimed["operator"]) == {"Huawei"} and "Huawei" not in set(counted["operator"])
    assert set(counted["stage"]) == set(STAGES)
    assert (counted["low_min"] <= counted["high_min"]).all()


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({"faults": "explict"}, r"column faults: 'explict'.*explicit"),
        ({"unit": "GB"}, "column unit: 'GB' is no time"),
        ({"operator": ""}, "column operator: blank"),
        ({"bound": "range", "value_low": "3", "value_high": "2"}, "column value_low: 3 to 2 is no range"),
        ({"bound": "range"}, "column value_low: nan to nan is no range"),
    ],
)
def test_a_time_that_is_none_names_the_cell(changed, cells, told):
    with pytest.raises(DataError, match=told):
        recovery_times(changed(OP122=cells))


def test_a_regime_tells_its_stages_where_it_knows_them():
    facts = open_facts()
    assert list(recovery_regime(facts, "1-3-10")) == list(STAGES)
    assert recovery_regime(facts, "30 min") == {"recovery": 30.0}
    with pytest.raises(DataError, match=r"no regime '1-5-10'\. Did you mean 1-3-10"):
        recovery_regime(facts, "1-5-10")


def test_every_published_time_names_one_source_alone():
    """So that options weigh equally per source."""
    times = recovery_times(open_facts())
    assert not times["source"].str.contains(";").any()
    assert not analysis.load("operations").query("stage != '' and role == 'calibrate'").shape[0]
