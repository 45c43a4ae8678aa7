"""The bandwidth gap: hand-computed pairs, the plain loop, and what must not change when units do."""

import re

import numpy as np
import pandas as pd
import pytest
from conftest import edited

import analysis
from analysis.errors import ParameterError
from analysis.facts import DATA, open_facts
from analysis.subjects.bandwidth_gap import READINGS, SETTINGS, balance, specification

CLAIMS = [*READINGS, "bandwidth-gap.joint"]
DEFAULTS = {setting.name: setting.default for setting in SETTINGS}
LINKS = (
    "scaleup_GBps_bidirectional",
    "scaleout_gbps_per_accelerator",
    "scaleout_port_gbps",
    "host_bus_GBps_bidirectional",
)


def rows_of(reading, start, end, basis, data=None, **settings):
    table = specification(open_facts(data), DEFAULTS | settings, reading)
    return table[(table["start_card"] == start) & (table["end_card"] == end) & (table["date_basis"] == basis)]


def test_the_bus_from_p100_to_gb200_by_hand():
    # NVLink 1 has 160 GB/s, NVLink 5 has 1,800; announced 2016-04 and 2024-03, that is 7 + 11/12 years.
    (row,) = rows_of("scale-up-link", "Tesla P100 SXM2", "GB200", "announced").to_dict("records")
    assert row["ratio_as_is"] == pytest.approx(1800 / 160)
    assert row["span_years"] == pytest.approx(7 + 11 / 12)
    assert row["ratio_scaled"] == pytest.approx(11.25 ** (8 / (7 + 11 / 12)))


def test_compute_from_v100_to_b200_by_hand():
    # V100: 125 TFLOPS in FP16. B200: 2,250 in 16 bits, 4,500 in 8, 9,000 in 4; both available 2017-09 and 2025-01.
    rows = rows_of("best-format", "Tesla V100 SXM2", "B200", "available").set_index("convention")["ratio_as_is"]
    assert rows.to_dict() == {"16-bit or wider": 18.0, "8-bit or wider": 36.0, "4-bit or wider": 72.0}
    sparse = rows_of("with-sparsity", "Tesla V100 SXM2", "B200", "available").set_index("convention")["ratio_as_is"]
    assert sparse.to_dict() == {label + ", sparse": 2 * ratio for label, ratio in rows.items()}


def test_a_best_figure_that_nobody_confirmed_is_kept_apart(tmp_path):
    checked = analysis.load("accelerators").set_index("name").loc["B200", "checked_columns"]
    changed = {"B200": {"checked_columns": checked.replace("fp4_dense_tflops", "tdp_w")}}
    folder = edited(tmp_path, "accelerators", changed, columns=("checked_columns",))
    rows = rows_of("best-format", "Tesla V100 SXM2", "B200", "available", folder).set_index("convention")
    assert rows["confirmed"].to_dict() == {"16-bit or wider": True, "8-bit or wider": True, "4-bit or wider": False}


def test_every_pair_is_of_one_vendor_seven_to_nine_years_apart_and_in_time():
    vendors = analysis.load("accelerators").set_index("name")["vendor"]
    dates = analysis.load("accelerators").set_index("name")[["announced", "available"]]
    for reading in (reading for readings in READINGS.values() for reading in readings):
        table = specification(open_facts(), DEFAULTS, reading)
        assert (table["start_card"].map(vendors) == table["end_card"].map(vendors)).all()
        assert table["span_years"].between(7, 9).all()
        ends = [dates.loc[row.end_card, row.date_basis] for row in table.itertuples()]
        assert max(ends) <= "2025-05"
        assert (table["ratio_low"] <= table["ratio_scaled"] * (1 + 1e-12)).all()
        assert (table["ratio_scaled"] <= table["ratio_high"] * (1 + 1e-12)).all()


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("pins", [{}, {"years": 7.0}, {"formats": "fp16,bf16"}, {"scaled": False}], ids=str)
def test_the_enumeration_agrees_with_the_plain_loop(claim, pins):
    methods = analysis.evaluate(claim, samples=64, **pins).to_dict()["methods"]
    vectorised, looped = (pd.Series(method["estimate"], dtype=float) for method in methods.values())
    assert np.allclose(vectorised, looped, rtol=1e-5)


