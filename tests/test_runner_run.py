"""Runs of a toy project: what runs, what is kept, what is refused."""

import csv
import json
import os
import shutil
from xml.etree import ElementTree

import pytest
from runner_helpers import (
    FIRST,
    LONELY,
    SECOND,
    existing,
    instantly,
    scorecard,
    snapshot,
    toy_project,
    write_notebook,
    write_subject,
)

from analysis.errors import ParameterError
from analysis.runner import results
from analysis.runner.notebooks import read, records, source
from analysis.runner.progress import Lines
from analysis.runner.run import Options, longest_first, run


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A toy project after its first run; tests that share it leave it as it is."""
    project = toy_project(tmp_path_factory.mktemp("toy"))
    run(project)
    return project


@pytest.fixture
def with_kernels(finished, tmp_path):
    """A private copy of the finished project."""
    shutil.copytree(finished.root, tmp_path / "copy")
    return existing(tmp_path / "copy")


@pytest.fixture
def project(with_kernels, monkeypatch):
    """The same, its cells executed without a kernel."""
    monkeypatch.setattr("analysis.runner.run.run_jobs", instantly)
    return with_kernels


def append(path, text):
    path.write_text((path.read_text() if path.exists() else "") + text)


def names(report):
    return sorted(outcome.job.name for outcome in report.outcomes)


def test_a_run_leaves_exactly_the_promised_files(finished):
    assert list(snapshot(finished.results)) == [
        f"claims/{FIRST}.json", f"claims/{SECOND}.json", "junit.xml", "notebooks/00_overview.ipynb",
        "notebooks/01_first.ipynb", "notebooks/02_second.ipynb", "run.json", "scorecard.csv", "scorecard.json",
    ]  # fmt: skip
    assert not list(finished.results.glob(".run-*"))


def test_the_scorecard_lists_every_ledger_id_in_ledger_order(finished):
    cards = scorecard(finished)
    assert list(cards) == [LONELY, FIRST, SECOND]
    assert cards[LONELY]["verdict"] == "open"
    rows = list(csv.DictReader((finished.results / "scorecard.csv").read_text().splitlines()))
    assert [(row["id"], row["verdict"], row["low"]) for row in rows][1] == (FIRST, "reproduced", "7.0")


def test_the_overview_runs_last_on_the_records_of_this_run(finished):
    shown = (finished.results / "notebooks/00_overview.ipynb").read_text()
    assert f"{finished.results} [('{LONELY}', 'open', None), ('{FIRST}', 'reproduced', 8.0)" in shown
    assert ".run-" not in shown


def test_kernels_do_not_warn_about_an_unencrypted_transport(finished):
    for path in (finished.results / "notebooks").glob("*.ipynb"):
        assert not [out for cell in read(path)["cells"] for out in cell["outputs"] if out.get("name") == "stderr"]


def test_junit_has_a_case_a_notebook_and_one_a_claim(finished):
    suites = ElementTree.parse(finished.results / "junit.xml").getroot()
    assert [(suite.get("name"), suite.get("tests"), suite.get("failures")) for suite in suites] == [
        ("notebooks", "3", "0"),
        ("claims", "3", "0"),
    ]


def test_an_unchanged_run_executes_nothing_and_writes_nothing(project):
    before = snapshot(project.results)
    report = run(project)
    assert not report.outcomes
    assert report.unchanged == ["00_overview", "01_first", "02_second"]
    assert snapshot(project.results) == before


def test_other_parameters_run_that_notebook_alone_and_keep_other_records(project):
    report = run(project, ("notebooks/01_first.ipynb",), {"years": "7"})
    assert names(report) == ["01_first"]
    cards = scorecard(project)
    assert (cards[FIRST]["estimate"], cards[SECOND]["estimate"]) == (7.0, 8.0)
    assert json.loads((project.results / "run.json").read_text())["notebooks"]["01_first"]["parameters"] == {"years": 7}


@pytest.mark.parametrize("name", ["data/cards.csv", "analysis/model.py", "requirements.lock"])
def test_a_changed_input_makes_every_notebook_stale(project, name, monkeypatch):
    append(project.root / name, "changed = 1\n")
    assert_stale(project, monkeypatch, ["00_overview", "01_first", "02_second"])


def test_a_changed_cell_makes_its_notebook_stale_and_changed_outputs_do_not(project, monkeypatch):
    write_subject(project.root, "02_second", "print('new')")
    path = project.notebooks / "01_first.ipynb"
    notebook = read(path)
    notebook["cells"][1] |= {
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "x"}],
        "execution_count": 7,
    }
    path.write_text(json.dumps(notebook))
    assert_stale(project, monkeypatch, ["00_overview", "02_second"])


def test_a_result_file_that_was_touched_is_made_again(project, monkeypatch):
    (project.results / f"claims/{FIRST}.json").write_text("{}")
    assert_stale(project, monkeypatch, ["00_overview", "01_first"])


def assert_stale(project, monkeypatch, expected):
    """Whether these notebooks would run; none is executed."""
    started = []
    monkeypatch.setattr("analysis.runner.run.run_jobs", lambda jobs, *rest: started.extend(jobs) or [])
    run(project)
    assert sorted(job.name for job in started) == expected


def test_a_notebook_that_is_gone_takes_its_results_along(project):
    (project.notebooks / "02_second.ipynb").unlink()
    run(project)
    assert scorecard(project)[SECOND]["reasons"] == {"verdict": "notebook 02_second has not been run"}
    assert not (project.results / "notebooks/02_second.ipynb").exists()


def test_a_claim_whose_notebook_was_not_run_says_so(project):
    shutil.rmtree(project.results)
    run(project, ("01_first",))
    assert scorecard(project)[SECOND]["reasons"] == {"verdict": "notebook 02_second has not been run"}


def test_a_parameter_is_data_and_never_code(with_kernels):
    text = """'; import os; os._exit(1) # "quoted"\nline\\ {years} __import__('os').getpid() 字 \u2028 """
    run(with_kernels, ("01_first",), {"note": text})
    assert scorecard(with_kernels)[FIRST]["parameters"]["note"] == text


