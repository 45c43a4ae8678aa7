"""Tidal scheduling as a claim: limits, hand-computed bounds, both methods, a reader's own day, and what it leans on."""

import numpy as np
import pytest
from conftest import edited

import analysis
from analysis.errors import DataError, ParameterError
from analysis.facts import open_facts
from analysis.facts.assumptions import assumptions
from analysis.models.tidal_pool import relative_bound, utilisation_before
from analysis.subjects.tidal import ASSUMPTIONS, SETTINGS, answers, enumerated, lines, simulated
from analysis.subjects.tidal.choices import NIGHTS_H, POLICIES, block_cards, days

CLAIM = "tidal.utilisation"
FACTS = open_facts()
DEFAULTS = {setting.name: setting.default for setting in SETTINGS}
MODES = answers.at_modes(FACTS, {})
# Moves of no length are not offered; half a minute is, and half a minute is nothing to a day.
FREE = MODES | {"switch_min": 0.5, "forecast_error": 0.0}
LEAST = {"switch_min": 1.0, "forecast_error": 0.02}


def verdict(**pins):
    return analysis.evaluate(CLAIM, detail="verdict", **pins)


def point(**pins):
    return analysis.evaluate(CLAIM, detail="point", **pins).estimate


def own_day(overlay, load):
    """An overlay with one day of 24 hours."""
    rows = "".join(f"mine,{60 * hour},{load(hour)},requests/s,me2025notes\n" for hour in range(24))
    return overlay(load_curves="curve,minute,load,unit,source\n" + rows)


def table(settings=None, values=None):
    return answers.outcomes(FACTS, DEFAULTS | (settings or {}), values or MODES)


@pytest.fixture(scope="module")
def at_modes():
    return table()


def test_every_day_meets_every_policy_and_block_once():
    found = enumerated(FACTS, DEFAULTS, 9.0)
    assert len(found) == len(days(FACTS)) * len(POLICIES) * len(block_cards(FACTS))
    assert not found.duplicated(["curve", "shape", "policy", "block"]).any()
    assert block_cards(FACTS) == {"card": 1, "node": 8, "supernode": 384}


def test_means_of_the_days_by_hand():
    means = enumerated(FACTS, DEFAULTS, 9.0).groupby("curve")["mean_to_peak"].first()
    curve = analysis.load("load_curves").query("curve == 'servegen-deepseek-r1'")["load"]
    assert means["servegen-deepseek-r1"] == pytest.approx(curve.mean() / curve.max())
    assert means["deepseek"] == pytest.approx(226.75 / 278, abs=1e-3)
    assert means["runway"] == pytest.approx(1 - 0.5 * 9 / 24, abs=1e-3)


def test_both_shapes_of_a_day_keep_what_is_published():
    for day in days(FACTS):
        if day.curve == "deepseek":
            assert day.loads.mean(axis=1) == pytest.approx(np.full(len(NIGHTS_H), 226.75 / 278), abs=2e-9)
        if day.curve == "runway":
            # The tip of a wave is a mean over its bins.
            assert day.loads.min(axis=1) == pytest.approx(np.full(len(NIGHTS_H), 0.5), abs=0.015)


def test_a_flat_day_of_a_reader_gains_nothing(overlay):
    record = verdict(data=own_day(overlay, lambda hour: 3.5), curve="mine")
    assert record.estimate == pytest.approx(0, abs=1e-9) and record.share == 0 and record.verdict == "not reproduced"


def test_a_day_of_a_reader_joins_the_options(overlay):
    folder = own_day(overlay, lambda hour: 1 if hour < 12 else 4)
    options = analysis.parameters(CLAIM, folder).set_index("name").loc["curve", "options"]
    assert options[-3:] == ["mine", "deepseek", "runway"] and "mine" not in analysis.parameters(CLAIM)["options"][0]
    # Half of the day at a quarter of the peak: a mean of 0.625. Moves that cost nothing reach the bound.
    pins = {"curve": "mine", "block": "card", "policy": "forecast", "data": folder}
    found = answers.bounds(open_facts(folder), FREE, 30.0).set_index("curve").loc["mine"]
    assert found["mean_to_peak"] == pytest.approx(0.625)
    assert 0.9 < analysis.evaluate(CLAIM, detail="point", **pins, **LEAST).estimate / found["relative"] <= 1
    with pytest.raises(ParameterError, match="'mine' is not accepted"):
        verdict(curve="mine")


def test_a_bad_day_of_a_reader_is_refused_before_anything_is_judged(overlay):
    with pytest.raises(DataError, match=r"load_curves\.csv, line 5, column load: -1 is negative"):
        verdict(data=own_day(overlay, lambda hour: -1 if hour == 3 else 1))


