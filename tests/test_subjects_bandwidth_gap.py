"""The bandwidth gap: hand-computed pairs, the plain loop, and what must not change when units do."""

import re

import numpy as np
import pandas as pd
import pytest
from conftest import edited

import analysis
from analysis.errors import DataError, ParameterError
from analysis.facts import DATA, open_facts
from analysis.facts.hardware import Accelerator, Cell
from analysis.subjects.bandwidth_gap import READINGS, SETTINGS, balance, lines, ratios, specification
from analysis.subjects.bandwidth_gap.conventions import formats_of, latest_month

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
@pytest.mark.parametrize(
    "pins",
    [
        {},
        {"years": 7.0},
        {"formats": "fp16,bf16"},
        {"scaled": False},
        {"vendor": "NVIDIA", "latest": "2024-06", "window_years": 0.5},
        # Away from the modes of the assumptions, where nothing is nought.
        {"start_date_error_years": 0.4, "end_date_error_years": -0.3},
        {"start_disputed_position": 0.2, "end_disputed_position": 0.9},
    ],
    ids=str,
)
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


def test_demands_of_both_models_by_hand():
    """Shapes from their papers; see the docstrings of `analysis.models.communication` for the operations."""
    found = list(balance.demands(open_facts()).values())
    # DeepSeek-V3: 61 layers, three of them dense; 8 experts; one byte out, two back; 37 billion active parameters.
    moe = 2 * (61 - 3) * 8 * 7168 * (1 + 2) / (6 * 37e9)
    # Llama-3.1 405B: 126 layers over 8 cards, each with four all-reduces of 2 * 7/8 of 16,384 values of two bytes.
    dense = 126 * 4 * (2 * 7 / 8) * 16384 * 2 / (6 * 405e9 / 8)
    assert found == pytest.approx([moe, dense])


def test_a_demand_without_its_model_is_refused(tmp_path, monkeypatch):
    facts = open_facts()
    emptied = facts.table("transformers").query("kind == 'moe'")
    monkeypatch.setitem(facts._tables, "transformers", emptied)
    with pytest.raises(DataError, match=r"no row 'Llama-3\.1 405B'"):
        balance.demands(facts)


def test_the_balance_counts_cards_that_were_there_with_a_link_a_date_and_a_16_bit_rate():
    cards = analysis.load("accelerators").set_index("name")
    dates = cards[["announced", "available"]].replace("", "9999").min(axis=1)
    rated = cards["fp16_dense_tflops"].notna() | cards["bf16_dense_tflops"].notna()
    linked = cards["scaleup_GBps_bidirectional"].notna()
    for latest, vendor in (("2025-05", "all"), ("2022-11", "all"), ("2022-03", "NVIDIA")):
        found = balance.link_balance(open_facts(), DEFAULTS | {"latest": latest, "vendor": vendor})
        expected = cards[
            (dates <= latest) & rated & linked & cards["vendor"].isin([vendor] if vendor != "all" else cards["vendor"])
        ]
        assert set(found["card"]) == set(expected.index)
        assert set(found.query("link == 'scale-out'")["card"]) == set(
            expected[expected["scaleout_gbps_per_accelerator"].notna()].index
        )
    # Announced 2022-03 and available 2022-10: the earlier one counts, and March is two months into the year.
    assert found.set_index("card").loc["H100 SXM", "year"].tolist() == pytest.approx([2022 + 2 / 12] * 2)


def test_a_point_of_the_balance_is_confirmed_where_link_and_rate_are(tmp_path):
    checked = analysis.load("accelerators").set_index("name").loc["H100 SXM", "checked_columns"]
    for column, confirmed in (("tdp_w", [True, True]), ("scaleup_GBps_bidirectional", [False, True])):
        changed = {"H100 SXM": {"checked_columns": checked.replace(column, "hbm_gb")}}
        folder = edited(tmp_path, "accelerators", changed, columns=("checked_columns",))
        table = balance.link_balance(open_facts(folder), DEFAULTS).set_index(["card", "link"])["confirmed"]
        assert [table["H100 SXM", link] for link in balance.LINKS] == confirmed


