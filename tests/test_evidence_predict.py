"""`predict`: what it refuses, what it leaves alone, and that only conditions count."""

import re

import pandas as pd
import pytest
from conftest import edited

import analysis
from analysis.errors import DataError
from analysis.evidence import quantities
from analysis.evidence.predict import ADDED, RESULTS, predict_file
from analysis.evidence.quantities import QUANTITIES, Quantity

HEADER = "id,quantity,value,unit,input_tokens,prefix_hit_fraction,published_x,note\n"
GOOD = HEADER + 'a,ttft,100,ms,2000,0.5,7,"one, note"\nb,ttft,200,ms,4000,,8,\n'


@pytest.fixture
def modelled(monkeypatch):
    """A quantity with a model that uses one condition, so that predictions exist."""

    def model(row, facts):
        if not row["input_tokens"]:
            return None, "input_tokens is blank"
        return float(row["input_tokens"]) / 10, ""

    monkeypatch.setitem(quantities.QUANTITIES, "ttft", Quantity("ms", model))


def written(tmp_path, text):
    path = tmp_path / "rows.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_input_cell_is_kept_and_three_columns_are_added(tmp_path, modelled):
    found = predict_file(written(tmp_path, GOOD))
    assert found[["id", "note", "value", "prefix_hit_fraction"]].values.tolist() == [
        ["a", "one, note", "100", "0.5"],
        ["b", "", "200", ""],
    ]
    assert list(found.columns[-3:]) == list(ADDED)
    assert found["predicted"].tolist() == ["200", "400"] and found["error_percent"].tolist() == ["100", "100"]


def test_only_condition_columns_count(tmp_path, modelled):
    first = predict_file(written(tmp_path, GOOD))["predicted"].tolist()
    frame = pd.read_csv(tmp_path / "rows.csv")
    shuffled = frame.assign(value=frame["value"][::-1].values, published_x=0, note="x", id=["q", "r"])
    assert analysis.predict(shuffled)["predicted"].tolist() == first
    assert analysis.predict(frame[::-1])["predicted"].tolist() == first[::-1]
    assert analysis.predict(frame[1:])["predicted"].tolist() == first[1:]
    assert analysis.predict(frame.drop(columns=["value", "id", "note", "published_x"]))["predicted"].tolist() == first


def test_what_cannot_be_predicted_says_why(tmp_path, modelled, monkeypatch):
    monkeypatch.setitem(quantities.QUANTITIES, "ettr", Quantity("%"))
    text = HEADER + "a,ttft,100,ms,,0.5,,\nb,ttff,1,,,,,\nc,ettr,90,%,,,,\n"
    notes = predict_file(written(tmp_path, text))["prediction_note"].tolist()
    assert notes[0] == "input_tokens is blank"
    assert "Did you mean ttft" in notes[1]
    assert notes[2] == "no model covers ettr yet"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id,value\na,1\n", "line 1: no column 'quantity'"),
        (HEADER + "a,ttft,1,ms,1,0,,\na,ttft,1,ms,1,0,,\n", "line 3, column id: 'a' stands twice"),
        (HEADER + "a,ttft,fast,ms,1,0,,\n", "line 2, column value: 'fast'"),
        (HEADER + "a,ttft,nan,ms,1,0,,\n", "column value: 'nan'; expected a finite number"),
        (HEADER + "a,ttft,1,ms,inf,0,,\n", "column input_tokens: 'inf'"),
        (HEADER + "a,ttft,1,ms,-1,0,,\n", "column input_tokens: -1; expected 0 or more"),
        (HEADER + "a,ttft,1,ms,1,1.01,,\n", "column prefix_hit_fraction: 1.01"),
        (HEADER + "a,ttft,1,s,1,0,,\n", "column unit: 's'; ttft is given in ms"),
        (HEADER + "a,ttft,1\n", "line 2: 3 cells; the header has 8"),
        (HEADER.replace("note", "predicted"), "column 'predicted' would be written twice"),
    ],
)
def test_a_wrong_table_is_refused_with_line_and_column(tmp_path, text, told):
    with pytest.raises(DataError, match=re.escape(told)):
        predict_file(written(tmp_path, text))


def test_a_negative_or_large_measurement_is_fine(tmp_path):
    text = "quantity,value,unit\nttft_reduction,-13,%\nttft_reduction,117,%\n"
    assert len(predict_file(written(tmp_path, text))) == 2


