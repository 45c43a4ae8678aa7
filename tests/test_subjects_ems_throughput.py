"""EMS and throughput as a claim: limits, hand-computed bytes, published gains, both methods, metamorphic relations."""

import numpy as np
import pytest

import analysis
from analysis.errors import ParameterError
from analysis.evidence.replay import replay
from analysis.facts import open_facts
from analysis.facts.traces import TRACES
from analysis.models.offload import BESIDE, STREAMED, WAYS
from analysis.subjects import ems_throughput
from analysis.subjects.ems_throughput import BOTH, OFFLOAD, READINGS, REUSE, SETTINGS, case_of, lines, published, shown
from analysis.subjects.ems_throughput.layouts import MODELS, Side, fewest_ranks, made, placed, sides
from analysis.subjects.ems_throughput.reuse import prefill_s, workloads
from analysis.subjects.ems_throughput.steps import FAR, largest_within, own_step_s

CLAIM = ems_throughput.CLAIM
FACTS = open_facts()
DEFAULTS = {setting.name: setting.default for setting in SETTINGS}
GQA, MLA = Side("Llama-3 70B", 1), Side("DeepSeek-R1", 1)
MODES = shown.at_modes(FACTS, {})


def gain(side, share, *, fabrics=("UB",), ways=WAYS, **moved):
    """Gain of decoding with a part of the card's memory left, the assumptions at their modes but for some."""
    values = shown.filled(MODES | moved, 1)
    return float(shown.decoding_gain(FACTS, side, np.array([share]), values, fabrics, ways)[0])


def predictions(reading, settings=DEFAULTS, **moved):
    """Every option of a reading, the assumptions at their modes but for some."""
    case = case_of(FACTS, settings, reading)
    rows = np.arange(len(case.options))
    return case, case.predict(case.options, rows, shown.filled(MODES | moved, len(rows)))


