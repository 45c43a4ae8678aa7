"""Step time of training: limits, identities and counts that can be redone by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.facts import open_facts
from analysis.facts.transformers import transformer
from analysis.models.collectives import Fabrics
from analysis.models.training import both_ends_count, stage_layers, tokens_per_s_per_card, training_step
from analysis.models.training_kernels import fused_attention_flops, launches, products_flops, wave_waste
from analysis.models.training_memory import fits, memory_gb, parameters_of_rank
from analysis.models.training_setup import Chip, Layout, Recompute, Software
from analysis.models.training_times import Machine
from analysis.models.training_work import micro_batch_work
from analysis.models.transformer_costs import parameters, training_flops_per_token

FREE = Fabrics(np.inf, np.inf)
IDEAL = Machine(
    matrix_tflops=100.0,
    wide_tflops=100.0,
    attention_tflops=100.0,
    memory_GBps=np.inf,
    expert_GBps=np.inf,
    launch_s=0.0,
    fabrics=FREE,
    ranks_per_domain=8,
)
REAL = replace(
    IDEAL, memory_GBps=3000.0, expert_GBps=1200.0, launch_s=1e-3, fabrics=Fabrics(300.0, 40.0), memory_gb=80.0
)
TERA = 1e12


@pytest.fixture(scope="module")
def shapes():
    facts = open_facts()
    names = ("Llama-3 70B", "DeepSeek-V3", "GPT-OSS 120B", "Qwen3-30B-A3B", "Megatron 22B", "GPT-3 175B")
    return {name: transformer(facts, name) for name in names}


def layout(**changes):
    return Layout(**({"cards": 8, "sequence_tokens": 4096, "global_batch": 64, "micro_batch": 1} | changes))


def total_s(shape, machine=REAL, software=None, **changes):
    return float(training_step(shape, layout(**changes), software or Software(), machine).total_s)


def test_without_waits_a_step_takes_its_operations_over_the_rate(shapes):
    """Six operations a parameter and token; the backward pass of fused attention has 5 products for 2, not 4."""
    shape = shapes["Llama-3 70B"]
    given = layout(cards=1, global_batch=2)
    forward, _ = fused_attention_flops(shape, given, 0.0)
    tokens = 2 * 4096
    flops = tokens * float(training_flops_per_token(shape, 4096)) + 0.5 * shape.layers * 2 * float(forward)
    found = training_step(shape, given, Software(), IDEAL)
    # Norms are parameters, but no products.
    assert float(found.total_s) == pytest.approx(flops / (100.0 * TERA), rel=1e-4)
    assert found.bubble_s == found.hop_s == found.exchange_s == 0


@pytest.mark.parametrize("name", ["Llama-3 70B", "DeepSeek-V3", "GPT-OSS 120B"])
def test_one_card_does_not_communicate(shapes, name):
    slow = replace(REAL, fabrics=Fabrics(1e-3, 1e-3, 1e6, 1e6))
    alone = {"cards": 1, "global_batch": 2}
    assert total_s(shapes[name], slow, **alone) == total_s(shapes[name], replace(REAL, fabrics=FREE), **alone)


def test_a_dense_model_is_one_expert_that_takes_every_token(shapes):
    dense = shapes["Llama-3 70B"]
    moe = replace(
        dense,
        dense_layers=0,
        routed_experts=1,
        experts_per_token=1,
        expert_intermediate_size=dense.intermediate_size,
    )
    # Sorting tokens by expert is the one thing that it does besides, and memory is free here.
    for machine in (IDEAL, replace(IDEAL, fabrics=REAL.fabrics)):
        assert total_s(moe, machine) == pytest.approx(total_s(dense, machine), rel=1e-12)


def test_the_bubble_is_that_of_the_paper(shapes):
    """(p - 1) / (v m) of the time without it, where all stages are equal. Source: narayanan2021megatron, 2.2."""
    shape = replace(shapes["GPT-3 175B"], vocabulary=1)
    for virtual in (1, 3):
        step = training_step(shape, layout(cards=8, pipeline=8, virtual=virtual, global_batch=64), Software(), IDEAL)
        ideal = float(step.total_s - step.bubble_s - step.optimiser_s)
        assert float(step.bubble_s) / ideal == pytest.approx(7 / (virtual * 64), rel=1e-4)


def test_full_recomputation_adds_one_forward_pass_of_the_layers(shapes):
    shape = replace(shapes["Llama-3 70B"], vocabulary=1)
    machine = replace(IDEAL, attention_tflops=np.inf)
    plain, full = (total_s(shape, machine, recompute=Recompute(full=one)) for one in (False, True))
    assert full / plain == pytest.approx(4 / 3, rel=1e-6)


def test_selective_recomputation_repeats_the_scores_alone(shapes):
    software = Software(fused_attention=False)
    kinds = [Recompute(), Recompute(attention=True), Recompute(full=True)]
    none, selective, full = (total_s(shapes["Megatron 22B"], software=software, recompute=one) for one in kinds)
    assert none < selective < full
    fused = [total_s(shapes["Megatron 22B"], recompute=one) for one in kinds[:2]]
    assert fused[0] < fused[1]


def test_experts_in_one_domain_use_the_fast_fabric_and_across_domains_the_network_card(shapes):
    """Every copy of a token goes to its expert and back, forward and backward, in each layer."""
    shape = shapes["GPT-OSS 120B"]
    run = {"cards": 64, "expert": 64, "global_batch": 256, "micro_batch": 4}
    sent = 4 * 4096 * shape.experts_per_token * 2 * shape.hidden_size
    for domain, seconds in ((64, sent * 63 / 64 / 300e9), (8, sent * 56 / 64 / 40e9)):
        machine = replace(REAL, ranks_per_domain=domain)
        step = training_step(shape, layout(**run), Software(), machine)
        assert float(step.exchange_s) == pytest.approx(4 * shape.layers * seconds, rel=1e-9)


def test_one_copy_to_each_rank_is_never_more_than_one_to_each_expert(shapes):
    for name in ("DeepSeek-V3", "GPT-OSS 120B", "Qwen3-30B-A3B"):
        for expert in (2, 8, 64):
            run = {"cards": 64, "expert": expert, "global_batch": 256}
            copies, ranks = (total_s(shapes[name], software=Software(forwards=one), **run) for one in (False, True))
            assert ranks < copies


def test_overlapping_exchange_helps_but_never_beats_computation_alone(shapes):
    for name in ("DeepSeek-V3", "GPT-OSS 120B"):
        run = layout(cards=64, expert=64, global_batch=256)
        waiting = training_step(shapes[name], run, Software(forwards=True), REAL)
        beside = training_step(shapes[name], run, Software(forwards=True, exchange_overlap=True), REAL)
        free = training_step(shapes[name], run, Software(forwards=True), replace(REAL, fabrics=FREE))
        assert free.computation_s <= beside.total_s < waiting.total_s
        assert beside.computation_s == pytest.approx(waiting.computation_s)


def test_tensor_parallelism_shares_the_products_and_costs_communication(shapes):
    shape = shapes["Llama-3 70B"]
    run = {"global_batch": 8, "recompute": Recompute(full=True)}
    # The same work on twice the cards, half as many copies of the model.
    ideal = [total_s(shape, IDEAL, tensor=tensor, **run) for tensor in (1, 8)]
    real = [total_s(shape, replace(IDEAL, fabrics=Fabrics(300.0, 40.0)), tensor=tensor, **run) for tensor in (1, 8)]
    assert ideal[1] == pytest.approx(ideal[0], rel=1e-9)
    assert real[1] > 1.02 * real[0]


def test_pieces_beside_their_collectives_wait_less(shapes):
    run = {"tensor": 8}
    plain, pieces = (
        total_s(shapes["Llama-3 70B"], software=Software(tensor_overlap=one), **run) for one in (False, True)
    )
    assert pieces < plain


def test_parameters_gathered_layer_by_layer_hide_behind_long_layers(shapes):
    shape = shapes["Llama-3 70B"]
    near = replace(REAL, ranks_per_domain=8)
    plain, sharded = (total_s(shape, near, micro_batch=8, sharded=one) for one in (False, True))
    assert sharded == pytest.approx(plain, rel=0.02)
    far = replace(REAL, fabrics=Fabrics(300.0, 0.5), ranks_per_domain=1)
    assert total_s(shape, far, sharded=True) > 2 * total_s(shape, far, sharded=False)


def test_what_goes_to_the_host_waits_only_where_the_link_is_slower_than_a_layer(shapes):
    shape = shapes["Llama-3 70B"]
    fast, slow = (total_s(shape, replace(REAL, host_GBps=one), offloaded_layers=40) for one in (1e6, 10.0))
    assert fast == total_s(shape) < slow


def test_graphs_spare_launches(shapes):
    for name in ("GPT-OSS 120B", "Llama-3 70B"):
        none, partly, whole = (total_s(shapes[name], software=Software(graphs=one)) for one in (0, 1, 2))
        assert whole <= partly < none
    assert launches(0, 16).experts > launches(0, 4).experts > launches(1, 4).experts > launches(2, 4).experts == 0


FIELDS = ("cards", "sequence_tokens", "global_batch", "micro_batch", "tensor", "pipeline", "expert", "virtual")


@pytest.mark.parametrize("name", ["Llama-3 70B", "DeepSeek-V3"])
def test_an_array_of_layouts_gives_what_each_gives_alone(shapes, name):
    shape = shapes[name]
    expert = (1, 8, 16) if shape.routed_experts else (1, 1, 1)
    rows = [
        (64, 4096, 256, 1, 1, 1, expert[0], 1),
        (64, 4096, 256, 2, 2, 4, expert[1], 2),
        (64, 4096, 256, 1, 4, 4, expert[2], 4),
    ]
    columns = dict(zip(FIELDS, np.array(rows).T, strict=True))
    full = np.array([False, True, False])
    software = Software(bytes_per_value=1.0, forwards=np.array([True, False, True]))
    together = training_step(shape, Layout(**columns, recompute=Recompute(full=full)), software, REAL)
    used = memory_gb(shape, Layout(**columns, recompute=Recompute(full=full)), software)
    for place, row in enumerate(rows):
        alone = Layout(**dict(zip(FIELDS, row, strict=True)), recompute=Recompute(full=bool(full[place])))
        own = Software(bytes_per_value=1.0, forwards=bool(software.forwards[place]))
        step = training_step(shape, alone, own, REAL)
        for part in ("total_s", "bubble_s", "exchange_s", "gradient_s"):
            assert getattr(together, part)[place] == pytest.approx(float(getattr(step, part)), rel=1e-12)
        assert used[place] == pytest.approx(float(memory_gb(shape, alone, own)))


RATES = ("matrix_tflops", "wide_tflops", "attention_tflops", "memory_GBps", "expert_GBps")


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(["Llama-3 70B", "DeepSeek-V3", "GPT-OSS 120B"]),
    tensor=st.sampled_from([1, 2, 8]),
    pipeline=st.sampled_from([1, 2, 4]),
    expert=st.sampled_from([1, 4, 16]),
    factor=st.floats(1.01, 10.0),
    rate=st.sampled_from([*RATES, "scaleup_GBps", "scaleout_GBps", "latency"]),
    overlap=st.booleans(),
)
def test_a_faster_part_never_makes_a_step_slower(shapes, name, tensor, pipeline, expert, factor, rate, overlap):
    shape = shapes[name]
    run = {"cards": 64, "tensor": tensor, "pipeline": pipeline, "expert": expert if shape.routed_experts else 1}
    software = Software(bytes_per_value=1.0, exchange_overlap=overlap, tensor_overlap=overlap)
    if rate in RATES:
        better = replace(REAL, **{rate: getattr(REAL, rate) * factor})
    elif rate == "latency":
        worse = replace(REAL, fabrics=replace(REAL.fabrics, scaleup_latency_us=factor, scaleout_latency_us=factor))
        assert total_s(shape, REAL, software, **run) <= total_s(shape, worse, software, **run) * (1 + 1e-12)
        return
    else:
        better = replace(REAL, fabrics=replace(REAL.fabrics, **{rate: getattr(REAL.fabrics, rate) * factor}))
    assert total_s(shape, better, software, **run) <= total_s(shape, REAL, software, **run) * (1 + 1e-12)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 5000),
    columns=st.integers(1, 5000),
    count=st.integers(1, 20),
    multiprocessors=st.integers(1, 160),
)
def test_waste_in_waves_counts_tiles_one_by_one(rows, columns, count, multiprocessors):
    tiles = count * len(range(0, rows, 256)) * len(range(0, columns, 128))
    waves = len(range(0, tiles, multiprocessors))
    slots = waves * multiprocessors * 256 * 128
    found = float(wave_waste(rows, columns, count, multiprocessors))
    assert found == pytest.approx(slots / (count * rows * columns)) and found >= 1


def test_products_that_fill_their_waves_waste_nothing():
    forward, backward = products_flops(2560, ((1280, 2560, 2),), 10)
    assert forward == 2 * 2 * 2560 * 1280 * 2560
    assert backward == 2 * forward


def test_narrow_heads_pay_more_for_their_exponentials(shapes):
    given = layout()
    for name in ("Llama-3 70B", "GPT-OSS 120B"):
        plain, costly = (float(fused_attention_flops(shapes[name], given, width)[0]) for width in (0.0, 64.0))
        assert costly / plain == pytest.approx(1 + 64 / shapes[name].head_dim)


def test_layers_fill_the_pieces_of_a_pipeline(shapes):
    shape = shapes["GPT-3 175B"]
    for layers, pipeline, virtual, mtp, middle, last in (
        (96, 8, 3, 0, 12, 12),
        (126, 16, 8, 0, 8, 7),
        (94, 8, 3, 0, 12, 11),
        (61, 4, 4, 1, 16, 13),
        (61, 8, 1, 1, 8, 5),
        (61, 1, 1, 1, 61, 61),
    ):
        cut = layout(pipeline=pipeline, virtual=virtual, mtp_layers=mtp)
        found = stage_layers(replace(shape, layers=layers, dense_layers=layers), cut)
        assert [float(one) for one in found] == [middle, last]
    assert bool(both_ends_count(replace(shape, layers=126), layout(pipeline=16, virtual=8)))


def test_no_parameter_is_lost_or_held_twice(shapes):
    """Summed over the ranks that differ, they are those of the model; norms and router apart."""
    for name, shape in shapes.items():
        cut = layout(cards=64, tensor=2, pipeline=4, expert=8 if shape.routed_experts else 1)
        shared, expert = parameters_of_rank(shape, cut)
        found = float(shared) * 2 * 4 + float(expert) * cut.expert * 4
        tied = shape.vocabulary * shape.hidden_size if shape.tied_embeddings else 0
        assert found == pytest.approx(parameters(shape) + tied, rel=2e-3), name


def test_activations_are_those_of_the_paper(shapes):
    """s b h (34 + 5 a s / h) for a layer in 16 bits. Source: korthikanti2022reducing, equation 1."""
    from analysis.models.training_memory import activation_bytes

    shape = shapes["GPT-3 175B"]
    cut = layout(cards=1, sequence_tokens=2048)
    tokens, hidden = 2048, shape.hidden_size
    unfused = Software(fused_attention=False)
    scores = 5 * shape.attention_heads * 2048 / hidden
    assert float(activation_bytes(shape, cut, unfused)) == pytest.approx(tokens * hidden * (34 + scores))
    selective = replace(cut, recompute=Recompute(attention=True))
    assert float(activation_bytes(shape, selective, unfused)) == pytest.approx(tokens * hidden * 34)
    full = replace(cut, recompute=Recompute(full=True))
    assert float(activation_bytes(shape, full, unfused)) == pytest.approx(tokens * hidden * 2)
    split = replace(cut, tensor=8, cards=8)
    assert float(activation_bytes(shape, split, unfused)) == pytest.approx(tokens * hidden * (34 + scores) / 8)


def test_memory_falls_with_every_way_to_save_it(shapes):
    shape = shapes["DeepSeek-V3"]
    base = {"cards": 64, "expert": 8, "pipeline": 4, "global_batch": 256}
    used = float(memory_gb(shape, layout(**base), Software()))
    for change in (
        {"expert": 16},
        {"tensor": 2},
        {"pipeline": 8},
        {"recompute": Recompute(full=True)},
        {"recompute": Recompute(activation=True)},
        {"recompute": Recompute(up_projection=True)},
        {"offloaded_layers": 4},
        {"sharded": True},
    ):
        assert float(memory_gb(shape, layout(**(base | change)), Software())) < used, change
    assert fits(shape, layout(**base), Software(), used) and not fits(shape, layout(**base), Software(), 0.99 * used)


def test_work_is_shared_out_without_remainder(shapes):
    """Over the ranks of a tensor-parallel or context-parallel group, products and exchanges add up to those of one."""
    shape, chip = shapes["GPT-OSS 120B"], Chip()
    whole = micro_batch_work(shape, layout(expert=8), Software(), chip, 8)
    for split in ({"tensor": 2}, {"context": 2}):
        part = micro_batch_work(shape, layout(expert=8, **split), Software(), chip, 8)
        for block in ("attention", "experts", "head"):
            for kind in ("matrix_flops", "wide_flops", "attention_flops"):
                one, other = (getattr(getattr(work, block).forward, kind) for work in (whole, part))
                assert float(one) == pytest.approx(2 * float(other), rel=0.02)
        assert float(whole.exchange.tokens) == 2 * float(part.exchange.tokens)


def test_throughput_is_tokens_over_time():
    assert float(tokens_per_s_per_card(layout(), 2.0)) == 64 * 4096 / (8 * 2.0)
