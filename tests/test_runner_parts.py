"""The runner's pieces: parameters, files, results, scorecard, comparison, committed outputs."""

import json
import os
from xml.etree import ElementTree

import pytest
from runner_helpers import FIRST, PARAMETERS, SECOND, instantly, toy_project, write_notebook, write_subject

import analysis
from analysis.errors import DataError, ParameterError
from analysis.runner import compare, outputs, scorecard
from analysis.runner.files import hash_of_folders, write_whole
from analysis.runner.inputs import Inputs
from analysis.runner.junit import to_junit
from analysis.runner.ledger import Ledger
from analysis.runner.notebooks import declared, parameter_lines, read
from analysis.runner.parameters import assign, value_of
from analysis.runner.report import shortened
from analysis.runner.run import Options
from analysis.runner.sweeps import grid_of, points

JOINT = {
    "id": "toy.joint",
    "verdict": "conditional",
    "claimed": {"a": 40, "b": 9},
    "estimate": {"a": 31.25, "b": None},
    "interval": {"a": [10, 90], "b": None},
    "fragile": True,
    "pinned": ["years"],
}


@pytest.fixture
def project(tmp_path):
    return toy_project(tmp_path / "toy")


@pytest.fixture
def without_kernels(monkeypatch):
    monkeypatch.setattr("analysis.runner.sweeps.run_jobs", instantly)


# Parameters


def test_the_parameters_cell_is_read_with_types_defaults_and_comments():
    lines = parameter_lines("a: str | None = None  # x, y; what\nb: str = 'one # two = 2'  # free\nc = 3\nprint(a)")
    assert [(line.name, line.type, line.comment) for line in lines.values()] == [
        ("a", "str | None", "x, y; what"),
        ("b", "str", "free"),
        ("c", "int", ""),
    ]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [("7", "float", 7.0), ("7", "int", 7), ("-1e3", "float", -1000.0), ("no", "bool", False), ("None", "str", "None"),
     ("null", "float | None", None), ("8", "Optional[float]", 8.0), ("7", "str | None", "7")],
)  # fmt: skip
def test_a_text_becomes_a_value_of_the_declared_type(text, kind, value):
    assert value_of("name", text, kind) == value
    assert type(value_of("name", text, kind)) is type(value)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("7.5", "int"), ("many", "float"), ("nan", "float"), ("inf", "float"), ("2+2", "int"), ("", "bool")],
)
def test_a_text_of_another_type_is_refused(text, kind):
    with pytest.raises(ParameterError, match="'name' must be"):
        value_of("name", text, kind)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"yaers": "7"}, "Did you mean years"),
        ({"yaers": "7"}, r"years: float  \[2, 12\] years; span"),
        ({"years": "70"}, r"\[2, 12\], got 70"),
        ({"vendor": "Nvidia"}, "Did you mean NVIDIA"),
    ],
)
def test_what_no_notebook_accepts_is_refused_with_what_is(project, given, told):
    with pytest.raises(ParameterError, match=told):
        assign(project, project.sources(), given, None)


def test_a_value_goes_to_the_notebooks_that_declare_it(project):
    values = assign(project, project.sources(), {"vendor": "AMD"}, None)
    assert values == {"00_overview": {}, "01_first": {"vendor": "AMD"}, "02_second": {"vendor": "AMD"}}


def test_own_tables_must_exist_and_be_wanted(project, tmp_path):
    with pytest.raises(ParameterError, match="no folder"):
        assign(project, project.sources(), {}, str(tmp_path / "nowhere"))
    with pytest.raises(ParameterError, match="declares a parameter 'data'"):
        assign(project, project.select(("00_overview",)), {}, str(tmp_path))


def test_notebooks_are_selected_by_name_or_path(project):
    assert list(project.select(("01_first",))) == list(project.select((str(project.notebooks / "01_first.ipynb"),)))
    with pytest.raises(ParameterError, match="Did you mean 01_first"):
        project.select(("01_frist",))


