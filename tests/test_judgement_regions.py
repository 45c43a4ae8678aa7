"""The region search: known boxes are found, and the best box is that of a brute force."""

from itertools import combinations

import numpy as np
import pytest
from conftest import assumption, closed_form, target

from analysis.judgement.case import Options
from analysis.judgement.judge import judge, predictions
from analysis.judgement.regions import densest_box
from analysis.judgement.uncertainty import FRESH, SEARCH, draw, option_weights
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


def test_a_box_on_a_logarithmic_range_has_the_edges_of_tenths_of_its_logarithm():
    declared = [assumption("a", 1.0, 1024.0, mode=32.0, distribution="log-uniform")]
    found = region_of(lambda a: (a > 2.0**7) * 1.0, assumptions=declared)
    assert found.bounds == {"a": pytest.approx([128.0, 1024.0])}
    assert found.mass == pytest.approx(0.3, abs=0.01) and found.density == 1.0


def test_a_box_needs_a_tenth_of_the_set_and_half_of_its_points():
    # A box of a tenth qualifies, one of a twentieth does not; nor does a claim that holds in less than half of any.
    options = Options(
        {"word": np.array(["good", "bad", "bad"])}, ("word",), ("word",), sources=((frozenset("s"),),) * 3
    )
    tenth, twentieth = np.array([0.1, 0.45, 0.45]), np.array([0.05, 0.475, 0.475])
    case = closed_form(lambda word: (word == "good") * 1.0, [], options)
    found = judge(case, target(1.0), tenth, 16, seed=0).region
    assert found.bounds == {"word": "good"} and (found.mass, found.density, found.coverage) == (0.1, 1.0, 1.0)
    assert judge(case, target(1.0), twentieth, 16, seed=0).region is None


@pytest.mark.parametrize(("good", "found"), [(1, False), (2, True), (3, True)])
def test_a_box_in_which_exactly_half_holds_is_dense_enough(good, found):
    # Four options of the word, of which some hold; six of the other word, which never do.
    value = np.array([1.0] * good + [0.0] * (4 - good) + [0.0] * 6)
    columns = {"value": value, "word": np.array(["in"] * 4 + ["out"] * 6)}
    options = Options(columns, ("word",), ("word",), sources=((frozenset("s"),),) * 10)
    case = closed_form(lambda value, word: value, [], options)
    region = judge(case, target(1.0), option_weights(options), 16, seed=0).region
    assert (region is not None) is found
    assert not found or (region.bounds, region.density, region.coverage) == ({"word": "in"}, good / 4, 1.0)


def test_of_boxes_that_are_as_dense_the_larger_wins_and_then_the_one_with_fewer_parameters():
    # The claim holds for a > 0.5; any interval of it, and any word beside it, is as dense but smaller.
    options = Options({"word": np.array(["x", "y"])}, ("word",), ("word",), sources=((frozenset("s"),),) * 2)
    found = region_of(lambda a, word: (a > 0.7) * 1.0, assumptions=[assumption("a")], options=options)
    assert found.bounds == {"a": [0.7, 1.0]}
    # Two words that always go together: one alone says as much as both.
    same = Options(
        {"first": np.array(list("pqq")), "second": np.array(list("PQQ"))},
        ("first", "second"),
        ("first", "second"),
        sources=((frozenset("s"),),) * 3,
    )
    case = closed_form(lambda first, second: (first == "p") * 1.0, [], same)
    assert judge(case, target(1.0), option_weights(same), 16, seed=0).region.bounds == {"first": "p"}


def test_two_rows_are_needed_of_each_table_behind_the_options():
    columns = {
        "word": np.array(["in", "in", "out", "out", "out"]),
        "start": np.array(["s1", "s2", "s1", "s2", "s3"]),
        "end": np.array(["e1", "e1", "e2", "e2", "e2"]),
    }
    for rows, found in ((("start",), True), (("end",), False), (("start", "end"), False)):
        options = Options(columns, ("word",), ("word",), rows=rows, sources=((frozenset("s"),),) * 5)
        case = closed_form(lambda word, start, end: (word == "in") * 1.0, [], options)
        region = judge(case, target(1.0), option_weights(options), 16, seed=0).region
        assert (region is not None) is found


def test_the_share_and_the_coverage_of_a_box_are_those_of_the_fresh_sample():
    declared = [assumption("a"), assumption("b")]
    samples = [draw(declared, Options(), np.ones(1), 4096, 3, stream) for stream in (SEARCH, FRESH)]
    holding = [(sample.values["a"] > 0.6) & (sample.values["b"] < 0.9) for sample in samples]
    found = densest_box(declared, Options(), samples, holding)
    inside = [inside_of(found.bounds, sample) for sample in samples]
    assert found.mass == pytest.approx(inside[0].mean())
    assert found.density == pytest.approx(holding[1][inside[1]].mean())
    assert found.coverage == pytest.approx((holding[1] & inside[1]).sum() / holding[1].sum())


def inside_of(bounds, sample):
    inside = np.ones(len(sample.rows), dtype=bool)
    for name, (low, high) in bounds.items():
        inside &= (sample.values[name] >= low) & (sample.values[name] < high)
    return inside


def test_a_box_that_the_fresh_sample_does_not_confirm_is_none():
    declared = [assumption("a")]
    samples = [draw(declared, Options(), np.ones(1), 4096, 3, stream) for stream in (SEARCH, FRESH)]
    inside = [sample.values["a"] > 0.5 for sample in samples]
    # Of the fresh points two in five hold, wherever one looks; of those of the search all do. And the reverse.
    some = np.arange(4096) % 5 < 2
    assert densest_box(declared, Options(), samples, [inside[0], inside[1] & some]) is None
    found = densest_box(declared, Options(), samples, [inside[0] & some, inside[1]])
    assert found.density == 1.0 and found.bounds["a"][0] >= 0.5
