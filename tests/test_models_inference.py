"""One step of an inference engine: the roofline by hand, limits, identities and monotony."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.models.collectives import Fabrics
from analysis.models.expert_exchange import Exchange, Kernel
from analysis.models.inference import Reached, layer_s, step_s, step_work
from analysis.models.rank import Batch, Handover, Matrices, Rank

MATRICES = Matrices(parameters=1e9, stored_bytes=1.0, tflops=100.0)
NOTHING = Matrices()
DENSE = Rank(
    attention=MATRICES,
    output=NOTHING,
    dense=MATRICES,
    shared=NOTHING,
    experts=NOTHING,
    head=Matrices(parameters=1e8, stored_bytes=2.0, tflops=50.0),
    layers=10,
    moe_layers=0,
    hidden_size=4096,
    expert_slots=0,
    experts_per_token=0,
    pooled_ranks=1,
    full_layers=6,
    windowed_layers=4,
    window=100,
    cached_bytes=1000.0,
    pair_flops=2e4,
    cached_pair_flops=3e4,
    prompt_tflops=50.0,
    cached_tflops=50.0,
    memory_GBps=1000.0,
)


def exchange(ranks):
    return Exchange(tokens=0.0, copies=8, bytes_per_copy=7168.0, ranks=ranks, ranks_per_server=8)


def experts_on(ranks, **changes):
    """Eight of 64 experts a token, spread over ranks; all layers have experts."""
    kernel = Kernel(Fabrics(100.0, 50.0), scaleup_domain=8, fixed_us=20.0)
    handover = Handover(exchange(ranks), kernel, exchange(ranks), kernel, forwards=False) if ranks > 1 else None
    return replace(
        DENSE,
        dense=NOTHING,
        experts=Matrices(64e9 / ranks, 1.0, 100.0, 1e5),
        moe_layers=10,
        expert_slots=64,
        experts_per_token=8,
        pooled_ranks=ranks,
        handover=handover,
        **changes,
    )


def seconds(rank, batch, micro_batches=1, **reached):
    return float(step_s(step_work(rank, batch, micro_batches), Reached(**reached)))


def test_a_step_of_decoding_is_the_roofline_worked_by_hand():
    # 400 sequences of 1,000 cached tokens: products of 2 x 1e9 x 400 take 8 ms at 100 TFLOPS, reading takes 1 ms.
    decode = Batch(sequences=400, cached_tokens=1000)
    seen = 6 * 1000 + 4 * 100
    cache = max(400 * seen * 1000 / 1e12, 400 * seen * 3e4 / 50e12)
    head = max(2 * 1e8 * 400 / 50e12, 2e8 / 1e12)
    assert seconds(DENSE, decode) == pytest.approx(2 * 8e-3 + cache + head)
    # One sequence: the weights are read, whatever the arithmetic.
    one = Batch(sequences=1, cached_tokens=1000)
    assert seconds(DENSE, one) == pytest.approx(2e-3 + seen * 1000 / 1e12 + 2e-4)


def test_a_step_of_prefill_is_the_roofline_worked_by_hand():
    prompt = Batch(prompts=2, prompt_tokens=3000, prompt_pairs=4.5e7)
    assert seconds(DENSE, prompt) == pytest.approx(2 * 0.12 + 2 * 4.5e7 * 2e4 / 50e12 + 2e-4)


def test_shares_of_the_peaks_and_overheads_come_on_top():
    prompt = Batch(prompts=2, prompt_tokens=3000, prompt_pairs=4.5e7)
    parts = {"matrix_share": 0.5, "attention_share": 0.25, "memory_share": 0.1}
    bare = 2 * 0.24 + 4 * 2 * 4.5e7 * 2e4 / 50e12 + 2e-3
    assert seconds(DENSE, prompt, **parts) == pytest.approx(bare)
    more = {"step_overhead_ms": 3.0, "layer_overhead_us": 7.0, "sequence_overhead_us": 1000.0}
    assert seconds(DENSE, prompt, **parts, **more) == pytest.approx(bare + 3e-3 + 10 * 7e-6)
    assert seconds(DENSE, Batch(sequences=4), **more) - seconds(DENSE, Batch(sequences=4)) == pytest.approx(7.07e-3)


def test_a_dense_model_is_one_with_a_single_expert_that_every_token_takes():
    one = replace(DENSE, dense=NOTHING, experts=DENSE.dense, moe_layers=10, expert_slots=1, experts_per_token=1)
    for batch in (Batch(sequences=50, cached_tokens=700), Batch(prompts=3, prompt_tokens=900, prompt_pairs=1e7)):
        assert seconds(one, batch) == pytest.approx(seconds(DENSE, batch))


def test_one_rank_with_all_experts_exchanges_nothing():
    work = step_work(experts_on(1), Batch(sequences=64, cached_tokens=100))
    assert work.dispatch_s == 0 and work.combine_s == 0


def test_without_latency_and_with_infinite_links_the_ranks_are_as_fast_as_their_matrices():
    free = Kernel(Fabrics(np.inf, np.inf), scaleup_domain=8, fixed_us=0.0)
    ideal = replace(experts_on(8), handover=Handover(exchange(8), free, exchange(8), free, forwards=False))
    batch = Batch(sequences=64, cached_tokens=100)
    assert seconds(ideal, batch) == pytest.approx(seconds(replace(ideal, handover=None), batch))
    assert seconds(experts_on(8), batch) > seconds(ideal, batch)


def test_only_experts_that_some_token_chose_are_read():
    read = [float(step_work(experts_on(1), Batch(sequences=count)).read_s[4]) for count in (1, 4, 10_000)]
    assert read[0] == pytest.approx(8e9 / 1e12) and read[0] < read[1] < read[2] == pytest.approx(64e9 / 1e12)


def test_the_busiest_rank_delays_experts_and_exchange_alone():
    batch, rank = Batch(sequences=4096, cached_tokens=10), experts_on(8)
    work = step_work(rank, batch)
    slower = seconds(rank, batch, peak_load=1.5) - seconds(rank, batch)
    assert slower == pytest.approx(0.5 * float(work.compute_s[4] + work.expert_moved_s))
    late = seconds(rank, batch, exchange_load=1.5) - seconds(rank, batch)
    assert late == pytest.approx(0.5 * float(work.dispatch_s + work.combine_s))


def test_two_micro_batches_pay_where_exchange_can_be_hidden_and_cost_where_weights_are_read_twice():
    full, few = Batch(sequences=20_000, cached_tokens=100), Batch(sequences=8, cached_tokens=100)
    rank = experts_on(8)
    assert seconds(rank, full, 2) < seconds(rank, full, 1)
    assert seconds(rank, few, 2) > seconds(rank, few, 1)


def test_padding_costs_like_tokens_but_reads_no_cache():
    plain, padded = (step_work(DENSE, Batch(sequences=40, cached_tokens=500, padding=rows)) for rows in (0, 24))
    more = step_work(DENSE, Batch(sequences=64, cached_tokens=500))
    assert np.allclose(padded.compute_s, more.compute_s) and padded.cache_read_s == plain.cache_read_s


def test_experts_see_the_prompts_of_the_ranks_that_prefill():
    together, alone = (
        step_work(experts_on(8), Batch(prompts=1, prompt_tokens=4000, prompting=part)) for part in (1.0, 1 / 8)
    )
    assert alone.compute_s[4] == pytest.approx(together.compute_s[4] / 8)
    assert alone.compute_s[0] == together.compute_s[0] and alone.dispatch_s == together.dispatch_s


def test_sums_over_ranks_that_share_matrices_cost_two_all_reduces_a_layer():
    shared = replace(DENSE, sum_ranks=2, ranks_per_domain=8, fabrics=Fabrics(100.0, 1.0))
    batch = Batch(sequences=100, cached_tokens=10)
    extra = seconds(shared, batch) - seconds(DENSE, batch)
    assert extra == pytest.approx(2 * 10 * 100 * 4096 * 2 / 100e9)


def test_a_layer_is_a_tenth_of_ten_alike():
    batch = Batch(sequences=64, cached_tokens=100)
    bare = replace(experts_on(8), head=NOTHING)
    for count in (1, 2):
        work = step_work(bare, batch, count)
        assert float(step_s(work, Reached())) == pytest.approx(10 * float(layer_s(work, Reached())))
        drafted = float(step_s(work, Reached(), extra_layers=1)) - float(step_s(work, Reached()))
        assert drafted == pytest.approx(float(layer_s(work, Reached())))


@given(
    st.floats(1, 500),
    st.floats(1, 20_000),
    st.sampled_from(["sequences", "queries", "cached_tokens", "padding"]),
    st.sampled_from([1, 2]),
)
def test_more_work_never_takes_less_time(sequences, cached, field, micro_batches):
    small = Batch(sequences=sequences, cached_tokens=cached)
    large = replace(small, **{field: getattr(small, field) * 1.5 + 1})
    for rank in (DENSE, experts_on(8)):
        assert seconds(rank, large, micro_batches) >= seconds(rank, small, micro_batches) - 1e-12


@given(st.floats(1, 500), st.sampled_from(["memory_GBps", "cached_tflops"]))
def test_a_better_card_is_never_slower(sequences, field):
    batch = Batch(sequences=sequences, cached_tokens=1000)
    for rank in (DENSE, experts_on(8)):
        better = replace(rank, **{field: 2 * getattr(rank, field)})
        assert seconds(better, batch) <= seconds(rank, batch) + 1e-12


def test_arrays_give_what_numbers_give():
    sequences, cached = np.array([1.0, 32.0, 400.0]), np.array([[10.0], [5000.0]])
    found = step_s(step_work(experts_on(8), Batch(sequences=sequences, cached_tokens=cached), 2), Reached())
    assert found.shape == (2, 3)
    single = seconds(experts_on(8), Batch(sequences=32.0, cached_tokens=5000.0), 2)
    assert found[1, 1] == pytest.approx(single)


def test_weights_are_stored_in_their_formats():
    assert DENSE.weight_bytes == pytest.approx(2e9 + 2 * 2e8)
    assert {field.name for field in fields(Rank)} >= {"attention", "experts", "head"}