def test_a_disputed_link_enters_the_balance_at_the_middle_of_its_range():
    table = balance.link_balance(open_facts(), DEFAULTS).set_index(["card", "link"])["bytes_per_flop"]
    # MI250X: 700 to 800 GB/s both ways, 383 TFLOPS; the middle, one way, is 375 GB/s.
    assert table["Instinct MI250X", "scale-up"] == pytest.approx(375 / 383e3)


def links(**columns):
    """Two links over three years: one falls tenfold a year, one rises twofold; a last point nobody confirmed."""
    years = [2020.0, 2021.0, 2022.0, 2023.0]
    sure = [True, True, True, False]
    falling = pd.DataFrame(
        {"link": "scale-up", "year": years, "bytes_per_flop": [1e-2, 1e-3, 1e-4, 1.0], "confirmed": sure}
    )
    rising = pd.DataFrame(
        {"link": "scale-out", "year": years, "bytes_per_flop": [1e-4, 2e-4, 4e-4, 1.0], "confirmed": sure}
    )
    return pd.concat([falling, rising], ignore_index=True).assign(**columns)


def test_each_link_has_the_trend_of_its_own_confirmed_cards():
    trends = balance.link_trends(links())
    assert {link: trend.factor(1) for link, trend in trends.items()} == pytest.approx(
        {"scale-up": 0.1, "scale-out": 2.0}
    )
    assert {trend.points for trend in trends.values()} == {3}
    drawn = balance.trend_lines(links())
    for link, values in (("scale-up", (1e-2, 1e-5)), ("scale-out", (1e-4, 8e-4))):
        assert drawn[link][0].tolist() == [2020.0, 2023.0] and drawn[link][1] == pytest.approx(values)


def test_a_link_with_a_single_year_has_no_trend():
    assert balance.link_trends(links(year=2020.0)) == {}
    assert set(balance.link_trends(links().query("link == 'scale-out' or year == 2020"))) == {"scale-out"}


def test_a_demand_never_passes_a_link_that_grows():
    found = balance.exposed_since(links(), {"one": 1e-3}).set_index("link")
    assert found.loc["scale-up", "year"] == pytest.approx(2021) and np.isnan(found.loc["scale-out", "year"])
    assert (found["bytes_per_flop"] == 1e-3).all() and (found["cards"] == 3).all() and (found["demand"] == "one").all()


def test_studies_are_carried_to_the_span_by_their_own_growth():
    for years in (8.0, 5.0):
        found = lines.study_lines(open_facts(), DEFAULTS | {"years": years}, ("compute",))
        estimates = {re.search(r"\((TS\w+)\)", name)[1]: line["estimate"] for name, line in found.items()}
        # Threefold every two years; doublings every 2.3, 2.8 and 2.7 years.
        expected = {"TS01": 3 ** (years / 2)} | {
            study: 2 ** (years / doubling) for study, doubling in (("TS04", 2.3), ("TS23", 2.8), ("TS24", 2.7))
        }
        assert {study: value for study, (value,) in estimates.items()} == pytest.approx(expected)
        assert all(
            line["interval"] is None and f"carried to {years:g} years" in line["note"] for line in found.values()
        )


def test_generations_of_a_link_are_fitted_up_to_the_last_year_that_counts():
    table = analysis.load("trend_studies").query("study == 'NVLink'")
    slope = np.polyfit(table["year"] - 2000, np.log(table["value"]), 1)[0]
    found = lines.study_lines(open_facts(), DEFAULTS, ("scale-up", "host-bus"))
    assert found["NVLink generations"]["estimate"] == pytest.approx([np.exp(8 * slope)])
    low, high = found["NVLink generations"]["interval"][0]
    assert low < np.exp(8 * slope) < high
    # PCI Express 6.0 is of 2022, NVLink 5 of 2024: in time with that year, too few without.
    for latest, expected in (
        ("2024-01", {"NVLink", "PCI Express x16"}),
        ("2022-01", {"NVLink", "PCI Express x16"}),
        ("2021-12", set()),
    ):
        early = lines.study_lines(open_facts(), DEFAULTS | {"latest": latest}, ("scale-up", "host-bus"))
        assert {name.removesuffix(" generations") for name in early if name.endswith("generations")} == expected


