"""Tables: what the loader refuses, how an overlay is laid, and that every row has a source that exists."""

import csv
import re
from pathlib import Path

import bibtexparser
import pytest
from conftest import edited

from analysis.errors import DataError, ParameterError
from analysis.facts import DATA, open_facts
from analysis.facts.assumptions import assumptions
from analysis.facts.hardware import accelerators
from analysis.facts.ledger import claim_ids, ledger_claim
from analysis.facts.schemas import SPECS

ROOT = DATA.parent


def keys_in(text):
    return {key for key in text.split(";") if key and key != "author's judgement"}


def cited():
    """Citation keys by where they stand: every source cell, and every [key2020word] in code and notebooks."""
    found = {}
    for path in sorted(DATA.rglob("*.csv")):
        with open(path, newline="", encoding="utf-8") as stream:
            for line, row in enumerate(csv.DictReader(stream), start=2):
                if "source" in row:
                    assert row["source"], f"{path.name}, line {line}: no source"
                    found |= {key: f"{path.name}, line {line}" for key in keys_in(row["source"])}
    for path in (*ROOT.glob("analysis/**/*.py"), *ROOT.glob("notebooks/*.ipynb")):
        found |= dict.fromkeys(re.findall(r"\[([a-z]+\d{4}[a-z0-9]+)\]", path.read_text(encoding="utf-8")), path.name)
    return found


def test_every_citation_resolves_and_every_reference_is_used():
    with open(DATA / "references.bib", encoding="utf-8") as stream:
        entries = bibtexparser.load(stream, bibtexparser.bparser.BibTexParser(common_strings=True)).entries
    known = [entry["ID"] for entry in entries]
    assert len(known) == len(set(known))
    missing = {key: where for key, where in cited().items() if key not in known}
    assert not missing
    assert not set(known) - set(cited())
    assert all(entry.get("title") and entry.get("year") for entry in entries)


def test_every_table_of_the_project_loads_and_every_file_is_a_known_table():
    facts = open_facts()
    assert {path.stem for path in DATA.glob("*.csv")} == set(SPECS)
    assert all(len(facts.table(name)) for name in SPECS)
    assert len(accelerators(facts)) > 40


def test_the_ledger_has_every_claim_with_its_readings():
    facts = open_facts()
    ids = claim_ids(facts)
    assert len(ids) >= 23
    for claim_id in ids:
        claim = ledger_claim(facts, claim_id)
        assert bool(claim.readings) == claim.computable, claim_id
        assert claim.computable or claim.reason
    joint = ledger_claim(facts, "bandwidth-gap.joint")
    assert joint.value is None and len(joint.joint_of) == 3
    at_least = {r.id: r for r in ledger_claim(facts, "matrixlink.gain").readings}["at-least-20"]
    assert (at_least.comparator, at_least.value) == ("at_least", ledger_claim(facts, "matrixlink.gain").value)


def test_aliases_of_accelerators_name_cards_that_exist():
    facts = open_facts()
    aliases = facts.table("aliases")
    names = set(facts.table("accelerators")["name"])
    assert set(aliases.loc[aliases["kind"] == "accelerator", "name"]) <= names


def test_specifications_agree_with_each_other():
    """Relations that hold between the columns of a card, whatever the card."""
    cards = open_facts().table("accelerators").set_index("name")
    for first, second, factor in (
        ("fp16_dense_tflops", "fp8_dense_tflops", 2),
        ("fp8_dense_tflops", "fp4_dense_tflops", 2),
    ):
        rows = cards[(cards["vendor"] == "NVIDIA") & cards[first].notna() & cards[second].notna()].drop(
            ["GB300", "B300"], errors="ignore"
        )
        assert (rows[second] / rows[first] - factor).abs().max() < 0.03
    with_both = cards[cards["scaleout_gbps_per_accelerator"].notna() & cards["scaleout_port_gbps"].notna()]
    multiples = with_both["scaleout_gbps_per_accelerator"] / with_both["scaleout_port_gbps"]
    assert multiples.isin([0.25, 0.5, 1, 2, 3]).all()
    assert cards["host_bus_GBps_bidirectional"].dropna().isin([32, 64, 128, 450]).all()


