"""Memory without more cards as a claim: counts by hand, both methods, limits in which a pool saves nothing, lines."""

import numpy as np
import pytest

import analysis
from analysis.errors import ParameterError
from analysis.facts import open_facts
from analysis.facts.assumptions import assumptions
from analysis.facts.traces import BLOCK_TOKENS, TRACES
from analysis.facts.transformers import transformer
from analysis.models.batching import GIB
from analysis.models.prefix_cache import request_hits
from analysis.models.transformer_costs import forward_flops, parameters
from analysis.subjects import ems_memory
from analysis.subjects.ems_memory import ASSUMPTIONS, READINGS, SETTINGS, lines, loop, options_of, shown
from analysis.subjects.ems_memory.choices import (
    BEYOND,
    CONTEXTS,
    IN_PLACE,
    MODELS,
    ONE_CACHE,
    PREFIXES,
    PRIVATE,
    SAME_HITS,
    WAYS,
    card_of,
    kept,
    trace_of,
)
from analysis.subjects.ems_memory.counts import CARDS, COST, bought, ratio

CLAIM = ems_memory.CLAIM
FACTS = open_facts()
DEFAULTS = {setting.name: setting.default for setting in SETTINGS}
MODEL = "Llama-3 70B"


def modes(**moved):
    return shown.at_modes(FACTS, {}) | {name: np.array([float(value)]) for name, value in moved.items()}


def at(way, model=MODEL, trace="conversation", settings=DEFAULTS, **moved):
    return bought(FACTS, settings, way, np.array([MODELS.index(model)]), trace, modes(**moved))


def verdict(**pins):
    return analysis.evaluate(CLAIM, detail="verdict", samples=512, **pins)


def test_every_way_model_and_trace_is_one_option_and_settings_narrow_them():
    assert len(options_of(FACTS, DEFAULTS)) == len(WAYS) * len(MODELS) * len(TRACES)
    few = options_of(FACTS, DEFAULTS | {"memory_use": CONTEXTS, "memory_model": f"{MODEL}, QwQ-32B"})
    assert set(few.columns["way"]) == {BEYOND, IN_PLACE} and len(few) == 2 * 2 * len(TRACES)


def test_room_by_hand():
    """A quarter of 128 GiB may be weights: three cards share 70.6 GB."""
    one = kept(FACTS, np.array([MODELS.index(MODEL)]), 0)
    card = card_of(FACTS, one.weight_bytes, modes())
    weights = parameters(transformer(FACTS, MODEL))
    assert card.instance_cards[0] == 3 and one.weight_bytes[0] == weights
    assert one.token_bytes[0] == 80 * 2 * 8 * 128 * 2
    assert card.room_bytes[0] == pytest.approx(0.9 * (128 * GIB - weights / 3 - 10e9))


def test_cards_for_the_same_hits_by_playing_the_cache():
    trace, shape, copies = trace_of(FACTS, "conversation"), transformer(FACTS, MODEL), DEFAULTS["trace_copies"]
    values = modes()
    one = kept(FACTS, np.array([MODELS.index(MODEL)]), 0)
    card, found = card_of(FACTS, one.weight_bytes, values), at(SAME_HITS)
    blocks = round(float(found.pool_bytes[0] / (copies * BLOCK_TOKENS * one.token_bytes[0])))
    best = request_hits(trace, np.inf)[1].sum()
    assert request_hits(trace, blocks)[1].sum() >= 0.9 * best > request_hits(trace, blocks - 1)[1].sum()
    assert found.without[0] == pytest.approx(float(found.pool_bytes[0] / card.room_bytes[0]))
    cached = np.minimum(request_hits(trace, blocks)[1], trace.input_tokens - 1)
    flops = forward_flops(shape, trace.input_tokens - cached, cached).sum()
    seconds = (trace.timestamps_ms[-1] - trace.timestamps_ms[0]) / 1e3
    assert found.compute[0] == pytest.approx(copies * flops / (0.35 * 1504e12 * seconds), rel=0.01)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("reading", READINGS)
def test_the_second_method_agrees_case_by_case(way, reading):
    values = {name: float(one[0]) for name, one in modes().items()}
    for model in ("QwQ-32B", "Qwen3-235B-A22B"):
        formula = float(ratio(FACTS, reading, at(way, model, "synthetic"), modes())[0])
        played = loop.played_ratio(FACTS, DEFAULTS, reading, way, model, "synthetic", values)
        # Whole instances of several cards are coarser than the formula's fractions.
        assert formula == pytest.approx(played, rel=0.12 if way == PRIVATE else 0.03)


def test_compute_is_never_more_than_what_is_bought_without_a_pool():
    for way in WAYS:
        for model in MODELS:
            found = at(way, model)
            assert found.compute[0] <= found.without[0] * (1 + 1e-9)
            assert 0 <= found.replaced()[0] <= 1


def test_hidden_transfers_make_a_pool_of_prefixes_replace_every_card_bought_for_memory():
    found = at(SAME_HITS, load_hidden_share=1.0)
    assert found.pooled == pytest.approx(found.compute) and found.replaced()[0] == pytest.approx(1)
    assert ratio(FACTS, CARDS, found, modes())[0] > 2