def test_free_moves_of_cards_with_a_right_forecast_reach_the_bound_on_every_day():
    """The bound by hand: s u (1 - m) over s m / (1 + h) + (1 - s) u."""
    share, headroom, busy = (MODES[name] for name in ("inference_share", "headroom", "training_utilisation"))
    found = answers.gain_by_block(
        FACTS, DEFAULTS | {"cards": 100000}, FREE, policy="forecast", sizes=[1.0], switches_min=[0.5]
    )
    for row in found.itertuples():
        mean = row.mean_to_peak
        bound = share * busy * (1 - mean) / (share * mean / (1 + headroom) + (1 - share) * busy)
        # Half a minute a move, and a card of a hundred thousand: together under a hundredth of the gain.
        assert 0 <= 1 - row.relative / (100 * bound) < 0.02


def test_no_combination_beats_the_bound(at_modes):
    for row in at_modes.itertuples():
        bound = relative_bound(
            MODES["inference_share"], row.mean_to_peak, MODES["headroom"], MODES["training_utilisation"]
        )
        assert row.relative <= 100 * bound + 1e-9


def test_deepseeks_own_day_is_out_of_reach_whatever_the_share():
    """All cards in inference: u (1 - m) (1 + h) / m, with m = 226.75 / 278, u = 0.9, h = 0.25."""
    mean = 226.75 / 278
    limits = answers.bounds(FACTS, MODES, 30.0).set_index(["curve", "shape"])
    assert limits.loc[("deepseek", "wave"), "at_all"] == pytest.approx(100 * 0.9 * (1 - mean) * 1.25 / mean)
    assert np.isnan(limits.loc[("deepseek", "wave"), "share"])
    needed = answers.shares_needed(FACTS, DEFAULTS, MODES, 30.0)
    assert needed[needed["curve"] == "deepseek"]["share"].isna().all()
    assert needed[needed["curve"] == "servegen-deepseek-r1"]["share"].notna().all()


def test_the_peakedness_that_is_needed_is_where_the_bound_meets_the_claim():
    for share in (0.5, 0.8, 1.0):
        mean = float(answers.peakedness_needed(MODES, 30.0, share))
        assert relative_bound(share, mean, MODES["headroom"], MODES["training_utilisation"]) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("switch_min", (1.0, 8.0, 30.0, 60.0)),
        ("forecast_error", (0.02, 0.08, 0.2)),
    ],
)
def test_the_gain_falls_with_what_costs(name, values):
    for curve in ("servegen-deepseek-r1", "burstgpt-2023", "deepseek"):
        found = [point(curve=curve, **{name: value}) for value in values]
        assert found == sorted(found, reverse=True) and found[0] > found[-1]


def test_the_gain_falls_from_cards_to_supernodes(at_modes):
    wide = at_modes.pivot_table(index=["curve", "shape", "policy"], columns="block", values="relative")
    assert (wide["card"] >= wide["node"] - 1e-9).all() and (wide["node"] > wide["supernode"]).all()


def test_the_gain_rises_with_the_share_in_inference_the_headroom_and_a_laxer_promise():
    for name, values in (("inference_share", (0.2, 0.5, 0.8)), ("headroom", (0.1, 0.3, 0.6))):
        found = [point(curve="servegen-deepseek-r1", block="card", **{name: value}) for value in values]
        assert found == sorted(found) and found[0] < found[-1]
    lax = [point(late_limit=limit) for limit in (0.0, 0.01, 0.05)]
    assert lax == sorted(lax) and lax[0] < lax[-1]


def test_a_more_peaked_day_gains_more(at_modes):
    by_curve = at_modes.groupby("curve")[["mean_to_peak", "relative"]].mean().sort_values("mean_to_peak")
    peaked, flatter, *flat = by_curve["relative"]
    assert peaked > flatter > max(flat)


def test_both_readings_are_of_one_gain():
    """Points over utilisation before is the relative gain."""
    found = table({"policy": "hourly", "block": "node"})
    for row in found.itertuples():
        before = utilisation_before(*(MODES[name] for name in ("inference_share",)), row.mean_to_peak, 0.25, 0.9)
        assert row.relative == pytest.approx(row.points / before)
    record = verdict()
    assert record.readings["points"]["share"] < record.readings["relative"]["share"]


def test_late_requests_stay_within_the_limit(at_modes):
    assert (at_modes["late"] <= 0.01 + 1e-9).all() and at_modes["late"].max() > 0.009
    assert (table({"late_limit": 0.0, "policy": "forecast"})["late"] <= 1e-9).all()


def test_simulation_and_closed_form_agree_at_the_modes(at_modes):
    gap = (at_modes["simulated"] - at_modes["relative"]).abs()
    certain = at_modes["standard_error"] == 0
    assert (gap[certain] < 1e-9).all()
    # Sixteen days a combination: one in a few hundred lies beyond three standard errors.
    assert (gap[~certain] <= 4 * at_modes["standard_error"][~certain]).all()
    assert (gap[~certain] <= 3 * at_modes["standard_error"][~certain]).mean() > 0.95
    error = np.sqrt((at_modes["standard_error"] ** 2).sum()) / len(at_modes)
    assert abs((at_modes["simulated"] - at_modes["relative"]).mean()) <= 3 * error


@pytest.fixture(scope="module")
def record():
    return analysis.evaluate(CLAIM, block="supernode", samples=64)


