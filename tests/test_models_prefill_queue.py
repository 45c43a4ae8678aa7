"""Packing of prompts into steps: conservation, whole prompts by hand, bursts and closed loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.models.prefill_queue import schedule

PROMPTS = st.integers(min_value=1, max_value=9000)
CROWDS = st.integers(min_value=1, max_value=12)
BUDGETS = st.integers(min_value=1000, max_value=40_000)


def mean(plan):
    """Mean time to first token where a token takes a second and nothing else does."""
    return float((plan.waiting * plan.tokens).sum())


@settings(max_examples=60)
@given(PROMPTS, st.floats(min_value=0, max_value=1), CROWDS, BUDGETS, st.booleans())
def test_every_token_and_every_pair_is_computed_once(prompt, hit, crowd, budget, chunked):
    cached = min(round(hit * prompt), prompt - 1)
    plan = schedule(prompt, cached, crowd, crowd, budget, chunked=chunked)
    suffix = prompt - cached
    assert plan.tokens.sum() == crowd * suffix
    assert plan.pairs.sum() == pytest.approx(crowd * (suffix * cached + suffix * (suffix + 1) / 2))
    assert plan.ends.sum() == plan.loads.sum() == crowd
    if chunked:
        assert plan.tokens.max() <= budget
    assert plan.waiting[0] == 1
    assert np.all(np.diff(plan.waiting) <= 0)


@given(PROMPTS, CROWDS)
def test_one_prompt_a_step_makes_a_request_wait_for_half_of_the_others(prompt, crowd):
    plan = schedule(prompt, 0, crowd, crowd, prompt, chunked=False)
    assert mean(plan) == pytest.approx(prompt * (crowd + 1) / 2)


@given(PROMPTS, st.integers(min_value=2, max_value=12))
def test_without_a_limit_all_but_the_first_share_a_step(prompt, crowd):
    plan = schedule(prompt, 0, crowd, crowd, crowd * prompt)
    assert plan.tokens.tolist() == [prompt, (crowd - 1) * prompt]
    assert mean(plan) == pytest.approx(prompt * (1 + (crowd - 1) * crowd) / crowd)


def test_an_idle_engine_begins_with_the_first_request_and_packs_the_others():
    # 1, then twice 3 of 3 tokens in a step of 9, then the eighth.
    plan = schedule(3, 0, 8, 8, 9)
    assert plan.tokens.tolist() == [3, 9, 9, 3]
    assert mean(plan) == pytest.approx((3 + 3 * 12 + 3 * 21 + 24) / 8)


def test_a_cut_prompt_looks_back_on_its_own_beginning():
    plan = schedule(10, 4, 1, 1, 4)
    assert plan.tokens.tolist() == [4, 2]
    assert plan.looked_back.tolist() == [4, 8]
    assert plan.pairs.tolist() == [4 * 4 + 10, 2 * 8 + 3]
    assert plan.loads.tolist() == [1, 0]


@settings(max_examples=40)
@given(PROMPTS, BUDGETS, CROWDS)
def test_time_to_first_token_grows_with_the_requests_in_flight(prompt, budget, crowd):
    more = schedule(prompt, 0, crowd + 1, crowd + 1, budget)
    assert mean(more) >= mean(schedule(prompt, 0, crowd, crowd, budget)) * (1 - 1e-12)


def test_alone_in_a_closed_loop_nobody_waits():
    plan = schedule(100, 0, 1, 50, 1000, output_tokens=1)
    assert mean(plan) == pytest.approx(100)
    assert len(plan.tokens) == 50


@given(st.integers(1, 8), st.integers(1, 6), st.integers(1, 12))
def test_a_closed_loop_serves_every_request_with_no_more_in_flight_than_allowed(crowd, rounds, output):
    requests = crowd * rounds
    plan = schedule(64, 0, crowd, requests, 200, output_tokens=output)
    # Tokens that decode share steps with prompts; they pass the head one by one, as the ends of prompts do.
    decoded = plan.ends.sum() - requests
    assert plan.tokens.sum() == requests * 64 + decoded
    assert decoded <= requests * (output - 1)
    assert np.all(plan.waiting * requests <= crowd)


def test_a_run_of_requests_as_many_as_are_in_flight_is_a_burst():
    burst, loop = schedule(500, 100, 6, 6, 900), schedule(500, 100, 6, 6, 900, output_tokens=1)
    assert burst.tokens.tolist() == loop.tokens.tolist()
