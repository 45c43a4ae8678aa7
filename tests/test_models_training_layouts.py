"""The best layout: against brute force over every layout one by one, and in limits where it is known."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from analysis.errors import ParameterError
from analysis.facts import open_facts
from analysis.facts.transformers import transformer
from analysis.models.collectives import Fabrics
from analysis.models.training import training_step
from analysis.models.training_layouts import (
    CONTEXT,
    MICRO_BATCH,
    TENSOR,
    VIRTUAL,
    best_layout,
    candidate_layouts,
    taken,
)
from analysis.models.training_memory import memory_gb
from analysis.models.training_setup import Layout, Recompute, Software
from analysis.models.training_times import Machine

MACHINE = Machine(2000.0, 1500.0, 1000.0, 6000.0, 2500.0, 1e-3, Fabrics(600.0, 45.0), 72, memory_gb=180.0)
JOB = {"cards": 16, "sequence_tokens": 4096, "global_batch": 16}


@pytest.fixture(scope="module")
def shapes():
    facts = open_facts()
    names = ("Llama-3 70B", "DeepSeek-V3", "GPT-OSS 120B", "Qwen3-30B-A3B")
    return {name: transformer(facts, name) for name in names}


def one_by_one(shape, job):
    """Every layout by nested loops: whole divisions throughout."""
    cards, batch, tokens = job["cards"], job["global_batch"], job["sequence_tokens"]
    degrees = [n for n in range(1, cards + 1) if cards % n == 0]
    experts = [n for n in degrees if shape.routed_experts % n == 0] if shape.routed_experts else [1]
    for tensor, pipeline, context, expert, virtual, micro in itertools.product(
        TENSOR, degrees, CONTEXT, experts, VIRTUAL, MICRO_BATCH
    ):
        group = tensor * pipeline * context
        if cards % group or shape.attention_heads % tensor or tokens % (tensor * context):
            continue
        copies = cards // group
        if batch % (copies * micro) or (cards // pipeline) % expert:
            continue
        rounds = batch // (copies * micro)
        if virtual > 1 and (pipeline == 1 or rounds % pipeline or pipeline * virtual > shape.layers + 2):
            continue
        for light, full in ((False, False), (True, False), (False, True)):
            again = Recompute(full=full, activation=light, norms=light)
            yield Layout(cards, tokens, batch, micro, tensor, pipeline, context, expert, virtual, recompute=again)


@pytest.mark.parametrize("name", ["Qwen3-30B-A3B", "Llama-3 70B"])
def test_the_search_finds_what_brute_force_finds(shapes, name):
    shape, job = shapes[name], JOB | {"cards": 8 if name == "Qwen3-30B-A3B" else 16}
    layouts = list(one_by_one(shape, job))
    found = best_layout(shape, MACHINE, **job)
    assert found.candidates == len(layouts)
    feasible = [one for one in layouts if memory_gb(shape, one, Software()) <= MACHINE.memory_gb]
    assert found.feasible == len(feasible) > 0
    times = [float(training_step(shape, one, Software(), MACHINE).total_s) for one in feasible]
    assert float(found.step.total_s) == pytest.approx(min(times), rel=1e-12)
    assert found.memory_gb <= MACHINE.memory_gb


def test_candidates_divide_without_remainder(shapes):
    shape = shapes["DeepSeek-V3"]
    tried = candidate_layouts(shape, cards=64, sequence_tokens=4096, global_batch=96)
    assert np.all(tried.data == np.round(tried.data)) and np.all(tried.micro_batches == np.round(tried.micro_batches))
    assert np.all(tried.micro_batches >= 1) and np.all(64 // tried.pipeline % tried.expert == 0)
    interleaved = tried.virtual > 1
    assert np.all(tried.micro_batches[interleaved] % tried.pipeline[interleaved] == 0)


def test_a_layout_taken_out_of_many_is_one_of_them(shapes):
    tried = candidate_layouts(shapes["GPT-OSS 120B"], cards=8, sequence_tokens=4096, global_batch=32)
    third = taken(tried, 3)
    assert isinstance(third.tensor, int) and third.recompute.full == bool(tried.recompute.full[3])
    assert third.mtp_layers == 0 and third.cards == 8


def test_a_larger_domain_and_a_faster_link_never_hurt(shapes):
    for name in ("GPT-OSS 120B", "DeepSeek-V3"):
        shape, job = shapes[name], {"cards": 128, "sequence_tokens": 4096, "global_batch": 512}
        times = [
            float(best_layout(shape, replace(MACHINE, ranks_per_domain=domain), **job).step.total_s)
            for domain in (1, 8, 32, 128)
        ]
        assert times == sorted(times, reverse=True) and times[-1] < times[0]
        infinite = replace(MACHINE, fabrics=Fabrics(np.inf, np.inf))
        assert float(best_layout(shape, infinite, **job).step.total_s) <= times[-1]


def test_searching_each_side_leaves_less_of_a_gain_than_one_layout_for_both(shapes):
    """A gain over a badly laid out baseline is no gain."""
    shape, job = shapes["GPT-OSS 120B"], {"cards": 64, "sequence_tokens": 4096, "global_batch": 1280}
    small = replace(MACHINE, ranks_per_domain=8)
    wide = Layout(64, 4096, 1280, 4, expert=64)
    fixed = [float(training_step(shape, wide, Software(), one).total_s) for one in (small, MACHINE)]
    free = [float(best_layout(shape, one, **job).step.total_s) for one in (small, MACHINE)]
    assert fixed[0] / fixed[1] > 1.5 > free[0] / free[1] >= 1


def test_little_memory_asks_for_recomputation_and_less_for_an_error(shapes):
    shape = shapes["GPT-OSS 120B"]
    job = {"cards": 16, "sequence_tokens": 4096, "global_batch": 32}
    rich, poor = (best_layout(shape, replace(MACHINE, memory_gb=one), **job) for one in (400.0, 150.0))
    assert rich.step.total_s <= poor.step.total_s and poor.memory_gb <= 150.0 and poor.feasible < rich.feasible
    with pytest.raises(ParameterError, match="none of"):
        best_layout(shape, replace(MACHINE, memory_gb=60.0), **job)
