"""Growth: closed forms, limits, and a regression that finds what was put in."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from analysis.models.communication import all_reduce_bytes_per_flop, all_to_all_bytes_per_flop
from analysis.models.growth import bytes_per_flop, fit_trend, growth_from_doubling, growth_over

RATIOS, SPANS = st.floats(0.01, 1e4), st.floats(0.5, 20)


@given(RATIOS, SPANS, SPANS, SPANS)
def test_scaling_a_ratio_in_two_steps_is_scaling_it_once(ratio, span, middle, years):
    in_steps = growth_over(growth_over(ratio, span, middle), middle, years)
    assert np.log(in_steps) == pytest.approx(np.log(growth_over(ratio, span, years)), abs=1e-9)


@given(RATIOS, SPANS)
def test_over_its_own_span_a_ratio_is_itself(ratio, span):
    assert growth_over(ratio, span, span) == pytest.approx(ratio)


def test_a_doubling_time_is_the_span_of_a_factor_of_two():
    assert growth_from_doubling(2.8, 8.0) == pytest.approx(growth_over(2.0, 2.8, 8.0))


def test_a_regression_finds_the_growth_that_was_put_in():
    years = np.arange(2016, 2026)
    trend = fit_trend(years, 3.0 * 1.4 ** (years - 2016))
    assert trend.factor(2) == pytest.approx(1.96)
    assert trend.interval(2) == pytest.approx([1.96, 1.96])
    assert trend.at(2018) == pytest.approx(3.0 * 1.96)
    assert trend.year_of(3.0 * 1.4**4) == pytest.approx(2020)


def test_the_bootstrap_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    years = np.linspace(2016, 2025, 40)
    covered = 0
    for seed in range(100):
        values = np.exp(0.3 * (years - 2016) + rng.normal(0, 0.4, len(years)))
        low, high = fit_trend(years, values, replicates=400, seed=seed).interval(1)
        covered += low <= np.exp(0.3) <= high
    # 90 of 100 expected; three standard errors are 9.
    assert 81 <= covered <= 99


def test_a_trend_needs_two_years():
    with pytest.raises(ValueError, match="two different years"):
        fit_trend([2020, 2020], [1, 2])


@given(st.floats(0.1, 1e4), st.floats(0.1, 1e4), st.floats(0.1, 100))
def test_doubling_bandwidth_and_compute_leaves_the_balance(bandwidth, compute, factor):
    assert bytes_per_flop(bandwidth * factor, compute * factor) == pytest.approx(bytes_per_flop(bandwidth, compute))


def test_bytes_per_flop_of_a_100_gigabyte_link_beside_a_petaflop_by_hand():
    # 100e9 B/s over 1e15 FLOP/s.
    assert bytes_per_flop(100.0, 1000.0) == pytest.approx(1e-4)


def test_demand_of_an_all_to_all_by_hand():
    # One token, three layers, two experts, four values of half a byte, there and back in training: for six operations
    # on each of eight parameters.
    shape = {"moe_layers": 3, "hidden_size": 4, "experts_per_token": 2, "active_parameters": 8, "bytes_per_value": 0.5}
    assert all_to_all_bytes_per_flop(**shape) == pytest.approx(2 * 3 * 2 * 4 * 0.5 / (6 * 8))


def test_one_card_has_nothing_to_reduce_and_many_ask_for_more():
    shape = {"layers": 10, "hidden_size": 64, "parameters": 1e6, "bytes_per_value": 2}
    assert all_reduce_bytes_per_flop(**shape, tensor_parallel=1) == 0
    asked = [all_reduce_bytes_per_flop(**shape, tensor_parallel=cards) for cards in (2, 4, 8)]
    # Of n cards each sends an nth of the data n - 1 times to reduce it and n - 1 times to gather it, in four
    # all-reduces a layer, and computes an nth of the layer.
    values = 10 * 4 * 64
    expected = [2 * (cards - 1) * values / cards * 2 / (6 * 1e6 / cards) for cards in (2, 4, 8)]
    assert asked == pytest.approx(expected) and asked == sorted(asked)


@given(st.lists(st.tuples(st.integers(2000, 2030), st.floats(0.1, 1e4)), min_size=2, max_size=12))
def test_a_regression_is_that_of_numpy(points):
    year, value = (np.array(column, dtype=float) for column in zip(*points, strict=True))
    assume(len(set(year)) > 1)
    trend = fit_trend(year, value, replicates=3)
    slope, intercept = np.polyfit(year - 2000, np.log(value), 1)
    assert trend.yearly_log == pytest.approx(slope, abs=1e-6) and trend.points == len(points)
    assert np.log(trend.at(2000)) == pytest.approx(intercept, abs=1e-4)


def test_a_bootstrap_repeats_with_its_seed_and_leaves_samples_without_a_slope_out():
    # Three points in two years: of 27 samples one repeats the lonely year three times, eight the other one.
    year, value = [2016, 2016, 2020], [1.0, 2.0, 8.0]
    first, again, other = (fit_trend(year, value, replicates=2000, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first.replicates, again.replicates)
    assert not np.array_equal(first.replicates, other.replicates[: len(first.replicates)])
    assert np.isfinite(first.replicates).all()
    assert len(first.replicates) / 2000 == pytest.approx(18 / 27, abs=0.04)
    # Drawn as the last point and any of the first two, the slope lies between those through one of them alone.
    assert first.replicates.min() == pytest.approx(np.log(8 / 2) / 4)
    assert first.replicates.max() == pytest.approx(np.log(8 / 1) / 4)
