"""Tables: what the loader refuses, how an overlay is laid, and that every row has a source that exists."""

import csv
import math
import re
from pathlib import Path

import bibtexparser
import pytest
from conftest import edited

from analysis.errors import DataError, ParameterError
from analysis.facts import DATA, open_facts
from analysis.facts.assumptions import assumptions
from analysis.facts.csvfile import read_raw
from analysis.facts.hardware import Cell, accelerators
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
    assert {path.relative_to(DATA) for path in DATA.rglob("*.csv")} == {
        Path(spec.folder, f"{name}.csv") for name, spec in SPECS.items()
    }
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
    cards = cards_by_name()
    with_both = cards[cards["scaleout_gbps_per_accelerator"].notna() & cards["scaleout_port_gbps"].notna()]
    multiples = with_both["scaleout_gbps_per_accelerator"] / with_both["scaleout_port_gbps"]
    assert multiples.isin([0.25, 0.5, 1, 2, 3]).all()
    assert cards["host_bus_GBps_bidirectional"].dropna().isin([32, 64, 128, 450]).all()
    assert cards["sparsity_factor"].isin([1, 2, 4]).all()
    assert (cards["scaleup_domain_size"].dropna() % 1 == 0).all() and (cards["hbm_gb"].dropna() % 1 == 0).all()


def cards_by_name():
    return open_facts().table("accelerators").set_index("name")


# Relations between cells of a card, or of two, that hold by construction. A cell that is off by 5 % breaks them; the
# relation that broke says why. 2 % lets figures be rounded as they are printed.
ROUNDED = 0.02
A100, HOPPER = ("A100 SXM 40GB", "A100 SXM 80GB", "A800 SXM 80GB"), ("H100 SXM", "H800 SXM", "H200 SXM")
CDNA3 = ("Instinct MI300X", "Instinct MI325X", "Instinct MI300A")
COMPUTE = ("fp32_tflops", "fp16_dense_tflops", "bf16_dense_tflops", "fp8_dense_tflops", "int8_dense_tops")
MEMORY = ("hbm_gb", "hbm_GBps")


@pytest.mark.parametrize(
    ("cards", "columns"),
    [
        (A100, (*COMPUTE, "scaleup_domain_size", "tdp_w")),
        (A100[1:], MEMORY),
        (HOPPER, (*COMPUTE, "scaleup_domain_size", "tdp_w")),
        (HOPPER[:2], MEMORY),
        (("H20", "H20-3e"), (*COMPUTE, "scaleup_GBps_bidirectional", "tdp_w")),
        (("H200 SXM", "H20-3e"), MEMORY),
        (("B200", "B300"), ("fp32_tflops", "fp16_dense_tflops", "bf16_dense_tflops", "fp8_dense_tflops", "hbm_GBps")),
        (("GB200", "GB300"), ("fp32_tflops", "fp16_dense_tflops", "bf16_dense_tflops", "fp8_dense_tflops", "hbm_GBps")),
        (("B100", "GB200"), ("hbm_GBps",)),
        (CDNA3[:2], (*COMPUTE, "scaleup_domain_size")),
        (("Instinct MI300X", "Instinct MI300A"), ("hbm_GBps",)),
        (("Instinct MI350X", "Instinct MI355X"), MEMORY),
        (("Ascend 910B1", "Ascend 910B2", "Ascend 910B3"), MEMORY),
        (("Ascend 910B1", "Ascend 910B2"), ("fp16_dense_tflops",)),
        (("Trainium 1", "Inferentia 2"), (*COMPUTE, *MEMORY)),
    ],
    ids=", ".join,
)
def test_cards_of_one_silicon_share_their_figures(cards, columns):
    """Export cuts and memory upgrades leave the rest of a chip as it is; so do boards with the same stacks."""
    figures = cards_by_name().loc[list(cards), list(columns)]
    assert (figures.nunique() <= 1).all(), figures


