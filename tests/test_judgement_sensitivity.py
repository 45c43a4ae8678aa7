"""Drivers against exact indices, break-even against closed forms, robustness against what was put in."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import assumption, closed_form, target

from analysis.judgement import judge
from analysis.judgement.case import ModelError, Options, Target
from analysis.judgement.robustness import variations
from analysis.judgement.sensitivity import break_even, drivers
from analysis.judgement.uncertainty import option_weights

ONE = np.ones(1)


def test_total_order_indices_of_the_ishigami_function_are_exact():
    a, b = 7.0, 0.1
    names = [assumption(name, -np.pi, np.pi) for name in ("x", "y", "z")]
    case = closed_form(lambda x, y, z: np.sin(x) + a * np.sin(y) ** 2 + b * z**4 * np.sin(x), names)
    found = drivers(case, ONE, target(0), seed=0)
    # Closed form of Ishigami and Homma (1990).
    variance = a**2 / 8 + b * np.pi**4 / 5 + b**2 * np.pi**8 / 18 + 0.5
    exact = {
        "x": (0.5 * (1 + b * np.pi**4 / 5) ** 2 + 8 * b**2 * np.pi**8 / 225) / variance,
        "y": a**2 / 8 / variance,
        "z": 8 * b**2 * np.pi**8 / 225 / variance,
    }
    assert found == pytest.approx(exact, abs=0.05)
    assert list(found) == sorted(exact, key=exact.get, reverse=True)


def test_indices_do_not_change_from_run_to_run():
    case = closed_form(lambda a, b: a * b, [assumption("a"), assumption("b")])
    assert drivers(case, ONE, target(0), seed=0) == drivers(case, ONE, target(0), seed=0)


def test_a_constant_prediction_has_no_drivers():
    case = closed_form(lambda a: 0 * a + 3.0, [assumption("a")])
    assert drivers(case, ONE, target(0), seed=0) == {"a": 0.0}


def test_the_index_of_a_choice_is_the_variance_that_it_alone_moves():
    # Two choices whose effects add up: each index is its own share of the variance.
    first, second = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    options = Options({"first": first, "second": second}, ("first", "second"), sources=((frozenset("s"),),) * 4)
    case = closed_form(lambda first, second: 3.0 * first + 1.0 * second, [], options)
    assert drivers(case, np.full(4, 0.25), target(0), seed=0) == pytest.approx({"first": 0.9, "second": 0.1})


def test_break_even_of_a_linear_claim_is_exact():
    case = closed_form(lambda a, b: 10 * a + b, [assumption("a"), assumption("b", 0.0, 4.0)])
    found, reasons = break_even(case, ONE, target(8))
    assert found == pytest.approx({"a": 0.6, "b": 3.0}) and not reasons


def test_break_even_is_null_with_a_reason_where_nothing_crosses():
    case = closed_form(lambda a, b: a + 0 * b, [assumption("a"), assumption("b")])
    found, reasons = break_even(case, ONE, target(5))
    assert found == {"a": None, "b": None}
    assert "between 0 and 1" in reasons["a"]


def test_break_even_takes_the_crossing_nearest_to_the_mode():
    # eq 10 with a tolerance of a quarter holds between 7.5 and 12.5; the mode is 8.
    case = closed_form(lambda a: a, [assumption("a", 0.0, 20.0, mode=8.0)])
    found, _ = break_even(case, ONE, target(10, "eq"))
    assert found["a"] == pytest.approx(7.5)


def test_break_even_of_a_choice_lists_the_values_that_hold():
    options = Options({"card": np.array(["x", "y", "z"])}, ("card",), sources=((frozenset("s"),),) * 3)
    case = closed_form(lambda card: np.array([{"x": 1.0, "y": 2.0, "z": 3.0}[name] for name in card]), [], options)
    found, _ = break_even(case, option_weights(options), target(2))
    assert found == {"card": ["y", "z"]}


def test_the_model_error_caps_what_can_be_said():
    declared = [assumption("a", 100.0, 120.0)]
    blind = closed_form(lambda a: a, declared, model_error=ModelError(-0.3, 0.3))
    sharp = closed_form(lambda a: a, declared, model_error=ModelError(-0.01, 0.01))
    assert judge.judge(sharp, target(105), ONE, 1024, 0).verdict == "reproduced"
    found = judge.judge(blind, target(105), ONE, 1024, 0)
    assert found.verdict == "conditional" and not found.resolved


def test_a_verdict_that_hangs_on_a_judged_range_is_fragile():
    # Above 0.5 lie 58 % of 0 to 1.2, but only 42 % of the range halved about its mode, 0.15 to 0.75.
    declared = [assumption("a", 0.0, 1.2, mode=0.3)]
    case = closed_form(lambda a: a, declared)
    judged = judge.judge(case, target(0.5), ONE, 4096, 0)
    verdicts, fragile = judge.robust(case, target(0.5), judged, 4096, 0)
    assert judged.verdict == "reproduced" and set(verdicts) == {"judged ranges halved", "judged ranges doubled"}
    assert verdicts["judged ranges halved"] == "conditional" and fragile


def test_a_cited_range_is_not_varied():
    case = closed_form(lambda a: a, [assumption("a", source="somebody2024")])
    judged = judge.judge(case, target(0.1), ONE, 1024, 0)
    assert judge.robust(case, target(0.1), judged, 1024, 0) == ({}, False)


def test_leaving_out_a_source_drops_only_what_nothing_else_supports():
    columns = {"value": np.array([1.0, 1.0, 5.0])}
    sources = ((frozenset("ab"),), (frozenset("b"),), (frozenset("c"),))
    case = closed_form(lambda value: value, [], Options(columns, sources=sources))
    judged = judge.judge(case, target(2), option_weights(case.options), 64, 0)
    verdicts, fragile = judge.robust(case, target(2), judged, 64, 0)
    assert {name for name in verdicts if name.startswith("without")} == {"without b", "without c"}
    assert verdicts["without b"] == "reproduced" and verdicts["without c"] == "not reproduced" and fragile


def test_a_million_samples_of_a_closed_form_are_judged():
    case = closed_form(lambda a, b: a * b, [assumption("a"), assumption("b")])
    found = judge.judge(case, target(0.25), ONE, 1_000_000, 0)
    # P(ab >= q) = 1 - q + q ln q for two uniform factors.
    assert found.shares.holds == pytest.approx(1 - 0.25 + 0.25 * np.log(0.25), abs=1e-4)


def test_a_joint_case_is_judged_by_its_worst_part():
    case = closed_form(lambda a: np.stack([a, 1 - a]), [assumption("a")])
    both = Target(("at_least", "at_least"), np.array([0.25, 0.25]), 0.25)
    assert judge.judge(case, both, ONE, 4096, 0).shares.holds == pytest.approx(0.5, abs=1e-3)


def test_a_box_that_misses_its_density_by_a_hair_makes_a_verdict_fragile():
    # One option of five holds in 49 %, the others never: no region, but nearly one.
    words = np.array(list("vwxyz"))
    options = Options({"word": words}, ("word",), ("word",), sources=((frozenset("s"),),) * 5)
    near, far = (
        closed_form(lambda a, word, part=part: ((word == "v") & (a % 0.1 < part)) * 1.0, [assumption("a")], options)
        for part in (0.049, 0.04)
    )
    for case, expected in ((near, True), (far, False)):
        judged = judge.judge(case, target(1), option_weights(options), 8192, 0)
        assert judged.region is None and judged.near_region is expected


def test_a_constant_prediction_is_decided_by_no_choice():
    options = Options({"card": np.array(["x", "y"])}, ("card",), sources=((frozenset("s"),),) * 2)
    for declared in ([], [assumption("a")]):
        case = closed_form(lambda card, a=None: np.full(len(card), 3.0), declared, options)
        assert set(drivers(case, np.full(2, 0.5), target(0), seed=0).values()) == {0.0}


def test_a_choice_beside_an_assumption_has_its_own_share_of_the_whole_variance():
    # A choice of 0 or 1 has the variance 1/4, a uniform number between 0 and 1 has 1/12.
    options = Options({"card": np.array([0, 1])}, ("card",), sources=((frozenset("s"),),) * 2)
    case = closed_form(lambda a, card: a + card, [assumption("a")], options)
    found = drivers(case, np.full(2, 0.5), target(0), seed=0)
    assert found == pytest.approx({"card": 3 / 4, "a": 1 / 4}, abs=0.02) and list(found) == ["card", "a"]


def test_the_index_of_a_choice_weighs_its_options():
    # Values 0 and 1 with weights 1/10 and 9/10; the second choice moves nothing but stands in other groups.
    first, second = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    options = Options({"first": first, "second": second}, ("first", "second"), sources=((frozenset("s"),),) * 4)
    weight = np.array([0.05, 0.05, 0.45, 0.45])
    case = closed_form(lambda first, second: first + 0.5 * second, [], options)
    moved = {"first": 0.1 * 0.9, "second": 0.5**2 / 4}
    expected = {name: part / sum(moved.values()) for name, part in moved.items()}
    assert drivers(case, weight, target(0), seed=0) == pytest.approx(expected)


def test_the_drivers_of_a_joint_claim_are_those_of_its_worst_part():
    # The second part never comes near its number and hangs on b alone, so that b decides the margin.
    case = closed_form(lambda a, b: np.stack([a + 10, b]), [assumption("a"), assumption("b")])
    both = Target(("at_least", "at_least"), np.array([1.0, 100.0]), 0.25)
    assert drivers(case, ONE, both, seed=0) == pytest.approx({"b": 1.0, "a": 0.0}, abs=0.02)


def test_a_break_even_on_either_side_of_the_mode_is_found():
    # eq 10 holds between 7.5 and 12.5; from a mode of 9 the lower end is nearer, from 11.5 the upper one.
    for mode, nearest in ((9.0, 7.5), (11.5, 12.5), (1.0, 7.5), (19.0, 12.5)):
        case = closed_form(lambda a: a, [assumption("a", 0.0, 20.0, mode=mode)])
        assert break_even(case, ONE, target(10, "eq"))[0]["a"] == pytest.approx(nearest)


def test_where_options_are_open_break_even_is_where_half_of_them_hold():
    # a + shift >= 1 from a = 1 - shift on; half of the weight holds from the third option on.
    options = Options({"shift": np.array([0.0, 0.2, 0.4, 0.6, 0.8])}, ("shift",), sources=((frozenset("s"),),) * 5)
    case = closed_form(lambda a, shift: a + shift, [assumption("a", 0.0, 1.0, mode=0.1)], options)
    found, reasons = break_even(case, np.full(5, 0.2), target(1))
    assert found["a"] == pytest.approx(0.6) and found["shift"] is None and "half" in reasons["shift"]
    heavy = np.array([0.1, 0.1, 0.1, 0.1, 0.6])
    assert break_even(case, heavy, target(1))[0]["a"] == pytest.approx(0.2)


def test_a_jump_from_failing_to_holding_is_a_break_even_on_its_edge():
    case = closed_form(lambda a: np.where(a < 0.5, 0.0, 10.0), [assumption("a", mode=0.2)])
    found = break_even(case, ONE, target(5))[0]["a"]
    assert found == pytest.approx(0.5, abs=1 / 128)


def test_a_choice_holds_at_a_value_where_exactly_half_of_the_others_do():
    first, second = np.array(list("xxyy")), np.array([0, 1, 0, 1])
    options = Options({"first": first, "second": second}, ("first", "second"), sources=((frozenset("s"),),) * 4)
    case = closed_form(lambda first, second: (first == "y") * 1.0 + second, [], options)
    # x holds with one of two, y with both; 0 with one of two, 1 with both.
    found, reasons = break_even(case, np.full(4, 0.25), target(1))
    assert found == {"first": ["x", "y"], "second": [0, 1]} and not reasons
    found, reasons = break_even(case, np.full(4, 0.25), target(2))
    assert found == {"first": ["y"], "second": [1]} and not reasons


def test_a_share_that_is_just_enough_still_has_to_be_resolved():
    options = Options({"value": np.array([9.0, 11.0])}, sources=((frozenset("s"),),) * 2)
    for error, expected in ((0.5, "conditional"), (0.01, "reproduced")):
        case = closed_form(lambda value: value, [], options, model_error=ModelError(-error, error))
        found = judge.judge(case, target(10), np.full(2, 0.5), 16, 0)
        assert (found.shares.holds, found.verdict) == (0.5, expected)


@pytest.mark.parametrize(("low", "high"), [(-0.3, 0.01), (-0.01, 0.3)])
def test_one_end_of_the_model_error_is_enough_to_leave_a_claim_unresolved(low, high):
    # Between 100 and 120; eq 110 within a tenth holds nearly everywhere, but not for a truth a third higher or lower.
    case = closed_form(lambda a: a, [assumption("a", 100.0, 120.0)], model_error=ModelError(low, high))
    found = judge.judge(case, target(110, "eq", 0.1), ONE, 1024, 0)
    assert found.shares.holds == pytest.approx(1.0) and not found.resolved and found.verdict == "conditional"


def test_the_estimate_is_the_median_and_the_interval_holds_nine_tenths():
    case = closed_form(lambda a: np.stack([a, 10 * a]), [assumption("a", 0.0, 100.0)])
    found = judge.judge(case, Target(("at_least",) * 2, np.array([1.0, 1.0]), 0.25), ONE, 8192, 0)
    assert found.estimate == pytest.approx([50, 500], rel=1e-3)
    assert found.interval == pytest.approx(np.array([[5, 95], [50, 950]]), rel=1e-2)


@pytest.mark.parametrize(
    ("share", "fragile"), [(0.50, True), (0.515, True), (0.53, False), (0.49, True), (0.485, True), (0.47, False)]
)
def test_a_share_within_two_hundredths_of_its_threshold_is_fragile(share, fragile):
    # A cited range is not varied, so that nothing but the share decides; two options as likely as each other.
    options = Options({"k": np.arange(2)}, sources=((frozenset("ab"),),) * 2)
    case = closed_form(lambda a, k: a, [assumption("a", source="somebody2024")], options)
    one = target(1 - share)
    judged = judge.judge(case, one, np.full(2, 0.5), 8192, 0)
    verdicts, found = judge.robust(case, one, judged, 8192, 0)
    # No variation changes anything, and where a box is sought it is one in which the claim always holds.
    assert set(verdicts.values()) == {judged.verdict} and found is fragile


def test_every_variation_is_named_and_changes_what_it_says():
    declared = (
        assumption("a", 0.0, 1.0, mode=0.25),
        assumption("b", 0.0, 1.0, distribution="triangular", source="x2024"),
    )
    columns = {"value": np.arange(3), "vendor": np.array(["N", "N", "A"])}
    options = Options(columns, vendor="vendor", sources=((frozenset("a"),), (frozenset("ab"),), (frozenset("b"),)))
    case = closed_form(lambda a, b, value, vendor: a, declared, options)
    varied = {name: (one, weight) for name, one, weight in variations(case)}
    found = {name: one.assumptions for name, (one, _) in varied.items()}
    values = {name: one.options.columns["value"].tolist() for name, (one, _) in varied.items()}
    assert list(found) == [
        "judged ranges halved",
        "judged ranges doubled",
        "uniform distributions",
        "options weighted per option",
        "options weighted per vendor",
        "options weighted per source",
        "without a",
        "without b",
    ]
    halved, doubled = found["judged ranges halved"], found["judged ranges doubled"]
    # About its mode of 1/4: half as far to either side, twice as far. A cited range stays.
    assert [(halved[0].low, halved[0].high), (doubled[0].low, doubled[0].high)] == [(0.125, 0.625), (-0.25, 1.75)]
    assert halved[1] == doubled[1] == declared[1]
    assert {one.distribution for one in found["uniform distributions"]} == {"uniform"}
    assert varied["options weighted per vendor"][1] == pytest.approx([1 / 4, 1 / 4, 1 / 2])
    assert values["without a"] == [1, 2] and values["without b"] == [0, 1]
    assert varied["without a"][1] == pytest.approx([1 / 2, 1 / 2])


def test_a_claim_that_holds_only_with_one_source_of_its_constant_is_fragile():
    """The constant is 2 with all rows and 0.5 without somebody's: the refit reaches the verdict, and says so."""

    def predicting(constant):
        return closed_form(lambda a: constant + 0 * a, [assumption("a", source="somebody2024")])

    case = replace(predicting(2.0), refitted={"somebody2023": lambda: predicting(0.5)})
    judged = judge.judge(case, target(1.0), np.ones(1), 64, 0)
    verdicts, fragile = judge.robust(case, target(1.0), judged, 64, 0)
    assert judged.verdict == "reproduced" and fragile
    assert verdicts["constants refitted without somebody2023"] == "not reproduced"


def test_an_option_that_rests_on_two_rows_goes_with_the_last_source_of_either():
    # A pair of cards: the first option needs a for its start and c or d for its end.
    sources = ((frozenset("a"), frozenset("cd")), (frozenset("b"), frozenset("cd")))
    case = closed_form(lambda value: value, [], Options({"value": np.arange(2)}, sources=sources))
    kept = {name: one.options.columns["value"].tolist() for name, one, _ in variations(case) if "without" in name}
    assert kept == {"without a": [1], "without b": [0]}
