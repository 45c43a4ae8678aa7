"""One expert a card as a claim: limits, hand-computed batches, routing drawn token by token, both methods, regions."""

from dataclasses import replace

import numpy as np
import pytest

import analysis
from analysis.errors import ParameterError
from analysis.facts import open_facts
from analysis.facts.transformers import transformer
from analysis.models.expert_load import inclusion, placement, routed_peak, skewed_popularity
from analysis.models.inference import layer_s, step_s
from analysis.subjects import moe_affinity
from analysis.subjects.moe_affinity import (
    FAR,
    READINGS,
    SETTINGS,
    case_of,
    compared,
    crowding,
    lines,
    loop,
    shown,
    steps,
)
from analysis.subjects.moe_affinity.layouts import MANY_RANKS, MODELS, WITH, WITHOUT, Side, one_expert_ranks, placed

CLAIM = moe_affinity.CLAIM
FACTS = open_facts()
DEFAULTS = {setting.name: setting.default for setting in SETTINGS}
FEW = DEFAULTS | {"model": "DeepSeek-R1", "system": "910C UB", "many_ranks": "32"}
SHAPE = transformer(FACTS, "DeepSeek-R1")
WIDE, NARROW = Side("DeepSeek-R1", "910C UB", WITHOUT, 256), Side("DeepSeek-R1", "910C UB", WITHOUT, 32)


def at(side, **moved):
    """Where a side works with the assumptions at their modes but for some."""
    values = shown.at_modes(FACTS, {}) | moved
    return steps.operating(FACTS, [side], np.array([0]), {name: np.array([value]) for name, value in values.items()})


def verdict(**pins):
    return analysis.evaluate(CLAIM, detail="verdict", samples=512, **pins)


def test_every_pair_has_one_expert_against_many_of_the_same_model_and_cards():
    found = compared(FACTS, DEFAULTS)
    assert len(found) == len(set(found)) and {many.model for many, _ in found} == set(MODELS)
    for many, one in found:
        shape = transformer(FACTS, one.model)
        assert one.slots(shape) == one.ranks and many.slots(shape) >= 2 * many.ranks
        assert replace(many, ranks=one.ranks) == one and many.ranks in MANY_RANKS
    assert one_expert_ranks(SHAPE, WITHOUT) == SHAPE.routed_experts < one_expert_ranks(SHAPE, WITH)


def test_weights_that_do_not_fit_are_no_side():
    """671 GB of 8-bit weights on eight cards of 80 GiB."""
    settings = DEFAULTS | {"model": "DeepSeek-R1"}
    found = {(many.system, many.ranks) for many, _ in compared(FACTS, settings)}
    assert ("H800 InfiniBand", 8) not in found and ("H200 InfiniBand", 8) in found


def test_memory_by_hand():
    """64 GiB of a die less weights and half of the working memory; 576 values of two bytes in 61 layers for a token."""
    one = placed(FACTS, WIDE)
    free = 64 * 2**30 - one.rank.weight_bytes - 5e9
    assert one.sequences(4000.0, 0.9, 10.0) == pytest.approx(0.9 * free / (4000 * 576 * 2 * 61))


def test_wide_ranks_hold_less_and_so_cache_more():
    many, one = placed(FACTS, NARROW), placed(FACTS, WIDE)
    freed = SHAPE.moe_layers * (256 / 32 - 1) * 3 * 7168 * 2048
    assert many.rank.weight_bytes - one.rank.weight_bytes == pytest.approx(freed)


@pytest.mark.parametrize("system", ["910C UB", "910C RoCE", "H200 InfiniBand"])
def test_a_laxer_limit_never_lowers_the_batch_nor_a_longer_context_raises_it(system):
    side = replace(WIDE, system=system)
    by_limit = [at(side, token_time_limit_ms=limit).sequences[0] for limit in (20, 30, 50, 70, 100)]
    by_context = [at(side, cached_tokens=tokens).sequences[0] for tokens in (1000, 4000, 16000)]
    assert by_limit == sorted(by_limit) and by_context == sorted(by_context, reverse=True)