@pytest.mark.parametrize(
    ("package", "die", "columns"),
    [
        (
            "Ascend 910C",
            "Ascend 910B1",
            ("fp16_dense_tflops", "int8_dense_tops", *MEMORY, "scaleup_GBps_bidirectional"),
        ),
        ("Ascend 910B1", "Ascend 910B4", MEMORY),
        ("Instinct MI250", "Instinct MI210", ("fp16_dense_tflops", "hbm_gb")),
        ("Instinct MI250X", "Instinct MI210", MEMORY),
        ("A100 SXM 80GB", "A100 SXM 40GB", ("hbm_gb",)),
    ],
)
def test_what_holds_two_of_something_has_twice_its_figures(package, die, columns):
    cards = cards_by_name()
    doubled = 2 * cards.loc[die, list(columns)].astype(float)
    assert cards.loc[package, list(columns)].astype(float).to_dict() == pytest.approx(doubled.to_dict(), rel=0.001)


# Rate of one format over another, where it is not two: units without a faster path, or a format cut down.
NARROWER = (
    ("fp16_dense_tflops", "bf16_dense_tflops", 1, {"Instinct MI100": 0.5}, ()),
    (
        "fp16_dense_tflops",
        "int8_dense_tops",
        2,
        dict.fromkeys(("Instinct MI100", "Instinct MI250", "Instinct MI250X"), 1),
        # V100 has INT8 on its vector units alone and Blackwell Ultra hardly any; the MLU370 has a ratio of its own.
        ("Tesla V100 SXM2", "GB300", "B300", "Cambricon MLU370-X8"),
    ),
    (
        "bf16_dense_tflops",
        "int8_dense_tops",
        2,
        dict.fromkeys(("TPU v4", "Instinct MI250", "Instinct MI250X"), 1),
        ("GB300", "B300"),
    ),
    (
        "bf16_dense_tflops",
        "fp8_dense_tflops",
        2,
        dict.fromkeys(("TPU v5p", "TPU v6e", "Gaudi 3", "Trainium 1", "Inferentia 2"), 1),
        # The printed rates of these are no double.
        ("Trainium 2", "Trainium 3", "Ascend 950DT"),
    ),
    # Blackwell Ultra has three times as much; the Ascend's rate is a rounded share of a whole rack.
    ("fp8_dense_tflops", "fp4_dense_tflops", 2, {"GB300": 3, "Trainium 3": 1}, ("B300", "Ascend 950DT")),
)


