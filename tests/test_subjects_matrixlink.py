"""MatrixLink as a claim: sides that are alike, limits, both methods, measured pairs, and what it leans on."""

import numpy as np
import pandas as pd
import pytest

import analysis
from analysis.errors import ParameterError
from analysis.facts import open_facts
from analysis.facts.transformers import transformer
from analysis.judgement.case import ModelError
from analysis.models.training import training_step
from analysis.models.training_layouts import best_layout
from analysis.models.training_memory import memory_gb
from analysis.subjects.matrixlink import SETTINGS, answers, gain, lines, loop, placed_sides, serving, training
from analysis.subjects.matrixlink.sides import (
    BASELINES,
    EXCHANGES,
    LIKE_RACK,
    MODELS,
    PHASES,
    SIZES,
    SLOW,
    baseline,
    joined,
    machine,
    options_of,
)

CLAIM = "matrixlink.gain"
FACTS = open_facts()
DEFAULTS = {setting.name: setting.default for setting in SETTINGS}
MODES = answers.at_modes(FACTS, {})
DENSE, EXPERTS = "Llama-3.1 405B", "Qwen3-235B-A22B"
SMALL = {"model": EXPERTS, "cards": "384", "exchange": "waits", "phase": "decode"}


def many(values, count):
    return {name: np.full(count, value) for name, value in values.items()}


def test_every_model_meets_every_baseline_size_and_phase_once():
    found = options_of(FACTS, DEFAULTS, with_training=True, with_inference=True)
    assert len(found) == len(MODELS) * len(BASELINES) * len(SIZES) * len(EXCHANGES) * len(PHASES)
    assert len(set(zip(*(found.columns[name] for name in found.choices), strict=True))) == len(found)
    assert set(found.columns["kind"]) == {"dense", "experts"}


def test_sides_have_the_same_cards_and_differ_by_their_links():
    slow, rack, whole = (
        machine(FACTS, side, 0.5, 0.8)
        for side in (*map(lambda one: baseline(FACTS, one), (SLOW, LIKE_RACK)), joined(FACTS))
    )
    for one in (slow, rack):
        assert (one.matrix_tflops, one.memory_GBps, one.memory_gb) == (
            whole.matrix_tflops,
            whole.memory_GBps,
            whole.memory_gb,
        )
    assert slow.fabrics.scaleout_GBps == pytest.approx(0.8 * 25) and whole.fabrics.scaleout_GBps == pytest.approx(
        0.8 * 50
    )
    assert slow.fabrics.scaleup_GBps / whole.fabrics.scaleup_GBps == pytest.approx(196 / 392)
    assert rack.fabrics == whole.fabrics and rack.ranks_per_domain == 72


def test_a_side_gains_nothing_over_itself():
    """A supernode as large as a rack, of the same link, is a rack."""
    asked = DEFAULTS | SMALL | {"baseline": LIKE_RACK, "supernode_cards": 72}
    for kind in ("training", "inference"):
        assert answers.gains(FACTS, asked, MODES, kind)["gain"].to_numpy() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("kind", ["training", "inference"])
def test_more_joined_cards_never_slow_a_side_down(kind):
    asked = DEFAULTS | SMALL | {"baseline": SLOW}
    found = answers.gains_by_domain(FACTS, asked, MODES, (8, 16, 64, 384), kind)["gain"].to_numpy()
    assert (np.diff(found) > -1.0).all() and found[-1] > found[0]


def test_the_kept_layouts_hold_the_best_of_the_whole_search():
    """Against the search of the model itself, which also tries more splits and pipelines that are not filled."""
    shape, side = transformer(FACTS, DENSE), joined(FACTS)
    reached = machine(FACTS, side, MODES[training.PEAK], MODES[training.NETWORK])
    (own,) = training.fastest_at(FACTS, DENSE, side, 384, "waits", MODES, 1, 1)
    found = best_layout(
        shape,
        reached,
        cards=384,
        sequence_tokens=training.SEQUENCE,
        global_batch=training.BATCHES[1],
        software=training.software("waits"),
    )
    ours = float(training_step(shape, own, training.software("waits"), reached).total_s)
    assert ours >= float(found.step.total_s) * (1 - 1e-9)
    assert ours <= 1.02 * float(found.step.total_s)
    assert float(memory_gb(shape, own, training.software("waits"))) <= reached.memory_gb


