"""Sampling: distributions against SciPy, quantiles against NumPy, weights against their definition."""

import numpy as np
import pytest
from conftest import assumption
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.judgement.case import Options
from analysis.judgement.uncertainty import (
    FRESH,
    SEARCH,
    at_unit,
    draw,
    flattened,
    option_weights,
    position,
    quantile,
    stretched,
    weighted_quantile,
)

PROBABILITIES = np.linspace(0, 1, 21)


def test_quantiles_are_those_of_scipy():
    triangular = assumption("a", 2.0, 10.0, mode=4.0, distribution="triangular")
    expected = stats.triang(c=0.25, loc=2, scale=8).ppf(PROBABILITIES)
    assert quantile(triangular, PROBABILITIES) == pytest.approx(expected)
    uniform = assumption("a", 2.0, 10.0)
    assert quantile(uniform, PROBABILITIES) == pytest.approx(stats.uniform(2, 8).ppf(PROBABILITIES))
    loguniform = assumption("a", 2.0, 10.0, mode=4.0, distribution="log-uniform")
    assert quantile(loguniform, PROBABILITIES) == pytest.approx(stats.loguniform(2, 10).ppf(PROBABILITIES))


def test_log_triangular_is_triangular_in_the_logarithm():
    one = assumption("a", 1.0, 100.0, mode=10.0, distribution="log-triangular")
    expected = np.exp(stats.triang(c=0.5, scale=np.log(100)).ppf(PROBABILITIES))
    assert quantile(one, PROBABILITIES) == pytest.approx(expected)


@pytest.mark.parametrize("distribution", ["uniform", "triangular", "log-uniform", "log-triangular"])
def test_a_mode_at_an_end_stays_inside_the_range(distribution):
    for mode in (1.0, 4.0):
        values = quantile(assumption("a", 1.0, 4.0, mode=mode, distribution=distribution), PROBABILITIES)
        assert np.all(np.diff(values) >= 0)
        assert values[[0, -1]] == pytest.approx([1.0, 4.0])


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_weighted_median_with_equal_weights_is_the_median(values):
    found = weighted_quantile(np.array(values), np.full(len(values), 1 / len(values)), [0.5])[0]
    assert found == pytest.approx(np.median(values), rel=1e-12, abs=1e-9)


def test_a_weight_counts_like_repeated_points():
    values, weight = np.array([3.0, 1.0, 2.0]), np.array([1, 3, 2])
    repeated = np.repeat(values, weight)
    for probability in (0.1, 0.4, 0.6, 0.95):
        found = weighted_quantile(values, weight / 6, [probability])[0]
        assert found == np.quantile(repeated, probability, method="inverted_cdf")


def test_a_draw_has_the_declared_distribution_and_repeats_with_its_seed():
    declared = (assumption("a", 0.0, 8.0, mode=2.0, distribution="triangular"), assumption("b", 1.0, 2.0))
    options = Options({"word": np.array(["x", "y", "z"])}, sources=((frozenset("s"),),) * 3)
    weight = np.array([0.5, 0.25, 0.25])
    first, again = (draw(declared, options, weight, 4096, seed=3) for _ in range(2))
    assert np.array_equal(first.values["a"], again.values["a"]) and np.array_equal(first.rows, again.rows)
    assert stats.kstest(first.values["a"], stats.triang(c=0.25, scale=8).cdf).pvalue > 0.01
    assert np.bincount(first.rows) / 4096 == pytest.approx(weight, abs=0.002)
    other = draw(declared, options, weight, 4096, seed=4)
    assert not np.array_equal(first.values["a"], other.values["a"])
    # Negative control: the test of the distribution would notice a wrong one.
    assert stats.kstest(first.values["b"] - 1, stats.triang(c=0.25).cdf).pvalue < 1e-6


def test_a_set_of_nothing_but_options_is_counted():
    options = Options({"word": np.array(["x", "y"])}, sources=((frozenset("s"),),) * 2)
    sample = draw((), options, np.array([0.25, 0.75]), 8192, seed=0)
    assert sample.counted and sample.rows.tolist() == [0, 1] and sample.weight.tolist() == [0.25, 0.75]