def test_the_batch_keeps_the_limit_and_no_larger_one_does():
    found = at(WIDE)
    one, modes = placed(FACTS, WIDE), shown.at_modes(FACTS, {})

    def step(sequences):
        times = []
        for count in steps.MICRO_BATCHES:
            peak = shown.busiest(FACTS, WIDE, sequences / count, modes[crowding.SKEW])
            times.append(float(np.squeeze(step_s(*steps.at_batch(one, sequences, modes[steps.CONTEXT], peak, count)))))
        return min(times)

    # Between prepared batches the step is taken as straight.
    limit_s = modes[steps.LIMIT] / 1000
    assert found.step_s[0] == pytest.approx(limit_s)
    assert step(0.97 * found.sequences[0]) < limit_s < step(1.03 * found.sequences[0])


def test_within_limit_on_a_line_by_hand():
    sizes = np.array([1.0, 2.0, 4.0])
    rising = np.array([[1.0, 2.0, 4.0]] * 4)
    found = steps.within_limit(rising, sizes, np.array([0.5, 1.0, 3.0, 9.0]))
    assert found.tolist() == [0.0, 1.0, 3.0, 4.0]


@pytest.mark.parametrize(("ranks", "slots"), [(8, 256), (32, 288), (256, 256), (288, 288)])
def test_the_busiest_rank_agrees_with_routing_token_by_token(ranks, slots):
    popularity = skewed_popularity(256, 0.25)
    tokens = 2048
    closed = crowding.peaks(FACTS, SHAPE, ranks, slots, np.array([tokens * 8 / ranks]))
    prepared = float(np.interp(0.25, crowding.skews(FACTS), closed[:, 0]))
    placed_at = placement(inclusion(popularity, 8), ranks, slots)
    drawn, error = routed_peak(popularity, placed_at, tokens, 8, rounds=8, seed=1)
    assert prepared == pytest.approx(drawn, abs=4 * error + 0.03 * drawn)


def test_the_busiest_rank_grows_with_skew_and_with_one_expert_each():
    peaks = crowding.peaks(FACTS, SHAPE, 256, 256, np.array([64.0, 1024.0]))
    assert (np.diff(peaks, axis=0) > 0).all() and (peaks[:, 0] > peaks[:, 1]).all()
    assert (peaks > crowding.peaks(FACTS, SHAPE, 32, 256, np.array([64.0, 1024.0]))).all()
    # Without skew and noise every rank is like the other.
    assert crowding.peaks(FACTS, SHAPE, 256, 256, np.array([1e9]))[0, 0] == pytest.approx(1, abs=0.05)


def test_copies_mend_skew_and_harm_equal_popularity():
    busiest = [crowding.peaks(FACTS, SHAPE, ranks, ranks, np.array([1024.0]))[[0, -1], 0] for ranks in (256, 288)]
    assert busiest[1][0] > busiest[0][0] and busiest[1][1] < busiest[0][1]


def test_parts_add_up_to_the_layer():
    one = placed(FACTS, WIDE)
    work, rates = steps.at_batch(one, 32.0, 4000.0, 2.0, 1)
    parts = steps.layer_parts_s(one, 32.0, 4000.0, 2.0, 1)
    assert sum(parts.values()) == pytest.approx(float(np.squeeze(layer_s(work, rates))))
    assert all(seconds > 0 for seconds in parts.values())


def test_a_load_that_is_even_enough_leaves_the_calibrated_step_alone():
    one = placed(FACTS, WIDE)
    fitted = float(np.squeeze(one.rates.peak_load))
    low, high, crowded = (
        float(np.squeeze(step_s(*steps.at_batch(one, 32.0, 4000.0, peak, 2)))) for peak in (1.0, fitted, 2 * fitted)
    )
    assert low == pytest.approx(high) and crowded > high


