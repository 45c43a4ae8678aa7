"""The supernode: totals and ratios by hand, readings that follow from one another, jobs with a known answer."""

import numpy as np
import pandas as pd
import pytest
from conftest import edited

import analysis
from analysis.errors import ParameterError
from analysis.evidence.quantities import QUANTITIES, Quantity
from analysis.facts import open_facts
from analysis.facts.systems import supernode, systems
from analysis.subjects.supernode import COMPUTE, NVL72, jobs, lines, rivals, tables
from analysis.subjects.supernode.metrics import METRICS, READINGS

PRINTED = ", ".join(name for name, one in METRICS.items() if not one.job)
MIDDLE = {name: 0.5 for name in rivals.ASSUMPTIONS}
DEFAULTS = {row["name"]: row["default"] for row in analysis.parameters(NVL72).to_dict("records") if row["default"]}
SHOWN = DEFAULTS | {"metrics": PRINTED}


def compute(reading="package-16-bit-dense", **pins):
    return analysis.evaluate(COMPUTE, detail="verdict", **pins).readings[reading]


def ratio(metric, reading="per-system", opponent="GB200 NVL72", **pins):
    """The prediction of one option: everything else is pinned."""
    pins = MIDDLE | pins | {"metrics": metric, "opponent": opponent}
    return analysis.evaluate(NVL72, detail="verdict", **pins).readings[reading]["estimate"]


@pytest.fixture
def own(overlay):
    """Tables of their own, so that what a test derives from them is forgotten with it."""
    return overlay(units="unit,description\nx,of a test\n")


@pytest.fixture
def modelled(monkeypatch):
    """Put a predict function in place of a job's model, or none."""

    def put(metric, predict):
        name = METRICS[metric].job
        monkeypatch.setitem(QUANTITIES, name, Quantity(QUANTITIES[name].unit, predict))

    return put


def with_peaks(folder, tflops):
    """Write every printed peak in 16 bits at one value."""
    table = analysis.load("system_figures")
    ids = table.loc[(table["quantity"] == "peak") & (table["number_format"] == "16-bit"), "id"]
    rows = "".join(f"{name},{tflops}\n" for name in ids)
    (folder / "system_figures.csv").write_text(f"id,value\n{rows}", encoding="utf-8")
    return folder


# The total.


def test_the_cards_are_as_many_as_the_table_of_systems_has():
    assert DEFAULTS["cards"] == supernode(open_facts()).accelerators


def test_the_total_by_hand():
    # 384 x 752, 780 and 800 TFLOPS.
    low, high = compute()["interval"]
    assert (low, high) == (pytest.approx(288.768), pytest.approx(307.2))
    assert low < compute()["estimate"] < high


def test_a_die_gives_half_of_a_package_and_eight_bits_twice_the_paper():
    whole, half = compute(), compute("die-16-bit-dense")
    assert half["estimate"] == pytest.approx(whole["estimate"] / 2)
    assert half["interval"] == pytest.approx([value / 2 for value in whole["interval"]])
    assert compute("package-8-bit")["estimate"] == pytest.approx(2 * 288.768)


def test_a_reading_without_a_printed_peak_has_no_verdict_but_a_reason():
    record = analysis.evaluate(COMPUTE)
    assert record.readings["package-16-bit-sparse"] == dict.fromkeys(("estimate", "interval", "share", "verdict"))
    assert "no combination" in record.reasons["readings.package-16-bit-sparse"]
    assert record.verdict is not None and record.model_error is None


@pytest.mark.parametrize(("factor", "share"), [(0.949, 0.0), (0.951, 1.0), (1.0, 1.0), (1.049, 1.0), (1.051, 0.0)])
def test_a_specification_holds_within_a_twentieth(tmp_path, factor, share):
    claimed = analysis.evaluate(COMPUTE, detail="point").claimed
    folder = with_peaks(tmp_path, 1000 * factor * claimed / DEFAULTS["cards"])
    record = analysis.evaluate(COMPUTE, detail="verdict", data=folder)
    assert record.share == share and record.estimate == pytest.approx(factor * claimed)


def test_the_total_grows_with_the_cards():
    assert compute(cards=192)["estimate"] == pytest.approx(compute()["estimate"] / 2)
    assert compute(cards=1)["estimate"] == pytest.approx(compute()["estimate"] / 384)


