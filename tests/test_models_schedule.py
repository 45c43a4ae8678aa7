"""The event schedule beside the closed form: equal where nothing overlaps, close where something does."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import ParameterError
from analysis.facts import open_facts
from analysis.facts.transformers import transformer
from analysis.models.collectives import Fabrics
from analysis.models.schedule import pieces_of, played_s, scheduled_step_s
from analysis.models.training import composed, training_step
from analysis.models.training_setup import Layout, Software
from analysis.models.training_times import Machine, Segments, Times

MACHINE = Machine(2000.0, 1500.0, 1000.0, 6000.0, 2500.0, 1e-3, Fabrics(600.0, 45.0), 72)
NO_TIME = Times(0.0, 0.0)


@pytest.fixture(scope="module")
def shapes():
    facts = open_facts()
    return {
        name: transformer(facts, name) for name in ("Llama-3 70B", "DeepSeek-V3", "GPT-OSS 120B", "Qwen3-235B-A22B")
    }


def segments(**changes):
    parts = {
        "attention": Times(1.0, 2.0),
        "dense": Times(3.0, 5.0),
        "experts": Times(2.0, 4.0),
        "head": NO_TIME,
        "exchange_s": 0.5,
        "hop_s": 0.0,
        "gather_s": 0.0,
        "scatter_s": 0.0,
        "optimiser_s": 0.0,
        "offload_s": 0.0,
    }
    return Segments(**(parts | changes))


def both(shape, layout, software, pieces):
    return float(composed(shape, layout, software, pieces).total_s), played_s(shape, layout, software, pieces)


REAL = [
    ("DeepSeek-V3", {"cards": 256, "pipeline": 4, "virtual": 4, "expert": 64, "global_batch": 4096, "mtp_layers": 1}),
    ("GPT-OSS 120B", {"cards": 64, "expert": 64, "global_batch": 1280, "micro_batch": 4}),
    ("Qwen3-235B-A22B", {"cards": 256, "pipeline": 8, "virtual": 3, "expert": 32, "global_batch": 8192}),
    ("Llama-3 70B", {"cards": 64, "pipeline": 4, "virtual": 5, "tensor": 2, "global_batch": 256}),
]


@pytest.mark.parametrize(("name", "cut"), REAL, ids=[name for name, _ in REAL])
@pytest.mark.parametrize("overlap", [False, True])
def test_real_layouts_agree_within_a_few_per_cent(shapes, name, cut, overlap):
    layout = Layout(sequence_tokens=4096, **({"micro_batch": 1} | cut))
    software = Software(bytes_per_value=1.0, forwards=True, exchange_overlap=overlap, graphs=1)
    # In small domains the exchange goes by the network card and outweighs computation: filling the pipeline shows more.
    for machine, within in ((MACHINE, 0.03), (replace(MACHINE, ranks_per_domain=8), 0.05)):
        closed = float(training_step(shapes[name], layout, software, machine).total_s)
        assert scheduled_step_s(shapes[name], layout, software, machine) == pytest.approx(closed, rel=within)


@settings(max_examples=40, deadline=None)
@given(
    stages=st.integers(1, 4),
    pieces=st.integers(1, 3),
    rounds=st.integers(1, 4),
    forward=st.floats(0.1, 3.0),
    backward=st.floats(0.1, 3.0),
    exchange=st.floats(0.0, 1.0),
)
def test_where_nothing_overlaps_the_schedule_is_the_closed_form(
    shapes, stages, pieces, rounds, forward, backward, exchange
):
    pieces = pieces if stages > 1 else 1
    shape = replace(shapes["GPT-OSS 120B"], layers=12 * stages)
    layout = Layout(
        cards=stages, sequence_tokens=4096, global_batch=rounds * stages, micro_batch=1, pipeline=stages, virtual=pieces
    )
    own = segments(attention=Times(forward, backward), exchange_s=exchange)
    closed, played = both(shape, layout, Software(), own)
    assert played == pytest.approx(closed, rel=1e-9)


def test_two_stages_and_three_micro_batches_as_drawn_by_hand(shapes):
    """Forward 1 and backward 2 a stage: F F . B F B F B . B on the first, F B F B F B on the second, one late."""
    shape = replace(shapes["Llama-3 70B"], layers=2, dense_layers=2)
    own = segments(attention=Times(1.0, 2.0), dense=NO_TIME)
    layout = Layout(cards=2, sequence_tokens=4096, global_batch=3, micro_batch=1, pipeline=2)
    # 1 to fill, 3 x 3 on the second stage, 2 to drain.
    assert played_s(shape, layout, Software(), own) == 1 + 3 * 3 + 2


def test_hand_overs_that_block_are_paid_for_in_every_turn(shapes):
    shape = replace(shapes["Llama-3 70B"], layers=4, dense_layers=4)
    layout = Layout(cards=2, sequence_tokens=4096, global_batch=8, micro_batch=1, pipeline=2)
    own = segments(hop_s=0.25)
    free = played_s(shape, layout, Software(), replace(own, hop_s=0.0))
    # Twice in each turn of 8, and in the turn that fills and drains.
    assert played_s(shape, layout, Software(), own) == pytest.approx(free + 9 * 2 * 0.25)


def test_a_lone_micro_batch_cannot_hide_its_exchange(shapes):
    shape = replace(shapes["GPT-OSS 120B"], layers=4)
    own = segments()
    one = Layout(cards=1, sequence_tokens=4096, global_batch=1, micro_batch=1)
    software = Software(forwards=True, exchange_overlap=True)
    assert played_s(shape, one, software, own) == played_s(shape, one, Software(), own)
    many = replace(one, global_batch=100)
    closed, played = both(shape, many, software, own)
    # Each half is longer than an exchange, so 99 micro-batches hide theirs.
    assert played == pytest.approx(closed) == pytest.approx(4 * (100 * 9.0 + 4 * 0.5))


@settings(max_examples=40, deadline=None)
@given(times=st.lists(st.floats(0.1, 3.0), min_size=5, max_size=5), stages=st.integers(1, 3), micro=st.integers(1, 12))
def test_a_schedule_is_never_faster_than_its_busiest_stream(shapes, times, stages, micro):
    shape = replace(shapes["GPT-OSS 120B"], layers=2 * stages)
    own = segments(attention=Times(*times[:2]), experts=Times(*times[2:4]), exchange_s=times[4])
    layout = Layout(cards=stages, sequence_tokens=4096, global_batch=micro, micro_batch=1, pipeline=stages)
    played = played_s(shape, layout, Software(forwards=True, exchange_overlap=True), own)
    waiting = played_s(shape, layout, Software(forwards=True), own)
    busiest = 2 * micro * max(sum(times[:4]), 4 * times[4])
    assert busiest * (1 - 1e-9) <= played
    # Turns in pairs take longer to fill the pipeline, which only few micro-batches feel.
    assert played <= waiting * (1 + 1e-9) or micro < 4 * stages


def test_gradients_hide_behind_the_last_backward_pass_and_no_further(shapes):
    shape = replace(shapes["Llama-3 70B"], layers=10, dense_layers=10)
    layout = Layout(cards=1, sequence_tokens=4096, global_batch=4, micro_batch=1)
    alone = 4 * 10 * 11.0
    for scatter in (1.0, 60.0, 200.0):
        closed, played = both(shape, layout, Software(), segments(scatter_s=scatter, gather_s=scatter / 2))
        assert alone <= closed <= played
        # What closed form rounds off is one layer's share of each.
        assert played - closed <= 1.5 * scatter / 10 + 1e-9


def test_pieces_hold_every_layer_once(shapes):
    for name, pipeline, virtual, mtp in (
        ("DeepSeek-V3", 4, 4, 1),
        ("Qwen3-235B-A22B", 8, 3, 0),
        ("Llama-3 70B", 4, 5, 0),
    ):
        shape = shapes[name]
        layout = Layout(256, 4096, 4096, 1, pipeline=pipeline, virtual=virtual, mtp_layers=mtp)
        layers, heads = pieces_of(shape, layout)
        assert layers.shape == (pipeline, virtual, 2) and layers.sum() == shape.layers + mtp
        assert layers[..., 0].sum() == shape.dense_layers and heads.sum() == heads[-1, -1] == 1 + mtp
        assert np.ptp(layers.sum(axis=2)[:-1, :]) <= 1


def test_a_schedule_needs_whole_rounds(shapes):
    cut = Layout(8, 4096, 12, 1, pipeline=8, virtual=2)
    for layout in (cut, Layout(8, 4096, 8, 1, sharded=True)):
        with pytest.raises(ParameterError, match="whole rounds"):
            scheduled_step_s(shapes["Llama-3 70B"], layout, Software(), MACHINE)