def test_a_claim_at_its_origin_is_no_evidence_for_itself(tmp_path):
    folder = edited(tmp_path, "trend_studies", {"TS19": {"growth_of": "compute", "unit": "x per 2 years"}})
    before, after = (lines.study_lines(open_facts(data), DEFAULTS, ("compute",)) for data in (None, folder))
    assert before == after


def test_a_study_of_something_else_than_growth_is_refused(tmp_path):
    folder = edited(tmp_path, "trend_studies", {"TS25": {"growth_of": "compute"}})
    with pytest.raises(DataError, match=r"column unit: 'x' is no growth"):
        lines.study_lines(open_facts(folder), DEFAULTS, ("compute",))


def dated(name, month, vendor="N", figure=8.0, *, confirmed=True, linked=True):
    cells = {"x": Cell(figure, figure, confirmed)} | (
        {"scaleup_GBps_bidirectional": Cell(1, 1, True)} if linked else {}
    )
    dates = {} if month is None else {"available": (month + 6, True), "announced": (month, True)}
    return Accelerator(name, vendor, "training", dates, cells, frozenset(), frozenset())


def test_a_trend_counts_confirmed_cards_with_a_link_from_the_span_by_their_earliest_date():
    # The default span ends in 2025-05 and starts eight years and one before.
    last = 12 * 2025 + 4
    first = last - 12 * 9
    cards = [
        dated("at the end", last),
        dated("at the start", first),
        dated("of another vendor", last - 12, "A", figure=2.0),
        dated("too late", last + 1),
        dated("too early", first - 1),
        dated("without a date", None),
        dated("unconfirmed", last, confirmed=False),
        dated("alone", last, linked=False),
    ]
    convention = ([card.cells["x"] for card in cards], None)
    years, values = lines.trend_points(cards, convention, DEFAULTS)
    assert years == pytest.approx([2025 + 4 / 12, 2016 + 4 / 12, 2024 + 4 / 12]) and values == [8.0, 8.0, 2.0]
    assert lines.trend_points(cards, convention, DEFAULTS, "A")[1] == [2.0]
    disputed = ([Cell(2.0, 6.0, True), *([None] * 7)], None)
    assert lines.trend_points(cards, disputed, DEFAULTS)[1] == [4.0]


@pytest.mark.parametrize(
    ("years", "enough"),
    [([2020, 2021, 2022, 2024], True), ([2020, 2022, 2024], False), ([2020, 2021, 2022, 2023.9], False), ([], False)],
)
def test_a_trend_needs_four_cards_over_half_of_the_span(years, enough):
    assert bool(lines.is_trend((years, years), DEFAULTS)) is enough


def test_a_regression_is_that_of_numpy_over_the_cards_of_the_csv():
    found = lines.lines_of(open_facts(), DEFAULTS, "bandwidth-gap.bus", "scale-up-link")
    cards = analysis.load("accelerators")
    cards = cards[cards["checked_columns"].str.contains("scaleup_GBps_bidirectional")]
    cards = cards.assign(date=cards[["announced", "available"]].replace("", "9999").min(axis=1))
    cards = cards[cards["date"].between("2016-05", "2025-05") & (cards["vendor"] == "NVIDIA")]
    year = cards["date"].str[:4].astype(int) + (cards["date"].str[5:].astype(int) - 1) / 12
    slope = np.polyfit(year - 2000, np.log(cards["scaleup_GBps_bidirectional"]), 1)[0]
    line = found["regression, NVIDIA, scale-up-link"]
    assert line["estimate"] == pytest.approx([np.exp(8 * slope)]) and f"over {len(cards)} cards" in line["note"]
    assert lines.vendor_trends(open_facts(), DEFAULTS, ["scale-up-link"])["NVIDIA", "scale-up-link"] == pytest.approx(
        line["estimate"][0]
    )