@pytest.mark.parametrize("cards", [1, 7, 8, 384, 1000])
def test_dies_added_up_node_by_node_give_cards_times_peak(cards):
    one, other = (method["estimate"] for method in analysis.evaluate(COMPUTE, cards=cards).methods.values())
    assert one == pytest.approx(other)


def test_a_source_that_only_repeats_does_not_count_again(overlay):
    before = compute()
    folder = overlay(system_figures="id,repeats\nSF04,SF05\n")
    after = compute(data=folder)
    assert after["interval"] == before["interval"] and after["estimate"] < before["estimate"]


def test_changing_the_claimed_numbers_changes_no_estimate(tmp_path):
    folder = edited(tmp_path, "claims", {COMPUTE: {"value": "150"}, NVL72: {"value": "3"}}, columns=("value",))
    for claim, pins in ((COMPUTE, {}), (NVL72, {"metrics": PRINTED})):
        before, after = (analysis.evaluate(claim, detail="verdict", data=data, **pins) for data in (None, folder))
        assert before.estimate == after.estimate and before.interval == after.interval
    assert analysis.evaluate(COMPUTE, detail="verdict", data=folder).readings["die-16-bit-dense"]["share"] == 1.0


def test_cores_times_clock_shares_no_printed_peak(tmp_path):
    line = analysis.evaluate(COMPUTE).lines["cores times clock"]
    # 24 cores x 4,096 products x 2 x 1.8 GHz, two dies, 384 packages.
    assert line["estimate"] == pytest.approx(384 * 2 * 24 * 4096 * 2 * 1.8e9 / 1e15)
    folder = with_peaks(tmp_path, 1752)
    assert analysis.evaluate(COMPUTE, data=folder).lines["cores times clock"]["estimate"] == line["estimate"]


def test_the_clock_that_a_peak_needs_gives_that_peak():
    found = tables.clock_check(open_facts())
    for peak, mhz in found["needed_mhz"].items():
        assert found["package_tflops"] * mhz / found["clock_mhz"] == pytest.approx(peak)


def test_without_a_clock_there_is_one_line_less(overlay):
    folder = overlay(system_figures="id,role\nSF12,claim\n")
    assert "cores times clock" not in analysis.evaluate(COMPUTE, data=folder).lines
    assert tables.clock_check(open_facts(folder)) is None


def test_every_printed_peak_is_shown_and_only_those_that_count_are_options():
    shown = tables.printed_peaks(open_facts(), DEFAULTS)
    counted = shown[(shown["repeats"] == "") & (shown["number_format"] == "16-bit")]
    options = dict(tables.totals_by_reading(open_facts(), DEFAULTS)["package-16-bit-dense"])
    assert options == pytest.approx(dict(zip(counted["source"], counted["pflops"], strict=True)))
    assert len(shown) > len(options)


# Supernode over NVL72.


def test_ratios_by_hand():
    assert ratio("memory") == pytest.approx(384 * 128 / (72 * 186))
    assert ratio("bandwidth") == pytest.approx(384 * 3.2 / (72 * 8))
    assert ratio("link") == pytest.approx(384 * 784 / (72 * 1800))
    assert ratio("domain") == pytest.approx(384 / 72)
    assert ratio("16-bit") == pytest.approx(384 * 776 / (72 * 2375))
    # No 4-bit unit here: eight bits against four there.
    assert ratio("4-bit", opponent="GB300 NVL72") == pytest.approx(384 * 1504 / (72 * 15000))
    # Integers of GB300 are slow; its floating 8 bits count.
    assert ratio("8-bit", opponent="GB300 NVL72") == pytest.approx(384 * 1504 / (72 * 5000))


def test_printed_ratios_of_whole_systems_are_met():
    found = lines.lines_of(open_facts(), SHOWN, "per-system")
    near = {"memory bandwidth": "bandwidth", "memory capacity": "memory", "scale-up bandwidth": "link"}
    for what, metric in near.items():
        (line,) = [one for name, one in found.items() if name.startswith(f"{what},")]
        # Printed with two digits, and for a GPU of 192 GB.
        assert ratio(metric) == pytest.approx(line["estimate"][0], rel=0.12)


