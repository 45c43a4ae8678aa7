"""`evaluate` as a reader meets it: details, pins, errors, and that nothing is circular."""

import json
import math
import subprocess
import sys

import jsonschema
import pandas as pd
import pytest
from conftest import edited
from hypothesis import given
from hypothesis import strategies as st

import analysis
from analysis.evaluation import DETAILS, computable_ids
from analysis.facts import DATA
from analysis.facts.schemas import SPECS
from analysis.facts.tablespec import MEASUREMENTS
from analysis.judgement.record import plain
from analysis.subjects import MODELS

LEDGER = list(analysis.claims()["id"])
JUDGED = list(MODELS)
JOINT = {row.id for row in analysis.claims().itertuples() if row.joint_of}
SCHEMA = json.loads((DATA.parent / "analysis/judgement/record.schema.json").read_text())
FRUITS = ("estimate", "interval", "drivers", "methods", "lines")


@pytest.mark.parametrize("claim", LEDGER)
@pytest.mark.parametrize("detail", DETAILS)
def test_every_record_fits_the_schema_at_every_detail(claim, detail):
    record = analysis.evaluate(claim, detail=detail, samples=256).to_dict()
    jsonschema.validate(record, SCHEMA)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    empty = {name for name, value in record.items() if value is None}
    assert empty <= set(record["reasons"])