def test_a_pool_saves_nothing_where_memory_is_not_short():
    """Few hits fit into the memory of the cards that compute; a short time per token is used up before memory is."""
    low = at(SAME_HITS, "DeepSeek-R1", hit_target_share=0.5)
    tight = at(BEYOND, "DeepSeek-R1", token_time_limit_ms=20.0)
    for found in (low, tight):
        assert found.without == pytest.approx(found.compute) and found.replaced()[0] == 0
        assert ratio(FACTS, CARDS, found, modes())[0] <= 1


def test_live_contexts_are_short_of_memory_only_where_a_token_may_take_long():
    found = [at(BEYOND, token_time_limit_ms=limit) for limit in (20.0, 100.0)]
    assert [bool(one.without[0] > one.compute[0] * (1 + 1e-9)) for one in found] == [False, True]


def test_live_contexts_read_through_the_link_alone_need_more_cards():
    for model in MODELS:
        found = at(IN_PLACE, model)
        assert found.pooled[0] > found.without[0]


def test_a_faster_link_never_needs_more_cards():
    for way in WAYS:
        slow, fast = (at(way, pool_link_share=share).pooled[0] for share in (0.2, 0.9))
        assert fast <= slow


def test_cost_is_cards_where_the_pool_is_free_and_falls_as_it_gets_dear():
    found = at(SAME_HITS)
    costs = [float(ratio(FACTS, COST, found, modes(memory_price_ratio=price))[0]) for price in (1e12, 30, 5)]
    assert costs[0] == pytest.approx(float(ratio(FACTS, CARDS, found, modes())[0]))
    assert costs[0] > costs[1] > costs[2]


def test_at_the_price_that_breaks_even_both_cost_the_same():
    table = shown.price_break_even(FACTS, DEFAULTS).dropna()
    assert {SAME_HITS, ONE_CACHE, PRIVATE} <= set(table["way"]) and IN_PLACE not in set(table["way"])
    for row in table.iloc[::5].itertuples():
        values = modes(memory_price_ratio=row.price_ratio)
        assert ratio(FACTS, COST, at(row.way, row.model, row.trace), values)[0] == pytest.approx(1)


def test_cards_over_the_target_grow_without_a_pool_where_memory_is_short_and_never_with_one():
    table = shown.cards_over_target(FACTS, DEFAULTS, SAME_HITS, [0.8, 0.9, 0.99])
    for _, rows in table.groupby(["model", "trace"]):
        assert rows["pool_gb"].is_monotonic_increasing and rows["pooled"].is_monotonic_decreasing
    rows = table[(table["model"] == "QwQ-32B") & (table["trace"] == "conversation")]
    assert rows["without"].is_monotonic_increasing


def test_prefixes_hold_and_live_contexts_do_not():
    assert verdict(memory_use=PREFIXES).share > 0.5
    contexts = verdict(memory_use=CONTEXTS)
    assert contexts.share < 0.5 and contexts.share_below > 0.5


def test_what_decides_is_told_by_way():
    table = shown.by_way(FACTS, DEFAULTS, samples=512).set_index("way")
    assert list(table.index) == list(WAYS) and table.loc[IN_PLACE, "holds"] == 0
    pinned = shown.by_way(FACTS, DEFAULTS | {"token_time_limit_ms": 20.0}, samples=256).set_index("way")
    assert pinned.loc[BEYOND, "short"] < table.loc[BEYOND, "short"]


def test_a_dearer_card_helps_the_cost_and_leaves_the_cards():
    cheap, dear = (verdict(memory_price_ratio=price) for price in (5.0, 30.0))
    assert dear.readings[COST]["share"] > cheap.readings[COST]["share"]
    assert dear.readings[CARDS]["estimate"] == pytest.approx(cheap.readings[CARDS]["estimate"], rel=0.2)


def test_lines_share_no_constant_and_disagree():
    for reading in READINGS:
        told = lines.lines_of(FACTS, DEFAULTS, reading, ())
        assert len(told) >= 2 and all(line["note"] for line in told.values())
    estimates = [line["estimate"][0] for line in lines.lines_of(FACTS, DEFAULTS, CARDS, ()).values()]
    assert min(estimates) < 1 < max(estimates)


def test_the_ranges_of_price_ratios_hold_what_is_printed():
    (declared,) = assumptions(FACTS, ("memory_price_ratio",))
    table = lines.price_table(FACTS)
    printed = table.loc[table["kind"] == "card", "over_pool"]
    assert (printed > declared.low).all() and printed.median() < declared.high


def test_bad_pins_are_named():
    for pins in ({"memory_model": "GPT-7"}, {"trace_copies": 0}, {"hit_target_share": 2.0}, {"memory_use": "weights"}):
        with pytest.raises(ParameterError, match=next(iter(pins))):
            analysis.evaluate(CLAIM, detail="point", **pins)


def test_parameters_are_those_declared():
    names = list(analysis.parameters(CLAIM)["name"])
    assert names[: len(SETTINGS)] == [setting.name for setting in SETTINGS]
    assert set(ASSUMPTIONS) <= set(names)


def test_a_load_of_less_than_one_instance_is_no_case_for_a_pool():
    small = DEFAULTS | {"trace_copies": 1}
    found = at(ONE_CACHE, "DeepSeek-R1", "synthetic", small)
    assert found.without[0] == found.compute[0]
    assert ratio(FACTS, CARDS, found, modes())[0] < 1