@pytest.mark.parametrize("claim", CLAIMS)
def test_doubling_every_bandwidth_leaves_every_ratio(tmp_path, claim):
    cards = analysis.load("accelerators")
    changes = {
        row["name"]: {column: f"{2 * row[column]:g}" if row[column] == row[column] else "" for column in LINKS}
        for row in cards.to_dict("records")
    }
    folder = edited(tmp_path, "accelerators", changes, columns=LINKS)
    disputed = analysis.load("disputed")
    links = disputed[disputed["column"].isin(LINKS)]
    doubled = {row["id"]: {end: f"{2 * row[end]:g}" for end in ("low", "high")} for row in links.to_dict("records")}
    edited(folder, "disputed", doubled, columns=("low", "high"))
    kept = ("estimate", "interval", "share", "verdict", "readings", "region")
    before, after = (analysis.evaluate(claim, detail="verdict", data=data).to_dict() for data in (None, folder))
    assert {name: before[name] for name in kept} == {name: after[name] for name in kept}


@pytest.mark.parametrize("claim", READINGS)
def test_a_wider_tolerance_never_lowers_a_share(claim):
    answers = [
        analysis.evaluate(claim, detail="verdict", tolerance=width).to_dict() for width in (0.0, 0.1, 0.25, 0.6, 1.0)
    ]
    for reading in READINGS[claim]:
        shares = [answer["readings"][reading]["share"] for answer in answers]
        assert shares == sorted(shares)
    assert len({str(answer["estimate"]) for answer in answers}) == 1


def test_the_joint_claim_holds_no_more_often_than_its_rarest_part():
    joint = analysis.evaluate("bandwidth-gap.joint", detail="verdict")
    tolerant = analysis.evaluate("bandwidth-gap.joint", detail="verdict", tolerance=1.0)
    assert 0 < joint.share < tolerant.share
    assert set(joint.estimate) == set(READINGS)


def test_the_joint_claim_names_the_combination_that_comes_closest():
    told = analysis.evaluate("bandwidth-gap.joint").conditions
    card, end = re.search(r"together for ([\w ]+) > ([\w ]+),", told).groups()
    assert {card, end} <= set(analysis.load("accelerators")["name"])


def test_a_vendor_without_pairs_leaves_nothing_to_judge():
    with pytest.raises(ParameterError, match=r"nothing is left to judge with .*vendor = Baidu"):
        analysis.evaluate("bandwidth-gap.bus", vendor="Baidu")


def test_a_reading_without_data_is_null_with_a_reason():
    record = analysis.evaluate("bandwidth-gap.compute", detail="verdict", formats="fp32").to_dict()
    assert record["readings"]["with-sparsity"]["verdict"] is None
    assert "no combination" in record["reasons"]["readings.with-sparsity"]


def test_an_unconfirmed_date_widens_the_interval(tmp_path):
    wide = {"start_date_error_years": {"low": "-1", "high": "1"}, "end_date_error_years": {"low": "-1", "high": "1"}}
    folder = edited(tmp_path, "assumptions", wide, columns=("low", "high"))
    usual, wider = (
        analysis.evaluate("bandwidth-gap.network", detail="verdict", data=data).interval for data in (None, folder)
    )
    assert wider[0] < usual[0] and wider[1] >= usual[1]


def test_links_of_the_balance_are_one_way_and_in_bytes():
    table = balance.link_balance(open_facts(), DEFAULTS).set_index(["card", "link"])["bytes_per_flop"]
    # H100: NVLink 450 GB/s one way, 400 Gbit/s of network, 989.4 TFLOPS.
    assert table["H100 SXM", "scale-up"] == pytest.approx(450 / 989.4e3)
    assert table["H100 SXM", "scale-out"] == pytest.approx(50 / 989.4e3)


def test_a_demand_is_exposed_where_the_trend_of_the_link_passes_it():
    points = pd.DataFrame(
        {"link": "scale-out", "confirmed": True, "year": [2016.0, 2018.0, 2020.0], "bytes_per_flop": [4e-4, 2e-4, 1e-4]}
    )
    found = balance.exposed_since(points, {"one": 1e-4, "two": 4e-4})
    assert found["year"].tolist() == pytest.approx([2020.0, 2016.0])


def test_the_package_finds_its_data_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert DATA.is_absolute() and len(analysis.claims()) >= 23