def test_a_file_that_is_no_notebook_is_named(project):
    path = project.notebooks / "03_broken.ipynb"
    path.write_text('{"cells": [')
    with pytest.raises(DataError, match="03_broken"):
        read(path)


# Files


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_whole(path, "old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        write_whole(path, "new")
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("file", "old")]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_written_file_has_the_permissions_of_any_new_file(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_whole(tmp_path / "file", "text")
        (tmp_path / "other").touch()
    finally:
        assert os.umask(before) == umask
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("file", "other")] == [mode, mode]


def test_the_order_of_parameters_makes_no_notebook_stale(project):
    notebook, inputs = next(iter(project.sources().values())), Inputs(project)
    first = inputs.of(notebook, {"years": 7.0, "vendor": "all"})
    assert inputs.of(notebook, {"vendor": "all", "years": 7.0}) == first
    assert inputs.of(notebook, {"vendor": "all", "years": 8.0}) != first


def test_the_hash_of_a_folder_sees_names_and_bytes_and_no_caches(tmp_path):
    (tmp_path / "a").write_text("1")
    first = hash_of_folders([tmp_path])
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "x.pyc").write_text("2")
    assert hash_of_folders([tmp_path]) == first
    (tmp_path / "a").rename(tmp_path / "b")
    assert hash_of_folders([tmp_path]) != first


# Scorecard


def test_the_table_shows_joint_claims_part_by_part_and_what_qualifies_a_verdict():
    table = scorecard.to_table([JOINT])
    assert "40 / 9" in table
    assert "conditional (fragile; pinned: years)" in table
    assert "1 conditional: 1 claims" in table


def test_csv_keeps_joint_values_in_one_cell():
    assert '"{""a"": 40, ""b"": 9}"' in scorecard.to_csv([JOINT])


def test_markdown_escapes_bars():
    assert r"a\|b" in scorecard.to_markdown([{"id": "a|b", "verdict": "open"}])


def test_a_scorecard_with_nan_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        scorecard.to_json([{"id": "a", "estimate": float("nan")}])


def test_a_record_from_a_notebook_gets_its_own_order_back():
    record = analysis.evaluate("bandwidth-gap.joint", samples=64).to_dict()
    assert list(record["claimed"]) != sorted(record["claimed"])
    as_in_a_notebook = json.loads(json.dumps(record, sort_keys=True))
    assert json.dumps(Ledger().in_order(as_in_a_notebook)["claimed"]) == json.dumps(record["claimed"])
    assert list(Ledger().in_order(as_in_a_notebook)) == list(record)


# Comparison


def test_a_comparison_lists_verdicts_estimates_and_errors_of_every_reading():
    old = {"id": "a", "verdict": "open", "estimate": 1.0, "model_error": [-5, 5], "readings": {"r": {"estimate": 1.0}}}
    new = {"id": "a", "verdict": "reproduced", "estimate": 1.0 + 1e-9, "model_error": [-5, 6], "readings": {"r": {}}}
    assert [str(change) for change in compare.changes([old], [new])] == [
        "a: verdict: open -> reproduced",
        "a: model_error 1: 5 -> 6",
        "a: reading r estimate: 1 -> absent",
    ]


def test_a_claim_that_came_counts_as_a_changed_verdict():
    (change,) = compare.changes([], [{"id": "a", "verdict": "open"}])
    assert change.is_verdict


def test_an_old_scorecard_that_is_none_is_refused(tmp_path):
    (tmp_path / "old.json").write_text('{"id": 1}')
    with pytest.raises(DataError, match=r"old\.json"):
        compare.load(tmp_path / "old.json")


# Reports


def test_junit_survives_control_characters():
    text = to_junit({"01": {"failed": "\x1b[31mred\x00\nsecond"}}, [{"id": "a", "verdict": "open"}])
    failure = ElementTree.fromstring(text.encode()).find(".//failure")
    assert failure.get("message") == "[31mred"


def test_a_long_text_loses_its_middle():
    assert shortened(list("abcdefg"), 5) == ["a", "b", "... 3 lines left out ...", "f", "g"]
    assert shortened(["a"], 5) == ["a"]


