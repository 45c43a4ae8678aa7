"""Load of experts and ranks: small cases counted out, limits, and routing drawn token by token."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.models.expert_load import (
    balanced_peak,
    distinct_groups,
    experts_touched,
    inclusion,
    peak_over_mean,
    placement,
    rank_shares,
    replicas,
    routed_peak,
    skewed_popularity,
)

EXPONENTS = st.floats(0.0, 2.0)


@pytest.mark.parametrize(("experts", "groups", "picks"), [(6, 3, 2), (8, 4, 3), (8, 2, 5), (4, 4, 4)])
def test_groups_that_a_token_reaches_are_those_of_every_choice_counted_out(experts, groups, picks):
    size = experts // groups
    reached = [len({one // size for one in choice}) for choice in combinations(range(experts), picks)]
    assert distinct_groups(groups, picks, experts) == pytest.approx(np.mean(reached))


def test_without_a_number_of_experts_picks_may_meet():
    reached = [len(set(picks)) for picks in product(range(3), repeat=4)]
    assert distinct_groups(3, 4) == pytest.approx(np.mean(reached))
    assert distinct_groups(3, 4, experts=3_000_000) == pytest.approx(np.mean(reached), rel=1e-4)


@given(st.integers(1, 512), st.integers(1, 16))
def test_a_token_reaches_no_more_groups_than_there_are_and_than_it_picks(groups, picks):
    assert 1 - 1e-9 <= distinct_groups(groups, picks) <= min(groups, picks) + 1e-9


def test_the_busiest_of_equal_ranks_is_that_of_drawn_loads():
    ranks, copies = np.array([8, 64, 256]), 1024
    generator = np.random.default_rng(0)
    drawn = [generator.multinomial(copies * n, np.full(n, 1 / n), size=400).max(axis=1).mean() for n in ranks]
    assert balanced_peak(ranks, copies) == pytest.approx(np.array(drawn) / copies, rel=0.005)


def test_one_rank_has_the_mean_and_many_tokens_even_out():
    assert balanced_peak(1, 10) == 1.0
    assert balanced_peak(64, 1e12) == pytest.approx(1.0, abs=1e-5)
    assert np.all(np.diff(balanced_peak(np.array([2, 8, 32, 256]), 100)) > 0)


def test_the_peak_of_two_ranks_is_known_in_closed_form():
    # The larger of two independent normal loads exceeds the mean by a standard deviation over the root of pi.
    spread = np.sqrt(5000 * 0.5)
    assert peak_over_mean([0.5, 0.5], 10_000) == pytest.approx(1 + spread / np.sqrt(np.pi) / 5000, rel=1e-6)


def test_both_closed_forms_agree_on_equal_ranks():
    assert peak_over_mean(np.full(64, 1 / 64), 64 * 1024) == pytest.approx(balanced_peak(64, 1024), rel=0.002)


def test_a_rank_far_above_the_others_is_the_peak():
    assert peak_over_mean([0.7, 0.1, 0.1, 0.1], 1e6) == pytest.approx(2.8, rel=1e-4)


@given(EXPONENTS, st.integers(1, 16))
def test_chances_add_up_to_the_experts_of_a_token_and_keep_their_order(exponent, top_k):
    chosen = inclusion(skewed_popularity(16, exponent), top_k)
    assert chosen.sum() == pytest.approx(top_k)
    assert np.all(np.diff(chosen) <= 1e-12)
    assert np.all(chosen <= 1)


def test_chances_are_those_of_a_race_that_is_drawn():
    popularity = skewed_popularity(64, 1.0)
    arrivals = np.random.default_rng(1).exponential(size=(40_000, 64)) / popularity
    first = np.argpartition(arrivals, 7, axis=1)[:, :8]
    drawn = np.bincount(first.ravel(), minlength=64) / 40_000
    assert inclusion(popularity, 8) == pytest.approx(drawn, abs=0.02)


@pytest.mark.parametrize("tokens", [1, 2, 3])
def test_experts_that_a_batch_touches_are_those_of_every_routing_counted_out(tokens):
    routings = product(combinations(range(4), 2), repeat=tokens)
    touched = np.mean([len(set().union(*routing)) for routing in routings])
    assert experts_touched(tokens, experts=4, top_k=2) == pytest.approx(touched)


def test_experts_touched_grow_from_those_of_one_token_to_all():
    found = experts_touched(np.array([0, 1, 8, 64, 100_000]), experts=256, top_k=8)
    assert found[[0, 1, 4]].tolist() == pytest.approx([0, 8, 256])
    assert np.all(np.diff(found) > 0)


def test_the_ranks_touch_together_what_the_group_touches():
    chosen = inclusion(skewed_popularity(32, 0.7), 4)
    tokens = np.array([1, 5, 50])
    parts = sum(experts_touched(tokens, 32, 4, part) for part in chosen.reshape(8, 4))
    assert parts == pytest.approx(experts_touched(tokens, 32, 4, chosen))
    # Skew leaves the unpopular ones idle.
    assert np.all(parts <= experts_touched(tokens, 32, 4) + 1e-9)


@given(EXPONENTS, st.sampled_from((32, 40, 48, 64)))
def test_every_expert_has_a_place_and_every_rank_the_same_number(exponent, slots):
    popularity = skewed_popularity(32, exponent)
    placed = placement(popularity, 8, slots)
    assert placed.shape == (8, slots // 8)
    assert np.bincount(placed.ravel()).tolist() == replicas(popularity, slots).tolist()
    assert rank_shares(popularity, placed).sum() == pytest.approx(1.0)


def test_equally_popular_experts_get_equally_many_replicas():
    assert replicas(skewed_popularity(16, 0.0), 48).tolist() == [3] * 16


def test_redundant_experts_lower_the_peak_of_skewed_routing():
    popularity = skewed_popularity(256, 1.0)
    peaks = [rank_shares(popularity, placement(popularity, 32, slots)).max() * 32 for slots in (256, 288, 320)]
    assert peaks[0] > 2 * peaks[1] > 2 * peaks[2] >= 2


@pytest.mark.parametrize(("exponent", "slots"), [(0.0, 64), (0.5, 64), (1.0, 80)])
def test_the_closed_form_is_what_routing_token_by_token_gives(exponent, slots):
    popularity = skewed_popularity(64, exponent)
    placed = placement(popularity, 16, slots)
    mean, error = routed_peak(popularity, placed, tokens=2048, top_k=4, rounds=40)
    closed = peak_over_mean(rank_shares(inclusion(popularity, 4), placed), 2048 * 4)
    assert closed == pytest.approx(mean, abs=3 * error + 0.015 * mean)
