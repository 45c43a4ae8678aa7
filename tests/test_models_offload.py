"""Offloading and reuse: limits, brute force, and schedules played operator by operator."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.models.offload import (
    Remote,
    Sequence,
    beside_step_s,
    elsewhere_s,
    moved_beside,
    remote_attention_s,
    reuse_bound,
    reuse_prefill_s,
    streamed_s,
    streamed_step_s,
    system_gain,
    two_batch_step_s,
)
from analysis.models.offload_schedule import played_beside_s, played_stream_s, played_turns_s

SECONDS = st.floats(0.0, 10.0)
SHARE = st.floats(0.0, 0.99)


def own_s(sequences, cache_s):
    """A step that reads weights for 10, and needs 0.1 for each sequence besides its cache."""
    return 10 + 0.1 * np.asarray(sequences) + cache_s


def test_nothing_moved_is_the_step_without_a_pool():
    assert beside_step_s(own_s, 8, 0, 0.5, 3.0, 99.0) == own_s(8, 8 * 0.5)
    assert streamed_step_s(own_s, 8, 0, 0.5, 3.0) == own_s(8, 8 * 0.5)
    assert elsewhere_s(0, 3.0, 99.0) == 0


@given(st.floats(1, 50), st.floats(0.1, 80), st.floats(0.01, 2), st.floats(0.01, 5), st.floats(0, 5))
def test_the_split_is_the_best_of_all(sequences, fits, local, each, step):
    """No other split, forced ones respected, lets attention on both sides end sooner."""
    moved = float(moved_beside(sequences, fits, local, each, step))
    assert max(sequences - fits, 0) - 1e-9 <= moved <= sequences + 1e-9
    tried = np.linspace(max(sequences - fits, 0), sequences, 500)
    ends = np.maximum((sequences - tried) * local, elsewhere_s(tried, each, step))
    best = max((sequences - moved) * local, float(elsewhere_s(moved, each, step)))
    assert best <= ends.min() + 1e-6 + step * (moved == 0) or moved == 0


@given(SECONDS, SECONDS, SECONDS, SECONDS)
def test_two_batches_that_take_turns_cycle_as_the_closed_form_says(one, two, away_one, away_two):
    closed = two_batch_step_s((one, two), (away_one, away_two))
    assert played_turns_s((one, two), (away_one, away_two), 40) == pytest.approx(float(closed), abs=1e-6)


@given(SECONDS, SECONDS)
def test_a_stream_that_runs_ahead_costs_the_longer_of_the_two(own, link):
    assert played_stream_s(own, link, 40) == pytest.approx(max(own, link), abs=1e-6)


def test_without_a_second_buffer_link_and_card_wait_for_each_other():
    assert played_stream_s(2.0, 3.0, 40, buffers=1) == pytest.approx(5.0)


@given(SECONDS, SECONDS, SECONDS, SECONDS)
def test_attention_on_both_sides_ends_with_the_later_one(local, out, work, back):
    assert played_beside_s(local, out, work, back) == pytest.approx(max(local, out + work + back))


def test_few_operations_a_byte_are_bound_by_memory_and_many_by_arithmetic():
    remote = Remote(memory_GBps=100.0, tflops=1.0, link_GBps=10.0, layer_us=20.0)
    reading = Sequence(0.0, cache_bytes=1e9, flops=1e9, exchanged_bytes=0.0, layers=50)
    computing = Sequence(0.0, cache_bytes=1e9, flops=1e12, exchanged_bytes=1e9, layers=50)
    assert [float(part) for part in remote_attention_s(remote, reading)] == pytest.approx([0.01, 1e-3])
    assert float(remote_attention_s(remote, computing)[0]) == pytest.approx(1.0 + 0.1)
    # Streamed, the slower of link and memory counts, and arithmetic does not.
    assert float(streamed_s(remote, computing)) == pytest.approx(0.1)


@given(SHARE, SHARE)
def test_reuse_is_bounded_by_its_two_limits(share, hit):
    bound = float(reuse_bound(share, hit))
    assert 1 <= bound <= min(1 / (1 - share), 1 / (1 - hit)) + 1e-9
    assert float(reuse_bound(share, 0.0)) == 1


@given(st.floats(1, 100), SHARE)
def test_a_system_gains_no_more_than_its_decoding(ratio, share):
    found = float(system_gain(ratio, share))
    assert 1 - 1e-12 <= found <= ratio + 1e-9
    assert float(system_gain(ratio, 0.0)) == pytest.approx(ratio)


@given(st.floats(0.01, 10), st.floats(0.01, 10))
def test_loading_that_is_hidden_costs_the_longer_and_loading_that_is_not_the_sum(suffix, load):
    assert reuse_prefill_s(suffix, load, 1.0) == pytest.approx(max(suffix, load))
    assert reuse_prefill_s(suffix, load, 0.0) == pytest.approx(suffix + load)
