"""Drivers against exact indices, break-even against closed forms, robustness against what was put in."""

import numpy as np
import pytest
from conftest import assumption, closed_form, target

from analysis.judgement import judge
from analysis.judgement.case import ModelError, Options, Target
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
