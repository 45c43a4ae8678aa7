"""Dispatch and combine: copies counted one by one, limits, and what forwarding saves."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.models.collectives import Fabrics
from analysis.models.expert_exchange import Exchange, Kernel, counted_bytes, direct_s, exchange_s, forwarded_s
from analysis.models.expert_load import balanced_peak

EXCHANGE = Exchange(tokens=128.0, copies=8, bytes_per_copy=7168.0, ranks=64, ranks_per_server=8)
KERNEL = Kernel(Fabrics(200.0, 50.0), scaleup_domain=8, fixed_us=40.0)
FREE = Kernel(Fabrics(np.inf, np.inf), scaleup_domain=8, fixed_us=0.0)
both = pytest.mark.parametrize("time_s", [direct_s, forwarded_s])
RANKS = st.sampled_from((1, 2, 8, 16, 64, 256))


def routed(exchange, servers=None, batches=20_000):
    """Ranks that each of many tokens picks, uniformly."""
    generator = np.random.default_rng(0)
    return generator.integers(servers or exchange.ranks, size=(batches, exchange.copies))


@both
def test_a_kernel_without_cost_takes_no_time(time_s):
    assert time_s(EXCHANGE, FREE) == 0.0


@both
def test_one_rank_waits_for_the_kernel_alone(time_s):
    assert time_s(replace(EXCHANGE, ranks=1), KERNEL) == pytest.approx(40e-6)


@both
@given(ranks=RANKS, more=st.floats(1.0, 10.0))
def test_more_tokens_bytes_and_fixed_time_never_take_less_time(time_s, ranks, more):
    exchange = replace(EXCHANGE, ranks=ranks)
    base = time_s(exchange, KERNEL)
    assert base <= time_s(replace(exchange, tokens=128.0 * more), KERNEL)
    assert base <= time_s(replace(exchange, bytes_per_copy=7168.0 * more), KERNEL)
    assert base <= time_s(exchange, replace(KERNEL, fixed_us=40.0 * more))


@given(RANKS, RANKS)
def test_a_direct_exchange_never_gets_faster_with_more_ranks(one, other):
    few, many = sorted((one, other))
    joined = replace(KERNEL, scaleup_domain=768)
    assert direct_s(replace(EXCHANGE, ranks=few), joined) <= direct_s(replace(EXCHANGE, ranks=many), joined)


@pytest.mark.parametrize("ranks", [8, 16, 64])
def test_direct_copies_are_those_of_drawn_routing(ranks):
    exchange = replace(EXCHANGE, ranks=ranks)
    picked = routed(exchange)
    own, inside = (picked == 0).mean(), (picked < 8).mean()
    size = 128 * 8 * 7168.0
    expected = max(size * (inside - own) / 200e9, size * (1 - inside) / 50e9)
    assert direct_s(exchange, replace(KERNEL, fixed_us=0.0)) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("ranks", [8, 16, 64])
def test_forwarded_copies_are_those_of_drawn_routing(ranks):
    exchange = replace(EXCHANGE, ranks=ranks)
    picked = routed(exchange)
    servers = np.mean([len(set(row // 8) - {0}) for row in picked])
    # Each rank of a server receives what its own counterparts sent there, so one in eight copies is there already.
    reached = np.mean([len(set(row)) for row in picked]) * 7 / 8
    expected = 128 * 7168.0 * max(servers / 50e9, reached / 200e9)
    assert forwarded_s(exchange, replace(KERNEL, fixed_us=0.0)) == pytest.approx(expected, rel=0.02)


def test_forwarding_spares_the_network():
    exchange = replace(EXCHANGE, ranks=np.array([16, 32, 64, 256]))
    networked = replace(KERNEL, fabrics=Fabrics(np.inf, 50.0))
    assert np.all(forwarded_s(exchange, networked) < direct_s(exchange, networked))


def test_experts_in_one_server_cross_at_most_once():
    exchange = replace(EXCHANGE, chosen_servers=1.0)
    assert exchange.server_copies == 1.0
    assert exchange.rank_copies == pytest.approx(8 * (1 - (7 / 8) ** 8))


def test_two_dies_of_a_package_load_no_link():
    packages = replace(KERNEL, package_ranks=2, scaleup_domain=768)
    assert direct_s(replace(EXCHANGE, ranks=2), packages) == pytest.approx(40e-6)
    assert direct_s(EXCHANGE, packages) < direct_s(EXCHANGE, replace(packages, package_ranks=1))


def test_copies_that_leave_the_server_cost_extra_each():
    slow = replace(FREE, outside_copy_ns=10.0, copy_ns=1.0)
    assert direct_s(EXCHANGE, slow) == pytest.approx(128 * 8 * (1e-9 + 7 / 8 * 10e-9))
    assert direct_s(replace(EXCHANGE, ranks=8), slow) == pytest.approx(128 * 8 * 1e-9)


@given(RANKS, st.floats(1.0, 1e5))
def test_a_direct_combine_waits_for_the_busiest_rank_and_a_dispatch_does_not(ranks, tokens):
    exchange = replace(EXCHANGE, ranks=ranks, tokens=tokens)
    dispatch = exchange_s(exchange, KERNEL, combine=False, forwards=False)
    combine = exchange_s(exchange, KERNEL, combine=True, forwards=False)
    assert dispatch == direct_s(exchange, KERNEL)
    busiest = float(balanced_peak(ranks, tokens * 8))
    assert float(combine) - 40e-6 == pytest.approx(busiest * (float(dispatch) - 40e-6), rel=1e-6, abs=1e-12)


def test_bytes_sent_are_bytes_received():
    """Every copy of every rank arrives somewhere: own, in the server, or outside."""
    near, far = Fabrics(1.0, np.inf), Fabrics(np.inf, 1.0)
    sent = sum(direct_s(EXCHANGE, replace(KERNEL, fabrics=one, fixed_us=0.0)) * 1e9 for one in (near, far))
    own = counted_bytes(EXCHANGE, per_expert=True) / 64
    assert sent + own == pytest.approx(float(counted_bytes(EXCHANGE, per_expert=True)))


def test_each_convention_counts_what_it_says():
    assert counted_bytes(EXCHANGE, per_expert=True) == 128 * 8 * 7168
    assert counted_bytes(EXCHANGE, per_expert=False) == pytest.approx(128 * 7168 * 64 * (1 - (63 / 64) ** 8))
    assert counted_bytes(EXCHANGE, per_expert=False, logical=True) == pytest.approx(128 * 7168 * 8 * (1 - (7 / 8) ** 8))
    one = replace(EXCHANGE, ranks=8)
    assert counted_bytes(one, per_expert=False, logical=True) == counted_bytes(one, per_expert=False)


def test_everything_broadcasts():
    exchange = Exchange(np.array([[32.0], [128.0]]), 8, 7168.0, np.array([8, 64, 256]), 8)
    grid = exchange_s(exchange, KERNEL, combine=True, forwards=False)
    assert grid.shape == (2, 3)
    assert grid[1, 1] == exchange_s(EXCHANGE, KERNEL, combine=True, forwards=False)
