"""Queueing formulas: against balance equations, Monte Carlo recursions, and their limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.models.queueing import (
    closed_deterministic_response_s,
    closed_rate_per_s,
    closed_response_s,
    md1_wait_s,
    mean_number,
    mg1_wait_s,
    mm1_wait_s,
    mmc_wait_s,
    moments,
    utilisation,
)

LOADS = st.floats(0.01, 0.95)
SECONDS = st.floats(1e-3, 1e3)
CLIENTS = st.integers(1, 12)


def birth_death(births, deaths):
    """Probabilities of 0, 1, 2, ... inside, from flows up and down that balance."""
    weights = np.concatenate([[1.0], np.cumprod(np.asarray(births) / np.asarray(deaths))])
    return weights / weights.sum()


@given(LOADS, SECONDS, st.integers(1, 6))
def test_exponential_servers_agree_with_the_balance_of_flows(load, service, servers):
    rate = load * servers / service
    levels = 1500
    deaths = np.minimum(np.arange(1, levels), servers) / service
    inside = birth_death(np.full(levels - 1, rate), deaths)
    waiting = (np.maximum(np.arange(levels) - servers, 0) * inside).sum()
    assert mmc_wait_s(rate, service, servers) == pytest.approx(waiting / rate, rel=1e-6)


@given(LOADS, SECONDS)
def test_one_of_several_servers_is_the_queue_with_one(load, service):
    assert mmc_wait_s(load / service, service, 1) == pytest.approx(mm1_wait_s(load / service, service), rel=1e-9)


@given(LOADS, SECONDS)
def test_equal_services_wait_half_as_long_as_exponential_ones(load, service):
    rate = load / service
    assert md1_wait_s(rate, service) == pytest.approx(mm1_wait_s(rate, service) / 2)


@pytest.mark.parametrize("shape", [0.4, 1.0, 3.0])
def test_waits_follow_the_recursion_from_one_request_to_the_next(shape):
    # A request waits for what the one before it had to wait for and needs, less what has passed since.
    rng, rate, batches = np.random.default_rng(11), 0.7, []
    for _ in range(20):
        needs, passed = rng.gamma(shape, 1 / shape, 60_000), rng.exponential(1 / rate, 60_000)
        total = np.concatenate([[0.0], np.cumsum(needs[:-1] - passed[1:])])
        batches.append((total - np.minimum.accumulate(total))[5000:].mean())
    error = np.std(batches, ddof=1) / np.sqrt(len(batches))
    assert abs(mg1_wait_s(rate, 1.0, 1 / shape) - np.mean(batches)) < 3 * error


def test_full_load_and_more_waits_for_ever():
    assert np.isinf(mg1_wait_s([1.0, 1.5], 1.0, 1.0)).all()
    assert np.isinf(mmc_wait_s([2.0, 3.0], 1.0, 2)).all()
    assert mg1_wait_s(0.0, 1.0, 5.0) == 0 == mmc_wait_s(0.0, 1.0, 3)


@given(LOADS, LOADS, SECONDS, st.floats(0, 5))
def test_waits_grow_with_load_and_with_variation(load, other, service, variation):
    low, high = sorted((load, other))
    assert mg1_wait_s(low / service, service, variation) <= mg1_wait_s(high / service, service, variation)
    assert mg1_wait_s(low / service, service, variation) <= mg1_wait_s(low / service, service, variation + 1)


@given(CLIENTS, SECONDS, st.floats(0, 100))
def test_exponential_closed_loop_agrees_with_the_balance_of_flows(clients, service, thoughts):
    # Clients who think, one by one, break down; the server repairs one at a time.
    think = thoughts * service
    response = closed_response_s(clients, service, think)
    if thoughts < 1e-6:
        assert response == pytest.approx(clients * service, rel=1e-4)
        return
    births = np.arange(clients, 0, -1) / think
    idle = birth_death(births, np.full(clients, 1 / service))[0]
    assert closed_rate_per_s(clients, response, think) == pytest.approx((1 - idle) / service, rel=1e-9)


@given(CLIENTS, SECONDS, st.floats(0, 100))
def test_variation_never_shortens_a_closed_loop(clients, service, thoughts):
    think = thoughts * service
    steady = closed_deterministic_response_s(clients, service, think)
    assert closed_response_s(clients, service, think) >= steady * (1 - 1e-12)
    assert utilisation(closed_rate_per_s(clients, steady, think), service) <= 1 + 1e-9


@given(SECONDS, SECONDS)
def test_a_single_client_never_waits(service, think):
    assert closed_response_s(1, service, think) == pytest.approx(service)
    assert closed_deterministic_response_s(1, service, think) == service


def test_formulas_broadcast():
    assert mg1_wait_s(np.full((3, 1), 0.5), 1.0, np.zeros(4)).shape == (3, 4)
    assert closed_response_s(np.array([[1], [7]]), np.ones(3), 2.0).shape == (2, 3)
    assert mmc_wait_s(np.full(5, 0.5), 1.0, 2).shape == (5,)


def test_moments_of_weighted_times():
    mean, variation = moments([1.0, 3.0], weights=[3, 1])
    assert mean == 1.5 and variation == pytest.approx(np.var([1, 1, 1, 3]) / 1.5**2)
    assert moments(np.full((2, 5), 4.0))[1].tolist() == [0, 0]


def test_the_mean_number_inside_an_exponential_queue():
    # r / (1 - r), from its geometric distribution.
    inside = birth_death(np.full(400, 0.8), np.ones(400))
    assert mean_number(0.8, mm1_wait_s(0.8, 1.0) + 1.0) == pytest.approx((np.arange(401) * inside).sum())
