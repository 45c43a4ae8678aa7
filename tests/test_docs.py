"""The pages: what they name exists, the README's Python runs, and "add your own" works as it is written."""

import importlib.util
import json
import math
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import pandas as pd
import pytest
from click.testing import CliRunner

import analysis
from analysis.__main__ import cli
from analysis.errors import ParameterError
from analysis.evaluation import computable_ids
from analysis.evidence.predict import ADDED
from analysis.evidence.quantities import QUANTITIES
from analysis.facts import open_facts
from analysis.runner.notebooks import parameter_lines
from analysis.runner.parameters import limits
from analysis.subjects import MODELS
from analysis.subjects.bandwidth_gap import specification

ROOT = Path(analysis.__file__).resolve().parents[1]
README = ROOT / "README.md"
ADD_YOUR_OWN = ROOT / "docs" / "add-your-own.md"
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")))
LINKED = (*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "data" / "README.md")
DRAWN_LATER = re.compile(r"docs/scorecard-(light|dark)\.svg")


@dataclass(frozen=True)
class Block:
    """A fenced block: the file named in the line before, what else that line says, its language, text and line."""

    file: str
    which: str
    language: str
    text: str
    line: int


def blocks(page):
    text = page.read_text(encoding="utf-8")
    found = []
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        before = text[: match.start()].rstrip("\n").rpartition("\n")[2]
        name = re.fullmatch(r"`([^`]+)`(.*):", before)
        file, which = name.groups() if name else ("", "")
        found.append(Block(file, which, match[1], match[2], text[: match.start()].count("\n") + 1))
    return found


def commands(page):
    """Every line of a block without a language, and every piece of code inside a sentence."""
    yield from (line for block in blocks(page) if not block.language for line in block.text.splitlines())
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    yield from re.findall(r"`([^`\n]+)`", prose)


def section_line(heading):
    lines = ADD_YOUR_OWN.read_text(encoding="utf-8").splitlines()
    return lines.index(heading) + 1


def written(folder, until=None):
    """Write the files of the page, up to a heading, as a reader would; returns the reader's tables."""
    last = section_line(until) if until else math.inf
    for block in blocks(ADD_YOUR_OWN):
        if block.file.endswith((".csv", ".py")) and block.line < last:
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
    return folder / "mine"


def the_command(word):
    """The arguments of the one command of the page that starts with a word."""
    (line,) = (line for line in commands(ADD_YOUR_OWN) if line.startswith(f"python -m analysis {word}"))
    return shlex.split(line)[3:]


def cards(mine):
    return pd.read_csv(mine / "accelerators.csv").set_index("name")


@pytest.fixture
def with_memory_gap(tmp_path, monkeypatch):
    """The reader's tables, with the page's claim module among the models."""
    mine = written(tmp_path)
    path = tmp_path / "analysis" / "subjects" / "memory_gap.py"
    spec = importlib.util.spec_from_file_location("analysis.subjects.memory_gap", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for model in module.CLAIMS:
        monkeypatch.setitem(MODELS, model.id, model)
    return mine


# Every page


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file(page):
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"(?:src|srcset|href)=\"([^\"]+)\"", text)
    local = [target.partition("#")[0] for target in targets if not re.match(r"https?:|mailto:|#", target)]
    missing = [one for one in local if not (page.parent / one).exists() and not DRAWN_LATER.fullmatch(one)]
    assert not missing


@pytest.mark.parametrize("page", (*PAGES, ROOT / "CONTRIBUTING.md"), ids=lambda page: page.name)
def test_every_make_target_that_is_named_exists(page):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = {match[1] for line in commands(page) if (match := re.match(r"make ([a-z-]+)", line))}
    assert named
    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_is_named_exists_and_takes_its_options(page):
    lines = [line for line in commands(page) if line.startswith("python -m analysis")]
    assert lines
    for line in lines:
        name, *arguments = shlex.split(line, comments=True)[3:]
        assert name in cli.commands, line
        cli.commands[name].make_context(name, arguments)


# README