@pytest.mark.parametrize(
    ("table", "change", "told"),
    [
        ("accelerators", {"H100 SXM": {"hbm_GBps": "fast"}}, "column hbm_GBps: 'fast' is no finite number"),
        ("accelerators", {"H100 SXM": {"hbm_GBps": "nan"}}, "column hbm_GBps: 'nan' is no finite number"),
        ("accelerators", {"H100 SXM": {"hbm_GBps": "-5"}}, "column hbm_GBps: -5; expected a number above 0"),
        ("accelerators", {"H100 SXM": {"vendor": ""}}, "column vendor: blank"),
        ("accelerators", {"H100 SXM": {"announced": "March"}}, "column announced: 'March'; expected a date"),
        ("accelerators", {"H100 SXM": {"segment": "gaming"}}, "expected one of training, export, inference"),
        ("accelerators", {"H100 SXM": {"checked_columns": "colour"}}, "'colour' is no column"),
        ("disputed", {"DS01": {"name": "Ascend 911"}}, "no accelerator 'Ascend 911'. Did you mean Ascend 910"),
        ("disputed", {"DS01": {"low": "500"}}, "500 is above high 180"),
        (
            "trend_studies",
            {"TS01": {"unit": "x per decade"}},
            "unknown unit 'x per decade'. Did you mean x per 2 years",
        ),
        ("assumptions", {"start_date_error_years": {"low": "2"}}, "expected low <= mode <= high"),
        ("assumptions", {"start_disputed_position": {"mode": "2", "high": "3"}}, "2 is impossible; accepted: 0 to 1"),
        ("claims", {"bandwidth-gap.bus": {"value": ""}}, "column value: blank; only a joint claim"),
        ("claims", {"bandwidth-gap.bus": {"comparator": "about"}}, "expected one of eq"),
    ],
)
def test_a_wrong_cell_is_an_error_that_names_file_line_and_column(tmp_path, table, change, told):
    folder = edited(tmp_path, table, change)
    facts = open_facts(folder)
    with pytest.raises(DataError, match=re.escape(told)) as caught:
        facts.table(table)
        accelerators(facts)
        assumptions(facts, facts.table("assumptions")["name"])
        ledger_claim(facts, "bandwidth-gap.bus")
    assert str(folder / f"{table}.csv") in str(caught.value) and "line 2" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "empty file"),
        ("name,name\n", "stands twice"),
        ("vendor\nNVIDIA\n", "column 'name' is missing"),
        ("name,vendor\nH100 SXM\n", "1 cells; the header has 2"),
        ("name,vendor\nA,B\nA,B\n", "line 3, column name: 'A' stands twice"),
        ('name,vendor\n"H100\n', "line 2: not a readable CSV row"),
        ("name,hbm_GBps\nNew card,10\n", "column vendor: blank"),
    ],
)
def test_a_broken_file_is_an_error(overlay, text, told):
    folder = overlay(accelerators=text)
    with pytest.raises(DataError, match=re.escape(told)):
        open_facts(folder).table("accelerators")


def test_a_truncated_table_of_the_project_is_noticed(tmp_path, monkeypatch):
    """Cut the card table in the middle of a row, as a full disk would."""
    for path in DATA.glob("*.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr("analysis.facts.store.DATA", tmp_path)
    whole = (tmp_path / "accelerators.csv").read_bytes()
    for cut in (len(whole) // 2, len(whole) // 3, len(whole) - 5):
        (tmp_path / "accelerators.csv").write_bytes(whole[:cut])
        with pytest.raises(DataError, match=r"accelerators\.csv, line \d+"):
            open_facts().table("accelerators")
    (tmp_path / "accelerators.csv").unlink()
    with pytest.raises(DataError, match="no such file"):
        open_facts().table("accelerators")


def test_an_overlay_replaces_cells_row_by_row_and_adds_rows(tmp_path):
    folder = edited(tmp_path, "accelerators", {"H100 SXM": {"fp16_dense_tflops": "1"}}, columns=("fp16_dense_tflops",))
    mine, theirs = (open_facts(where).table("accelerators").set_index("name") for where in (folder, None))
    assert mine.loc["H100 SXM", "fp16_dense_tflops"] == 1
    assert mine.loc["H100 SXM", "hbm_GBps"] == theirs.loc["H100 SXM", "hbm_GBps"]
    assert mine.drop("H100 SXM").equals(theirs.drop("H100 SXM"))


def test_a_range_is_widened_as_far_as_is_possible(tmp_path):
    wide = {"start_disputed_position": {"low": "-3", "high": "0.9"}}
    (one,) = assumptions(open_facts(edited(tmp_path, "assumptions", wide)), ["start_disputed_position"])
    assert (one.low, one.high) == (0.0, 0.9)


def test_an_overlay_with_a_misspelt_file_is_refused(overlay):
    with pytest.raises(DataError, match="Did you mean accelerators"):
        open_facts(overlay(accelerator="name\n"))
    with pytest.raises(DataError, match="no such folder"):
        open_facts(Path("nowhere"))


def test_a_misspelt_column_of_an_overlay_is_refused(overlay):
    with pytest.raises(DataError, match=r"line 1: no column 'hbm_GBsp' in this table. Did you mean hbm_GBps"):
        open_facts(overlay(accelerators="name,hbm_GBsp\nH100 SXM,1\n")).table("accelerators")


def test_a_reading_of_no_claim_is_refused(overlay):
    folder = overlay(readings="claim,reading,label,comparator,value\nbandwidth-gap.buss,mine,a label,,\n")
    with pytest.raises(DataError, match=r"no claim 'bandwidth-gap.buss'. Did you mean bandwidth-gap.bus"):
        ledger_claim(open_facts(folder), "bandwidth-gap.bus")


def test_a_changed_file_is_read_again(tmp_path):
    folder = edited(tmp_path, "accelerators", {"H100 SXM": {"tdp_w": "1"}})
    assert open_facts(folder) is open_facts(folder)
    edited(tmp_path, "accelerators", {"H100 SXM": {"tdp_w": "22"}})
    assert open_facts(folder).table("accelerators").set_index("name").loc["H100 SXM", "tdp_w"] == 22


def test_an_unknown_claim_is_refused_with_the_nearest():
    with pytest.raises(ParameterError, match=r"Did you mean bandwidth-gap\.bus"):
        ledger_claim(open_facts(), "bandwidth-gap.buss")
