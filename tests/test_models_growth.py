"""Growth: closed forms, limits, and a regression that finds what was put in."""

import numpy as np
import pytest
from hypothesis import given
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
    # One token, one layer, two experts, four values of one byte, there and back in training: 2 * 2 * 4 bytes
    # for six operations on each of eight parameters.
    shape = {"moe_layers": 1, "hidden_size": 4, "experts_per_token": 2, "active_parameters": 8, "bytes_per_value": 1}
    assert all_to_all_bytes_per_flop(**shape) == pytest.approx(2 * 2 * 4 / (6 * 8))


def test_one_card_has_nothing_to_reduce_and_many_ask_for_more():
    shape = {"layers": 10, "hidden_size": 64, "parameters": 1e6, "bytes_per_value": 2}
    assert all_reduce_bytes_per_flop(**shape, tensor_parallel=1) == 0
    asked = [all_reduce_bytes_per_flop(**shape, tensor_parallel=cards) for cards in (2, 4, 8)]
    assert asked == sorted(asked)
    # Two cards: each sends half of the data twice, and computes half of the layer.
    assert asked[0] == pytest.approx(10 * 4 * 1 * 64 * 2 / (6 * 1e6 / 2))