def test_lines_of_the_joint_claim_are_medians_within_the_envelope_of_the_lines_of_its_parts():
    facts = open_facts()
    parts = [lines.lines_of(facts, DEFAULTS, claim, readings[0]) for claim, readings in READINGS.items()]
    for name, line in lines.joint_lines(facts, DEFAULTS).items():
        for part, estimate, interval in zip(parts, line["estimate"], line["interval"], strict=True):
            whose = f"{name}," if name.startswith("regression") else None
            group = [one for key, one in part.items() if (key.startswith(whose) if whose else "regression" not in key)]
            estimates = [one["estimate"][0] for one in group]
            ends = [end for one in group for end in (one["interval"] or [one["estimate"]])[0]]
            assert estimate == pytest.approx(np.median(estimates)) and interval == [min(ends), max(ends)]
    assert {"regression, all vendors", "regression, NVIDIA", "published trend studies"} <= set(
        lines.joint_lines(facts, DEFAULTS)
    )


def test_the_trends_of_one_vendor_are_asked_for_one_vendor_alone():
    everyone = lines.vendor_trends(open_facts(), DEFAULTS, ["best-format"])
    alone = lines.vendor_trends(open_facts(), DEFAULTS | {"vendor": "AMD"}, ["best-format"])
    assert alone == {key: factor for key, factor in everyone.items() if key[0] == "AMD"} and 0 < len(alone) < len(
        everyone
    )
    sources = lines.vendor_sources(open_facts(), "Intel")
    rows = analysis.load("accelerators").query("vendor == 'Intel'")["source"]
    assert sources == set(";".join(rows).split(";"))


@pytest.mark.parametrize(
    ("words", "formats"),
    [("all", "fp32 fp16 bf16 fp8 fp4 int8"), ("int8, fp16", "fp16 int8"), ("fp4,all", "fp32 fp16 bf16 fp8 fp4 int8")],
)
def test_formats_that_count_are_listed_in_one_order(words, formats):
    assert formats_of({"formats": words}) == tuple(formats.split())


def test_the_last_month_is_counted_from_year_nought():
    assert latest_month({"latest": "0001-01"}) == 12
    assert latest_month({"latest": "2025-05"}) - latest_month({"latest": "2024-12"}) == 5


def figures(**columns):
    """Two options: a ratio of 8 over 4 years, and one of 4 to 16 over a quarter of a year."""
    table = {
        "start_low": [1.0, 1.0],
        "start_high": [1.0, 1.0],
        "end_low": [8.0, 4.0],
        "end_high": [8.0, 16.0],
        "span_years": [4.0, 0.25],
        "start_unconfirmed": [1.0, 0.0],
        "end_unconfirmed": [0.0, 1.0],
    }
    return {name: np.array(values) for name, values in (table | columns).items()}


def ratio(rows, scaled=True, prefix="", columns=None, **values):
    free = {
        "start_date_error_years": 0,
        "end_date_error_years": 0,
        "start_disputed_position": 0,
        "end_disputed_position": 0,
    }
    arrays = {name: np.full(len(rows), float(value)) for name, value in (free | values).items()}
    found = ratios(columns or figures(), np.array(rows), arrays, years=8.0, scaled=scaled, prefix=prefix)
    return pytest.approx(found.tolist())


def test_a_ratio_is_carried_from_its_span_to_the_years_asked_for_and_moves_with_what_is_open():
    assert ratio([0, 1], scaled=False) == [8.0, 4.0]
    assert ratio([0]) == [8.0 ** (8 / 4)]
    # A start a year later is a span a year shorter; the end's date is confirmed and does not move.
    assert ratio([0], start_date_error_years=1, end_date_error_years=1) == [8.0 ** (8 / 3)]
    # An end three quarters of a year later is a span of one year; no span is taken as less than half a year.
    assert ratio([1], end_date_error_years=0.75, start_date_error_years=1) == [4.0**8]
    assert ratio([1]) == [4.0 ** (8 / 0.5)]
    # Half way between 4 and 16.
    assert ratio([1], scaled=False, end_disputed_position=0.5) == [10.0]
    wide = figures(start_high=[3.0, 3.0])
    assert ratio([0], scaled=False, start_disputed_position=0.5, columns=wide) == [8.0 / 2.0]
    prefixed = figures() | {f"p_{name}": 2 * values if "end" in name else values for name, values in figures().items()}
    assert ratio([0], scaled=False, prefix="p_", columns=prefixed) == [16.0]
