"""The quantity `ettr`: conditions alone, blanks filled and told, bounds met or missed."""

import math

import pandas as pd
import pytest
from conftest import edited

import analysis
from analysis.evidence.ettr import NUMBERS, allowed, error_band, predict_ettr, validation
from analysis.evidence.quantities import QUANTITIES
from analysis.facts import open_facts


def predicted(**conditions):
    row = {name: "" for name in NUMBERS} | {"restart_unit": ""} | conditions
    return predict_ettr(row, open_facts())


def test_the_published_arithmetic_at_a_hundred_thousand_cards():
    """18 minutes between failures, all cards stalled for 10 or 3 of them."""
    value, note = predicted(
        failure_interval_min="18", recovery_min="3", restart_unit="data-parallel replica", accelerators="100000"
    )
    assert value == pytest.approx(100 * 15 / 18) and note == ""
    value, note = predicted(failure_interval_min="18", recovery_min="10", restart_unit="job")
    # What is lost on top are checkpoints and the work since the last one.
    assert 0.9 * 100 * 8 / 18 < value < 100 * 8 / 18 and "checkpoint" in note


def test_a_whole_job_follows_dalys_formula_with_the_conditions_given():
    conditions = {"accelerators": "10000", "accelerators_per_node": "8", "failures_per_1000_node_days": "6.5"}
    value, note = predicted(**conditions, recovery_min="10", checkpoint_interval_min="60")
    between = 1000 * 1440 / (6.5 * 1250)
    segment = 60 + 0.5 / 60
    expected = 60 / (between * math.exp(10 / between) * math.expm1(segment / between))
    assert value == pytest.approx(100 * expected) and note == "filled in: checkpoints that block 0.5 s (typical)"


def test_blanks_are_filled_and_the_note_says_with_what():
    value, note = predicted(accelerators="9600")
    assert 80 < value < 100
    for told in ("4.38 failures in 1000 node-days (fitted)", "nodes of 8", "recovery of 10 min", "(best)"):
        assert told in note
    _, note = predicted(accelerators="9600", restart_unit="slice")
    assert "a stall of 1.2 min" in note and "checkpoint" not in note


@pytest.mark.parametrize(
    ("conditions", "told"),
    [
        ({}, "accelerators and failure_interval_min are blank"),
        ({"failures_per_1000_node_days": "6.5"}, "nothing says how often"),
        ({"accelerators": "0"}, "accelerators is 0"),
        ({"failure_interval_min": "0"}, "failure_interval_min is 0"),
        ({"accelerators": "8", "checkpoint_interval_min": "0"}, "checkpoint_interval_min is 0"),
    ],
)
def test_what_cannot_be_predicted_says_why(conditions, told):
    value, note = predicted(**conditions)
    assert value is None and told in note


def test_limits():
    assert predicted(accelerators="1000", failures_per_1000_node_days="0")[0] == 100.0
    assert predicted(failure_interval_min="10", recovery_min="10")[0] == 0.0
    assert predicted(failure_interval_min="10", recovery_min="60", restart_unit="slice")[0] == 0.0
    more = [predicted(accelerators=str(cards))[0] for cards in (1000, 10_000, 100_000, 1_000_000)]
    assert more == sorted(more, reverse=True) and all(0 <= value <= 100 for value in more)


def test_answers_depend_on_the_conditions_alone():
    table = analysis.load("ettr").astype(object)
    table = table.where(table.notna(), "")
    first = analysis.predict(table)["predicted"].tolist()
    shuffled = table.assign(value=table["value"][::-1].values, role="context", id=range(len(table)), note="other")
    shuffled = shuffled.assign(bound="eq", value_low="", value_high="", source="somebody", system="somewhere")
    assert analysis.predict(shuffled)["predicted"].tolist() == first
    assert analysis.predict(table[::-1])["predicted"].tolist() == first[::-1]
    assert analysis.predict(table[2:3])["predicted"].tolist() == first[2:3]
    assert QUANTITIES["ettr"].predict is predict_ettr


@pytest.mark.parametrize(
    ("bound", "ends"),
    [("eq", (90, 90)), ("at_least", (90, 100)), ("up_to", (0, 90)), ("less_than", (0, 90)), ("range", (85, 95))],
)
def test_a_bound_leaves_one_side_open(bound, ends):
    assert allowed({"bound": bound, "value": 90, "value_low": 85, "value_high": 95}) == ends


def test_an_error_is_counted_from_the_nearest_value_that_the_measurement_allows(tmp_path):
    rows = validation(open_facts()).set_index("id")
    inside = rows[(rows["predicted"] > rows["low"]) & (rows["predicted"] < rows["high"])]
    assert len(inside) and (inside["error"] == 0).all()
    outside = rows[rows["predicted"] > rows["high"]]
    assert outside["error"].tolist() == pytest.approx((outside["predicted"] / outside["high"] - 1).tolist())
    assert rows[rows["accelerators"].isna()]["predicted"].isna().all()


def test_no_prediction_changes_with_what_was_measured(tmp_path):
    values = {row: {"value": "50", "bound": "eq"} for row in analysis.load("ettr").query("role == 'validate'")["id"]}
    (tmp_path / "measurements").mkdir()
    table = pd.read_csv(open_facts().root / "measurements" / "ettr.csv", dtype=str, keep_default_na=False)
    for row, cells in values.items():
        table.loc[table["id"] == row, list(cells)] = list(cells.values())
    table.to_csv(tmp_path / "measurements" / "ettr.csv", index=False)
    before, after = (validation(open_facts(data)) for data in (None, tmp_path))
    assert before["predicted"].equals(after["predicted"]) and not before["error"].equals(after["error"])


def test_the_error_band_spans_what_was_missed(tmp_path):
    low, high = error_band(open_facts())
    errors = validation(open_facts())["error"].dropna()
    assert errors.min() <= low <= 0 <= high <= errors.max()


def test_the_typical_values_are_the_readers_to_change(tmp_path):
    folder = edited(tmp_path, "assumptions", {"typical_recovery_min": {"mode": "30"}}, columns=("mode",))
    row = {name: "" for name in NUMBERS} | {"accelerators": "10000"}
    usual, slower = (predict_ettr(row, open_facts(data))[0] for data in (None, folder))
    assert slower < usual
