"""Every notebook: its cells, its parameters, and its records against the committed golden ones."""

import json
import re

import nbformat
import papermill
import pytest

import analysis
from analysis.judgement.display import MIME
from analysis.runner import notebooks as stored
from analysis.runner.outputs import TIMED, golden_folder, golden_settings
from analysis.runner.project import OVERVIEW, Project
from analysis.subjects import NOTEBOOKS

PROJECT = Project.here()
SOURCES = PROJECT.sources()
SETTINGS = golden_settings(PROJECT)
RELATIVE = 1e-6


def notebook(stem):
    return nbformat.read(SOURCES[stem], as_version=4)


def records_of(path):
    cells = nbformat.read(path, as_version=4).cells
    outputs = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
    return [output.data[MIME] for output in outputs if MIME in output.get("data", {})]


def differences(found, golden, where=""):
    """Every place in which two records differ by more than the last digits of a number."""
    if isinstance(golden, dict) and isinstance(found, dict):
        for name in sorted(set(golden) | set(found)):
            if name not in golden or name not in found:
                yield f"{where}.{name} stands in one of them only"
            else:
                yield from differences(found[name], golden[name], f"{where}.{name}")
    elif isinstance(golden, list) and isinstance(found, list) and len(golden) == len(found):
        for place, pair in enumerate(zip(found, golden, strict=True)):
            yield from differences(*pair, f"{where}[{place}]")
    elif isinstance(golden, float) and isinstance(found, float | int):
        if abs(found - golden) > RELATIVE * max(abs(golden), abs(found)):
            yield f"{where}: {found} against {golden}"
    elif found != golden:
        yield f"{where}: {found!r} against {golden!r}"


@pytest.mark.notebook
@pytest.mark.parametrize("name", SETTINGS)
def test_records_are_those_that_were_committed(name, tmp_path):
    """Plain papermill, without the runner, from another folder than the project's."""
    stem, given = SETTINGS[name]
    output = tmp_path / "out.ipynb"
    papermill.execute_notebook(SOURCES[stem], output, given, progress_bar=False, cwd=tmp_path)
    golden = json.loads((golden_folder(PROJECT) / f"{name}.json").read_text(encoding="utf-8"))
    found = sorted(records_of(output), key=lambda record: record["id"])
    assert [record["id"] for record in found] == [record["id"] for record in golden]
    assert not [told for pair in zip(found, golden, strict=True) for told in differences(*pair, pair[0]["id"])]


def test_every_notebook_with_claims_has_goldens_at_three_settings():
    for stem in NOTEBOOKS:
        assert sum(name.startswith(f"{stem}/") for name in SETTINGS) >= 3
        assert f"{stem}/default" in SETTINGS


def test_golden_records_are_those_of_evaluate():
    """The notebook shows what the one function answers, at every golden setting."""
    for name, (stem, given) in SETTINGS.items():
        golden = json.loads((golden_folder(PROJECT) / f"{name}.json").read_text(encoding="utf-8"))
        for record in golden:
            assert record["id"] in NOTEBOOKS[stem]
            known = {*analysis.parameters(record["id"])["name"], "seed", "data"}
            pins = {parameter: value for parameter, value in given.items() if parameter in known}
            answer = analysis.evaluate(record["id"], detail="verdict", **pins).to_dict()
            for field in ("estimate", "interval", "share", "verdict", "readings", "region", "pinned"):
                assert not list(differences(answer[field], record[field], field))


@pytest.mark.parametrize("stem", NOTEBOOKS)
def test_the_parameters_cell_is_in_step_with_the_claims(stem):
    lines = {line.name: line for line in papermill_parameters(stem)}
    declared = {}
    for claim in NOTEBOOKS[stem]:
        for row in analysis.parameters(claim).to_dict("records"):
            # What two claims share means the same in both: one line of the cell serves them.
            assert comment_of(declared.setdefault(row["name"], row)) == comment_of(row)
            assert python_source(declared[row["name"]]["default"]) == python_source(row["default"])
    assert list(lines) == [*declared, "seed", "data"]
    for name, row in declared.items():
        optional = row["default"] is None
        # papermill's pattern does not read `float | None`; None beside a float says "sampled".
        assert lines[name].inferred_type_name == row["type"]
        assert lines[name].default == ("None" if optional else python_source(row["default"]))
        assert lines[name].help == comment_of(row), name


