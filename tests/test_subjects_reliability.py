"""Reliability: published times against three numbers, and what follows from them for a cluster."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from conftest import edited

import analysis
from analysis.errors import ParameterError
from analysis.facts import open_facts
from analysis.models.failures import exponential_ettr, partial_ettr
from analysis.subjects.reliability import ATTAINMENT, CONSEQUENCES, attainment, goodput, scrutiny, tables
from analysis.subjects.reliability.job import typical_job

COUNTED = {setting.name: setting.default for setting in attainment.SETTINGS}
DEFAULTS = {setting.name: setting.default for setting in goodput.SETTINGS}
FACTS = open_facts()
TIMES = attainment.counted_times(FACTS, COUNTED)
JOB = typical_job(FACTS, DEFAULTS)


@pytest.mark.parametrize("claim", ATTAINMENT)
@pytest.mark.parametrize(
    "pins",
    [{}, {"position_in_range": 0.0}, {"position_in_range": 0.9}, {"prototypes": False}, {"secondhand": False}],
    ids=str,
)
def test_the_options_agree_with_the_plain_loop(claim, pins):
    methods = analysis.evaluate(claim, samples=64, **pins).to_dict()["methods"]
    vectorised, looped = (pd.Series(method["estimate"], dtype=float) for method in methods.values())
    assert np.allclose(vectorised, looped, rtol=1e-5)


def test_explicit_faults_never_count_a_time_of_implicit_ones():
    for stage in ("detection", "localisation", "recovery"):
        explicit, every = (attainment._single_options(TIMES, stage, r) for r in attainment.CLASSES)
        assert "implicit" not in set(explicit.columns["faults"])
        assert set(explicit.columns["id"]) < set(every.columns["id"])


def test_a_combination_is_of_one_class_and_borrows_one_stage_at_most():
    found = attainment.combinations(TIMES, "all-faults")
    rows = TIMES.set_index("id")
    for combination in found.to_dict("records"):
        for stage in ("detection", "localisation", "recovery"):
            time = rows.loc[combination[f"{stage}_id"]]
            assert time["stage"] == stage and time["faults"] in (combination["fault_class"], "all")
            borrowed = time["operator"] != combination["operator"]
            assert borrowed == (combination["borrowed"] == stage)


def test_combinations_by_hand():
    """Two stages of one operator and one time of each of two others make two combinations; a single stage none."""
    blank = dict.fromkeys(TIMES.columns, "") | {"low_min": 1.0, "high_min": 1.0, "faults": "explicit"}
    rows = [("A", "detection"), ("A", "recovery"), ("B", "localisation"), ("C", "localisation")]
    times = pd.DataFrame([blank | {"operator": who, "stage": stage, "id": who + stage} for who, stage in rows])
    found = attainment.combinations(times, "explicit-faults")
    assert found["localisation_id"].tolist() == ["Blocalisation", "Clocalisation"]
    assert set(found["operator"]) == {"A"} and set(found["borrowed"]) == {"localisation"}


@pytest.mark.parametrize("stage", ["detection", "localisation", "recovery"])
def test_the_joint_claim_holds_no_more_often_than_its_rarest_part_of_the_same_options(stage):
    case = attainment._joint_case(FACTS, COUNTED, "all-faults", ())
    rows = np.arange(len(case.options))
    prediction = case.predict(case.options, rows, {"position_in_range": np.full(len(rows), 0.5)})
    claimed = analysis.claims().set_index("id").loc[[f"reliability.{s}" for s in attainment.STAGES], "value"]
    held = prediction <= claimed.to_numpy()[:, None]
    assert held.all(axis=0).mean() <= held[attainment.STAGES.index(stage)].mean()


def test_the_vendors_statements_change_nothing(tmp_path):
    rows = analysis.load("operations").query("role == 'claim'")["id"]
    table = pd.read_csv(FACTS.root / "measurements" / "operations.csv", dtype=str, keep_default_na=False)
    table.loc[table["id"].isin(rows), "value"] = "7"
    table.to_csv(tmp_path / "operations.csv", index=False)
    for claim in (ATTAINMENT[2], CONSEQUENCES[0]):
        before, after = (analysis.evaluate(claim, detail="verdict", data=data) for data in (None, tmp_path))
        assert before.estimate == after.estimate and before.share == after.share


@pytest.mark.parametrize("claim", [*ATTAINMENT, *CONSEQUENCES])
def test_changing_the_ledger_leaves_every_estimate(tmp_path, claim):
    values = {row.id: {"value": f"{row.value * 3:g}"} for row in analysis.claims().itertuples() if row.value > 0}
    folder = edited(tmp_path, "claims", values, columns=("value",))
    before, after = (analysis.evaluate(claim, detail="verdict", data=data).to_dict() for data in (None, folder))
    assert before["estimate"] == after["estimate"] and before["claimed"] != after["claimed"]


def headline(claim, **pins):
    return analysis.evaluate(claim, detail="point", **pins).estimate


def test_ten_thousand_cards_at_one_rate_by_hand():
    """4 failures in 1,000 node-days on 1,250 nodes: one in 288 minutes."""
    found = headline(CONSEQUENCES[0], failures_per_1000_node_days=4.0, weibull_shape=1.0, checkpoint_interval_min=30.0)
    segment = 30 + 0.5 / 60
    assert found == pytest.approx(100 * 30 / 288 / math.exp(10 / 288) / math.expm1(segment / 288), rel=1e-6)


@pytest.mark.parametrize("claim", CONSEQUENCES)
def test_more_cards_more_failures_and_slower_recovery_never_help(claim):
    for name, values in (
        ("failures_per_1000_node_days", (1.0, 4.0, 16.0)),
        ("cluster_cards" if claim == CONSEQUENCES[0] else "future_cluster_cards", (1000, 10_000, 100_000)),
        ("relative_failure_rate", (0.5, 1.0, 2.0)),
        ("regime", ("3 min", "1-3-10", "30 min", "a day")),
        ("minutes_counted", ("from the fault", "in turn")),
        ("checkpoint_block_s", (0.02, 0.5, 12.98)),
    ):
        found = [headline(claim, **{name: value}) for value in values]
        assert found == sorted(found, reverse=True) and len(set(found)) == len(found), name


def test_readings_count_the_minutes_and_the_cards_as_they_say():
    in_all, in_turn = (goodput.stage_minutes(FACTS, DEFAULTS, reading) for reading in (goodput.IN_ALL, goodput.IN_TURN))
    assert sum(in_all) == 10 and in_all == (1, 2, 7)
    assert sum(in_turn) == 14 and in_turn == (1, 3, 10)
    forced = DEFAULTS | {"minutes_counted": "in turn"}
    assert goodput.stage_minutes(FACTS, forced, goodput.ONE_JOB) == in_turn
    by_hand = DEFAULTS | {"regime": "by hand", "minutes_counted": "from the fault"}
    assert sum(goodput.stage_minutes(FACTS, by_hand, goodput.IN_ALL)) == pytest.approx(22.5)
    values = {"job_cards": np.array([1000.0, 1e6])}
    assert goodput._cards(DEFAULTS, goodput.MANY_JOBS, values).tolist() == [1000, DEFAULTS["future_cluster_cards"]]


def test_many_small_jobs_lose_less_than_one_large_one():
    readings = analysis.evaluate(CONSEQUENCES[1], detail="verdict").readings
    assert readings[goodput.MANY_JOBS]["interval"][0] > readings[goodput.ONE_JOB]["interval"][1]


@pytest.mark.parametrize("claim", CONSEQUENCES)
@pytest.mark.parametrize("pins", [{}, {"weibull_shape": 0.7, "checkpoint_block_s": 12.98}], ids=str)
def test_formula_and_simulation_agree_within_three_standard_errors(claim, pins):
    formula, played = analysis.evaluate(claim, samples=64, **pins).methods.values()
    gap = abs(formula["estimate"] - played["estimate"])
    assert gap <= 3 * played["standard_error"] + 1e-4


def test_a_rate_that_was_set_leaves_one_option():
    record = analysis.evaluate(CONSEQUENCES[0], detail="verdict", failures_per_1000_node_days=1e-6)
    assert record.interval[0] > 99.9 and record.share == 1.0
    assert set(record.evidence["keys"]) == {"fromgeek2025greatwall"}


def test_what_is_no_number_of_cards_is_refused():
    with pytest.raises(ParameterError, match="cluster_cards: 1 is out of range"):
        analysis.evaluate(CONSEQUENCES[0], cluster_cards=1)
    with pytest.raises(ParameterError, match="regime: '1-5-10' is not accepted"):
        analysis.evaluate(CONSEQUENCES[0], regime="1-5-10")


def test_the_model_error_is_that_of_rows_kept_for_testing(tmp_path):
    record = analysis.evaluate(CONSEQUENCES[0], detail="verdict")
    table = pd.read_csv(FACTS.root / "measurements" / "ettr.csv", dtype=str, keep_default_na=False)
    table.loc[table["role"] == "validate", ["value", "bound"]] = ["50", "eq"]
    table.to_csv(tmp_path / "ettr.csv", index=False)
    worse = analysis.evaluate(CONSEQUENCES[0], detail="verdict", data=tmp_path)
    assert worse.model_error[1] > record.model_error[1] and worse.estimate == record.estimate
    # A model that is so far off cannot resolve the claim.
    assert (record.verdict, worse.verdict) == ("reproduced", "conditional")


def test_the_largest_job_and_the_longest_recovery_just_reach_their_level():
    for level in tables.LEVELS:
        cards = tables.largest_job(JOB, 10.0, level)
        assert float(JOB.ettr(cards, 10.0)) == pytest.approx(level, rel=1e-6)
        minutes = tables.longest_recovery_min(JOB, 100_000, level)
        assert float(JOB.ettr(100_000, minutes)) == pytest.approx(level, rel=1e-9)
    assert tables.largest_job(JOB, 1e9, 0.9) == 0.0


def test_needs_of_a_part_that_restarts_by_hand():
    need = tables.needs(JOB, 100_000).query("whose == 'typical rate'").iloc[0]
    between = 1000 * 1440 / (JOB.rate * 12_500)
    assert need["failure_interval_min"] == pytest.approx(between)
    held = partial_ettr(between, need["longest_stall_min"], stalls_included=False)
    assert held == pytest.approx(need["level"] / 100)


def test_an_hour_has_sixty_minutes_under_every_regime_and_the_sentence_is_counted_twice():
    hour = tables.hour_of_training(FACTS, JOB, 10_000)
    assert hour.sum(axis=1).tolist() == pytest.approx([60.0] * len(hour))
    assert {"1-3-10, 10 min", "1-3-10, 14 min"} <= set(hour.index)
    assert hour["useful"].is_monotonic_decreasing
    assert tables.regime_label(FACTS, "1-3-10") == "1-3-10, 10 min"


def test_what_each_number_buys_is_the_gain_of_its_minutes():
    gains = tables.stage_gains(FACTS, JOB, 10_000)
    saved = gains["before_min"] - gains["after_min"]
    # The recovery enters as a sum, so the stage that saves most minutes gains and decides most.
    assert gains["alone_points"].idxmax() == gains["sobol"].idxmax() == saved.idxmax()
    # Of an exponential of a sum of three: 1 - Var(E[f | others]) / Var(f), by hand for each uniform factor.
    between = float(JOB.between_min(10_000))
    ends = gains[["after_min", "before_min"]].to_numpy()
    mean = [between * (math.exp(-a / between) - math.exp(-b / between)) / (b - a) for a, b in ends]
    square = [between / 2 * (math.exp(-2 * a / between) - math.exp(-2 * b / between)) / (b - a) for a, b in ends]
    whole = math.prod(square) - math.prod(mean) ** 2
    for place, index in enumerate(gains["sobol"]):
        others = [place_ for place_ in range(3) if place_ != place]
        inside = (square[place] - mean[place] ** 2) * math.prod(square[other] for other in others)
        assert index == pytest.approx(inside / whole, abs=0.03)


def test_implicit_faults_that_take_longer_cost_their_share():
    table = scrutiny.slow_faults(FACTS, JOB, 10_000).set_index("regime")["ettr"]
    share = scrutiny.implicit_share(FACTS)
    assert share == pytest.approx(6096 / (6096 + 39687))
    sentence, hour = (100 * float(JOB.ettr(10_000, minutes)) for minutes in (10.0, 60.0))
    assert table["1-3-10, 10 min"] == pytest.approx(sentence)
    assert table["60 min"] == pytest.approx((1 - share) * sentence + share * hour)


def test_the_vendors_two_figures_by_hand():
    stated = scrutiny.vendor_consistency(FACTS, JOB, 10_000).set_index("reading")
    assert stated.loc["of the whole cluster", "failure_interval_min"] == 24 * 60
    # 10,000 cards are a little over 26 supernodes of 384.
    assert stated.loc["of each supernode", "failure_interval_min"] == pytest.approx(24 * 60 * 384 / 10_000)
    for row in stated.itertuples():
        interval = JOB.block_min, row.failure_interval_min
        best = scrutiny.best_interval_by_search(interval[1], interval[0])
        assert 100 * exponential_ettr(interval[1], row.recovery_min, best, interval[0]) == pytest.approx(98, abs=0.7)


def test_the_best_interval_is_what_a_search_finds():
    for cards in (1000, 10_000, 100_000):
        between = float(JOB.between_min(cards))
        searched = scrutiny.best_interval_by_search(between, JOB.block_min)
        assert float(JOB.checkpoint_interval_min(cards)) == pytest.approx(searched, rel=1e-3)


def test_a_faster_target_makes_a_cheaper_checkpoint():
    table = scrutiny.checkpoints(FACTS, JOB, 10_000)
    by_target = table.pivot(index="model", columns="target", values="cost_percent")
    assert (by_target["memory of the hosts"] < by_target["shared storage"]).all()
    # 405 billion parameters of 14 bytes at 2 TB/s.
    first = table.iloc[0]
    assert first["seconds"] == pytest.approx(405 * 14 / 2000)
    assert first["young_min"] == pytest.approx(math.sqrt(2 * first["seconds"] / 60 * float(JOB.between_min(10_000))))


def test_spares_that_suffice_and_half_of_them():
    table = tables.spares(JOB, 10_000, tables.repair_days(FACTS))
    assert table["in_repair"].tolist() == pytest.approx([1.25 * JOB.rate * d for d in table["repair_days"]])
    assert table["spares"].is_monotonic_increasing and (table["waiting"] < 100).all()


def test_a_pinned_rate_reaches_the_tables():
    pinned = typical_job(FACTS, DEFAULTS | {"failures_per_1000_node_days": 2.0, "relative_failure_rate": 1.5})
    assert (pinned.rate, pinned.rate_low, pinned.rate_high) == (3.0, 3.0, 3.0)
    fixed = typical_job(FACTS, DEFAULTS | {"checkpoint_interval_min": 60.0})
    assert float(fixed.checkpoint_interval_min(10_000)) == 60.0


def test_measured_points_keep_their_bounds():
    points = tables.measured_points(FACTS).set_index("id")
    assert points.loc["OP055", ["low", "high"]].tolist() == [90, 100]
    assert points.loc["OP064", ["low", "high"]].tolist() == [0, 97]
    assert points["accelerators"].notna().all()


@pytest.mark.parametrize("claim", [*ATTAINMENT, *CONSEQUENCES])
def test_a_record_is_complete_and_repeats_itself(claim):
    first, again = (json.dumps(analysis.evaluate(claim, samples=256).to_dict()) for _ in range(2))
    record = json.loads(first)
    assert first == again and record["methods_agree"] and len(record["lines"]) >= 2
    assert "NaN" not in first and "Infinity" not in first