def test_the_record_has_two_methods_that_agree_and_lines_that_share_nothing(record):
    closed, counted = record.methods.values()
    assert record.methods_agree
    assert abs(closed["estimate"] - counted["estimate"]) <= 3 * counted["standard_error"]
    published = [name for name, line in record.lines.items() if "shares nothing" in line["note"]]
    assert len(published) >= 2 and len(record.lines) >= 4
    assert set(record.drivers) == {*ASSUMPTIONS, "curve", "policy", "block"}


def test_no_region_names_a_curve_and_one_needs_two_days():
    record = verdict()
    assert "curve" not in (record.region or {"box": {}})["box"]
    alone = verdict(curve="servegen-deepseek-r1", inference_share=0.3)
    assert alone.share < 0.5 and alone.region is None and alone.verdict == "not reproduced"


def test_a_backlog_that_is_too_small_caps_the_gain():
    none, half, endless = (point(training_backlog=work, curve="burstgpt-2023") for work in (0.0, 0.5, 1.0))
    assert none == 0 and none < half < endless
    # Half of the valley's work is half of the bound.
    bound = relative_bound(0.5, 0.5404860733, MODES["headroom"], MODES["training_utilisation"])
    assert half <= 100 * bound / 2 + 1e-6


def test_a_longer_move_than_is_told_misses_the_claim():
    values = MODES | {"inference_share": 0.7}
    found = answers.longest_moves(FACTS, DEFAULTS, values, 30.0)
    row = found[(found["curve"] == "burstgpt-2023") & (found["policy"] == "hourly") & (found["block"] == "supernode")]
    minutes = float(row["minutes"].iloc[0])
    one = {"policy": "hourly", "sizes": [384.0], "switches_min": [minutes, minutes + 1]}
    gains = answers.gain_by_block(FACTS, DEFAULTS, values, **one).query("curve == 'burstgpt-2023'")["relative"]
    assert gains.iloc[0] >= 30 > gains.iloc[1]


def test_one_day_is_the_simulated_one_and_its_cards_add_up():
    day = answers.one_day(FACTS, DEFAULTS, MODES, curve="burstgpt-2023", policy="forecast", block="supernode")
    assert (day[["serving", "moving", "valley", "pool"]].sum(axis=1) - 1).abs().max() < 1e-9
    assert (day["serving"] >= day["load"] - 1e-9).all() and len(day) == 1440
    assert day["load"].mean() == pytest.approx(0.5 * 0.5404860733)


def test_a_simulation_of_one_combination_repeats_with_its_seed():
    options = {name: column.to_numpy() for name, column in enumerated(FACTS, DEFAULTS, 9.0).iloc[4:6].items()}
    one, again, other = (
        simulated(FACTS, DEFAULTS, "relative", options, MODES, seed=seed, days_each=8) for seed in (1, 1, 2)
    )
    assert one.equals(again) and not one.equals(other)


def test_lines_of_bounds_by_hand():
    found = lines.lines_of(FACTS, assumptions(FACTS, ASSUMPTIONS)).told
    # A quarter of the inference hours saved: s u / 4 over s 0.75 / 1.25 + (1 - s) u, with s = 0.5 and u = 0.9.
    assert found["SageServe, hours saved"]["estimate"] == pytest.approx([100 * 0.1125 / (0.3 + 0.45)])
    assert found["Lyra, cards lent by the time of day"]["estimate"] == [25.0]
    low, high = found["deepseek, its own day"]["interval"][0]
    assert low < found["deepseek, its own day"]["estimate"][0] < high < 30


def test_other_mechanisms_are_no_lines_of_evidence(record):
    others = lines.other_mechanisms(FACTS)
    told = " ".join([*record.lines, *record.evidence["keys"]])
    assert not set(others["source"]) & set(record.evidence["keys"]) and "MuxFlow" not in told
    assert (others["after"] > others["before"].fillna(0)).all()


def test_a_line_whose_row_is_missing_is_refused(monkeypatch):
    facts = open_facts()
    table = facts.table("operations")
    monkeypatch.setitem(facts._tables, "operations", table[table["id"] != "OP013"])
    with pytest.raises(DataError, match="no row 'OP013'"):
        lines.lines_of(facts, assumptions(facts, ASSUMPTIONS))


def test_the_size_of_a_supernode_is_that_of_the_card(tmp_path):
    folder = edited(tmp_path, "accelerators", {"Ascend 910C": {"scaleup_domain_size": "96"}}, ("scaleup_domain_size",))
    assert block_cards(open_facts(folder))["supernode"] == 96
    finer = analysis.evaluate(CLAIM, detail="point", block="supernode", data=folder).estimate
    assert finer > point(block="supernode")
    folder = edited(tmp_path, "accelerators", {"Ascend 910C": {"scaleup_domain_size": ""}}, ("scaleup_domain_size",))
    with pytest.raises(DataError, match=r"no scaleup_domain_size of 'Ascend 910C'"):
        block_cards(open_facts(folder))


def test_a_pool_smaller_than_a_block_gains_nothing():
    assert point(cards=384, block="supernode") == 0
    assert point(cards=384, block="card") > 0
