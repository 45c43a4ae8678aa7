"""Collectives: closed forms on one fabric, limits of two, and an all-to-all counted pair by pair."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.models.collectives import (
    Fabrics,
    all_gather_s,
    all_reduce_s,
    all_to_all_s,
    point_to_point_s,
    reduce_scatter_s,
    transfer_s,
)

COLLECTIVES = (all_gather_s, reduce_scatter_s, all_reduce_s, all_to_all_s)
each = pytest.mark.parametrize("collective", COLLECTIVES, ids=lambda one: one.__name__)
NODES = Fabrics(scaleup_GBps=200.0, scaleout_GBps=50.0, scaleup_latency_us=3.0, scaleout_latency_us=5.0)
SIZES, RANKS, RATES = st.floats(1.0, 1e10), st.sampled_from((1, 2, 4, 8, 16, 64, 512)), st.floats(1.0, 1000.0)


@each
def test_one_rank_costs_nothing(collective):
    assert collective(1e9, 1, 8, NODES) == 0.0


@each
def test_without_latency_and_with_endless_bandwidth_nothing_takes_time(collective):
    assert collective(1e9, 64, 8, Fabrics(np.inf, np.inf)) == 0.0


@each
def test_a_group_inside_a_domain_does_not_use_the_network(collective):
    slow = Fabrics(200.0, 1e-3, 3.0, 1e6)
    assert collective(1e9, 8, 8, slow) == collective(1e9, 8, 8, NODES)


@each
@given(size=SIZES, ranks=RANKS, more=st.floats(1.0, 10.0))
def test_more_bytes_and_more_latency_never_take_less_time(collective, size, ranks, more):
    slower = Fabrics(200.0, 50.0, 3.0 * more, 5.0 * more)
    assert collective(size, ranks, 8, NODES) <= collective(size * more, ranks, 8, NODES)
    assert collective(size, ranks, 8, NODES) <= collective(size, ranks, 8, slower)


@each
@given(size=SIZES, ranks=RANKS, up=RATES, out=RATES, factor=st.floats(1.0, 10.0))
def test_without_latency_time_is_bytes_over_rates(collective, size, ranks, up, out, factor):
    base = float(collective(size, ranks, 8, Fabrics(up, out)))
    assert float(collective(size * factor, ranks, 8, Fabrics(up * factor, out * factor))) == pytest.approx(base)


@pytest.mark.parametrize("ranks", [2, 8, 64])
def test_an_all_reduce_on_one_fabric_sends_all_but_one_part_twice(ranks):
    fabric = Fabrics(100.0, 1.0, 2.0)
    steps = 2 * np.log2(ranks)
    assert all_reduce_s(1e9, ranks, 512, fabric) == pytest.approx(2 * (ranks - 1) / ranks * 0.01 + steps * 2e-6)


def test_with_a_fast_inside_only_each_ranks_own_part_crosses():
    fabric = Fabrics(np.inf, 50.0)
    assert all_gather_s(8e9, 32, 8, fabric) == pytest.approx(3 / 4 * 1e9 / 50e9)


@given(SIZES, RANKS)
def test_an_all_reduce_is_a_reduce_scatter_and_an_all_gather(size, ranks):
    parts = reduce_scatter_s(size, ranks, 8, NODES) + all_gather_s(size, ranks, 8, NODES)
    assert all_reduce_s(size, ranks, 8, NODES) == pytest.approx(float(parts))


@pytest.mark.parametrize(("ranks", "domain"), [(4, 2), (12, 4), (8, 8), (6, 1)])
def test_an_all_to_all_is_what_counting_every_pair_gives(ranks, domain):
    part = 3e9 / ranks
    pairs = [(one, other) for one in range(ranks) for other in range(ranks) if one != other]
    inside = [part for one, other in pairs if one // domain == other // domain]
    sent = sum(inside) / ranks, (len(pairs) * part - sum(inside)) / ranks
    expected = max(sent[0] / 200e9, sent[1] / 50e9)
    assert all_to_all_s(3e9, ranks, domain, Fabrics(200.0, 50.0)) == pytest.approx(expected)


def test_every_peer_of_an_all_to_all_can_cost_time():
    base = all_to_all_s(1e6, 64, 8, NODES)
    assert all_to_all_s(1e6, 64, 8, NODES, per_peer_us=0.5) - base == pytest.approx(63 * 0.5e-6)


@given(SIZES)
def test_a_message_takes_the_fabric_between_its_ends(size):
    found = point_to_point_s(size, NODES, same_domain=np.array([True, False]))
    assert found.tolist() == [transfer_s(size, 200.0, 3.0), transfer_s(size, 50.0, 5.0)]


def test_everything_broadcasts():
    ranks, fabric = np.array([[1], [8], [64]]), Fabrics(np.array([100.0, 200.0]), 50.0, 1.0, 2.0)
    for collective in COLLECTIVES:
        grid = collective(1e9, ranks, np.array([8, 4]), fabric)
        assert grid.shape == (3, 2)
        assert grid[2, 1] == collective(1e9, 64, 4, Fabrics(200.0, 50.0, 1.0, 2.0))