def test_the_readme_opens_with_the_picture_two_commands_and_python():
    text = README.read_text(encoding="utf-8")
    shell, python = blocks(README)[:2]
    assert text.index("<picture>") < text.index("make reproduce")
    assert [line.split("#")[0].strip() for line in shell.text.splitlines()] == ["make reproduce", "make test"]
    assert python.language == "python"
    assert python.line + python.text.count("\n") < 40
    assert sum(not line.startswith("import ") for line in python.text.split("\n") if line) <= 6


@pytest.mark.slow
def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks(README):
        if block.language == "python":
            exec(compile(block.text, f"README.md, line {block.line}", "exec"), names)
    assert names["record"].verdict in capsys.readouterr().out
    assert names["nvidia"].pinned == ["vendor"]
    assert list(names["grid"]["years"]) == [7.0, 8.0, 9.0]
    assert list(names["predicted"].columns) == [*names["table"].columns, *ADDED]


def test_the_readme_says_which_claims_are_judged_and_no_verdict():
    """A verdict is decided by a run; the table says only whether there is one."""
    text = README.read_text(encoding="utf-8").partition("## State")[2].partition("\n## ")[0]
    told = {}
    for ids, state in re.findall(r"^\|[^|]*\|([^|]*`[^|]*)\| ([a-z ]+) \|$", text, re.MULTILINE):
        told |= dict.fromkeys(re.findall(r"`([^`]+)`", ids), state)
    ledger = analysis.claims()
    state = {"yes": "open", "no": "not computable"}
    known = {row.id: state[row.computable] for row in ledger.itertuples()} | dict.fromkeys(computable_ids(), "judged")
    assert told == known


def test_the_pages_say_that_no_quantity_has_a_model_only_while_none_has():
    modelled = [name for name, quantity in QUANTITIES.items() if quantity.predict]
    assert ("No quantity has a model yet" in README.read_text(encoding="utf-8")) == (not modelled)


# Add your own: a card


def test_the_new_cards_enter_the_bandwidth_gap(tmp_path):
    mine = written(tmp_path, until="## A range")
    settings = analysis.evaluate("bandwidth-gap.bus", detail="point").parameters
    rows = specification(open_facts(mine), settings, "scale-up-link")
    own = rows[rows["vendor"] == "Example"]
    assert set(own["start_card"] + own["end_card"]) == {"Example OneExample Two"}
    assert own["confirmed"].all()
    ours, theirs = (analysis.evaluate("bandwidth-gap.bus", detail="verdict", data=data) for data in (mine, None))
    assert ours.estimate != theirs.estimate
    assert (ours.data_overlay, theirs.data_overlay) == ("mine", None)


def test_the_new_cards_alone_give_the_ratios_of_their_rows(tmp_path):
    mine = written(tmp_path, until="## A range")
    table, disputed = cards(mine), pd.read_csv(mine / "disputed.csv").iloc[0]
    one, two = table.loc["Example One"], table.loc["Example Two"]
    expected = {
        "compute": two["fp16_dense_tflops"] / one["fp16_dense_tflops"],
        "network": two["scaleout_port_gbps"] / one["scaleout_port_gbps"],
        "bus": (disputed["low"] + disputed["high"]) / 2 / one["scaleup_GBps_bidirectional"],
    }
    for part, ratio in expected.items():
        record = analysis.evaluate(f"bandwidth-gap.{part}", detail="verdict", data=mine, vendor="Example")
        assert record.estimate == pytest.approx(ratio, rel=1e-4), part
    with pytest.raises(ParameterError, match="'Example' is not accepted"):
        analysis.evaluate("bandwidth-gap.bus", detail="point", vendor="Example")


def test_the_sweep_of_the_page_sets_the_new_vendor_beside_another(tmp_path, monkeypatch):
    written(tmp_path)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, the_command("sweep"))
    assert result.exit_code == 0, result.output
    assert [line.split(",")[0] for line in result.stdout.splitlines()] == ["vendor", "NVIDIA", "Example"]


