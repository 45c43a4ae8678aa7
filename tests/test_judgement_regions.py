"""The region search: known boxes are found, and the best box is that of a brute force."""

from itertools import combinations

import numpy as np
from conftest import assumption, closed_form, target

from analysis.judgement.case import Options
from analysis.judgement.judge import judge, predictions
from analysis.judgement.regions import densest_box
from analysis.judgement.uncertainty import FRESH, draw, option_weights
from analysis.judgement.verdict import held, margins

AB = [assumption("a"), assumption("b"), assumption("c")]


def region_of(function, value=1.0, assumptions=AB, options=None, samples=8192):
    case = closed_form(function, assumptions, options)
    return judge(case, target(value), option_weights(case.options), samples, seed=0).region


def test_a_box_that_was_put_in_comes_out():
    found = region_of(lambda a, b, c: ((a > 0.6) & (b < 0.5)) * 1.0)
    assert found.bounds == {"a": [0.6, 1.0], "b": [0.0, 0.5]}
    assert found.density == 1.0 and found.coverage > 0.99
    assert abs(found.mass - 0.2) < 0.01


def test_ties_go_to_the_larger_box():
    found = region_of(lambda a, b, c: (a > 0.7) * 1.0)
    assert found.bounds == {"a": [0.7, 1.0]}


def test_no_box_where_the_claim_hardly_ever_holds():
    assert region_of(lambda a, b, c: (a + b + c > 2.8) * 1.0) is None


def test_a_small_but_certain_box_is_too_small():
    assert region_of(lambda a, b, c: ((a > 0.8) & (b > 0.8) & (c > 0.2)) * 1.0) is None


def test_an_unordered_option_enters_as_a_word_and_data_rows_never_do():
    words = np.array(["good", "bad", "bad", "bad"])
    rows = np.array(["r1", "r2", "r3", "r4"])
    options = Options({"word": words, "row": rows}, ("word",), ("word",), sources=((frozenset("s"),),) * 4)
    found = region_of(lambda a, b, c, word, row: (word == "good") * 1.0, options=options)
    assert found.bounds == {"word": "good"}


def test_holding_points_must_come_from_two_rows():
    words = np.array(["good", "good", "bad", "bad"])
    columns = {"word": words, "row": np.array(["r1", "r2", "r1", "r2"])}
    options = Options(columns, ("word",), ("word",), rows=("row",), sources=((frozenset("s"),),) * 4)
    both = region_of(lambda a, b, c, word, row: ((word == "good") & (a > 0.5)) * 1.0, options=options)
    assert both.bounds == {"a": [0.5, 1.0], "word": "good"}
    one = region_of(lambda a, b, c, word, row: ((word == "good") & (row == "r1") & (a > 0.1)) * 1.0, options=options)
    assert one is None


def test_an_ordered_attribute_of_the_options_has_intervals():
    span = np.linspace(7.01, 8.99, 100)
    options = Options({"span": span}, ordered={"span": (7.0, 9.0, "years")}, sources=((frozenset("s"),),) * 100)
    found = region_of(lambda span: (span > 8.4) * 1.0, assumptions=[], options=options)
    assert found.bounds == {"span": [8.4, 9.0]}


def test_the_densest_box_is_that_of_a_brute_force():
    case = closed_form(lambda a, b, c: a * b + 0.3 * c, AB)
    samples = [draw(case.assumptions, case.options, np.ones(1), 2048, 5, stream) for stream in (0, FRESH)]
    one = target(0.75)
    holding = [held(margins(predictions(case, sample), one)).all(axis=0) for sample in samples]
    found = densest_box(case.assumptions, case.options, samples, holding)
    assert (found.density, found.mass) == brute_force(samples, holding)


def brute_force(samples, holding):
    """Try every box with two loops over its ends; return fresh density and search mass of the best."""
    edges = [(low / 10, high / 10) for low in range(10) for high in range(low + 1, 11)]
    best = (0.0, 0.0, 0.0)
    for first, second in combinations("abc", 2):
        for low, high in edges:
            for bottom, top in edges:
                inside = [
                    (low <= s.values[first])
                    & (s.values[first] < high)
                    & (bottom <= s.values[second])
                    & (s.values[second] < top)
                    for s in samples
                ]
                mass = inside[0].mean()
                if mass >= 0.1 and inside[1].any() and holding[1][inside[1]].mean() >= 0.5:
                    best = max(
                        best, (round(holding[0][inside[0]].mean(), 12), round(mass, 12), holding[1][inside[1]].mean())
                    )
    return round(best[2], 12), best[1]