def test_options_of_one_source_each_weigh_equally_per_source():
    options = Options({"k": np.arange(4)}, sources=tuple((frozenset([key]),) for key in "aaab"))
    assert option_weights(options) == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 2])
    assert option_weights(options, "option") == pytest.approx([1 / 4] * 4)


def test_options_of_several_sources_weigh_equally_and_per_vendor_on_request():
    pair = (frozenset("ab"), frozenset("c"))
    options = Options({"vendor": np.array(["N", "N", "A"])}, vendor="vendor", sources=(pair,) * 3)
    assert option_weights(options) == pytest.approx([1 / 3] * 3)
    assert option_weights(options, "vendor") == pytest.approx([1 / 4, 1 / 4, 1 / 2])


def test_ranges_are_stretched_about_the_mode_and_clipped_to_what_is_possible():
    one = assumption("a", 0.2, 0.8, mode=0.4, possible_low=0.0, possible_high=1.0)
    halved, doubled = stretched(one, 0.5), stretched(one, 2.0)
    assert (halved.low, halved.high) == pytest.approx((0.3, 0.6))
    assert (doubled.low, doubled.high) == pytest.approx((0.0, 1.0))
    logarithmic = assumption("a", 1.0, 100.0, mode=10.0, distribution="log-uniform")
    assert (stretched(logarithmic, 2.0).low, stretched(logarithmic, 2.0).high) == pytest.approx((0.1, 1000.0))
    assert flattened(assumption("a", 1.0, 9.0, distribution="log-triangular")).distribution == "log-uniform"


def test_position_runs_from_nought_to_one_over_the_declared_range():
    logarithmic = assumption("a", 1.0, 100.0, mode=10.0, distribution="log-triangular")
    assert position(logarithmic, np.array([1.0, 10.0, 100.0])) == pytest.approx([0.0, 0.5, 1.0])


def test_options_of_one_source_and_options_of_several_together_weigh_per_option():
    one, two = (frozenset("a"),), (frozenset("b"), frozenset("c"))
    options = Options({"k": np.arange(3)}, sources=(one, one, two))
    assert option_weights(options) == pytest.approx([1 / 3] * 3)
    # On request per set of sources: the first two share one, the third has its own.
    assert option_weights(options, "source") == pytest.approx([1 / 4, 1 / 4, 1 / 2])
    # Without a vendor there is nothing to weigh by.
    assert option_weights(options, "vendor") == pytest.approx([1 / 3] * 3)


def test_any_number_of_samples_may_be_drawn_each_of_equal_weight():
    declared = (assumption("a"),)
    options = Options({"k": np.arange(2)}, sources=((frozenset("s"),),) * 2)
    for samples in (16, 100, 128):
        sample = draw(declared, options, np.array([0.5, 0.5]), samples, seed=0)
        assert len(sample.values["a"]) == len(sample.rows) == len(sample.weight) == samples and not sample.counted
        assert sample.weight == pytest.approx(np.full(samples, 1 / samples))


def test_a_search_sample_and_a_fresh_one_differ_and_a_single_option_needs_no_axis():
    declared, one = (assumption("a"),), Options()
    search, fresh = (draw(declared, one, np.ones(1), 64, 0, stream) for stream in (SEARCH, FRESH))
    assert not np.array_equal(search.values["a"], fresh.values["a"])
    assert not search.rows.any() and search.rows.shape == (64,)


def test_a_point_of_the_unit_cube_takes_the_option_whose_weight_covers_it():
    unit = np.array([[0.5, 0.0], [0.5, 0.249], [0.5, 0.25], [0.5, 0.999], [0.5, 1.0]])
    values, rows = at_unit((assumption("a", 2.0, 4.0),), unit, np.array([0.25, 0.75]))
    assert values["a"] == pytest.approx(np.full(5, 3.0)) and rows.tolist() == [0, 0, 1, 1, 1]


def test_stretching_ends_where_the_possible_does_and_leaves_the_mode():
    one = assumption("a", 0.2, 0.8, mode=0.4, possible_low=0.1, possible_high=0.9)
    doubled = stretched(one, 2.0)
    assert (doubled.low, doubled.mode, doubled.high) == (0.1, 0.4, 0.9)
    assert stretched(one, 1.0) == one
    assert flattened(assumption("a", 0.2, 0.8, mode=0.4, distribution="triangular")).distribution == "uniform"