def test_the_schema_notices_what_it_should():
    record = analysis.evaluate(JUDGED[0], samples=256).to_dict()
    for broken in ({"verdict": "plausible"}, {"share": 1.5}, {"methods": {}}, {"extra": 1}, {"interval": [1]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(record | broken, SCHEMA)


@pytest.mark.parametrize("claim", JUDGED)
def test_what_a_judged_claim_must_have_it_has(claim):
    record = analysis.evaluate(claim, samples=1024)
    assert record.methods_agree and len(record.methods) >= 2 and len(record.lines) >= 2
    assert record.drivers and record.break_even and record.robustness and record.conditions
    assert next(iter(record.readings)) == record.reading
    assert record.readings[record.reading]["share"] == record.share
    assert record.share + record.share_below + record.share_above <= 1 + 1e-9
    assert list(record.drivers.values()) == sorted(record.drivers.values(), reverse=True)


@pytest.mark.parametrize("claim", JUDGED)
def test_every_number_of_the_ledger_may_change_and_no_estimate_does(tmp_path, claim):
    ledger = analysis.claims()
    values = {
        row.id: {"value": "" if math.isnan(row.value) else f"{3.7 * row.value + 1:g}"} for row in ledger.itertuples()
    }
    folder = edited(tmp_path, "claims", values, columns=("value",))
    before, after = (analysis.evaluate(claim, data=data, samples=1024).to_dict() for data in (None, folder))
    for name in FRUITS:
        # The drivers of a joint claim describe its margin, which follows the ledger by design.
        if name != "drivers" or claim not in JOINT:
            assert before[name] == after[name], name
    for reading, answer in before["readings"].items():
        assert answer["estimate"] == after["readings"][reading]["estimate"]


@pytest.mark.parametrize("claim", [claim for claim in JUDGED if claim not in JOINT])
def test_shares_and_verdicts_follow_the_ledger(tmp_path, claim):
    estimate = analysis.evaluate(claim, detail="verdict").estimate
    # A median: at least half lies on either side of it, both where many predictions are equal.
    for comparator in ("at_most", "at_least"):
        row = {"value": f"{estimate:g}", "comparator": comparator}
        near = edited(tmp_path, "claims", {claim: row}, columns=("value", "comparator"))
        assert analysis.evaluate(claim, detail="verdict", data=near).share >= 0.4
    edited(tmp_path, "claims", {claim: {"value": "1e6", "comparator": "at_most"}}, columns=("value", "comparator"))
    surely = analysis.evaluate(claim, detail="verdict", data=near)
    assert (surely.share, surely.verdict) == (1.0, "reproduced")
    edited(tmp_path, "claims", {claim: {"value": "-1e6", "comparator": "at_most"}}, columns=("value", "comparator"))
    never = analysis.evaluate(claim, detail="verdict", data=near)
    assert (never.share, never.share_above, never.verdict) == (0.0, 1.0, "not reproduced")


@pytest.mark.parametrize("value", ["0", "-3", "1e-300", "1e300", "117"])
def test_any_finite_number_is_a_claim(tmp_path, value):
    folder = edited(tmp_path, "claims", {"bandwidth-gap.bus": {"value": value}}, columns=("value",))
    record = analysis.evaluate("bandwidth-gap.bus", data=folder, samples=256)
    jsonschema.validate(record.to_dict(), SCHEMA)
    assert record.verdict == "not reproduced"


def test_every_validate_value_may_change_and_no_estimate_does(tmp_path):
    """What tests the model moves the model's error, and with it perhaps a verdict, but no prediction."""
    for name in (name for name, spec in SPECS.items() if spec.folder == MEASUREMENTS):
        table = pd.read_csv(DATA / MEASUREMENTS / f"{name}.csv", dtype=str, keep_default_na=False)
        table = table[table["role"] == "validate"]
        table["value"] = [f"{0.7 * float(value):g}" for value in table["value"]]
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    assert len(list(tmp_path.iterdir())) >= 7
    for claim in JUDGED:
        before, after = (analysis.evaluate(claim, samples=256, data=data).to_dict() for data in (None, tmp_path))
        for name in ("estimate", "interval", "drivers", "methods"):
            assert before[name] == after[name], (claim, name)


def test_a_claim_at_its_origin_is_shown_and_never_used(tmp_path):
    claimed = analysis.load("trend_studies").query("role == 'claim'")
    changed = edited(tmp_path, "trend_studies", {row.id: {"value": "777"} for row in claimed.itertuples()})
    operations = pd.read_csv(DATA / MEASUREMENTS / "operations.csv", dtype=str, keep_default_na=False)
    operations[operations["role"] == "claim"].assign(value="777").to_csv(tmp_path / "operations.csv", index=False)
    for claim in JUDGED:
        before, after = (analysis.evaluate(claim, samples=256, data=data).to_dict() for data in (None, changed))
        assert before["lines"] == after["lines"] and before["estimate"] == after["estimate"]


def test_a_market_fact_is_not_computable_and_an_uncovered_claim_is_open(tmp_path):
    assert analysis.evaluate("market.models").verdict == "not computable"
    folder = edited(tmp_path, "claims", {"market.models": {"computable": "yes", "reason": ""}})
    assert analysis.evaluate("market.models", data=folder).verdict == "open"


def test_the_ledger_decides_before_any_model_is_asked(tmp_path):
    row = {"computable": "no", "reason": "a test says so"}
    folder = edited(tmp_path, "claims", {"bandwidth-gap.bus": row}, columns=("computable", "reason"))
    record = analysis.evaluate("bandwidth-gap.bus", data=folder)
    assert record.verdict == "not computable" and record.estimate is None
    assert record.reasons["estimate"] == "a test says so"
    assert set(computable_ids()) == set(JUDGED) == set(computable_ids(folder)) | {"bandwidth-gap.bus"}
    assert analysis.parameters("bandwidth-gap.bus", folder).empty


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (("bandwidth-gap.buss", {}), r"Did you mean bandwidth-gap\.bus"),
        (("bandwidth-gap.bus", {"yeers": 8}), r"no parameter 'yeers'. Did you mean years"),
        (("bandwidth-gap.bus", {"years": 99.0}), r"years: 99 is out of range; accepted: 4 to 12 years"),
        (("bandwidth-gap.bus", {"years": float("nan")}), "out of range"),
        (("bandwidth-gap.bus", {"years": "8"}), "years: '8' is str; expected float"),
        (("bandwidth-gap.bus", {"vendor": "Nvidia"}), "Did you mean NVIDIA"),
        (("bandwidth-gap.bus", {"latest": "May 2025"}), "expected something like '2025-05'"),
        (("bandwidth-gap.bus", {"scaled": 1}), "scaled: 1 is int; expected bool"),
        (("bandwidth-gap.bus", {"start_date_error_years": 0.7}), r"accepted: -0.5 to 0.5 years"),
        (("bandwidth-gap.bus", {"start_date_error_years": True}), "expected a number"),
        (("bandwidth-gap.bus", {"detail": "all"}), "Accepted: point, verdict, record"),
        (("bandwidth-gap.bus", {"samples": 1}), "samples: 1; expected a whole number of 16"),
        (("bandwidth-gap.bus", {"seed": -1}), "seed: -1"),
        (("market.models", {"years": 8.0}), "this claim has none"),
    ],
)
def test_bad_parameters_are_refused_with_what_is_accepted(call, told):
    claim, pins = call
    with pytest.raises(analysis.ParameterError, match=told):
        analysis.evaluate(claim, **pins)


