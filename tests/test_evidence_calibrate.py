"""Fitting: intervals and left-out errors against closed forms, the committed file against the command."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy import stats

from analysis.__main__ import cli
from analysis.evidence import calibrate
from analysis.evidence.calibrate import Fit, constants, fitted, large_sources, without_source
from analysis.facts import DATA, open_facts
from analysis.facts.schemas import SPECS
from analysis.facts.tablespec import MEASUREMENTS

RATE = "failures_per_1000_node_days"


def mean_fit(**changes):
    """The geometric mean of a column, as one constant."""
    parts = {
        "tables": (),
        "units": {"mean": "x"},
        "rows": lambda facts: None,
        "solve": lambda rows: {"mean": float(np.exp(np.log(rows["value"]).mean()))},
        "errors": lambda rows, values: values["mean"] / rows["value"].to_numpy() - 1,
        "informs": lambda rows: {"mean": np.ones(len(rows), dtype=bool)},
    }
    return Fit(**(parts | changes))


def test_the_interval_of_a_geometric_mean_is_that_of_students_t():
    values = np.array([2.0, 3.0, 5.0, 7.0, 11.0])
    found = fitted(mean_fit(), pd.DataFrame({"value": values, "source": list("abcde")}))["mean"]
    logs = np.log(values)
    low, high = np.exp(stats.t.interval(0.90, 4, logs.mean(), stats.sem(logs)))
    assert (found.low, found.value, found.high) == pytest.approx((low, np.exp(logs.mean()), high))
    # Each value against the geometric mean of the four others.
    others = [np.exp(np.delete(logs, place).mean()) for place in range(5)]
    assert found.loo_error_percent == pytest.approx(100 * np.median(np.abs(others / values - 1)))


def test_a_constant_of_a_single_row_has_no_interval_and_no_error():
    found = fitted(mean_fit(), pd.DataFrame({"value": [4.0], "source": ["a"]}))["mean"]
    assert found == calibrate.Constant(4.0, None, None, "x", 1, None)


def test_a_row_that_alone_informs_a_constant_is_never_left_out():
    def solve(rows):
        assert (rows["kind"] == "only").any(), "the row was left out"
        return {"only": rows.loc[rows["kind"] == "only", "value"].mean(), "shared": rows["value"].mean()}

    def informs(rows):
        return {"only": (rows["kind"] == "only").to_numpy(), "shared": np.ones(len(rows), dtype=bool)}

    rows = pd.DataFrame({"value": [1.0, 2.0, 3.0, 4.0], "kind": ["only", "", "", ""], "source": list("abcd")})
    found = fitted(
        mean_fit(
            units={"only": "x", "shared": "x"},
            solve=solve,
            informs=informs,
            errors=lambda rows, values: values["shared"] / rows["value"].to_numpy() - 1,
        ),
        rows,
    )
    assert found["only"].rows == 1 and found["only"].low is None and found["only"].loo_error_percent is None
    assert found["shared"].low < found["shared"].value < found["shared"].high


def test_a_source_counts_as_large_above_a_tenth_and_a_row_with_another_source_stays():
    rows = pd.DataFrame({"source": ["a", "a;b", *"cdefghijklmnopqrst"]})
    # Twenty rows: two of twenty are a tenth, not more.
    assert large_sources(rows) == ()
    assert large_sources(rows[:19]) == ("a",)
    assert without_source(rows, "a")["source"].tolist()[:2] == ["a;b", "c"]


def test_the_committed_constants_are_what_the_command_writes(tmp_path):
    out = tmp_path / "calibration.csv"
    assert CliRunner().invoke(cli, ["calibrate", "--out", str(out)]).exit_code == 0
    assert out.read_bytes() == (DATA / "calibration.csv").read_bytes(), "python -m analysis calibrate"


def test_fewer_constants_than_half_the_measurements_they_are_fitted_on():
    facts = open_facts()
    measured = set()
    for name in (name for name, spec in SPECS.items() if spec.folder == MEASUREMENTS):
        table = facts.table(name)
        table = table[table["role"] == "calibrate"]
        measured |= {(name, key) for key in table.get("pair_id", table["id"])}
    assert len(constants(facts)) < len(measured) / 2


def test_the_typical_failure_rate_lies_between_the_published_ones():
    rates = calibrate._fits()[0].rows(open_facts())[RATE]
    found = constants(open_facts())[RATE]
    assert rates.min() < found.value < rates.max() and found.rows == len(rates)
    # Llama 3: 419 failures of 2,048 nodes in 54 days; RSC-1 and RSC-2 as printed; 80 failures a day of 12,500 nodes.
    expected = [419 / 54 / 2048 * 1000, 6.5, 2.34, 24 * 60 / 18 / 12500 * 1000]
    assert sorted(rates) == pytest.approx(sorted(expected), rel=1e-6)


def overlay_of(tmp_path, change, **where):
    table = pd.read_csv(DATA / MEASUREMENTS / "operations.csv", dtype=str, keep_default_na=False)
    rows = table[np.logical_and.reduce([table[column] == value for column, value in where.items()])].copy()
    rows["value"] = [change(float(value)) for value in rows["value"]]
    rows.to_csv(tmp_path / "operations.csv", index=False)
    return tmp_path


def test_a_readers_calibrate_rows_are_refitted_in_memory(tmp_path):
    folder = overlay_of(tmp_path, lambda value: 2 * value, role="calibrate", unit="per 1000 node-days")
    # Two of four rates doubled: their geometric mean grows by the square root of two.
    ratio = constants(open_facts(folder))[RATE].value / constants(open_facts())[RATE].value
    assert ratio == pytest.approx(2**0.5, rel=1e-5)
    told = CliRunner().invoke(cli, ["calibrate", "--data", str(folder)])
    assert told.exit_code == 0 and f"{constants(open_facts(folder))[RATE].value:.6g}" in told.output


def test_rows_of_another_role_change_no_constant(tmp_path):
    folder = overlay_of(tmp_path, lambda value: 3 * value, role="context")
    assert constants(open_facts(folder)) == constants(open_facts())


def test_without_a_source_the_constant_is_that_of_the_rows_that_remain():
    facts = open_facts()
    rows = calibrate._fits()[0].rows(facts)
    kept = rows[rows["source"] != "kokolis2024reliability"][RATE]
    assert 0 < len(kept) < len(rows)
    assert constants(facts, "kokolis2024reliability")[RATE].value == pytest.approx(stats.gmean(kept), rel=1e-5)