def papermill_parameters(stem):
    """The parameters as papermill infers them from the notebook."""
    from types import SimpleNamespace

    return [SimpleNamespace(**row) for row in papermill.inspect_notebook(str(SOURCES[stem])).values()]


def python_source(value):
    return json.dumps(value) if isinstance(value, str) else repr(value)


def comment_of(row):
    """The comment that the parameters cell must carry: range and unit, or options, then what it is."""
    if row["options"]:
        return f"{', '.join(row['options'])}; {row['description']}"
    if row["low"] == row["low"] and row["low"] is not None:
        return f"[{row['low']:g}, {row['high']:g}] {row['unit']}; {row['description']}"
    return row["description"]


@pytest.mark.parametrize("stem", SOURCES)
def test_a_notebook_is_a_short_paper(stem):
    cells = notebook(stem).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert len(cells) <= 27 and cells[0].cell_type == "markdown" and cells[0].source.startswith("# ")
    assert cells[0].source.splitlines()[0].endswith("?"), "the title asks a question"
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in cells) == 1
    assert all(cell.source.count("\n") < 26 for cell in code)
    for cell in code[3:]:
        timed = TIMED in cell.metadata.get("tags", [])
        assert bool(cell.outputs) != timed, "committed with its outputs, but for times of one machine"
    assert not any(output.output_type in ("error", "stream") for cell in code for output in cell.outputs)
    assert SOURCES[stem].stat().st_size < 1_000_000


@pytest.mark.parametrize("stem", SOURCES)
def test_no_model_and_no_judged_number_is_typed_into_a_notebook(stem):
    """Claimed numbers come from the ledger and results from records; prose and code hold neither."""
    text = "\n".join(cell.source for cell in notebook(stem).cells if "parameters" not in cell.metadata.get("tags", []))
    prose = "\n".join(cell.source for cell in notebook(stem).cells if cell.cell_type == "markdown")
    estimates = [record["estimate"] for record in records_of(SOURCES[stem]) if isinstance(record["estimate"], float)]
    for estimate in estimates:
        assert f"{estimate:.3g}" not in re.findall(r"\d+\.?\d*", prose)
    assert "def predict" not in text and "read_csv" not in text


@pytest.mark.notebook
def test_the_overview_shows_the_records_of_a_folder(tmp_path):
    records = [analysis.evaluate(claim, detail="verdict").to_dict() for claim in analysis.claims()["id"]]
    (tmp_path / "scorecard.json").write_text(json.dumps(records), encoding="utf-8")
    output = tmp_path / "out.ipynb"
    papermill.execute_notebook(SOURCES[OVERVIEW], output, {"records": str(tmp_path)}, progress_bar=False)
    assert "the records of this run" in output.read_text(encoding="utf-8")


@pytest.mark.notebook
def test_a_wrong_parameter_ends_the_notebook_before_anything_is_computed(tmp_path):
    stem = next(iter(NOTEBOOKS))
    with pytest.raises(papermill.PapermillExecutionError, match="out of range"):
        papermill.execute_notebook(SOURCES[stem], tmp_path / "out.ipynb", {"years": 99.0}, progress_bar=False)
    ran = [cell for cell in nbformat.read(tmp_path / "out.ipynb", 4).cells if cell.get("execution_count")]
    assert len(ran) <= 4


def test_committed_notebooks_carry_no_times_and_no_addresses():
    for path in SOURCES.values():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"0x[0-9a-f]{8,}|iopub|start_time", text), path
        assert json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False) + "\n" == text
        assert stored.read(path)["metadata"]["language_info"] == {"name": "python"}
