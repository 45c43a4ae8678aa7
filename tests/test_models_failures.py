"""Failures, checkpoints and spares: limits, closed forms, brute force, and a simulation held to theory."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import poisson, weibull_min

from analysis.models import checkpointing, failures, spares
from analysis.models.failure_simulation import PARTS, simulate

BETWEEN = st.floats(5.0, 5000.0)
RECOVERY = st.floats(0.0, 120.0)
INTERVAL = st.floats(0.5, 60.0)
BLOCK = st.floats(0.0005, 2.0)


def weibull(between, shape):
    return weibull_min(shape, scale=failures.weibull_scale(between, shape))


@given(RECOVERY, INTERVAL, BLOCK)
def test_without_failures_only_checkpoints_cost(recovery, interval, block):
    expected = interval / (interval + block)
    assert failures.exponential_ettr(math.inf, recovery, interval, block) == pytest.approx(expected)
    assert failures.exponential_ettr(1e12, recovery, interval, block) == pytest.approx(expected, rel=1e-6)


def test_sixteen_thousand_cards_at_a_published_rate_fail_every_108_minutes():
    # 6.5 failures in 1,000 node-days on 2,048 nodes: 13.312 a day.
    assert failures.time_between_failures_min(6.5, 16384, 8) == pytest.approx(1440 / 13.312)
    assert failures.time_between_failures_min(0.0, 16384, 8) == math.inf


@given(BETWEEN, RECOVERY, INTERVAL, BLOCK)
@settings(max_examples=50, deadline=None)
def test_the_sum_over_segments_is_dalys_formula_for_exponential_times(between, recovery, interval, block):
    summed = failures.renewal_ettr(lambda t: np.exp(-t / between), between, recovery, interval, block)
    assert summed == pytest.approx(float(failures.exponential_ettr(between, recovery, interval, block)), rel=1e-8)


@given(BETWEEN, RECOVERY, INTERVAL, BLOCK)
def test_a_weibull_time_of_shape_one_is_exponential(between, recovery, interval, block):
    found = failures.weibull_ettr(between, 1.0, recovery, interval, block)
    assert found == pytest.approx(float(failures.exponential_ettr(between, recovery, interval, block)), rel=1e-5)


@pytest.mark.parametrize("shape", [0.5, 0.7, 1.3])
@pytest.mark.parametrize("interval", [0.5, 30.0, 400.0])
def test_the_weibull_formula_is_the_sum_term_by_term(shape, interval):
    law = weibull(200.0, shape)
    assert law.mean() == pytest.approx(200.0)
    summed = failures.renewal_ettr(law.sf, 200.0, 10.0, interval, 0.1)
    assert failures.weibull_ettr(200.0, shape, 10.0, interval, 0.1) == pytest.approx(summed, rel=1e-5)


def test_with_vanishing_segments_what_is_left_is_the_mean_time_beyond_the_recovery():
    law = weibull(200.0, 0.7)
    beyond = quad(law.sf, 10.0, math.inf)[0] / 200.0
    assert failures.weibull_ettr(200.0, 0.7, 10.0, 1e-4, 0.0) == pytest.approx(beyond, rel=1e-5)


def test_a_measured_interval_is_accounted_for_in_full():
    # 18 minutes from failure to failure, 10 or 3 of them stalled, as published for 100,000 cards.
    for stall in (10.0, 3.0):
        assert failures.interval_ettr(18.0, stall, 1e-4, 0.0) == pytest.approx((18 - stall) / 18, rel=1e-4)
        assert failures.partial_ettr(18.0, stall, stalls_included=True) == pytest.approx((18 - stall) / 18)
    assert failures.interval_ettr(10.0, 10.0, 1.0, 0.1) == 0.0
    # With segments, half a segment of work is lost on average, to first order.
    assert failures.interval_ettr(1000.0, 20.0, 4.0, 0.0) == pytest.approx(1 - (20 + 4 / 2) / 1000, abs=1e-5)


def test_from_a_rate_the_stalls_overlap_and_from_an_interval_they_do_not():
    from_rate = failures.partial_ettr(18.0, 10.0, stalls_included=False)
    assert from_rate == pytest.approx(math.exp(-10 / 18)) and from_rate > 8 / 18


@given(BETWEEN, RECOVERY, INTERVAL, BLOCK, st.floats(1.01, 3.0), st.floats(0.5, 1.0))
@settings(deadline=None)
def test_longer_recoveries_more_failures_and_slower_checkpoints_never_help(
    between, recovery, interval, block, more, shape
):
    base = failures.weibull_ettr(between, shape, recovery, interval, block)
    assert 0 <= base <= interval / (interval + block) + 1e-6
    assert failures.weibull_ettr(between, shape, recovery * more, interval, block) <= base + 1e-6
    assert failures.weibull_ettr(between / more, shape, recovery, interval, block) <= base + 1e-5
    assert failures.weibull_ettr(between, shape, recovery, interval, block * more) <= base + 1e-6


@given(BETWEEN, st.floats(1e-4, 1.0))
def test_the_best_interval_beats_its_neighbours_and_its_derivative_vanishes(between, block):
    best = float(checkpointing.best_interval_min(between, block))
    at = [failures.exponential_ettr(between, 0.0, factor * best, block) for factor in (0.97, 1.0, 1.03)]
    assert at[1] >= max(at[0], at[2])
    # Of tau / (e^((tau + delta)/M) - 1): (1 - tau/M) e^((tau + delta)/M) = 1.
    assert (1 - best / between) * math.exp((best + block) / between) == pytest.approx(1.0, abs=1e-9)


def test_for_rare_failures_the_best_interval_is_youngs():
    assert checkpointing.young_interval_min(1e6, 0.02) == pytest.approx(200.0)
    for between in (1e5, 1e6, 1e9):
        young = checkpointing.young_interval_min(between, 0.02)
        assert checkpointing.best_interval_min(between, 0.02) == pytest.approx(young, rel=2e-3)


def test_the_two_branches_of_the_best_interval_meet():
    ends = [float(checkpointing.best_interval_min(1e4, 1e4 * part)) for part in (0.999e-6, 1.001e-6)]
    assert ends[1] / ends[0] == pytest.approx(math.sqrt(1.001 / 0.999), rel=1e-5)


def test_a_checkpoint_takes_its_bytes_over_the_bandwidth():
    # 405 billion parameters of 14 bytes are 5.67 TB; 2 TB/s takes 2.835 s.
    assert checkpointing.checkpoint_s(405, 14, 2000) == pytest.approx(5670 / 2000)


@pytest.mark.parametrize("shape", [1.0, 0.7])
def test_failures_played_through_agree_with_the_formula_within_three_standard_errors(shape):
    between, stages, interval, block = 180.0, (1.0, 3.0, 10.0), 4.0, 0.1
    played = simulate(between, shape, stages, interval, block, failures=400_000, seed=3)
    expected = failures.weibull_ettr(between, shape, sum(stages), interval, block)
    assert abs(played.ettr - expected) <= 3 * played.standard_error + 1e-5
    assert 0 < played.standard_error < 1e-3 and played.failures >= 400_000
    # Negative control: another law of failures must not pass.
    other = failures.weibull_ettr(0.95 * between, shape, sum(stages), interval, block)
    assert abs(played.ettr - other) > 10 * played.standard_error


def test_where_the_time_goes_adds_up_and_agrees_with_the_simulation():
    stages = {"detection": 1.0, "localisation": 3.0, "restart": 10.0}
    shares = failures.time_shares(180.0, stages, 4.0, 0.1)
    assert sum(shares.values()) == pytest.approx(1.0) and list(shares) == [PARTS[0], PARTS[1], *PARTS[2:]]
    played = simulate(180.0, 1.0, tuple(stages.values()), 4.0, 0.1, failures=400_000)
    assert sum(played.shares.values()) == pytest.approx(1.0)
    for part, share in shares.items():
        assert played.shares[part] == pytest.approx(share, rel=0.02, abs=2e-5)


def test_a_simulation_repeats_itself_with_its_seed():
    first, again, other = (simulate(180.0, 0.7, (1, 3, 10), 4.0, 0.1, failures=6400, seed=s) for s in (1, 1, 2))
    assert first == again and first.ettr != other.ettr


def test_a_job_that_always_fails_during_recovery_never_trains():
    played = simulate(1.0, 1.0, (10.0, 30.0, 1000.0), 4.0, 0.1, failures=6400)
    assert played.ettr == 0.0 and played.shares["localisation"] == pytest.approx(math.exp(-10), abs=1e-3)


def test_nodes_in_repair_follow_littles_law_and_spares_their_quantile():
    away = spares.nodes_in_repair(1250, 4.0, 2.0)
    assert away == pytest.approx(10.0)
    needed = spares.spares_needed(away, 0.999)
    assert poisson.cdf(needed, away) >= 0.999 > poisson.cdf(needed - 1, away)
    assert spares.waiting_ratio(away, needed) == pytest.approx(poisson.cdf(needed, away))


def test_an_elastic_job_without_spares_misses_the_nodes_in_repair():
    assert spares.elastic_ratio(1000, 10.0, 0) == pytest.approx(1 - 10 / 1000)
    assert spares.elastic_ratio(1000, 10.0, 60) == pytest.approx(1.0, abs=1e-12)
    counts = np.random.default_rng(0).poisson(10.0, 200_000)
    expected = 1 - np.maximum(counts - 8, 0).mean() / 1000
    assert spares.elastic_ratio(1000, 10.0, 8) == pytest.approx(expected, abs=1e-4)