@pytest.mark.slow
@pytest.mark.notebook
def test_the_run_of_the_page_executes_the_notebook_with_the_new_tables(tmp_path):
    mine = written(tmp_path)
    command = [sys.executable, "-m", "analysis", *the_command("run")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=300)
    scorecard = json.loads((tmp_path / "results-mine" / "scorecard.json").read_text(encoding="utf-8"))
    records = {record["id"]: record for record in scorecard}
    assert {(tmp_path / record["data_overlay"]).resolve() for record in records.values()} == {mine.resolve()}
    assert "example2016datasheet" in records["bandwidth-gap.bus"]["evidence"]["keys"]
    assert records["memory-gap.card"]["verdict"] == "open"


# Add your own: a range


def test_the_new_range_is_the_one_that_is_sampled(tmp_path):
    mine = written(tmp_path, until="## A measurement")
    changed = pd.read_csv(mine / "assumptions.csv").iloc[0]
    ours, theirs = (analysis.parameters("bandwidth-gap.bus", data).set_index("name") for data in (mine, None))
    columns = ["low", "mode", "high", "source"]
    assert list(ours.loc[changed["name"], columns]) == list(changed[columns])
    assert (
        ours.drop(index=changed["name"])
        .drop(columns="options")
        .equals(theirs.drop(index=changed["name"]).drop(columns="options"))
    )
    disputed = pd.read_csv(mine / "disputed.csv").iloc[0]
    start = cards(mine).loc["Example One", "scaleup_GBps_bidirectional"]
    positions = [changed["low"] + share * (changed["high"] - changed["low"]) for share in (0.05, 0.95)]
    ends = [(disputed["low"] + place * (disputed["high"] - disputed["low"])) / start for place in positions]
    record = analysis.evaluate("bandwidth-gap.bus", detail="verdict", data=mine, vendor="Example")
    assert record.interval == pytest.approx(ends, rel=1e-3)


# Add your own: a day of load


def test_the_new_day_joins_the_published_ones_and_is_asked_alone(tmp_path):
    mine = written(tmp_path, until="## A measurement")
    (load,) = pd.read_csv(mine / "load_curves.csv").groupby("curve")["load"]
    record = analysis.evaluate("tidal.utilisation", data=mine, curve=load[0], detail="verdict")
    assert "me2025logs" in record.evidence["keys"]
    # No schedule beats a perfect forecast with free switching: s u (1 - m) / (s m / (1 + h) + (1 - s) u).
    pinned = {"inference_share": 0.5, "headroom": 0.25, "training_utilisation": 0.9}
    record = analysis.evaluate("tidal.utilisation", data=mine, curve=load[0], detail="verdict", **pinned)
    mean = load[1].mean() / load[1].max()
    assert 0 < record.interval[1] < 100 * 0.45 * (1 - mean) / (0.5 * mean / 1.25 + 0.45)


# Add your own: a measurement


def test_the_measurement_comes_back_as_it_was_with_a_prediction_or_the_reason_for_none(tmp_path, monkeypatch):
    mine = written(tmp_path, until="## A claim")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, the_command("predict"))
    assert result.exit_code == 0, result.output
    given = (mine / "measurements" / "prefill.csv").read_text(encoding="utf-8").splitlines()
    header, row = result.stdout.splitlines()
    assert header == f"{given[0]},{','.join(ADDED)}"
    assert row.startswith(f"{given[1]},")
    (found,) = analysis.predict("mine/measurements/prefill.csv").to_dict("records")
    assert found["predicted"] or found["prediction_note"]
    assert analysis.load("accelerators", "mine").shape[0] == analysis.load("accelerators").shape[0] + 2


# Add your own: a claim


def test_a_claim_without_a_module_is_open(tmp_path):
    mine = written(tmp_path, until="### 2. What is not known")
    record = analysis.evaluate("memory-gap.card", data=mine)
    assert (record.verdict, record.comparator, record.claimed) == ("open", "at_least", 8)
    assert record.evidence["keys"] == ["example2025talk"]