@pytest.mark.parametrize("opponent", ["GB200 NVL72", "GB300 NVL72"])
@pytest.mark.parametrize("metric", ["16-bit", "8-bit", "4-bit", "memory", "bandwidth", "link"])
def test_cards_and_watts_divide_the_ratio_of_systems(metric, opponent):
    of_systems = ratio(metric, opponent=opponent)
    assert ratio(metric, "per-card", opponent) == pytest.approx(of_systems * 72 / 384)
    ours, theirs = (np.mean(systems(open_facts())[name].power_kw) for name in ("CloudMatrix384", opponent))
    assert ratio(metric, "per-watt", opponent) == pytest.approx(of_systems * theirs / ours)


def test_the_size_of_a_domain_has_no_meaning_for_a_card_or_a_watt():
    record = analysis.evaluate(NVL72, detail="verdict", metrics="domain")
    assert record.readings["per-system"]["estimate"] == pytest.approx(384 / 72)
    assert record.readings["per-card"]["verdict"] is None and record.readings["per-watt"]["verdict"] is None


def test_a_smaller_supernode_is_less_of_a_system_and_as_good_per_card_and_watt():
    for metric in ("memory", "16-bit"):
        assert ratio(metric, cards=192) == pytest.approx(ratio(metric) / 2)
        for reading in ("per-card", "per-watt"):
            assert ratio(metric, reading, cards=192) == pytest.approx(ratio(metric, reading))
    assert ratio("domain", cards=36) == pytest.approx(0.5)
    # A link joins no more cards than it was built for.
    assert ratio("domain", cards=768) == ratio("domain")


def test_an_end_of_a_range_moves_a_ratio_the_way_it_should():
    for side, way in (("supernode", 1), ("opponent", -1)):
        low, high = (ratio("16-bit", **{f"{side}_peak_position": end}) for end in (0.0, 1.0))
        assert way * (high - low) > 0
        low, high = (ratio("memory", "per-watt", **{f"{side}_power_position": end}) for end in (0.0, 1.0))
        assert way * (high - low) < 0
        assert ratio("memory", **{f"{side}_power_position": 0.0}) == ratio("memory")


@pytest.mark.parametrize(
    "pins", [{}, {"cards": 100}, {"opponent": "GB300 NVL72"}, {"metrics": "memory, 4-bit"}], ids=str
)
@pytest.mark.parametrize("place", [0.0, 0.3, 1.0])
def test_the_loop_finds_the_median_of_the_vectorised_comparison(pins, place):
    pins = {"metrics": PRINTED, **dict.fromkeys(rivals.ASSUMPTIONS, place)} | pins
    record = analysis.evaluate(NVL72, **pins)
    one, other = (method["estimate"] for method in record.methods.values())
    assert one == pytest.approx(other) and record.methods_agree


@pytest.mark.parametrize("reading", READINGS)
def test_the_loop_agrees_in_every_reading(reading):
    facts, values = open_facts(), dict.fromkeys(rivals.ASSUMPTIONS, 0.25)
    table, _ = rivals.comparisons(facts, SHOWN, reading)
    rows = np.arange(len(table))
    columns = {name: table[name].to_numpy() for name in table.columns}
    arrays = {name: np.full(len(rows), value) for name, value in values.items()}
    found = rivals.ratios(columns, rows, arrays, reading)
    assert rivals.plain_loop.median_ratio(facts, SHOWN, reading, values) == pytest.approx(np.median(found))


def test_no_card_of_the_supernode_is_ahead_of_a_gpu_of_nvl72_in_print():
    table = tables.comparison_table(open_facts(), SHOWN, rivals.ends(open_facts(), {}))
    assert (table["per-card high"].dropna() < 1).all()
    assert set(table.loc[table["per-system high"] < 1, "metric"]) == {"4-bit"}


def test_the_ends_of_the_table_enclose_every_sample():
    facts = open_facts()
    shown = tables.comparison_table(facts, SHOWN, rivals.ends(facts, {}))
    random = np.random.default_rng(0)
    for reading in READINGS:
        table, _ = rivals.comparisons(facts, SHOWN, reading)
        columns = {name: table[name].to_numpy() for name in table.columns}
        rows = random.integers(len(table), size=500)
        values = {name: random.random(500) for name in rivals.ASSUMPTIONS}
        found = rivals.ratios(columns, rows, values, reading)
        bounds = table[["metric", "opponent"]].merge(shown, on=["metric", "opponent"])
        assert np.all(found >= bounds[f"{reading} low"].to_numpy()[rows] * (1 - 1e-12))
        assert np.all(found <= bounds[f"{reading} high"].to_numpy()[rows] * (1 + 1e-12))