def test_own_tables_reach_the_notebooks_and_their_change_makes_them_stale(project, tmp_path, monkeypatch):
    own = tmp_path / "own"
    own.mkdir()
    run(project, options=Options(data=str(own)))
    assert scorecard(project)[FIRST]["parameters"]["data"] == str(own)
    assert not run(project, options=Options(data=str(own))).outcomes
    (own / "cards.csv").write_text("id\nb\n")
    started = []
    monkeypatch.setattr("analysis.runner.run.run_jobs", lambda jobs, *rest: started.extend(jobs) or [])
    run(project, options=Options(data=str(own)))
    assert len(started) == 3


def test_a_failing_cell_is_told_with_its_place_and_the_others_finish(with_kernels):
    project = with_kernels
    before = (project.results / "notebooks/01_first.ipynb").read_bytes()
    write_subject(project.root, "01_first", "def check():\n    raise ValueError('no such card')\n\ncheck()")
    write_subject(project.root, "02_second", "print('again')")
    report = run(project, ("01_first", "02_second"), given={"years": "9"})
    (failed,) = report.failures
    assert (failed.job.name, failed.failure.cell) == ("01_first", 2)
    assert failed.failure.error == "ValueError: no such card"
    assert "check()" in failed.failure.source
    assert "no such card" in failed.failure.traceback
    cards = scorecard(project)
    assert (cards[FIRST]["estimate"], cards[SECOND]["estimate"]) == (8.0, 9.0)
    assert (project.results / "notebooks/01_first.ipynb").read_bytes() == before
    assert (project.results / "failed/01_first.ipynb").exists()
    assert ElementTree.parse(project.results / "junit.xml").find(".//failure") is not None
    assert "failed" in json.loads((project.results / "run.json").read_text())["notebooks"]["01_first"]


