"""Time to first token with a pool as a claim: the bound, times by hand, replayed caches, both methods, readings."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import analysis
from analysis.facts import open_facts
from analysis.facts.traces import BLOCK_TOKENS
from analysis.facts.workloads import shipped_trace, workloads
from analysis.models.first_token import first_token_s
from analysis.models.prefix_cache import miss_ratio_curve, request_hits
from analysis.models.queueing import md1_wait_s, mm1_wait_s
from analysis.subjects import ems_ttft
from analysis.subjects.ems_ttft import SETTINGS, answers, events, lines, loop, requests, shown, sides, single, times
from analysis.subjects.ems_ttft.systems import LAYOUTS, instance

CLAIM = ems_ttft.CLAIM
FACTS = open_facts()
DEFAULTS = {setting.name: setting.default for setting in SETTINGS}
FEW = DEFAULTS | {"model": "DeepSeek-R1, Qwen2.5-72B", "system": "910C UB", "instances": "8"}
LATENT = instance(FACTS, "DeepSeek-R1", "910C UB", "16 data")
GROUPED = instance(FACTS, "Qwen2.5-72B", "910C UB", "8 tensor")
MODES = shown.at_modes(FACTS, {})
READINGS = answers.READINGS


def sampled(reading, settings=FEW, **moved):
    """Cuts of all options of a reading with the assumptions at their modes but for some."""
    listed, options = answers.compared(FACTS, settings, reading)
    rows = np.arange(len(options))
    held = {name: value for name, value in (MODES | moved).items() if name in answers.ASSUMPTIONS[reading]}
    values = {name: np.full(len(rows), float(value)) for name, value in held.items()}
    return options, answers.cut(answers.ratio(FACTS, listed, options, rows, values))


@given(
    prompt=st.floats(64, 500_000),
    fraction=st.floats(0, 1),
    share=st.floats(0.01, 1),
    hidden=st.floats(0, 1),
    lookup=st.floats(0.01, 100),
    which=st.sampled_from([LATENT, GROUPED]),
)
def test_without_a_queue_the_cut_never_exceeds_the_cached_fraction(prompt, fraction, share, hidden, lookup, which):
    values = MODES | {sides.LINK: share, sides.HIDDEN: hidden, sides.LOOKUP: lookup}
    assert single.single_request(which, prompt, fraction, values) <= 100 * fraction + 1e-9


def test_every_option_keeps_the_bound_of_its_workload():
    options, cuts = sampled(READINGS[1])
    for name, one in answers.predictable(FACTS).items():
        trace = shipped_trace(FACTS, one.trace) if one.trace else None
        hit = miss_ratio_curve(trace).token_hit(np.inf) if one.trace else one.hit[1]
        # Long prompts weigh more in the mean time than in the mean of tokens, so a trace may lie a little above.
        assert (cuts[options.columns["workload"] == name] <= 100 * hit * (1.25 if one.trace else 1)).all()


def test_with_a_queue_the_cut_exceeds_the_bound():
    assert single.single_request(GROUPED, 32000, 0.5, MODES, utilisation=0.9) > 70


@pytest.mark.parametrize("one", [LATENT, GROUPED])
def test_one_request_is_that_of_the_model_of_a_single_request(one):
    """The same prompt put to `first_token_s`, which hides the look-up with the load: here there is none."""
    fraction, prompt = np.array([0.0, 0.4, 0.9]), 20000.0
    alone = replace(one, copies=1.0)
    rate = one.link_GBps * MODES[sides.LINK]
    expected = first_token_s(one.shape, one.prefiller, prompt, fraction, rate, MODES[sides.HIDDEN])
    found = single.single_request(alone, prompt, fraction, MODES | {sides.SPEED: 1.0, sides.LOOKUP: 0.0})
    assert found == pytest.approx(100 * (1 - expected / expected[0]), rel=1e-6, abs=1e-9)


def test_nothing_cached_is_no_difference_and_no_bandwidth_no_gain():
    assert single.single_request(LATENT, 8000, 0.0, MODES) == pytest.approx(0)
    assert single.single_request(LATENT, 8000, 0.9, MODES, link_GBps=1e-6) < 0


@pytest.mark.parametrize("one", [LATENT, GROUPED])
def test_the_gain_changes_sign_at_the_break_even_rate(one):
    rate = single.break_even_GBps(one, 32000, 0.9, MODES)
    low, high = (float(single.single_request(one, 32000, 0.9, MODES, link_GBps=part * rate)) for part in (0.9, 1.1))
    assert low < 0 < high


def test_a_faster_link_never_lowers_the_cut_and_a_faster_card_never_raises_it():
    rates = np.geomspace(0.1, 1000, 30)
    assert (np.diff(single.single_request(GROUPED, 32000, 0.9, MODES, link_GBps=rates)) >= -1e-9).all()
    by_speed = [sampled(READINGS[1], relative_prefill_speed=speed)[1] for speed in (0.6, 1.0, 1.4)]
    assert (np.diff(by_speed, axis=0) <= 1e-9).all()


def test_a_pool_against_data_in_npu_memory_only_loses():
    _, cuts = sampled(READINGS[2])
    assert (cuts < 0).all()
    # With a link without end, all of the load hidden and no look-up nothing is left to lose.
    _, free = sampled(READINGS[2], pool_link_share=1e9, load_hidden_share=1.0, pool_lookup_ms=0.0)
    assert free == pytest.approx(0, abs=1e-6)


def test_the_cut_grows_with_the_load_of_the_baseline():
    by_load = [sampled(READINGS[3], baseline_utilisation=busy)[1] for busy in (0.1, 0.5, 0.8, 0.98)]
    assert (np.diff(by_load, axis=0) > 0).all()


def test_an_idle_baseline_has_no_queue():
    options, loaded = sampled(READINGS[3], baseline_utilisation=1e-9)
    idle, cuts = sampled(READINGS[1])
    against_none = options.columns["baseline"] == sides.NOTHING
    assert loaded[against_none] == pytest.approx(cuts, abs=1e-4) and len(idle) == against_none.sum()


def test_waiting_is_that_of_known_queues():
    assert times.waiting_s(0.5, np.array(1.0), np.array(1.0)) == pytest.approx(md1_wait_s(0.5, 1.0))
    assert times.waiting_s(0.5, np.array(1.0), np.array(2.0)) == pytest.approx(mm1_wait_s(0.5, 1.0))


def test_squares_of_equal_requests_are_squares():
    work, size = times.of_requests(LATENT, np.array([9000.0]), np.array([6000.0]))
    means = times.Moments(work, work**2, size, size**2, work * size, np.ones(1))
    how = times.Loading(40.0, 0.5, 0.0)
    asked = (means, times.own_s(LATENT.prefiller), 1.2, how)
    assert times.squared_s(*asked) == pytest.approx(times.mean_s(*asked) ** 2)


def test_squares_of_unequal_requests_are_means_of_squares():
    prompt, cached, part = np.array([4000.0, 30000.0]), np.array([1000.0, 25000.0]), np.array([0.7, 0.3])
    work, size = times.of_requests(GROUPED, prompt, cached)
    cells = (work, work**2, size, size**2, work * size, np.ones(2))
    means = times.Moments(*(part @ cell for cell in cells))
    own, how = 0.01, times.Loading(30.0, 0.0)
    each = own + work / 0.8 + size / (30e9)
    assert times.squared_s(means, own, 0.8, how) == pytest.approx(part @ each**2)
    assert times.mean_s(means, own, 0.8, how) == pytest.approx(part @ each)


@pytest.mark.parametrize(("trace", "caches"), [("conversation", 1), ("conversation", 8), ("synthetic", 4)])
def test_classes_of_requests_keep_hit_rate_and_mean_time(trace, caches):
    found = shipped_trace(FACTS, trace)
    for blocks, one in zip(requests.capacities(found), requests.replayed(FACTS, trace, caches), strict=True):
        _, tokens = request_hits(found, blocks, caches)
        assert one.part.sum() == pytest.approx(1)
        assert one.hit == pytest.approx(miss_ratio_curve(found, caches).token_hit(int(blocks)), abs=1e-3)
        cached = np.minimum(tokens, found.input_tokens - 1)
        exact, _ = times.of_requests(LATENT, found.input_tokens.astype(float), cached.astype(float))
        classed, _ = times.of_requests(LATENT, one.prompt, one.cached)
        assert one.part @ classed == pytest.approx(exact.mean(), rel=0.01)


def test_memory_left_for_a_private_cache_by_hand():
    """Sixteen cards of 128 GiB less the weights in 8 bits and 10 GB each; 576 values of two bytes in 61 layers."""
    values = {name: np.array([MODES[name]]) for name in sides.MEMORY}
    (blocks,) = sides.blocks_of(sides.PRIVATE, [LATENT], np.array([0]), np.array([8]), values)
    left = 16 * 128 * 2**30 - LATENT.weight_bytes - 16 * 10e9
    assert blocks == pytest.approx(0.9 * left / (512 * 576 * 2 * 61))


def test_latents_are_kept_on_every_card_that_shares_a_prompt():
    tensor = instance(FACTS, "DeepSeek-R1", "910C UB", "8 tensor")
    assert (tensor.copies, LATENT.copies, GROUPED.copies) == (8, 1, 1)
    assert instance(FACTS, "Qwen3-235B-A22B", "910C UB", "8 tensor").copies == 2


def test_weights_that_do_not_fit_and_dense_models_spread_wide_are_no_instance():
    assert instance(FACTS, "Kimi-K2", "910C UB", "8 tensor") is None
    assert all(instance(FACTS, "QwQ-32B", "910C UB", name) is None for name in LAYOUTS if name != "8 tensor")


def test_the_headline_has_only_workloads_whose_private_caches_are_known():
    _, options = answers.compared(FACTS, DEFAULTS, READINGS[0])
    known = {name for name, one in workloads(FACTS).items() if one.trace or one.private_hit}
    assert set(options.columns["workload"]) == known


def test_workloads_without_a_length_are_listed_and_not_predicted():
    assert {name for name, one in workloads(FACTS).items() if not one.predictable}
    assert all(one.predictable for one in answers.predictable(FACTS).values())


@pytest.mark.parametrize("reading", READINGS)
def test_both_methods_agree(reading):
    case = ems_ttft.case_of(FACTS, FEW, reading)
    closed, played = shown.methods_of(case, MODES).values()
    (one,), (other,) = closed["estimate"], played["estimate"]
    assert one == pytest.approx(other, rel=0.05, abs=max(0.3, 3 * played["standard_error"]))


def test_a_queue_played_one_by_one_waits_as_theory_says():
    rng = np.random.default_rng(1)
    busy = rng.standard_exponential(2**18)
    waits = loop.waited_s(busy, rng.standard_exponential(2**18) / 0.7)
    assert waits.mean() == pytest.approx(mm1_wait_s(0.7, 1.0), rel=0.05)
    assert loop.waited_s(np.array([2.0, 1.0, 1.0]), np.array([9.0, 1.0, 5.0])).tolist() == [0.0, 1.0, 0.0]


def test_layer_by_layer_by_hand():
    """Two layers of one second; a load of four seconds, half of it before and half beside: 2, then 3 + 1, then 5."""
    assert loop.by_layers_s(np.array([2.0]), np.array([4.0]), 0.5, 2).tolist() == [5.0]
    assert loop.by_layers_s(np.array([2.0]), np.array([0.0]), 0.5, 2).tolist() == [2.0]


def test_event_simulation_agrees_with_the_closed_form_where_nothing_queues():
    """Another code altogether, with caches and pool of its own; exact for a dense model with grouped attention."""
    trace = "synthetic"
    played = events.over_load(FACTS, GROUPED, trace, 8, MODES, (1e-4,)).iloc[0]
    for kind, reading in ((sides.NOTHING, READINGS[1]), (sides.PRIVATE, READINGS[0])):
        _, (closed,) = sampled(reading, FEW | {"workload": trace, "model": "Qwen2.5-72B"})
        assert 100 * (1 - played["pool"] / played[kind]) == pytest.approx(closed, abs=2.0)


def test_time_grows_with_load_in_the_event_simulation():
    played = events.over_load(FACTS, GROUPED, "synthetic", 8, MODES, (0.2, 0.6, 0.9))
    assert (np.diff(played[[sides.NOTHING, sides.PRIVATE, sides.POOL]], axis=0) > 0).all()
    assert (np.diff(played["utilisation"]) > 0).all()


def test_published_pairs_differ_in_the_cached_prefix_alone():
    found = lines.pairs(FACTS, lines.NONE)
    assert len(found) > 50
    for first, second in found:
        assert all(first[name] == second[name] for name in lines.ALIKE)
        assert first["tier"] == lines.NONE and float(second["prefix_hit_fraction"]) > 0


def test_the_launch_figure_is_no_line_of_evidence():
    claimed = {row["id"] for row in FACTS.table("kvcache").to_dict("records") if row["role"] == "claim"}
    for reading in READINGS:
        told = " ".join(ems_ttft.case_of(FACTS, FEW, reading).lines())
        assert claimed and not any(name in told for name in claimed)


def test_errors_of_ratios_move_the_cut_they_belong_to():
    """A ratio of 0.3 that is a fifth too high stands for 0.25."""
    error = lines.CutError(-0.1, 0.2)
    assert error.moved(np.array([70.0]), 0.2) == pytest.approx(75.0)


def test_operations_alone_need_no_constant():
    case = ems_ttft.case_of(FACTS, FEW, READINGS[1])
    before = case.lines()["operations alone"]["estimate"]
    slow = FEW | {"system": "910B RoCE"}
    assert ems_ttft.case_of(FACTS, slow, READINGS[1]).lines()["operations alone"]["estimate"] == pytest.approx(before)


def test_readings_are_kept_apart():
    record = analysis.evaluate(CLAIM, detail="verdict", samples=512, model="DeepSeek-R1", system="910C UB")
    middle = [record.readings[name]["estimate"] for name in READINGS]
    assert middle[2] < 0 < middle[0] < middle[1] < middle[3]


def test_a_verdict_depends_on_the_workload():
    agents = analysis.evaluate(CLAIM, detail="verdict", samples=512, workload="Codex")
    chats = analysis.evaluate(CLAIM, detail="verdict", samples=512, workload="conversation, Kimi")
    assert (agents.verdict, chats.verdict) == ("reproduced", "not reproduced")


def test_blocks_of_a_pool_are_shared_by_all_instances():
    values = {sides.POOL_GB: np.array([100.0])}
    asked = ([GROUPED], np.array([0]), np.array([8]), values)
    pool, local = (sides.blocks_of(kind, *asked)[0] for kind in (sides.POOL, sides.LOCAL))
    assert pool == pytest.approx(8 * local) and local == pytest.approx(8 * 100e9 / (GROUPED.token_bytes * BLOCK_TOKENS))
