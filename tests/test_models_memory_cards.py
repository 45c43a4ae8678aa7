"""Cards bought for memory: hand-made traces, limits, brute force over merged copies, and what a link can bring."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.facts import open_facts
from analysis.facts.traces import BLOCK_TOKENS, trace_of
from analysis.facts.transformers import transformer
from analysis.models import memory_cards as cards
from analysis.models import memory_reuse as reused
from analysis.models.prefix_cache import request_hits
from analysis.models.transformer_costs import forward_flops, key_value_bytes

SHAPE = transformer(open_facts(), "Llama-3 70B")
TOKEN_BYTES = float(key_value_bytes(SHAPE, 1, 2))
CARD = cards.Card(
    instance_cards=np.array([1.0]),
    weight_bytes=np.array([20e9]),
    room_bytes=np.array([80e9]),
    flops=np.array([5e14]),
    memory_Bps=np.array([2.5e12]),
    link_Bps=np.array([1.5e11]),
    exposed=np.array([0.3]),
)


def made(seed=0, requests=300, prefixes=12, depth=6, seconds=60.0):
    """Requests that share prefixes of whole blocks and end in one block of their own."""
    draw = np.random.default_rng(seed)
    counts, ids = [], []
    for request in range(requests):
        prefix, shared = int(draw.integers(prefixes)), int(draw.integers(1, depth))
        ids += [prefix * 100 + block for block in range(shared)] + [10**6 + request]
        counts.append(shared + 1)
    times = np.sort(draw.uniform(0, 1e3 * seconds, requests))
    return trace_of(times, [BLOCK_TOKENS * one for one in counts], [100] * requests, counts, ids)


TRACE = made()
REUSE = reused.reuse_of(TRACE)
WORK = reused.work_of(TRACE, REUSE, [SHAPE])


def test_an_instance_has_the_fewest_cards_that_leave_room():
    assert cards.instance_cards(70e9, 128e9, 0.25).tolist() == 3.0
    assert cards.instance_cards(1e9, 128e9, 0.25).tolist() == 1.0
    assert cards.instance_cards(64e9, 128e9, 0.25).tolist() == 2.0


def test_work_falls_from_everything_to_what_no_cache_saves():
    nothing = forward_flops(SHAPE, TRACE.input_tokens, 0).sum()
    assert WORK.at(0.0)[0] == pytest.approx(nothing)
    _, cached = request_hits(TRACE, np.inf)
    left = forward_flops(SHAPE, TRACE.input_tokens - cached, cached).sum()
    assert WORK.at(1.0)[0] == pytest.approx(left)
    assert (np.diff(WORK.flops) <= 0).all()


def test_hits_save_less_than_their_share_because_a_prefix_is_the_cheap_part():
    best = REUSE.shared.token_hit(np.inf)
    assert WORK.at(best) / WORK.at(0.0) >= 1 - best


def test_a_prompt_in_cache_as_a_whole_still_computes_its_last_token():
    twice = trace_of([0, 1], [512, 512], [1, 1], [1, 1], [7, 7])
    hits, flops = reused.prefill_flops(twice, SHAPE, np.array([0, 512]))
    assert hits == 0.5
    assert flops == pytest.approx(float(forward_flops(SHAPE, 512) + forward_flops(SHAPE, 1, 511)))


def test_a_cache_of_those_cards_reaches_the_hits_and_one_block_less_does_not():
    hits = 0.8 * REUSE.shared.token_hit(np.inf)
    roomless = replace(CARD, flops=np.array([1e30]), instance_cards=np.array([0.0]))
    needed = cards.cards_for_hits(WORK, REUSE, np.array([hits]), roomless, 1, TOKEN_BYTES)
    blocks = round(float(needed[0] * CARD.room_bytes[0] / (BLOCK_TOKENS * TOKEN_BYTES)))
    found = [request_hits(TRACE, size)[1].sum() / TRACE.tokens for size in (blocks, blocks - 1)]
    assert found[0] >= hits > found[1]


def test_a_load_of_several_copies_is_that_of_merged_traces():
    """Three copies that share nothing, in one cache of three times the size, played block by block."""
    copies, ids = 3, []
    starts = np.concatenate([[0], TRACE.ends[:-1]])
    for first, last in zip(starts, TRACE.ends, strict=True):
        for copy in range(copies):
            ids += [int(block) + copy * 10**7 for block in TRACE.blocks[first:last]]
    counts = np.repeat(np.diff(TRACE.ends, prepend=0), copies)
    columns = (np.repeat(one, copies) for one in (TRACE.timestamps_ms, TRACE.input_tokens, TRACE.output_tokens))
    merged = trace_of(*columns, counts, ids)
    for size in (20, 40, 60):
        played = request_hits(merged, copies * size)[1].sum() / merged.tokens
        assert played == pytest.approx(REUSE.shared.token_hit(size), abs=0.03)


@pytest.mark.parametrize("copies", [1, 40, 400])
def test_the_fewest_cards_for_the_same_service_are_just_enough(copies):
    needed = float(cards.cards_for_service(WORK, REUSE, CARD, copies, TOKEN_BYTES)[0])

    def busy(count):
        size = int(count * CARD.room_bytes[0] / (BLOCK_TOKENS * TOKEN_BYTES * copies))
        flops = reused.prefill_flops(TRACE, SHAPE, request_hits(TRACE, size)[1])[1]
        return max(copies * flops / CARD.flops[0] / REUSE.seconds, 1.0)

    assert busy(1.02 * needed) <= 1.02 * needed
    assert needed == 1.0 or busy(0.9 * needed) > 0.9 * needed


def test_private_caches_never_need_fewer_cards_than_one_cache():
    for copies in (1, 20, 100):
        one = cards.cards_for_service(WORK, REUSE, CARD, copies, TOKEN_BYTES)
        many = cards.cards_for_private_service(WORK, REUSE, CARD, copies, TOKEN_BYTES)
        assert many[0] >= one[0] * (1 - 1e-9)


def test_private_caches_that_find_nothing_need_what_recomputing_needs():
    tiny = replace(CARD, room_bytes=np.array([0.0]))
    needed = cards.cards_for_private_service(WORK, REUSE, tiny, 50, TOKEN_BYTES)
    assert needed[0] == pytest.approx(float(cards.compute_cards(WORK, REUSE, 0.0, tiny, 50)[0]), rel=1e-6)


def test_a_pool_whose_transfers_are_hidden_needs_what_compute_needs_and_no_bandwidth_needs_endless_cards():
    hits = np.array([REUSE.shared.token_hit(np.inf)])
    alone = cards.compute_cards(WORK, REUSE, hits, CARD, 100)
    hidden = cards.pooled_cards(WORK, REUSE, hits, replace(CARD, exposed=np.array([0.0])), 100, TOKEN_BYTES)
    assert hidden == pytest.approx(alone)
    slow = [
        cards.pooled_cards(WORK, REUSE, hits, replace(CARD, link_Bps=np.array([rate])), 100, TOKEN_BYTES)[0]
        for rate in (1e12, 1e11, 1e9)
    ]
    assert alone[0] < slow[0] < slow[1] < slow[2]


def test_no_deployment_is_smaller_than_an_instance():
    wide, hits = replace(CARD, instance_cards=np.array([8.0])), np.array([0.1])
    assert cards.compute_cards(WORK, REUSE, hits, wide, 1e-9)[0] == 8
    assert cards.pooled_cards(WORK, REUSE, hits, wide, 1e-9, TOKEN_BYTES)[0] == pytest.approx(8)
    assert cards.cards_for_service(WORK, REUSE, wide, 1e-9, TOKEN_BYTES)[0] == 8
    assert cards.cards_for_private_service(WORK, REUSE, wide, 1e-9, TOKEN_BYTES)[0] == 8


def test_a_batch_fills_the_step_to_its_limit():
    limit = np.array([0.05])
    count = cards.sequences_a_card(CARD, 1e9, 1.4e11, limit)
    step = CARD.weight_bytes / CARD.memory_Bps + count * (1e9 / CARD.memory_Bps + 1.4e11 / CARD.flops)
    assert step == pytest.approx(limit)


def test_a_limit_below_the_reading_of_weights_leaves_one_sequence_an_instance():
    wide = replace(CARD, instance_cards=np.array([4.0]))
    assert cards.sequences_a_card(wide, 1e9, 1.4e11, np.array([1e-6]))[0] == pytest.approx(0.25)


def test_what_is_written_to_the_pool_costs_room_in_the_step():
    kept = cards.sequences_a_card(CARD, 1e9, 1.4e11, 0.05, 3e5)
    assert kept < cards.sequences_a_card(CARD, 1e9, 1.4e11, 0.05)


def test_a_link_adds_to_memory_what_it_brings_in_a_step():
    """80 GB of room and 50 ms at 150 GB/s: 80 contexts of 1 GB, and 7.5 more."""
    assert cards.contexts_in_memory(CARD, 1e9)[0] == pytest.approx(80)
    assert cards.contexts_beyond_memory(CARD, 1e9, 0.05)[0] == pytest.approx(87.5)
    assert cards.contexts_from_pool(CARD, 1e9, 0.05)[0] == pytest.approx(7.5)


@pytest.mark.parametrize("requests", [1, 2])
def test_traces_of_one_request_and_of_equal_times(requests):
    small = trace_of([5] * requests, [512] * requests, [3] * requests, [1] * requests, [9] * requests)
    found = reused.reuse_of(small)
    assert found.seconds == pytest.approx(1e-3) and found.context_tokens == pytest.approx(513.5)
    assert found.shared.token_hit(np.inf) == (requests - 1) / requests