def test_a_failed_notebook_runs_again_and_leaves_no_trace_once_mended(project):
    path = project.notebooks / "01_first.ipynb"
    good = path.read_text()
    write_subject(project.root, "01_first", "1 / 0")
    assert run(project).failures
    path.write_text(good)
    assert names(run(project)) == ["00_overview", "01_first"]
    assert not (project.results / "failed/01_first.ipynb").exists()


def test_a_notebook_without_the_records_of_its_claims_fails(project):
    write_notebook(project.notebooks / "01_first.ipynb", "years: float = 8.0")
    (failed,) = run(project).failures
    assert FIRST in failed.failure.error


def test_a_killed_kernel_is_told_as_such(with_kernels):
    write_subject(with_kernels.root, "01_first", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    (failed,) = run(with_kernels, ("01_first",)).failures
    assert "the kernel died" in failed.failure.error
    assert failed.failure.cell == 2


def test_a_hanging_notebook_ends_at_the_time_limit(with_kernels):
    write_subject(with_kernels.root, "01_first", "import time; time.sleep(600)")
    (failed,) = run(with_kernels, ("01_first",), options=Options(timeout=6)).failures
    assert "time limit of 6 s" in failed.failure.error
    assert failed.failure.source.startswith("import time")


def test_the_longest_of_the_last_run_starts_first():
    assert longest_first(["a", "b", "c", "new"], {"a": 2.0, "b": 9.0, "c": 2.0}) == ["new", "b", "a", "c"]


def test_time_left_is_unknown_without_any_times_and_divided_among_workers():
    assert Lines(3, {}, 2).seconds_left() is None
    assert Lines(3, {"a": 4.0, "b": 8.0}, 2).seconds_left() == (4 + 8 + 6) / 2


def test_a_second_runner_is_refused_with_the_first_ones_number(project):
    with results.locked(project.results), pytest.raises(ParameterError, match=f"process {os.getpid()}.*--out"):
        run(project)


def test_a_results_folder_that_cannot_be_written_is_refused(project):
    blocked = project.root / "blocked"
    blocked.write_text("a file")
    with pytest.raises(ParameterError, match="cannot write results"):
        run(project.with_results(blocked))


@pytest.mark.parametrize("step", ["write_text", "replace"])
def test_a_write_that_fails_leaves_the_last_results(project, monkeypatch, step):
    before = snapshot(project.results)
    full = OSError(28, "No space left on device")

    def fail(*_, **__):
        raise full

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.write_text" if step == "write_text" else "os.replace", fail)
        with pytest.raises(OSError, match="No space left"):
            run(project, ("01_first",), {"years": "5"})
    assert snapshot(project.results) == before
    run(project, ("01_first",), {"years": "5"})
    assert scorecard(project)[FIRST]["estimate"] == 5.0
    assert not list(project.results.glob(".run-*"))


def test_a_run_killed_while_it_moved_its_files_is_finished_by_the_next(project, monkeypatch):
    moved = []

    def move_two(source_, target):
        if len(moved) == 2:
            raise KeyboardInterrupt
        moved.append(target)
        original(source_, target)

    original = results.os.replace
    with monkeypatch.context() as patch:
        patch.setattr(results.os, "replace", move_two)
        with pytest.raises(KeyboardInterrupt):
            run(project, ("01_first",), {"years": "5"})
    assert not run(project, ("01_first",), {"years": "5"}).outcomes
    assert scorecard(project)[FIRST]["estimate"] == 5.0
    assert not list(project.results.glob(".run-*"))


def test_records_are_found_in_an_executed_notebook(finished):
    notebook = read(finished.results / "notebooks/01_first.ipynb")
    assert [record["id"] for record in records(notebook)] == [FIRST]
    assert source(notebook["cells"][0]).startswith("years: float")