def test_sequences_are_split_no_further_than_in_measured_runs():
    assert FACTS.table("training_throughput")["context_parallel"].astype(float).max() == training.MOST_CONTEXT


def test_kept_layouts_fill_their_pipelines():
    for layouts in training.trained(FACTS, EXPERTS, joined(FACTS), 1536, "hidden").layouts:
        assert ((layouts.pipeline == 1) | (layouts.micro_batches >= training.FILLED * layouts.pipeline)).all()


def test_card_seconds_between_prepared_points_are_those_of_the_step():
    side, values = baseline(FACTS, SLOW), {**MODES, training.PEAK: 0.58, training.NETWORK: 0.62}
    batch = training.batch_nodes()[1]
    table = training.trained(FACTS, EXPERTS, side, 384, "waits")
    found = training.token_s(FACTS, table.token_s[None], np.zeros(1, int), many(values | {training.BATCH: batch}, 1))
    reached = machine(FACTS, side, values[training.PEAK], values[training.NETWORK])
    step = training_step(transformer(FACTS, EXPERTS), table.layouts[1], training.software("waits"), reached)
    exact = step.total_s.min() * 384 / (training.BATCHES[1] * training.SEQUENCE)
    assert found[0] == pytest.approx(exact, rel=0.01)


def test_straight_lines_between_prepared_points_are_exact_for_a_plane():
    grids = (np.array([0.0, 1.0, 3.0]), np.array([-1.0, 2.0]))
    table = 2 + grids[0][:, None] - 5 * grids[1][None, :]
    wanted = np.array([0.5, 2.0]), np.array([0.0, 1.7])
    found = training.interpolated(table[None], np.zeros(2, int), list(zip(grids, wanted, strict=True)))
    assert found == pytest.approx(2 + wanted[0] - 5 * wanted[1])


def test_the_played_step_agrees_with_the_closed_form_where_pipelines_are_filled():
    row = {"model": EXPERTS, "cards": 384, "exchange": "waits"}
    for side in (baseline(FACTS, SLOW), joined(FACTS)):
        table = training.trained(FACTS, EXPERTS, side, 384, "waits").token_s
        closed = training.token_s(FACTS, table[None], np.zeros(1, int), many(MODES, 1))[0]
        assert loop.token_s(FACTS, row, side, MODES) == pytest.approx(closed, rel=0.05)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("model", [DENSE, EXPERTS])
def test_a_played_rate_agrees_with_the_prepared_one(model, phase):
    side = joined(FACTS)
    table = serving.served(FACTS, model, side, phase)
    closed = serving.rate(FACTS, table[None], np.zeros(1, int), many(MODES, 1))[0]
    assert loop.rate(FACTS, {"model": model, "phase": phase}, side, MODES) == pytest.approx(closed, rel=0.08)


def test_a_laxer_limit_never_lowers_a_rate():
    for model in (DENSE, EXPERTS):
        assert (np.diff(serving.served(FACTS, model, joined(FACTS), "decode"), axis=2) >= -1e-6).all()


def test_a_side_that_serves_nothing_counts_as_a_thousandth():
    options = options_of(FACTS, DEFAULTS | SMALL | {"baseline": SLOW}, with_training=False, with_inference=True)
    options, tables = placed_sides(FACTS, DEFAULTS, options)
    empty = {"served": tables["served"] * np.array([0.0, 1.0])[:, None, None, None]}
    found = gain(FACTS, "inference", empty, options, np.zeros(1, int), many(MODES, 1))
    assert found[0] == pytest.approx(99900)


def test_both_is_the_smaller_of_the_two_gains():
    asked = DEFAULTS | {"model": EXPERTS, "cards": "9216", "exchange": "waits"}
    options, tables = placed_sides(FACTS, asked, options_of(FACTS, asked, with_training=True, with_inference=True))
    rows = np.arange(len(options))
    parts = [
        gain(FACTS, name, tables, options, rows, many(MODES, len(rows))) for name in ("both", "training", "inference")
    ]
    assert parts[0] == pytest.approx(np.minimum(parts[1], parts[2]))
    assert (parts[1] < parts[2]).any() and (parts[1] > parts[2]).any()


