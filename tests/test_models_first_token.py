"""Time to first token of one request: work by hand, the bound by the cached fraction, where a pool begins to lose."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.facts import open_facts
from analysis.facts.transformers import transformer
from analysis.models.first_token import Prefiller, first_token_s, load_s, prefill_s, step_s
from analysis.models.transformer_costs import attention_pairs, forward_flops, key_value_bytes

FACTS = open_facts()
GROUPED, LATENT = (transformer(FACTS, name) for name in ("QwQ-32B", "DeepSeek-R1"))
PEAK = Prefiller(peak_tflops=1000.0, utilisation=0.5)
LENGTHS = st.integers(min_value=2, max_value=200_000)
FRACTIONS = st.floats(min_value=0, max_value=1)


@given(LENGTHS)
def test_a_prompt_takes_its_operations_at_the_reached_rate(prompt):
    by_hand = float(forward_flops(GROUPED, prompt)) / 500e12
    assert math.isclose(float(prefill_s(GROUPED, PEAK, prompt, prompt)), by_hand, rel_tol=1e-9)


def test_what_a_request_and_a_step_take_besides_is_added_once():
    besides = replace(PEAK, fixed_s=0.25, step_s=0.5, communication_s=1e-5)
    assert float(prefill_s(GROUPED, besides, 100, 4000) - prefill_s(GROUPED, PEAK, 100, 4000)) == pytest.approx(0.751)


def test_few_tokens_take_as_long_as_reading_the_weights():
    reading = replace(PEAK, weight_bytes=64e9, memory_GBps=3200.0)
    assert float(prefill_s(GROUPED, reading, 1, 1)) == pytest.approx(64 / 3200 / 0.5, rel=1e-3)
    assert float(prefill_s(GROUPED, reading, 50_000, 50_000)) == float(prefill_s(GROUPED, PEAK, 50_000, 50_000))


def test_a_step_takes_at_least_its_launches():
    launching = replace(PEAK, launch_s=0.1)
    assert float(step_s(GROUPED, launching, 1, 64)) == 0.1
    assert float(step_s(GROUPED, launching, 9000, 0)) == float(step_s(GROUPED, PEAK, 9000, 0))


@given(LENGTHS, st.integers(min_value=1, max_value=20))
def test_cutting_a_prompt_into_steps_changes_its_work_by_the_output_head_alone(prompt, parts):
    ends = np.unique(np.linspace(0, prompt, min(parts, prompt) + 1).astype(int))
    pairs = attention_pairs(GROUPED, np.diff(ends), ends[:-1])
    steps = step_s(GROUPED, PEAK, np.diff(ends), pairs, ends[:-1], prompts=ends[1:] == prompt)
    assert math.isclose(float(steps.sum()), float(prefill_s(GROUPED, PEAK, prompt, prompt)), rel_tol=1e-9)


def test_latents_of_earlier_tokens_are_unfolded_once_more_and_keys_of_heads_are_not():
    # 61 layers x 512 x 128 heads x 256, twice.
    unfolded = 2 * 61 * 512 * 128 * 256 / 500e12
    assert float(step_s(LATENT, PEAK, 8, 0, 1000) - step_s(LATENT, PEAK, 8, 0)) == pytest.approx(1000 * unfolded)
    assert float(step_s(GROUPED, PEAK, 8, 0, 1000)) == float(step_s(GROUPED, PEAK, 8, 0))


@given(LENGTHS, FRACTIONS, st.floats(min_value=0.01, max_value=1e4), FRACTIONS)
def test_an_unqueued_cut_never_exceeds_the_cached_fraction(prompt, fraction, rate, hidden):
    whole = float(first_token_s(GROUPED, PEAK, prompt, 0.0, rate))
    assert 1 - float(first_token_s(GROUPED, PEAK, prompt, fraction, rate, hidden)) / whole <= fraction + 1e-9


@given(LENGTHS, FRACTIONS)
def test_without_a_cached_prefix_a_tier_makes_no_difference(prompt, hidden):
    times = first_token_s(GROUPED, PEAK, prompt, 0.0, np.array([1e-3, 1.0, np.inf]), hidden, lookup_s=1.0)
    assert np.all(times == float(prefill_s(GROUPED, PEAK, prompt, prompt)))


@pytest.mark.parametrize("model", [GROUPED, LATENT])
@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_a_pool_loses_below_the_rate_at_which_a_token_is_loaded_as_fast_as_computed(model, fraction):
    prompt = 20_000
    cached = fraction * prompt
    saved_s = float(prefill_s(model, PEAK, prompt, prompt) - prefill_s(model, PEAK, prompt - cached, prompt))
    # Bytes of one cached token over the time that it saves.
    even_GBps = float(key_value_bytes(model, 1, 2.0)) / (saved_s / cached) / 1e9
    gains = float(prefill_s(model, PEAK, prompt, prompt)) - first_token_s(
        model, PEAK, prompt, fraction, even_GBps * np.array([0.999, 1.0, 1.001])
    )
    assert gains[0] < 0 < gains[2]
    assert abs(gains[1]) < 1e-9


def test_a_load_hides_behind_computing_and_no_longer():
    slow, fast = 0.5, 100.0
    computed = float(first_token_s(GROUPED, PEAK, 8000, 0.5, np.inf))
    assert float(first_token_s(GROUPED, PEAK, 8000, 0.5, fast, hidden=1.0)) == pytest.approx(computed)
    assert float(first_token_s(GROUPED, PEAK, 8000, 0.5, slow, hidden=1.0)) == pytest.approx(
        float(load_s(GROUPED, 4000, slow))
    )


@given(FRACTIONS, st.floats(min_value=0.1, max_value=1e3))
def test_time_falls_with_the_rate_and_grows_with_the_prompt(fraction, rate):
    times = first_token_s(GROUPED, PEAK, np.array([2000, 4000, 8000])[:, None], fraction, rate * np.array([1, 2, 4]))
    assert np.all(np.diff(times, axis=0) > 0)
    assert np.all(np.diff(times, axis=1) <= 1e-12)