@pytest.mark.parametrize(
    ("wide", "narrow", "usual", "other", "left_out"),
    NARROWER,
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_half_the_width_is_twice_the_rate(wide, narrow, usual, other, left_out):
    cards = cards_by_name().drop(list(left_out))
    cards = cards[cards[wide].notna() & cards[narrow].notna()]
    expected = {name: other.get(name, usual) for name in cards.index}
    assert len(expected) >= 6
    assert (cards[narrow] / cards[wide]).to_dict() == pytest.approx(expected, rel=ROUNDED)


@pytest.mark.parametrize(
    ("multiple", "cards"),
    [
        (2, ("Tesla P100 SXM2", "Instinct MI25", "Instinct MI60")),
        (
            4,
            (
                "A10",
                "L4",
                "L40S",
                "Trainium 1",
                "Inferentia 2",
                "Ascend 910B1",
                "Ascend 910B4",
                "Kunlun 2 (R200-8F)",
                "Cambricon MLU370-X8",
            ),
        ),
        (8, ("Tesla V100 SXM2", "Tesla T4", "Instinct MI100", "Instinct MI250", "Instinct MI250X", *CDNA3)),
        (16, (*A100, "A30", "Instinct MI355X")),
    ],
)
def test_a_matrix_unit_is_a_power_of_two_times_the_vector_unit(multiple, cards):
    """Without a matrix unit, FP16 packs two values in a lane; with one, the factor is a property of the generation."""
    table = cards_by_name().loc[list(cards)]
    ratio = table["fp16_dense_tflops"] / table["fp32_tflops"]
    # The Ascend's vector unit is printed in whole TFLOPS.
    assert ratio.to_dict() == pytest.approx(dict.fromkeys(cards, multiple), rel=0.03)


def test_both_hopper_cards_have_the_same_ratio_of_matrix_to_vector_rate():
    cards = cards_by_name().loc[["H100 SXM", "H100 PCIe"]]
    ratio = cards["fp16_dense_tflops"] / cards["fp32_tflops"]
    assert ratio.iloc[0] == pytest.approx(ratio.iloc[1], rel=0.01)


@pytest.mark.parametrize(
    ("name", "links", "each_way_GBps"),
    [
        ("Tesla P100 SXM2", 4, 20),
        ("Tesla V100 SXM2", 6, 25),
        *((name, 12, 25) for name in A100[:2]),
        ("A800 SXM 80GB", 8, 25),
        *((name, 18, 25) for name in ("H100 SXM", "H200 SXM", "H20", "H20-3e")),
        *((name, 18, 50) for name in ("B100", "B200", "B300", "GB200", "GB300")),
        ("Instinct MI100", 3, 46),
        ("Instinct MI250X", 8, 50),
        *((name, 7, 64) for name in ("Instinct MI300X", "Instinct MI325X")),
        ("Instinct MI355X", 7, 76.8),
        ("Instinct MI350X", 7, 76.5),
        ("TPU v2", 4, 496 / 8 / 2),
        ("TPU v3", 4, 656 / 8),
        ("TPU v4", 6, 50),
        *((name, 7, 28) for name in ("Ascend 910B1", "Ascend 910B3")),
        ("Ascend 910C", 14, 28),
        ("Ascend 910", 3, 240 / 8 / 2),
        ("Gaudi 1", 7, 100 / 8),
        ("Gaudi 2", 21, 100 / 8),
        ("Gaudi 3", 21, 200 / 8),
        ("Trainium 2", 1, 4 * 128 + 2 * 64),
    ],
)
def test_the_scale_up_bandwidth_is_that_of_its_links_both_ways(name, links, each_way_GBps):
    """Links and rates as the notes of the table tell them; where they leave the direction open, the low reading."""
    assert cards_by_name().loc[name, "scaleup_GBps_bidirectional"] == pytest.approx(
        2 * links * each_way_GBps, rel=0.001
    )


def test_the_network_of_a_card_is_its_share_of_the_system_that_the_row_names():
    cards, told = cards_by_name(), {}
    for name, system in cards["scaleout_system"].items():
        shared = re.search(r"(?:(\d+) x )?([\d.]+) ([GT])b/s for (\d+)", system)
        own = re.search(r"(one|\d+)(?: x)? (\d+) (?:Gb/s(?: \w+)* per (?:card|GPU|package)|GbE out)", system)
        if shared:
            ports, rate, unit, cards_of_system = shared.groups()
            told[name] = int(ports or 1) * float(rate) * {"G": 1, "T": 1000}[unit] / int(cards_of_system)
        elif own:
            told[name] = int(own[1].replace("one", "1")) * float(own[2])
    assert len(told) >= 20
    found = cards.loc[list(told), "scaleout_gbps_per_accelerator"]
    assert found.to_dict() == pytest.approx(told)
    ports = cards["scaleout_system"].str.extract(r"(?:one|\d+)(?: x)? (\d+) Gb(?:/s|E out)")[0].dropna().astype(float)
    assert cards.loc[ports.index, "scaleout_port_gbps"].to_dict() == pytest.approx(ports.to_dict())


def test_a_disputed_range_holds_the_cell_that_it_replaces():
    cards, disputed = cards_by_name(), open_facts().table("disputed")
    for row in disputed.to_dict("records"):
        assert row["low"] <= cards.loc[row["name"], row["column"]] <= row["high"], row["id"]
        # Where the question is "once or twice" (a direction, a second port, a second attachment), the ends say so.
        if re.search(r"direction|one or two|one PCIe|as for the other|usual in|PCIe 6", row["note"]):
            assert row["high"] == 2 * row["low"], row["id"]
        # The table prints what one of the sources does: an end, but for the card of which three figures are printed.
        ends = (row["low"], row["high"])
        assert cards.loc[row["name"], row["column"]] in ends or row["id"] == "DS18"
    servers = disputed.set_index("id")["low"]
    # 400 Gbit/s for a server of 8 cards; seven of the eight links of 100 GB/s.
    assert (servers["DS06"], servers["DS04"]) == (400 / 8, 7 * 100)
    by_cell = {(row["name"], row["column"].split("_")[0]): row for row in disputed.to_dict("records")}
    for end in ("low", "high"):
        bf16, fp16, fp8, fp4 = (by_cell["GB200", name][end] for name in ("bf16", "fp16", "fp8", "fp4"))
        assert (fp16, fp8, fp4) == (bf16, 2 * bf16, 4 * bf16)
        assert by_cell["Ascend 910C", "fp16"][end] == by_cell["Ascend 910C", "bf16"][end]


def studies():
    return open_facts().table("trend_studies").set_index("id")


@pytest.mark.parametrize("study", ["PCI Express x16", "InfiniBand"])
def test_generations_of_a_link_double(study):
    rates = studies().query("study == @study")["value"].tolist()
    assert len(rates) >= 4 and rates == [rates[0] * 2**generation for generation in range(len(rates))]


def test_generations_of_nvlink_are_those_of_the_cards_that_have_them():
    cards, generations = cards_by_name(), studies().query("study == 'NVLink'")
    for row in generations.itertuples():
        number = re.search(r"generation (\d)", row.quantity)[1]
        with_it = cards[cards["scaleup_name"] == f"NVLink {number}"]
        assert len(with_it) and (with_it["scaleup_GBps_bidirectional"] == row.value).all(), row.Index
        assert with_it["announced"].str[:4].replace("", "9999").astype(int).min() == row.year, row.Index


def test_a_card_without_links_of_its_own_joins_others_by_its_host_bus():
    cards = cards_by_name()
    joined = cards[cards["scaleup_name"].str.startswith("PCIe")]
    assert len(joined) and (joined["scaleup_GBps_bidirectional"] == joined["host_bus_GBps_bidirectional"]).all()


def test_a_host_bus_is_a_generation_of_pci_express_or_half_of_a_superchips_link():
    nominal = studies().query("study == 'PCI Express x16'")["value"].tolist()
    buses = cards_by_name()["host_bus_GBps_bidirectional"].dropna()
    assert set(buses.drop(["GB200", "GB300"])) <= set(nominal)
    assert set(buses[["GB200", "GB300"]]) == {900 / 2}


def test_a_published_growth_agrees_with_the_totals_that_the_study_prints_beside_it():
    """Ten spans of two years make the total over 20; a rate in per cent a year has one doubling time."""
    told = {}
    for row in studies().itertuples():
        total = re.search(r"20 years, (\d+) x in all", row.conditions)
        yearly = re.search(r"(\d+) % a year", row.conditions)
        if total:
            told[row.Index] = int(total[1]) ** (1 / 10)
        elif yearly:
            told[row.Index] = math.log(2) / math.log(1 + int(yearly[1]) / 100)
    assert len(told) >= 5
    assert studies().loc[list(told), "value"].to_dict() == pytest.approx(told, abs=0.05)


def test_comparisons_of_systems_follow_from_the_cards():
    cards, values = cards_by_name(), studies()["value"]
    ours, theirs = cards.loc["Ascend 910C"], cards.loc["GB200"]
    assert (ours["scaleup_domain_size"], theirs["scaleup_domain_size"]) == (384, 72)
    claimed_tflops = 1000 * ledger_claim(open_facts(), "supernode.compute").value
    assert values["TS21"] == pytest.approx(100 * (claimed_tflops / (72 * theirs["bf16_dense_tflops"]) - 1), rel=0.01)
    assert values["TS22a"] == pytest.approx(384 * ours["hbm_GBps"] / (72 * theirs["hbm_GBps"]), rel=0.02)
    assert values["TS22b"] == pytest.approx(384 * ours["hbm_gb"] / (72 * theirs["hbm_gb"]), rel=0.025)
    # INT8 with sparsity over FP32 on the vector units.
    h100 = cards.loc["H100 SXM"]
    sparse = h100["int8_dense_tops"] * h100["sparsity_factor"]
    assert values["TS27"] == pytest.approx(sparse / h100["fp32_tflops"], rel=0.01)


def test_a_claim_at_its_origin_has_the_number_of_the_ledger():
    facts = open_facts()
    said = studies().query("role == 'claim'")
    assert said.loc["TS19", "value"] == ledger_claim(facts, "bandwidth-gap.compute").value
    assert said.loc["TS20", "value"] == ledger_claim(facts, "bandwidth-gap.network").value
    assert len(said) == 2


def test_the_shape_of_a_transformer_is_whole_and_its_name_counts_its_parameters():
    table = open_facts().table("transformers").set_index("name")
    sizes = table.select_dtypes("number").drop(columns=[name for name in table if name.endswith("_published")])
    assert (sizes.dropna() % 1 == 0).all(axis=None) and (table["hidden_size"] % 64 == 0).all()
    dense = table["kind"] == "dense"
    assert (table["dense_layers"] <= table["layers"]).all() and (
        dense == (table["dense_layers"] == table["layers"])
    ).all()
    published, active = (table[f"{name}parameters_billion_published"] for name in ("", "active_"))
    assert (active[dense] == published[dense]).all() and (active[~dense] < published[~dense] / 5).all()
    for name, count in published.items():
        named = re.search(r"(\d+)B", name)
        assert named is None or int(named[1]) == pytest.approx(count, rel=0.03)


def test_an_unconfirmed_date_is_off_by_half_a_year_and_a_disputed_figure_anywhere_in_its_range():
    """What data/README.md says of them: six months either way, and the ends that the sources print."""
    declared = open_facts().table("assumptions").set_index("name")
    ranges = declared[["low", "mode", "high"]].T.to_dict("list")
    for end in ("start", "end"):
        assert ranges[f"{end}_date_error_years"] == [-6 / 12, 0, 6 / 12]
        assert ranges[f"{end}_disputed_position"] == [0, 1 / 2, 1]
    possible = declared[["possible_low", "possible_high"]]
    assert possible.filter(like="date_error", axis=0).isna().all(axis=None)
    assert (possible.filter(like="disputed_position", axis=0) == [0, 1]).all(axis=None)


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


def card_of(tmp_path, **cells):
    """One card of a reader's own, by the columns that matter."""
    row = {
        "name": "Mine",
        "vendor": "Me",
        "segment": "training",
        "source": "me2025card;you2025card",
        "confidence": "quoted",
        "checked_columns": "announced;tdp_w",
        "sparsity_factor": "1",
    } | cells
    (tmp_path / "accelerators.csv").write_text(f"{','.join(row)}\n{','.join(row.values())}\n", encoding="utf-8")
    return next(card for card in accelerators(open_facts(tmp_path)) if card.name == "Mine")


@pytest.mark.parametrize(
    ("announced", "month", "confirmed"),
    [("2024-01", 12 * 2024, True), ("2024-12", 12 * 2024 + 11, True), ("2024", 12 * 2024 + 6, False)],
)
def test_a_date_is_a_month_and_a_bare_year_its_unconfirmed_middle(tmp_path, announced, month, confirmed):
    card = card_of(tmp_path, announced=announced, available="2024-12")
    assert card.dates == {"announced": (month, confirmed), "available": (12 * 2024 + 11, False)}


def test_a_card_has_the_figures_of_its_row_and_knows_which_were_checked(tmp_path):
    card = card_of(tmp_path, tdp_w="300", hbm_gb="80", sparsity_formats="fp16;fp8")
    assert card.cells["tdp_w"] == Cell(300, 300, True) and card.cells["hbm_gb"] == Cell(80, 80, False)
    assert "hbm_GBps" not in card.cells and not card.has_scaleup and card.dates == {}
    assert card.sparse_formats == {"fp16", "fp8"} and card.sources == {"me2025card", "you2025card"}
    assert card_of(tmp_path, scaleup_GBps_bidirectional="100").has_scaleup


def test_a_disputed_cell_is_its_range_and_stays_as_confirmed_as_it_was():
    cards = {card.name: card for card in accelerators(open_facts())}
    assert cards["GB200"].cells["bf16_dense_tflops"] == Cell(2250, 2500, True)
    assert cards["TPU v2"].cells["host_bus_GBps_bidirectional"] == Cell(16, 32, False)


def test_sparsity_of_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"line 2, column sparsity_formats: 'fp9'; accepted: fp32, fp16"):
        card_of(tmp_path, sparsity_formats="fp9")


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({"low": "0.5", "mode": "0.5", "high": "0.5"}, "and a range"),
        ({"mode": "0.9", "high": "0.8"}, "expected low <= mode <= high"),
        ({"low": "0", "distribution": "log-uniform"}, "a logarithmic range starts above 0"),
        ({"possible_low": "0.6"}, "column mode: 0.5 is impossible; accepted: 0.6 to 1"),
        ({"distribution": "normal"}, "expected one of uniform, log-uniform, triangular, log-triangular"),
    ],
)
def test_a_range_that_is_none_is_refused(tmp_path, cells, told):
    folder = edited(tmp_path, "assumptions", {"start_disputed_position": cells})
    with pytest.raises(DataError, match=re.escape(told)):
        assumptions(open_facts(folder), ["start_disputed_position"])