# Committed outputs and golden records


def test_updating_outputs_twice_changes_nothing_the_second_time(project, without_kernels):
    assert outputs.update_outputs(project, Options()) == ["00_overview", "01_first", "02_second"]
    assert outputs.update_outputs(project, Options()) == []


def test_outputs_come_without_tools_notes_and_without_injected_cells(project):
    notebook = read(project.notebooks / "01_first.ipynb")
    result = read(project.notebooks / "01_first.ipynb")
    result["cells"][1] |= {"metadata": {"papermill": {"duration": 1.2}}, "execution_count": 3, "outputs": ["here"]}
    result["cells"].insert(
        1, {"cell_type": "code", "metadata": {"tags": ["injected-parameters"]}, "source": "years = 7"}
    )
    written = json.loads(outputs.with_outputs(notebook, result))
    assert len(written["cells"]) == 2
    assert written["cells"][1]["outputs"] == ["here"]
    assert "papermill" not in json.dumps(written)
    assert written["metadata"]["language_info"] == {"name": "python"}


def test_cells_that_measure_time_are_committed_without_output(project):
    notebook = read(project.notebooks / "01_first.ipynb")
    notebook["cells"][1]["metadata"]["tags"] = ["nbval-ignore-output"]
    notebook["cells"][1] |= {"outputs": ["earlier"], "execution_count": 2}
    texts = set()
    for seconds in ("0.1 s", "0.2 s"):
        result = json.loads(json.dumps(notebook))
        result["cells"][0] |= {"outputs": ["the same everywhere"], "execution_count": 1}
        result["cells"][1] |= {"outputs": [seconds], "execution_count": 2}
        texts.add(outputs.with_outputs(json.loads(json.dumps(notebook)), result))
        assert result["cells"][1]["outputs"] == [seconds], "a run's own result keeps what it measured"
    (written,) = map(json.loads, texts)
    assert written["cells"][0]["outputs"] == ["the same everywhere"]
    assert (written["cells"][1]["outputs"], written["cells"][1]["execution_count"]) == ([], None)


def test_goldens_are_written_a_setting_a_file_and_changes_are_told(project, without_kernels, monkeypatch):
    monkeypatch.setattr(outputs, "draw", lambda project, records: None)
    folder = project.root / "tests" / "golden"
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text('{"01_first": {"default": {}, "years7": {"years": 7.0}}}')
    outputs.update_goldens(project, Options())
    (record,) = json.loads((folder / "01_first" / "years7.json").read_text())
    assert (record["id"], record["estimate"]) == (FIRST, 7.0)
    assert outputs.update_goldens(project, Options()) == []
    write_subject(project.root, "01_first", "years += 1")
    assert str(outputs.update_goldens(project, Options())[0]) == f"default {FIRST}: estimate: 8 -> 9"


def test_a_golden_setting_that_its_notebook_does_not_accept_is_refused(project):
    folder = project.root / "tests" / "golden"
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text('{"01_first": {"odd": {"years": 70.0}}}')
    with pytest.raises(ParameterError, match="70"):
        outputs.golden_settings(project)


# Sweeps


def test_a_grid_is_typed_and_checked_before_anything_runs(project):
    assert grid_of(project, FIRST, {"years": "7, 8"}, None) == {"years": [7.0, 8.0]}
    with pytest.raises(ParameterError, match=f"Did you mean {SECOND}"):
        grid_of(project, "toy.secnd", {}, None)
    with pytest.raises(ParameterError, match="70"):
        grid_of(project, FIRST, {"years": "7,70"}, None)


def test_the_last_name_of_a_grid_changes_fastest():
    assert points({"a": [1, 2], "b": [3, 4]})[:2] == [{"a": 1, "b": 3}, {"a": 1, "b": 4}]


def test_the_toy_cell_declares_what_the_tests_use(project):
    assert list(declared(read(project.notebooks / "01_first.ipynb"))) == list(parameter_lines(PARAMETERS))
    assert declared(read(write_notebook(project.root / "none.ipynb"))) == {}
