"""The command line: exit codes, where output goes, what is imported."""

import csv
import json
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner
from runner_helpers import FIRST, command, instantly, toy_project, write_subject

from analysis.__main__ import cli
from analysis.errors import DataError

BAD = [
    (["run", "-p", "yeers", "7"], "Did you mean years"),
    (["run", "-p", "years", "soon"], "must be float"),
    (["run", "-p", "years", "70"], "[2, 12]"),
    (["run", "-p", "years", "7", "-p", "years", "8"], "given 2 times"),
    (["run", "01_frist"], "Did you mean 01_first"),
    (["run", "--jobs", "0"], "--jobs"),
    (["run", "--data", "/nowhere"], "no folder"),
    (["sweep", "toy.frist", "-p", "years", "7"], "Did you mean toy.first"),
    (["sweep", FIRST, "-p", "yeers", "7"], "no parameter"),
    (["scorecard"], "no finished run"),
    (["scorecard", "--compare", "/nowhere/old.json"], "old.json"),
    (["nonsense"], "No such command"),
]


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setattr("analysis.runner.run.run_jobs", instantly)
    monkeypatch.setattr("analysis.runner.sweeps.run_jobs", instantly)
    return toy_project(tmp_path / "toy")


def call(project, *arguments):
    return CliRunner().invoke(cli, list(map(str, arguments)), obj=project)


@pytest.mark.parametrize(("arguments", "told"), BAD)
def test_bad_input_ends_with_2_and_says_what_is_accepted(project, arguments, told):
    result = call(project, *arguments)
    assert result.exit_code == 2, result.output
    assert told in result.output
    assert not (project.results / "run.json").exists()


def test_a_run_prints_the_scorecard_and_a_second_one_names_what_was_unchanged(project):
    first = call(project, "run")
    assert first.exit_code == 0
    assert "2 reproduced" in first.stdout
    second = call(project, "run")
    assert second.stdout == first.stdout
    assert "unchanged, not run again: 00_overview, 01_first, 02_second" in second.stderr


def test_a_failed_notebook_ends_with_1_and_shows_the_cell(project):
    write_subject(project.root, "01_first", "raise ValueError('no such card')")
    result = call(project, "run")
    assert result.exit_code == 1
    assert "01_first.ipynb, cell 2: ValueError: no such card\n  | raise ValueError" in result.stderr


def test_results_go_where_out_says(project, tmp_path):
    assert call(project, "run", "--out", tmp_path / "other").exit_code == 0
    assert (tmp_path / "other" / "scorecard.json").exists()
    assert not project.results.exists()
    assert call(project, "scorecard", "--results", tmp_path / "other").exit_code == 0


def test_a_disk_that_is_full_ends_with_1_and_one_line(project, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("analysis.runner.results.publish", fail)
    result = call(project, "run")
    assert result.exit_code == 1
    assert "No space left on device; the last complete results are unchanged" in result.stderr


@pytest.mark.parametrize("form", ["table", "json", "csv", "markdown"])
def test_every_format_of_the_scorecard_lists_every_claim(project, form):
    call(project, "run")
    result = call(project, "scorecard", "--format", form)
    assert result.exit_code == 0
    assert all(claim_id in result.stdout for claim_id in project.ledger.ids())


def test_comparing_ends_with_3_only_when_a_verdict_changed(project, tmp_path):
    call(project, "run")
    old = tmp_path / "old.json"
    records = json.loads((project.results / "scorecard.json").read_text())
    old.write_text(json.dumps(records))
    assert call(project, "scorecard", "--compare", old).exit_code == 0
    records[1]["estimate"] = 9.0
    old.write_text(json.dumps(records))
    result = call(project, "scorecard", "--compare", old)
    assert (result.exit_code, result.stdout) == (0, f"{FIRST}: estimate: 9 -> 8\n")
    records[1]["verdict"] = "not reproduced"
    old.write_text(json.dumps(records))
    assert call(project, "scorecard", "--compare", old).exit_code == 3


def test_a_sweep_goes_to_standard_output_or_a_file(project, tmp_path):
    printed = call(project, "sweep", FIRST, "-p", "years", "7,8")
    assert printed.stdout == "years,verdict\n7.0,reproduced\n8.0,reproduced\n"
    call(project, "sweep", FIRST, "-p", "years", "7,8", "--out", tmp_path / "sweep.csv")
    assert (tmp_path / "sweep.csv").read_text() == printed.stdout


def test_a_sweep_through_notebooks_has_the_same_columns(project):
    result = call(project, "sweep", FIRST, "-p", "years", "7,8", "-p", "vendor", "all,AMD", "--notebooks")
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert list(rows[0]) == ["years", "vendor", "estimate", "low", "high", "share", "verdict", "error"]
    assert [(row["years"], row["vendor"], row["estimate"]) for row in rows][1:3] == [
        ("7.0", "AMD", "7.0"),
        ("8.0", "all", "8.0"),
    ]


def test_predict_prints_or_writes_a_table_and_names_what_is_wrong(project, tmp_path, monkeypatch):
    module = type(sys)("analysis.evidence.predict")

    def predict_file(path, data):
        import pandas as pd

        if path.name == "bad.csv":
            raise DataError("bad.csv line 3, column value: no number")
        return pd.DataFrame({"quantity": ["ttft"], "predicted": [1.5]})

    module.predict_file = predict_file
    monkeypatch.setitem(sys.modules, "analysis.evidence", type(sys)("analysis.evidence"))
    monkeypatch.setitem(sys.modules, "analysis.evidence.predict", module)
    assert call(project, "predict", "good.csv").stdout == "quantity,predicted\nttft,1.5\n"
    bad = call(project, "predict", "bad.csv", "--out", tmp_path / "out.csv")
    assert bad.exit_code == 2
    assert "line 3, column value" in bad.stderr
    assert not (tmp_path / "out.csv").exists()


def test_a_bad_parameter_is_refused_before_anything_heavy_is_imported(tmp_path):
    project = toy_project(tmp_path / "toy")
    started = time.monotonic()
    refused = subprocess.run(
        command(project, "run", "-p", "yeers", "7"), capture_output=True, text=True, check=False, cwd="/"
    )
    assert refused.returncode == 2
    assert time.monotonic() - started < 10  # 0.3 s; the bound only catches an import of papermill many times over


def test_the_command_line_loads_no_jupyter_until_needed():
    code = "import sys, analysis.__main__, analysis.runner.run; print({'papermill', 'nbclient'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "set()\n"