def test_a_range_may_touch_its_mode_its_bounds_and_be_logarithmic(tmp_path):
    cells = {"low": "0.5", "mode": "0.5", "high": "1", "possible_low": "0.5", "distribution": "log-triangular"}
    (one,) = assumptions(
        open_facts(edited(tmp_path, "assumptions", {"start_disputed_position": cells})), ["start_disputed_position"]
    )
    assert (one.low, one.mode, one.high, one.possible_low) == (0.5, 0.5, 1, 0.5) and one.logarithmic and one.judged
    dates, *_ = assumptions(open_facts(), ["start_date_error_years"])
    assert (dates.possible_low, dates.possible_high) == (-math.inf, math.inf) and not dates.logarithmic


def test_a_reading_has_a_rule_and_a_number_of_its_own_or_those_of_its_claim(overlay):
    rows = (
        "claim,reading,label,comparator,value",
        "bandwidth-gap.bus,scale-up-link,l,at_least,",
        "bandwidth-gap.bus,mine,l,,0",
    )
    claim = ledger_claim(open_facts(overlay(readings="\n".join(rows))), "bandwidth-gap.bus")
    assert {one.id: (one.comparator, one.value) for one in claim.readings} == {
        "scale-up-link": ("at_least", claim.value),
        "host-bus": (claim.comparator, claim.value),
        "mine": (claim.comparator, 0.0),
    }