def closed_form_share(mine, value, years=8.0, window=1.0):
    """The share of an "at least": a pair holds while the error of its span <= years log(ratio) / log(value) - span."""
    table = analysis.load("accelerators", mine)
    ranges = {(row.name, row.column): row for row in analysis.load("disputed", mine).itertuples(index=False)}
    error = analysis.load("assumptions", mine).set_index("name").loc["span_error_years"]

    def figure(card, end):
        disputed = ranges.get((card["name"], "hbm_GBps"))
        return getattr(disputed, end) if disputed else card["hbm_GBps"]

    counted = [
        card | {"date": int(card["available"][:4]) + int(card["available"][5:]) / 12}
        for card in table.to_dict("records")
        if {"hbm_GBps", "available"} <= set(card["checked_columns"].split(";")) and card["available"][5:]
    ]
    shares = []
    for start in counted:
        for end in counted:
            span = end["date"] - start["date"]
            if start["vendor"] == end["vendor"] and abs(span - years) <= window + 1e-9:
                ratio = figure(end, "low") / figure(start, "high")
                most = years * math.log(ratio) / math.log(value) - span
                shares.append(min(max((most - error["low"]) / (error["high"] - error["low"]), 0), 1))
    return sum(shares) / len(shares)


@pytest.mark.parametrize("value", [3, 8, 1000])
def test_the_claim_module_of_the_page_gives_the_share_of_the_closed_form(with_memory_gap, value):
    ledger = with_memory_gap / "claims.csv"
    ledger.write_text(
        ledger.read_text(encoding="utf-8").replace(",at_least,8,", f",at_least,{value},"), encoding="utf-8"
    )
    record = analysis.evaluate("memory-gap.card", data=with_memory_gap)
    expected = closed_form_share(with_memory_gap, value)
    assert record.share == pytest.approx(expected, abs=0.01)
    assert (record.verdict == "reproduced") == (expected >= 0.5)
    assert (record.verdict == "not reproduced") == (record.region is None and expected < 0.5)


def test_the_record_of_the_page_is_complete(with_memory_gap):
    record = analysis.evaluate("memory-gap.card", data=with_memory_gap)
    schema = Path(analysis.__file__).parent / "judgement" / "record.schema.json"
    jsonschema.validate(json.loads(json.dumps(record.to_dict())), json.loads(schema.read_text(encoding="utf-8")))
    assert record.methods_agree
    assert analysis.evaluate("memory-gap.card", data=with_memory_gap, span_error_years=0.5).methods_agree
    assert len(record.methods) == 2
    assert len(record.lines) == 2
    assert list(record.readings) == ["printed"]


def test_the_parameters_cell_and_the_cells_of_the_page_record_the_claim(with_memory_gap, capsys):
    cell, rest = (block.text for block in blocks(ADD_YOUR_OWN) if block.file.endswith(".ipynb"))
    lines = parameter_lines(cell)
    table = analysis.parameters("memory-gap.card", with_memory_gap).set_index("name")
    assert list(lines) == [*table.index, "seed", "data"]
    for name, row in table.iterrows():
        assert (limits(lines[name]).low, limits(lines[name]).high) == (row["low"], row["high"]), name
        assert lines[name].default == ("None" if pd.isna(row["default"]) else str(row["default"])), name
        assert lines[name].comment.endswith(f"{row['unit']}; {row['description']}"), name
    names = {}
    exec(cell, names)
    names["data"] = str(with_memory_gap)
    exec(rest, names)
    assert names["record"].verdict != "open"
    assert "memory-gap.card" in capsys.readouterr().out


def test_the_page_imports_only_what_a_claim_module_may():
    """Its room may import facts, models, evidence, judgement and its own; it goes into the package as it is."""
    (module,) = (block.text for block in blocks(ADD_YOUR_OWN) if block.file.endswith(".py"))
    rooms = set(re.findall(r"^from analysis\.(\w+)", module, re.MULTILINE))
    assert rooms <= {"facts", "models", "evidence", "subjects", "judgement"}
    assert all(len(line) <= 120 for line in module.splitlines())