def test_equal_cards_and_systems_are_equal(tmp_path):
    own = "name,kind,accelerator,accelerators,nodes,devices_per_accelerator,source,locator,confidence\n"
    (tmp_path / "systems.csv").write_text(own + "Twin,rack,Ascend 910C,384,48,2,me2025,here,quoted\n")
    figures = "id,system,quantity,value,unit,role,source,locator,confidence\n"
    rows = "".join(f"M{kw},Twin,power,{kw},kW,context,me2025,here,quoted\n" for kw in (500, 600))
    (tmp_path / "system_figures.csv").write_text(figures + rows)
    pins = MIDDLE | {"opponent": "Twin", "metrics": PRINTED, "data": tmp_path}
    record = analysis.evaluate(NVL72, detail="verdict", **pins)
    assert all(one["interval"] == pytest.approx([1.0, 1.0]) for one in record.readings.values())


def test_an_opponent_without_a_power_is_left_out_of_the_reading_by_watt(overlay):
    own = "name,kind,accelerator,accelerators,nodes,devices_per_accelerator,source,locator,confidence\n"
    folder = overlay(systems=own + "Mine,rack,B200,72,9,1,me2025,here,quoted\n")
    facts = open_facts(folder)
    assert "Mine" in analysis.parameters(NVL72, folder).set_index("name").loc["opponent", "options"]
    assert "Mine" in set(rivals.comparisons(facts, SHOWN, "per-card")[0]["opponent"])
    table, absent = rivals.comparisons(facts, SHOWN, "per-watt")
    assert "Mine" not in set(table["opponent"]) and absent["memory", "Mine"] == "nobody prints a power"


def test_at_least_one_line_was_measured_and_follows_the_limit():
    found = lines.lines_of(open_facts(), SHOWN, "per-system")
    # 1,943 and 2,733 tokens/s and card within 50 ms, against 7,583 and 9,087.
    low, high = found["decode, measured"]["interval"][0]
    assert (low, high) == (pytest.approx(384 * 1943 / (72 * 9087)), pytest.approx(384 * 2733 / (72 * 7583)))
    tight = lines.lines_of(open_facts(), SHOWN | {"tpot_limit_ms": 25.0}, "per-system")
    assert tight["decode, measured"]["estimate"][0] < low
    assert "decode, measured" not in lines.lines_of(open_facts(), SHOWN | {"tpot_limit_ms": 6.0}, "per-system")


def test_lines_follow_the_reading():
    whole, card, watt = (lines.lines_of(open_facts(), SHOWN, reading) for reading in READINGS)
    for name in whole:
        assert card[name]["estimate"][0] == pytest.approx(whole[name]["estimate"][0] * 72 / 384)
        low, high = watt[name]["interval"][0]
        assert low < watt[name]["estimate"][0] < high < whole[name]["estimate"][0]


# Servers of eight, and what is left out.


def test_a_cluster_of_equal_cards_by_hand():
    table = tables.cluster_table(open_facts(), SHOWN, 0.5).set_index(["server", "basis"])
    row = table.loc[("DGX H100", "equal cards")]
    assert (row["servers"], row["cluster_cards"]) == (48, 384) and row["cluster_kw"] == pytest.approx(48 * 10.2)
    assert row["16-bit"] == pytest.approx(776 / 989.4) and row["memory"] == pytest.approx(128 / 80)
    assert row["domain"] == 384 / 8


def test_a_cluster_of_equal_power_takes_no_more_than_the_supernode():
    for place in (0.0, 0.5, 1.0):
        table = tables.cluster_table(open_facts(), SHOWN, place)
        equal = table[table["basis"] == "equal power"]
        limit = 500 + 100 * place
        assert (equal["cluster_kw"] <= limit).all()
        assert (equal["cluster_kw"] + equal["cluster_kw"] / equal["servers"] > limit).all()


def test_what_the_sentence_leaves_out_by_hand():
    table = tables.left_out(open_facts(), SHOWN, MIDDLE).set_index("opponent")
    row = table.loc["GB200 NVL72"]
    assert row["cards_ratio"] == pytest.approx(384 / 72) and row["power_ratio"] == pytest.approx(550 / 132.5)
    assert row["cards_to_match"] == np.ceil(72 * 2375 / 776)
    assert row["systems_for_compute"] * 72 * 2375 == pytest.approx(384 * 776)
    assert row["kw_for_compute"] < 550 < row["kw_to_match"] * row["systems_for_compute"] * 1.01