def test_a_model_lies_on_the_fewest_dies_that_hold_its_weights():
    for model in MODELS:
        ranks = fewest_ranks(FACTS, model)
        for count, fits in ((ranks, True), (ranks // 2, False)):
            one = made(FACTS, model, count)
            assert (one.rank.weight_bytes + 5e9 < one.memory_bytes) == fits


def test_a_card_reads_more_of_its_own_memory_than_of_the_pool():
    """3.2 TB/s at 87 % against half a CPU, and half of a CPU's port of 160 GB/s at the mode of the link."""
    table = shown.read_in_a_step(FACTS, GQA, MODES).set_index("source")["GBps"]
    assert table["HBM of the card"] == pytest.approx(3200 * 0.87)
    assert table["memory of its CPUs, read by the CPUs"] == pytest.approx(0.5 * MODES["cpu_memory_GBps"])
    assert table["the same over UB"] == pytest.approx(80 * MODES["pool_link_share"])
    assert table["the same over RoCE"] == pytest.approx(50 * MODES["pool_link_share"])


def test_latent_attention_on_a_cpu_waits_for_arithmetic_and_grouped_for_both():
    """128 heads share a latent, so that a byte of it needs hundreds of operations; eight share a key and value."""
    intensity = {side: placed(FACTS, side).token_flops / placed(FACTS, side).token_bytes for side in (MLA, GQA)}
    balance = 1e12 * MODES["cpu_tflops"] / (1e9 * MODES["cpu_memory_GBps"])
    assert intensity[MLA] == pytest.approx(2 * 128 * (2 * 512 + 64) / (2 * 576))
    assert intensity[GQA] == pytest.approx(8.0) and intensity[MLA] > 20 * balance > 5 * intensity[GQA]


@pytest.mark.parametrize("side", [GQA, MLA])
def test_plenty_of_memory_leaves_nothing_to_gain_from_streaming(side):
    assert gain(side, 1.0, ways=(STREAMED,)) == pytest.approx(0.0, abs=1e-9)


def test_reading_on_both_sides_adds_what_the_pool_adds_to_bandwidth():
    """With memory to spare the batch grows as the bandwidth does, by some per cent; never by more."""
    found = gain(GQA, 0.9, ways=(BESIDE,), remote_layer_us=10.0)
    assert 0 < found <= 100 * 0.5 * MODES["cpu_memory_GBps"] / (3200 * 0.87)


def test_a_pool_that_reads_nothing_gains_nothing():
    for side in (GQA, MLA):
        assert gain(side, 0.02, pool_cpus_per_card=1e-6) == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("name", ["pool_cpus_per_card", "cpu_memory_GBps", "pool_link_share", "cpu_tflops"])
def test_a_faster_pool_never_lowers_the_gain(name):
    for side in (GQA, MLA):
        for share in (0.01, 0.05):
            found = [gain(side, share, **{name: factor * MODES[name]}) for factor in (0.5, 1.0, 2.0)]
            assert np.all(np.diff(found) >= -0.5), (side, share, found)


def test_the_less_memory_is_left_the_more_is_gained():
    found = [gain(GQA, share) for share in (0.01, 0.02, 0.05, 0.2)]
    assert np.all(np.diff(found) <= 1e-6) and found[0] > 50 > 10 > found[-1]


def test_serving_where_nothing_fits_stands_for_a_fixed_factor():
    assert gain(GQA, 0.001) == pytest.approx(100 * (FAR - 1))


def test_the_batch_within_a_limit_is_found_between_the_points_tried():
    sizes = np.array([[1.0, 2.0, 4.0, 8.0]])
    found = largest_within(10 * sizes, sizes, np.array([[30.0]]))
    assert found[0] == pytest.approx(3.0)
    assert largest_within(10 * sizes, sizes, np.array([[5.0]]))[0] == 0
    assert largest_within(10 * sizes, sizes, np.array([[500.0]]))[0] == 8


def test_a_step_grows_by_the_time_of_its_cache_where_nothing_overlaps():
    one = placed(FACTS, GQA)
    assert own_step_s(one, 16.0, 0.02) - own_step_s(one, 16.0, 0.0) == pytest.approx(0.02)


def test_offloading_never_loses_and_all_cards_gain_less_than_decoding():
    case, found = predictions(OFFLOAD)
    assert found.min() >= 0 and np.isfinite(found).all()
    counted = case.options.columns["counted"]
    assert np.all(found[counted == "all cards"] <= found[counted == "decoding"] + 1e-9)


def test_reuse_stays_below_what_the_cached_part_allows():
    case, found = predictions(REUSE)
    hits = {one.name: one.hit for one in workloads(FACTS)}
    bound = np.array([100 * (1 / (1 - hits[name]) - 1) for name in case.options.columns["workload"]])
    assert np.all(found >= 0) and np.all(found <= bound)


def test_a_link_without_bandwidth_makes_reuse_worthless():
    _, found = predictions(REUSE, pool_link_share=1e-9)
    assert np.allclose(found, 0.0, atol=1e-6)


def test_both_gain_at_least_what_reuse_gains_alone():
    (alone, reuse), (case, both) = predictions(REUSE), predictions(BOTH)

    def named(case):
        return list(zip(*(case.options.columns[one] for one in ("model", "spread", "fabric", "workload")), strict=True))

    known = dict(zip(named(alone), reuse, strict=True))
    assert all(value >= known[name] - 1e-9 for name, value in zip(named(case), both, strict=True))


def test_prompts_of_twice_the_length_take_more_than_twice_as_long():
    which, lengths = np.zeros(2, dtype=int), np.array([20000.0, 40000.0])
    short, long = prefill_s(FACTS, [GQA], which, lengths, lengths)
    assert long > 2 * short
    rest = prefill_s(FACTS, [GQA], which, lengths / 2, lengths)
    # The prefix is the cheaper half.
    assert np.all(rest > np.array([short, long]) / 2)


def test_hit_rates_of_traces_are_those_of_a_replay():
    found = {one.name: one.hit for one in workloads(FACTS)}
    rows = [row for row in FACTS.table("workloads").to_dict("records") if row["trace"]]
    assert rows
    for row in rows:
        assert found[row["title"]] == pytest.approx(replay(TRACES[row["trace"]])["infinite"]["token_hit"])


def test_the_bound_of_a_service_follows_from_its_own_figures():
    """A node decodes 14.8 k and prefills 73.7 k tokens/s, of which 56.3 % were cached."""
    computed, decoded = 4686.5 / (73.7 * (1 - 0.563)), 1211 / 14.8
    share = computed / (computed + decoded)
    assert lines.service_bound(FACTS)["estimate"][0] == pytest.approx(100 * (1 / (1 - share * 0.563) - 1), rel=1e-3)


def test_published_gains_rise_as_memory_left_falls():
    """A full T4 gains by far the most, and the prediction says so too; neither knows of the other."""
    found = published.predicted_gains(FACTS).set_index("id")
    assert found["measured"].idxmax() == found["predicted"].idxmax() == "NEO T4"
    assert found.loc[["NEO H100", "Adrenaline"], "error"].abs().max() < 0.2
    assert (found["low"] <= found["predicted"]).all() and (found["predicted"] <= found["high"]).all()


def test_predictions_of_published_systems_do_not_read_what_was_measured(monkeypatch):
    row = FACTS.table("offload_systems").to_dict("records")[0]
    before = published.predicted(FACTS, row)
    monkeypatch.setitem(FACTS._tables, "kvcache", FACTS.table("kvcache").assign(value=1.0))
    assert published.predicted(FACTS, row).equals(before)


@pytest.mark.parametrize("reading", [OFFLOAD, BOTH])
def test_closed_form_and_played_schedule_agree(reading):
    settings = DEFAULTS | {"served": "Llama-3 70B", "fabric": "UB"}
    case = case_of(FACTS, settings, reading)
    found = case.methods(case.options, {one.name: MODES[one.name] for one in case.assumptions})
    closed, played = (one["estimate"][0] for one in found.values())
    assert played == pytest.approx(closed, rel=0.05)


def test_gains_that_are_printed_as_factors_and_as_per_cent_are_the_same():
    assert lines.gain_of({"value": 1.68, "unit": "x"}) == pytest.approx(68)
    assert lines.gain_of({"value": 26.0, "unit": "%"}) == 26


def test_every_reading_has_independent_lines_and_an_error():
    for reading in READINGS:
        case = case_of(FACTS, DEFAULTS | {"served": "Llama-3 70B"}, reading)
        assert len(case.lines()) >= 2 and case.model_error.gain and case.model_error.low < case.model_error.high
        assert all(np.isfinite(line["estimate"][0]) for line in case.lines().values())


def test_offloading_falls_short_on_the_supernode():
    record = analysis.evaluate(CLAIM, detail="verdict", samples=512)
    assert record.verdict == "not reproduced" and record.share_below > 0.9
    assert set(record.readings) == set(READINGS)


def test_settings_choose_sides():
    found = sides(FACTS, DEFAULTS | {"served": "DeepSeek-R1"})
    assert {one.model for one in found} == {"DeepSeek-R1"} and len(found) == 3
    with pytest.raises(ParameterError, match="way"):
        analysis.evaluate(CLAIM, detail="point", way="by hand")