def test_every_quantity_of_the_contract_is_known():
    assert len(QUANTITIES) == 15 and all(quantity.unit for quantity in QUANTITIES.values())


def test_a_cell_that_a_frame_cannot_write_plainly_comes_back_as_it_was(modelled):
    hostile = 'one, "two"\nthree'
    found = analysis.predict(pd.DataFrame({"quantity": ["ttft"], "input_tokens": [2000], "note": [hostile]}))
    assert found[["note", "predicted", "error_percent", "prediction_note"]].values.tolist() == [
        [hostile, "200", "", ""]
    ]


def test_an_error_is_told_in_per_cent_of_what_was_measured(tmp_path, modelled):
    # 150 predicted against 200, 120 and 150; against nought and against nothing there is no percentage.
    rows = "".join(
        f"{name},ttft,{value},ms,1500,,,\n" for name, value in zip("abcde", ("200", "120", "150", "0", ""), strict=True)
    )
    assert predict_file(written(tmp_path, HEADER + rows))["error_percent"].tolist() == ["-25", "25", "0", "", ""]


def test_the_model_sees_conditions_and_nothing_that_was_measured(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setitem(
        quantities.QUANTITIES, "ttft", Quantity("ms", lambda row, facts: (seen.append(row), (1.0, ""))[1])
    )
    columns = ("quantity", "input_tokens", "measured_x", "published_y", "value_from_z", *RESULTS)
    cells = {"quantity": "ttft", "input_tokens": " 7 ", "value": "1"}
    text = ",".join(columns) + "\n" + ",".join(cells.get(name, "seen") for name in columns) + "\n"
    predict_file(written(tmp_path, text))
    assert seen == [{"quantity": "ttft", "input_tokens": "7"}]
    # The answer, whatever its column is called, is told as a result.
    assert {"value", "id", "note", "role"} <= RESULTS


@pytest.mark.parametrize(
    "cells",
    [
        "a,ttft,1,ms,0,0,,",
        "a,ttft,1,ms,1,1,,",
        ",ttft,1,ms,1,,,\n,ttft,1,ms,1,,,",
        "a,ttft,1,,1,,,",
        "a,ttft,1, ms ,1,,,",
    ],
)
def test_the_ends_of_what_is_accepted_are_accepted_and_blanks_are_no_names(tmp_path, cells):
    assert len(predict_file(written(tmp_path, HEADER + cells + "\n"))) == 1 + cells.count("\n")


def test_a_fraction_below_nought_and_a_word_for_a_number_are_refused(tmp_path):
    for cells, told in (
        ("a,ttft,1,ms,1,-0.01,,", "fraction between 0 and 1"),
        ("a,ttft,1,ms,many,,,", "expected a number"),
    ):
        with pytest.raises(DataError, match=told):
            predict_file(written(tmp_path, HEADER + cells + "\n"))


def test_a_model_reads_the_readers_own_tables(tmp_path, monkeypatch):
    folder = edited(tmp_path, "accelerators", {"H100 SXM": {"tdp_w": "123"}})

    def power(row, facts):
        return facts.table("accelerators").set_index("name").loc["H100 SXM", "tdp_w"], ""

    monkeypatch.setitem(quantities.QUANTITIES, "ttft", Quantity("ms", power))
    frame = pd.DataFrame({"quantity": ["ttft"]})
    assert analysis.predict(frame, folder)["predicted"].tolist() == ["123"]
    assert analysis.predict(frame)["predicted"].tolist() == ["700"]


UNITS_BY_ENDING = {
    "_latency": ("us",),
    "_bandwidth": ("GB/s",),
    "_throughput": ("tokens/s/accelerator", "output tokens/s/accelerator"),
    "_gain": ("%", "x"),
    "_reduction": ("%",),
    "_time": ("s",),
    "ttft": ("ms",),
    "ettr": ("%",),
}


@pytest.mark.parametrize("name", QUANTITIES)
def test_the_name_of_a_quantity_says_what_is_measured_and_its_unit_is_one_of_the_table(name):
    (ending,) = (ending for ending in UNITS_BY_ENDING if name.endswith(ending))
    assert QUANTITIES[name].unit in UNITS_BY_ENDING[ending]
    assert QUANTITIES[name].unit in set(analysis.load("units")["unit"])