# Jobs.


def test_a_job_without_a_model_is_left_out_and_says_so(own, modelled):
    for name in ("prefill", "decode", "training"):
        modelled(name, None)
    facts = open_facts(own)
    table, absent = rivals.comparisons(facts, DEFAULTS, "per-system")
    assert not any(METRICS[name].job for name in table["metric"])
    assert absent["decode", "GB200 NVL72"] == "no model covers decode_throughput yet"
    record = analysis.evaluate(NVL72, detail="verdict", data=own)
    assert record.model_error is None and "no constant is fitted" in record.reasons["model_error"]
    with pytest.raises(ParameterError, match="nothing is left to judge"):
        analysis.evaluate(NVL72, detail="verdict", data=own, metrics="decode, training")


def test_the_batch_is_the_largest_that_keeps_the_limit(own, modelled):
    # A step of 10 ms and a tenth for each sequence: 50 ms hold 400 of them, 20 ms hold 100.
    def predict(row, facts):
        batch = int(row["batch_per_accelerator"])
        return batch / (0.010 + 0.0001 * batch), ""

    modelled("decode", predict)
    facts, rack = open_facts(own), systems(open_facts(own))["GB300 NVL72"]
    for limit, batch in ((50.05, 400), (20.05, 100), (10.25, 2)):
        rate, note = jobs.job_rate(facts, DEFAULTS | {"tpot_limit_ms": limit}, "decode", rack)
        assert rate == pytest.approx(batch / (0.010 + 0.0001 * batch)) and f"{batch} sequences" in note
    rate, note = jobs.job_rate(facts, DEFAULTS | {"tpot_limit_ms": 10.05}, "decode", rack)
    assert rate is None and "not even 1 sequences keep 10.05 ms" in note