def test_measured_pairs_by_hand():
    found = lines.same_silicon(FACTS).set_index(["large", "model"])["measured"]
    assert found["GB200", "GPT-OSS 120B"] == pytest.approx(100 * (15784 / 8047 - 1))
    assert found["GB300", "GPT-OSS 120B"] == pytest.approx(100 * (19242.1 / 15231.8 - 1))
    assert found["GB200", "Qwen3-235B-A22B"] == pytest.approx(100 * (5673.4 / 3782.3 - 1))
    assert found["GB300", "Qwen3-30B-A3B"] == pytest.approx(100 * (31681.9 / 30595.4 - 1))


def test_effects_of_an_exchange_alone_by_hand():
    found = lines.exchange_effects(FACTS)
    assert found["gain"].tolist() == pytest.approx([32, 100 * (566.07 / 540 - 1)])
    # No layout is published of the first; the second is a few per cent, not tens.
    assert np.isnan(found["predicted"].iloc[0]) and 0 < found["predicted"].iloc[1] < 15


def test_the_error_of_a_ratio_is_a_gains_and_both_ways_round():
    error = lines.model_error(FACTS, "training")
    assert error.gain and error.low < 0 < error.high
    assert (1 + error.low) * (1 + error.high) == pytest.approx(1, abs=0.01)
    assert lines.model_error(FACTS, "inference").high <= error.high


def test_break_even_share_and_band_by_hand():
    assert answers.exposed_share_needed(1.0) == 0.5
    band = answers.indistinct(50.0, (-0.1, 0.2))
    assert band == pytest.approx((35, 80))
    error = ModelError(-0.1, 0.2, gain=True)
    assert [error.moved(one, off) for one, off in zip(band, (-0.1, 0.2), strict=True)] == pytest.approx([50, 50])


def test_enough_cards_by_hand():
    rows = [("one", 8, 0.0), ("one", 64, 9.5), ("one", 384, 10.0), ("two", 8, 3.0), ("two", 64, 3.0), ("two", 384, 3.0)]
    table = pd.DataFrame(rows, columns=["model", "supernode_cards", "gain"])
    assert answers.cards_enough(table) == 64 and answers.cards_enough(table, within=0.1) == 384


def test_no_fabric_brings_more_than_the_waiting_allows():
    """Racks and supernode have one link, so that what is won is waiting."""
    found = answers.step_parts(FACTS, DEFAULTS | {"model": EXPERTS, "baseline": LIKE_RACK}, MODES, "waits")
    before, after = (found[found["side"] == side].set_index("cards") for side in ("before", "after"))
    assert (after["total"] >= 1 - before["exposed"] - 0.02).all()
    assert found[list(answers.PARTS)].sum(axis=1).to_numpy() == pytest.approx(found["total"].to_numpy())
    assert (after["total"] <= 1 + 1e-9).all()


def test_a_pinned_model_and_baseline_are_judged_alone():
    found = analysis.evaluate(CLAIM, detail="verdict", **SMALL, baseline=LIKE_RACK)
    assert found.estimate == pytest.approx(0, abs=1.0) and found.share == 0 and found.verdict == "not reproduced"
    with pytest.raises(ParameterError, match="'servers' is not accepted"):
        analysis.evaluate(CLAIM, detail="verdict", baseline="servers")
    with pytest.raises(ParameterError, match="supernode_cards: 7 is out of range"):
        analysis.evaluate(CLAIM, detail="verdict", supernode_cards=7)


def test_a_record_has_two_methods_that_agree_and_lines_without_a_fitted_constant():
    record = analysis.evaluate(CLAIM, **SMALL | {"cards": "9216"})
    assert record.methods_agree and len(record.methods) == 2 and len(record.lines) >= 2
    assert set(record.readings) == {"both", "training", "inference", "at-least-20"}
    assert record.model_error[0] < 0 < record.model_error[1]
