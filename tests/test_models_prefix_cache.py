"""Prefix caches: one pass against playing each cache, and what must hold between sizes, caches and orders."""

import math
from collections import OrderedDict
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.facts.traces import TRACES, read_trace, trace_of
from analysis.models.prefix_cache import miss_ratio_curve, request_hits, working_set

# Few ids and short prompts, so that caches are too small, ids come twice in one prompt and prefixes contradict.
PROMPTS = st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=6), min_size=1, max_size=12)
CACHES = st.integers(1, 4)
SIZES = (*range(12), 10**12, math.inf)


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Compile before Hypothesis looks at the clock."""
    miss_ratio_curve(traced([[1]]))
    request_hits(traced([[1]]), 1)


@pytest.fixture(scope="module", params=TRACES)
def published(request):
    return read_trace(TRACES[request.param])


def traced(prompts, rest=512, times=None):
    """A trace of prompts whose last blocks hold `rest` tokens."""
    counts = [len(prompt) for prompt in prompts]
    lengths = [512 * (count - 1) + rest for count in counts]
    ids = [block for prompt in prompts for block in prompt]
    return trace_of(times or [0] * len(prompts), lengths, [1] * len(prompts), counts, ids)


def prompts_of(trace):
    return [part.tolist() for part in np.split(trace.blocks, trace.ends[:-1])]


def played(prompts, capacity, caches=1):
    """Leading blocks that each prompt finds: the rules of the contract, one after the other."""
    contents = [OrderedDict() for _ in range(caches)]
    hits = []
    for number, prompt in enumerate(prompts):
        content = contents[number % caches]
        hits.append(next((place for place, block in enumerate(prompt) if block not in content), len(prompt)))
        for block in reversed(prompt):
            content[block] = True
            content.move_to_end(block)
        while len(content) > capacity:
            content.popitem(last=False)
    return hits


def tokens_of(hits, prompts, rest):
    return sum(512 * hit - (512 - rest) * (hit == len(prompt)) for hit, prompt in zip(hits, prompts, strict=True))


@given(PROMPTS, CACHES, st.integers(1, 512))
@settings(max_examples=300)
def test_one_pass_gives_what_playing_each_size_gives(prompts, caches, rest):
    trace = traced(prompts, rest)
    curve = miss_ratio_curve(trace, caches)
    for size in SIZES:
        expected = played(prompts, size, caches)
        blocks, tokens = request_hits(trace, size, caches)
        assert blocks.tolist() == expected
        assert tokens.sum() == tokens_of(expected, prompts, rest)
        assert curve.block_hit(size) == sum(expected) / len(trace.blocks)
        assert curve.token_hit(size) == tokens_of(expected, prompts, rest) / trace.tokens


@pytest.mark.parametrize("caches", [1, 3])
def test_long_random_traces_agree_block_for_block(caches):
    # Thousands of slots, so that counting goes through several levels of the tree.
    rng = np.random.default_rng(3)
    popular = rng.zipf(1.3, size=(1500, 12)) % 900
    prompts = [row[: rng.integers(1, 13)].tolist() for row in popular]
    trace = traced(prompts)
    curve = miss_ratio_curve(trace, caches)
    for size in (1, 7, 60, 250, 800, 10_000):
        expected = played(prompts, size, caches)
        assert request_hits(trace, size, caches)[0].tolist() == expected
        assert curve.hit_blocks[min(size, trace.distinct)] == sum(expected)


@pytest.mark.parametrize("caches", [1, 8])
def test_published_traces_agree_block_for_block(published, caches):
    expected = played(prompts_of(published), 3000, caches)
    blocks, tokens = request_hits(published, 3000, caches)
    curve = miss_ratio_curve(published, caches)
    assert blocks.tolist() == expected
    assert curve.hit_blocks[3000] == sum(expected) and curve.hit_tokens[3000] == tokens.sum()


def test_by_hand_the_tail_goes_before_the_head_and_only_after_the_whole_request():
    # Room for three: a prompt of five leaves its first three; one of two keeps the head of what was there.
    trace = traced([[1, 2, 3, 4, 5], [1, 2, 3, 4, 5], [8, 9], [1, 2], [8, 9]])
    assert request_hits(trace, 3)[0].tolist() == [0, 3, 0, 1, 1]


def test_only_leading_blocks_count():
    assert request_hits(traced([[1, 2, 3], [9, 2, 3], [1, 8, 3]]), math.inf)[0].tolist() == [0, 0, 1]


def test_a_block_that_comes_twice_in_a_prompt_is_no_hit_of_that_prompt():
    assert request_hits(traced([[1, 1, 1], [1, 1]]), math.inf)[0].tolist() == [0, 2]


@pytest.mark.parametrize("prompts", [[[4]], [[4, 5, 6]]], ids=["one block", "one request"])
def test_a_single_request_hits_nothing(prompts):
    curve = miss_ratio_curve(traced(prompts))
    assert curve.block_hit([0, 1, 5, math.inf]).tolist() == [0] * 4 == curve.token_hit([0, 1, 5, math.inf]).tolist()


def test_the_same_block_again_and_again_misses_once():
    assert miss_ratio_curve(traced([[3]] * 10)).block_hit([0, 1, math.inf]).tolist() == [0, 0.9, 0.9]


@given(PROMPTS, CACHES)
def test_a_larger_cache_loses_no_hit_of_any_request(prompts, caches):
    by_size = np.array([request_hits(traced(prompts), size, caches)[0] for size in range(9)])
    assert (np.diff(by_size, axis=0) >= 0).all()


@given(PROMPTS, st.randoms(use_true_random=False))
def test_only_equality_of_ids_matters(prompts, random):
    names = random.sample(range(2**62), 7)
    renamed = [[names[block] for block in prompt] for prompt in prompts]
    assert (
        miss_ratio_curve(traced(renamed)).hit_blocks.tolist() == miss_ratio_curve(traced(prompts)).hit_blocks.tolist()
    )


@given(PROMPTS)
def test_as_many_caches_as_requests_or_more_hit_nothing(prompts):
    for caches in (len(prompts), len(prompts) + 5, 10**30):
        assert not miss_ratio_curve(traced(prompts), caches).hit_blocks.any()
        assert not request_hits(traced(prompts), math.inf, caches)[0].any()


@given(PROMPTS, CACHES)
def test_without_a_limit_a_pool_loses_no_hit_of_any_request(prompts, caches):
    trace = traced(prompts)
    assert (request_hits(trace, math.inf)[0] >= request_hits(trace, math.inf, caches)[0]).all()


@given(st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=4), min_size=2, max_size=5), st.integers(2, 3))
@settings(max_examples=25, deadline=None)
def test_over_all_orders_of_requests_a_pool_loses_nothing(prompts, caches):
    orders = [traced(order) for order in permutations(prompts)]
    private, pooled = (
        np.array([miss_ratio_curve(trace, count).hit_blocks for trace in orders]).sum(axis=0) for count in (caches, 1)
    )
    # Even a pool of the size of one private cache.
    assert (pooled >= private).all()


def test_in_one_order_a_pool_can_lose():
    # Every other prompt returns, those between are long and new: the private caches keep them apart.
    prompts = [[1, 2] if number % 2 == 0 else [10 * number + place for place in range(4)] for number in range(20)]
    trace = traced(prompts)
    assert miss_ratio_curve(trace, 2).hit_blocks[2] == 18
    assert miss_ratio_curve(trace).hit_blocks[4] == 0


def test_on_published_traces_a_pool_loses_nothing(published):
    sizes = np.array([10, 100, 300, 1000, 3000, 10_000, 30_000])
    pool = miss_ratio_curve(published)
    for caches in (2, 3, 4, 8, 16, 64):
        private = miss_ratio_curve(published, caches)
        assert (pool.block_hit(caches * sizes) >= private.block_hit(sizes)).all()
        assert (pool.token_hit(caches * sizes) >= private.token_hit(sizes)).all()


def test_hits_of_an_infinite_cache_are_the_blocks_seen_before(published):
    # In a published trace equal ids mean equal prefixes, so that every block seen before is a leading one.
    curve = miss_ratio_curve(published)
    assert curve.hit_blocks[-1] == len(published.blocks) - published.distinct
    assert curve.hit_blocks[-1] == request_hits(published, math.inf)[0].sum()


@given(PROMPTS, st.floats(0, 1))
def test_the_fewest_blocks_for_a_hit_rate_reach_it_and_one_less_does_not(prompts, target):
    curve = miss_ratio_curve(traced(prompts))
    blocks = float(curve.blocks_for(target))
    if blocks == math.inf:
        assert curve.token_hit(math.inf) < target
    else:
        assert curve.token_hit(blocks) >= target
        assert blocks == 0 or curve.token_hit(blocks - 1) < target


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 4)), min_size=1, max_size=12), st.integers(1, 20))
def test_the_working_set_is_the_mean_over_all_milliseconds(uses, window):
    uses.sort()
    trace = traced([[block] for _, block in uses], times=[time for time, _ in uses])
    seconds = range(uses[0][0], uses[-1][0] + 1)
    counts = [len({block for time, block in uses if now - window < time <= now}) for now in seconds]
    assert working_set(trace, window) == pytest.approx(np.mean(counts))


def test_requests_at_one_time_are_all_in_the_working_set():
    trace = traced([[1, 2], [1, 3], [4]], times=[5, 5, 5])
    assert working_set(trace, [1, 1000]).tolist() == [4, 4]
