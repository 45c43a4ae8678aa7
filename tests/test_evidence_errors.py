"""Errors of predictions: bounds as bounds, missing predictions, ratios, and that nothing measured is a condition."""

import numpy as np
import pandas as pd
import pytest

from analysis.evidence import errors, quantities
from analysis.evidence.quantities import Quantity
from analysis.facts import open_facts

HEADER = "id,system,quantity,value,bound,value_low,value_high,unit,role,source,locator,confidence,accelerators\n"


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """Rows of a quantity whose model answers with the number of accelerators; the other quantities have none."""

    def scored_rows(*rows):
        lines = [f"{name},s,ettr,{cells},%,validate,a2024,p,quoted,{cards}" for name, cells, cards in rows]
        (tmp_path / "ettr.csv").write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
        model = lambda row, facts: (float(row["accelerators"]), "") if row["accelerators"] else (None, "blank")  # noqa: E731
        monkeypatch.setitem(quantities.QUANTITIES, "ettr", Quantity("%", model))
        found = errors.scored(open_facts(tmp_path), ["ettr"]).set_index("id")
        return found.loc[[name for name, *_ in rows]]

    return scored_rows


def test_inside_a_bound_there_is_no_error_and_outside_it_counts_from_the_bound(measured):
    found = measured(
        ("exact", "80,eq,,", 88),
        ("kept", "90,at_least,,", 95),
        ("broken", "90,at_least,,", 81),
        ("under", "97,up_to,,", 96),
        ("over", "80,less_than,,", 88),
        ("within", "87.5,range,85,90", 86),
        ("beside", "87.5,range,85,90", 99),
    )
    assert found["error"].tolist() == pytest.approx([0.1, 0, -0.1, 0, 0.1, 0, 0.1])


def test_a_missing_prediction_counts_as_all_of_it_and_says_why(measured):
    found = measured(("none", "80,eq,,", ""), ("one", "80,eq,,", 80))
    assert found["error"].tolist() == [-1, 0] and found["note"].tolist() == ["blank", ""]
    (line,) = errors.summary(found.reset_index()).to_dict("records")
    assert (line["rows"], line["covered"], line["median"], line["worst"]) == (2, 1, 0.5, 1)


def test_the_spread_is_the_band_of_nine_tenths():
    assert errors.spread(np.linspace(-1, 1, 201)) == pytest.approx((-0.9, 0.9))


def test_a_common_error_cancels_in_a_ratio():
    rows = pd.DataFrame(
        {
            "id": ["a", "b", "c", "d"],
            "group": ["m", "m", "m", "n"],
            "role": ["calibrate", "validate", "calibrate", "validate"],
            "measured": [10.0, 20.0, 40.0, 5.0],
            "predicted": [11.0, 22.0, 40.0, 9.0],
        }
    )
    found = errors.ratio_errors(rows).set_index(["first", "second"])["error"]
    # Only pairs of one group count, and a and c were both fitted on.
    assert found.to_dict() == pytest.approx({("a", "b"): 0.0, ("b", "c"): 0.1})


def test_every_measurement_with_a_model_is_scored_once_and_most_are_predicted():
    facts = open_facts()
    rows = errors.scored(facts)
    assert not rows.duplicated(["table", "id"]).any()
    modelled = {name for name, one in quantities.QUANTITIES.items() if one.predict}
    assert set(rows["quantity"]) <= modelled and set(rows["role"]) == {"calibrate", "validate"}
    assert rows["predicted"].notna().mean() > 0.95


def test_measurements_that_share_a_pair_count_once(tmp_path):
    cells = "s,{},1,us,calibrate,a2024,p,quoted,{}"
    rows = [f"{name},{cells.format('dispatch_latency', pair)}" for name, pair in zip("abcd", "xxy ", strict=True)]
    header = "id,system,quantity,value,unit,role,source,locator,confidence,pair_id"
    (tmp_path / "expert_parallel.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    # Two rows of one pair, one of another, and one that belongs to none.
    assert errors.measurements(open_facts(tmp_path)) - errors.measurements(open_facts()) == 3
