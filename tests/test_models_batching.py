"""A queue of equal requests: the fluid phases against the run played step by step, and limits by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.models.batching import (
    GIB,
    Queue,
    phases,
    played,
    prepared_size,
    queue,
    sequences_in_memory,
    tool_limits,
)


@st.composite
def whole_queues(draw):
    """Queues whose prompts, sequences and requests are whole numbers of groups that join together."""
    prompts, length = draw(st.integers(1, 4)), draw(st.integers(20, 200))
    groups = draw(st.integers(1, length))
    requests = draw(st.integers(groups, 6 * groups)) * prompts
    return Queue(requests, 100, length, groups * prompts, prompts)


def total(found, each):
    return float((found.steps * each).sum())


@given(whole_queues())
def test_every_prompt_and_every_token_is_counted_once(run):
    for found in (phases(run), played(run)):
        assert total(found, found.prompts) == pytest.approx(run.requests)
        assert total(found, found.sequences) == pytest.approx(run.requests * run.output_tokens)


@given(whole_queues(), st.floats(0.01, 1.0), st.floats(0.0, 5.0))
def test_phases_take_the_time_of_the_run_played_step_by_step(run, a_sequence, a_prompt):
    def seconds(found):
        return total(found, 3.0 + a_sequence * found.sequences + a_prompt * found.prompts)

    assert seconds(phases(run)) == pytest.approx(seconds(played(run)), rel=0.05)


@given(whole_queues(), st.floats(1.0, 16.0))
def test_ranks_that_prefill_by_themselves_prefill_as_much_in_more_steps(run, ranks):
    together, alone = phases(run), phases(replace(run, unaligned_ranks=ranks))
    assert total(alone, alone.prompts * alone.prompting) == pytest.approx(run.requests)
    with_prompts = [float(found.steps[found.prompts > 0].sum()) for found in (together, alone)]
    assert with_prompts[0] <= with_prompts[1] * (1 + 1e-9) and with_prompts[1] <= ranks * with_prompts[0] * (1 + 1e-9)
    assert alone.steps.sum() >= together.steps.sum() * (1 - 1e-9)


def test_one_wave_lasts_as_long_as_a_request_and_the_filling_up():
    found = phases(Queue(requests=64, input_tokens=100, output_tokens=1000, sequences=64, prompts_a_step=4))
    assert found.steps.sum() == pytest.approx(1000 + 64 / 4)
    assert len(played(Queue(64, 100, 1000, 64, 4)).steps) == 1000 + 64 / 4 - 1


def test_no_more_sequences_than_requests_nor_than_prompts_arrive():
    assert queue(10, 1024, 1024, sequences=100, tokens=8192).sequences == 10
    # One prompt a step, and a request lasts 50 steps: 50 are in work, whatever the memory would hold.
    assert queue(1000, 1024, 50, sequences=400, tokens=1024).sequences == 50
    assert queue(1000, 1024, 1024, sequences=400, tokens=400 + 3 * 1024).prompts_a_step == 3


def test_memory_holds_what_the_weights_leave():
    assert float(sequences_in_memory(100.0, 40.0, 3.0, 0.9)) == pytest.approx(18.0)
    assert float(sequences_in_memory(100.0, 140.0, 3.0, 0.9)) == 0.0


def test_the_tools_limits_follow_its_published_rule():
    """Numbers worked by hand from the rule: requests that fit, capped, then rounded up in its steps."""
    token = 1e5
    # 100 GB hold 488 requests of 2,048 tokens: the next multiple of 128, and the fewest tokens of a step.
    assert tool_limits(100e9, token, 1024, 1024) == (512, 2048)
    # 32 requests of 2,048 tokens and 32,768 outputs: never below 64 sequences and 2,048 tokens.
    assert tool_limits(100e9, token, 1024, 32768) == (64, 2048)
    # A prompt of 32,768 tokens always fits beside all sequences.
    assert tool_limits(100e9, token, 32768, 1024) == (64, 32768 + 64)
    assert tool_limits(1e6 * GIB, token, 1024, 1024) == (4096, 8192)


def test_a_batch_is_filled_up_to_the_next_prepared_size():
    assert prepared_size(np.array([1, 3, 129, 8192, 9000]), (1, 4, 256, 8192)).tolist() == [1, 4, 256, 8192, 9000]