def test_a_reading_that_no_module_answers_is_refused(overlay):
    folder = overlay(readings="claim,reading,label,comparator,value\nbandwidth-gap.bus,mine,a label,,\n")
    with pytest.raises(analysis.DataError, match=r"knows no 'mine'. Accepted: scale-up-link, host-bus"):
        analysis.evaluate("bandwidth-gap.bus", data=folder)


def test_a_record_names_the_readers_folder_and_not_its_path(tmp_path):
    folder = edited(tmp_path, "accelerators", {"H100 SXM": {"tdp_w": "1"}})
    for claim in ("bandwidth-gap.bus", "market.models"):
        assert analysis.evaluate(claim, detail="verdict", data=folder).data_overlay == tmp_path.name


def test_a_pinned_assumption_is_held_and_listed():
    record = analysis.evaluate("bandwidth-gap.network", end_date_error_years=0.5, detail="verdict")
    assert record.pinned == ["end_date_error_years"] and record.parameters["end_date_error_years"] == 0.5
    free = analysis.evaluate("bandwidth-gap.network", detail="verdict")
    # A later end means a longer span and a smaller growth in eight years.
    assert record.estimate < free.estimate


def test_what_is_passed_at_its_default_pins_nothing():
    table = analysis.parameters("bandwidth-gap.bus")
    defaults = dict(zip(table["name"], table["default"], strict=True))
    record = analysis.evaluate("bandwidth-gap.bus", detail="verdict", **defaults)
    assert record == analysis.evaluate("bandwidth-gap.bus", detail="verdict") and record.pinned == []
    chosen = analysis.evaluate("bandwidth-gap.bus", detail="verdict", **(defaults | {"vendor": "NVIDIA"}))
    assert chosen.pinned == ["vendor"]


def test_pinning_everything_counts_what_is_left():
    names = MODELS["bandwidth-gap.bus"].assumptions
    modes = {row["name"]: row["mode"] for row in analysis.parameters("bandwidth-gap.bus").to_dict("records")}
    pins = {name: modes[name] for name in names}
    counted = analysis.evaluate("bandwidth-gap.bus", detail="verdict", **pins)
    assert counted.estimate == pytest.approx(analysis.evaluate("bandwidth-gap.bus", detail="point").estimate)
    assert counted.share == pytest.approx(analysis.evaluate("bandwidth-gap.bus", detail="point").share)


def test_the_same_seed_gives_the_same_record_and_another_seed_nearly():
    first, again, other = (analysis.evaluate("bandwidth-gap.compute", seed=seed).to_dict() for seed in (0, 0, 1))
    assert first == again
    assert other["share"] == pytest.approx(first["share"], abs=0.02)


@given(
    st.recursive(
        st.one_of(st.floats(), st.integers(), st.text(), st.none()),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_plain_values_are_json_without_nan_or_infinity(value):
    json.dumps(plain(value), allow_nan=False)


def test_parameters_are_a_table_of_names_types_and_ranges():
    table = analysis.parameters("bandwidth-gap.bus").set_index("name")
    assert {"years", "tolerance", "vendor", "latest", "formats"} <= set(table.index)
    assert table.loc["tolerance", "default"] == 0.25
    assert "NVIDIA" in table.loc["vendor", "options"]
    assert table.loc["start_date_error_years", ["low", "mode", "high"]].tolist() == [-0.5, 0, 0.5]
    assert analysis.parameters("market.models").empty


def test_the_front_door_is_small_and_light():
    heavy = "{'matplotlib', 'IPython', 'papermill', 'nbformat', 'jupyter_client'}"
    code = f"import sys, analysis; print({heavy} & set(sys.modules))"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        == "set()"
    )
    assert callable(analysis.claims) and len(dir(analysis)) == 14