@pytest.mark.parametrize("micro_batches", [1, 2])
def test_a_played_layer_is_bounded_by_its_streams_and_by_the_chain(micro_batches):
    chain = (("cores", 3.0), ("network", 1.0), ("cores", 2.0), ("network", 2.0))
    found = loop.played_layer_s(chain, micro_batches)
    assert micro_batches * 5 <= found <= micro_batches * 8
    assert micro_batches > 1 or found == pytest.approx(8)


def test_drawn_peak_of_one_rank_is_one_and_a_lone_rank_with_all_copies_has_everything():
    assert loop.drawn_peak(np.array([1.0]), 50) == 1
    assert loop.drawn_peak(np.array([1.0, 0.0]), 50) == 2


def test_ratios_of_sides_that_do_not_serve():
    assert moe_affinity.ratio(np.array([0.0, 2.0, 3.0]), np.array([5.0, 0.0, 2.0])).tolist() == [1 / FAR, FAR, 1.5]


@pytest.mark.parametrize("reading", READINGS)
def test_methods_agree_pair_by_pair(reading):
    case = case_of(FACTS, FEW, reading)
    modes, rows = shown.at_modes(FACTS, {}), np.arange(len(case.options))
    closed = case.predict(case.options, rows, {name: np.full(len(rows), value) for name, value in modes.items()})
    found = case.methods(case.options, modes)
    assert len(found) == 2 and len(rows) == 2
    first, second = (one["estimate"][0] for one in found.values())
    assert first == pytest.approx(second, rel=0.1) and closed.min() <= first <= closed.max()


def test_one_expert_a_rank_beats_nine_on_ub_and_loses_to_nine_on_infiniband():
    curve = shown.rates_over_ranks(FACTS, {}, "DeepSeek-R1", ["910C UB", "H200 InfiniBand"], seed=0)
    rate = curve.set_index(["system", "ranks"])["rate"]
    assert rate["910C UB", 288] > rate["910C UB", 32] and rate["H200 InfiniBand", 288] < rate["H200 InfiniBand", 32]
    assert (curve["low"] <= curve["high"]).all()


def test_faster_networks_help_wide_sides():
    for context in (1000, 4000):
        ub, roce = (
            at(replace(WIDE, system=name), cached_tokens=context).sequences for name in ("910C UB", "910C RoCE")
        )
        assert ub > roce


def test_skew_without_copies_costs_the_side_with_one_expert():
    found = [verdict(system="910C UB", spares=WITHOUT, expert_popularity_exponent=skew).share for skew in (0.0, 0.5)]
    assert found[0] > found[1]


def test_the_readings_differ_as_computation_and_communication_do():
    record = verdict()
    shares = {name: one["share"] for name, one in record.readings.items()}
    assert shares["compute-efficiency"] > shares["throughput-at-tpot"] > shares["communication-efficiency"]


def test_lines_by_hand():
    """Half as many nodes make the kernel a quarter slower; 77 + 114 us on 8 ranks and 194 + 360 on 256."""
    kernel = case_of(FACTS, FEW, "compute-efficiency").lines()
    assert kernel["measured, SGLang H100"]["estimate"] == [1.25]
    exchange = case_of(FACTS, FEW, "communication-efficiency").lines()
    assert exchange["latencies of DeepEP V1 H800"]["estimate"] == pytest.approx([191 / 554])
    assert all(len(case_of(FACTS, FEW, reading).lines()) >= 2 for reading in READINGS)


def test_the_error_is_that_of_ratios_of_rows_that_were_not_fitted():
    for reading in READINGS:
        error = lines.model_error(FACTS, reading)
        assert error.low < 0 < error.high and (1 + error.low) * (1 + error.high) == pytest.approx(1, abs=0.01)


def test_an_unknown_system_is_refused():
    with pytest.raises(ParameterError, match="910D"):
        verdict(system="910D")