def test_a_joint_claim_of_an_unknown_part_is_refused(tmp_path):
    parts = {"bandwidth-gap.joint": {"joint_of": "bandwidth-gap.bus;bandwidth-gap.buss"}}
    with pytest.raises(DataError, match=r"column joint_of: 'bandwidth-gap.buss' is no claim. Did you mean"):
        ledger_claim(open_facts(edited(tmp_path, "claims", parts)), "bandwidth-gap.joint")


def test_blanks_around_a_cell_are_dropped_unless_they_are_wanted_and_rows_know_their_lines(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text('a, b\n x ,"two\nlines"\n\ny,z', encoding="utf-8-sig")
    found, kept = read_raw(path), read_raw(path, strip=False)
    assert found.columns == ("a", "b") and found.rows[0] == {"a": "x", "b": "two\nlines"}
    # The first row ends on line 3, a blank line follows; nothing ends the last row.
    assert found.lines == (3, 5) and not found.complete
    assert kept.rows[0]["a"] == " x " and kept.rows[1] == {"a": "y", "b": "z"}
    path.write_text("a\nx\n", encoding="utf-8")
    assert read_raw(path).complete


def test_a_file_in_another_encoding_is_refused(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes("a\nü\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"table\.csv: not UTF-8"):
        read_raw(path)