def test_memory_limits_the_batch_where_time_does_not(own, modelled):
    modelled("decode", lambda row, facts: (1e6 * int(row["batch_per_accelerator"]), ""))
    facts = open_facts(own)
    known = systems(facts)
    for name in ("CloudMatrix384", "GB200 NVL72", "GB300 NVL72"):
        most = jobs.memory_batch(facts, DEFAULTS, known[name], jobs.expert_ranks(DEFAULTS, known[name]))
        rate, _ = jobs.job_rate(facts, DEFAULTS, "decode", known[name])
        assert rate == 1e6 * most
    # 671 billion bytes of weights; 70,272 bytes of cache for a token [61 layers of 576 values in two bytes].
    weights, room = 671e9 / 72, 186e9
    most = jobs.memory_batch(facts, DEFAULTS, known["GB200 NVL72"], 72)
    assert 0.7 * (room - 3 * weights) < most * 4096 * 70_272 < room - weights
    longer = jobs.memory_batch(facts, DEFAULTS | {"context_tokens": 8192}, known["GB200 NVL72"], 72)
    assert longer in (most // 2, most // 2 + 1)


def test_weights_that_do_not_fit_leave_no_rate(own, modelled):
    modelled("decode", lambda row, facts: (1.0, ""))
    modelled("prefill", lambda row, facts: (1.0, ""))
    facts = open_facts(own)
    few = DEFAULTS | {"cards": 4}
    for name in ("decode", "prefill"):
        rate, note = jobs.job_rate(facts, few, name, supernode(facts))
        assert rate is None and note


def test_experts_are_spread_over_the_scale_up_domain():
    known = systems(open_facts())
    assert jobs.expert_ranks(DEFAULTS, known["CloudMatrix384"]) == 320
    assert jobs.expert_ranks(DEFAULTS | {"cards": 64}, known["CloudMatrix384"]) == 128
    assert jobs.expert_ranks(DEFAULTS, known["GB200 NVL72"]) == 72


def test_both_sides_are_asked_the_same_but_for_card_format_and_ranks(own, modelled):
    asked = []
    modelled("training", lambda row, facts: (asked.append(row) or 1.0, ""))
    modelled("prefill", lambda row, facts: (asked.append(row) or 1.0, ""))
    facts = open_facts(own)
    for name in ("training", "prefill"):
        asked.clear()
        for system in ("CloudMatrix384", "GB200 NVL72"):
            jobs.job_rate(facts, DEFAULTS, name, systems(facts)[system])
        ours, theirs = asked
        differing = {key for key in ours | theirs if ours.get(key) != theirs.get(key)}
        assert differing <= {"accelerator", "precision", "accelerators"}
        assert ours["precision"] in ("INT8", "BF16") and theirs["precision"] == "FP8"


def test_a_modelled_job_counts_by_system_card_and_watt(own, modelled):
    for name in ("prefill", "training"):
        modelled(name, None)
    modelled("decode", lambda row, facts: (2000.0 if row["accelerator"] == "Ascend 910C" else 8000.0, ""))
    pins = MIDDLE | {"metrics": "decode", "opponent": "GB200 NVL72", "tpot_limit_ms": 500.0, "data": own}
    record = analysis.evaluate(NVL72, **pins)
    assert record.readings["per-card"]["estimate"] == pytest.approx(0.25)
    assert record.readings["per-system"]["estimate"] == pytest.approx(0.25 * 384 / 72)
    assert record.readings["per-watt"]["estimate"] == pytest.approx(0.25 * 384 / 72 * 132.5 / 550)
    assert "zuo2025cloudmatrix384" in record.evidence["calibrate"]
    shared = [method["shares"] for method in record.methods.values()]
    assert all("modelled rates of jobs" in names for names in shared)


def test_the_error_of_a_ratio_is_that_of_pairs_of_runs(own, modelled, monkeypatch):
    modelled("decode", lambda row, facts: (1.0, ""))

    def scored(facts, quantities, roles):
        assert roles == ("validate",)
        return pd.DataFrame({"error": [0.1, -0.1, -1.0], "predicted": [1.0, 1.0, np.nan]})

    monkeypatch.setattr(jobs, "scored", scored)
    low, high, runs = jobs.job_errors(open_facts(own), ["decode"])["decode"]
    # Two ratios, 0.9 / 1.1 and 1.1 / 0.9, between whose ends the percentiles lie.
    worst, best = 0.9 / 1.1 - 1, 1.1 / 0.9 - 1
    assert (low, high, runs) == (
        pytest.approx(worst + 0.05 * (best - worst)),
        pytest.approx(best - 0.05 * (best - worst)),
        2,
    )
    error = jobs.ratio_error(open_facts(own), ("decode",))
    assert (error.low, error.high) == (low, high)


def test_the_widest_band_of_the_jobs_is_the_models_error(own, monkeypatch):
    bands = {"prefill": (-0.1, 0.1, 4), "decode": None, "training": (-0.05, 0.3, 9)}
    monkeypatch.setattr(jobs, "job_errors", lambda facts, names: bands)
    error = jobs.ratio_error(open_facts(own), tuple(bands))
    assert (error.low, error.high) == (-0.1, 0.3)


def test_decoding_is_asked_at_every_limit(own, modelled):
    def predict(row, facts):
        batch, slow = int(row["batch_per_accelerator"]), row["accelerator"] == "Ascend 910C"
        return batch / ((0.030 if slow else 0.010) + 0.0001 * batch), ""

    modelled("decode", predict)
    table = tables.decode_over_limits(open_facts(own), DEFAULTS, (20.0, 40.0, 80.0))
    assert table.loc[table["limit_ms"] == 20.0, "per_system"].isna().all()
    rest = table[table["limit_ms"] > 20.0]
    assert rest.groupby("opponent")["per_card"].apply(lambda one: one.is_monotonic_increasing).all()
    assert rest["per_system"].to_numpy() == pytest.approx(rest["per_card"].to_numpy() * 384 / 72)


@pytest.mark.parametrize(
    ("claim", "pins", "told"),
    [
        (COMPUTE, {"cards": 0}, r"cards: 0 is out of range"),
        (COMPUTE, {"opponent": "all"}, r"no parameter 'opponent'"),
        (NVL72, {"opponent": "NVL72"}, r"opponent: 'NVL72' is not accepted. Did you mean GB"),
        (NVL72, {"metrics": "16bit"}, r"metrics: '16bit' is not accepted. Did you mean 16-bit"),
        (NVL72, {"tpot_limit_ms": 1.0}, r"tpot_limit_ms: 1 is out of range"),
        (NVL72, {"supernode_power_position": 1.5}, r"supernode_power_position: 1\.5 is out of range"),
    ],
)
def test_a_wrong_parameter_names_what_is_accepted(claim, pins, told):
    with pytest.raises(ParameterError, match=told):
        analysis.evaluate(claim, detail="point", **pins)
