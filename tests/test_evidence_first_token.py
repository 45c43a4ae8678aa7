"""Published times to first token: conditions alone, recovery of known constants, the closed form beside the steps."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.errors import DataError
from analysis.evidence import first_token_fit
from analysis.evidence.cache_pool import CACHE_POOL, SHOWN
from analysis.evidence.calibrate import constants
from analysis.evidence.errors import scored
from analysis.evidence.first_token import predict_first_token, prefiller, tier_GBps
from analysis.evidence.first_token_cases import counted, factors_of
from analysis.evidence.first_token_errors import repeats, reuse_errors
from analysis.evidence.first_token_fit import BUDGETS, FIRST_TOKEN
from analysis.evidence.first_token_setup import DEFAULT_BUDGET, OPEN_BUDGETS, UNITS, budget_name, setup_of
from analysis.evidence.predict import predict_file
from analysis.evidence.quantities import QUANTITIES
from analysis.facts import DATA, open_facts
from analysis.facts.transformers import transformer
from analysis.models.first_token import first_token_s

GOAL = 0.05
ROW = {
    "quantity": "ttft",
    "engine": "vLLM",
    "accelerator": "H20",
    "accelerators": "2",
    "model": "QwQ-32B",
    "input_tokens": "6000",
    "concurrency": "1",
    "prefix_hit_fraction": "0",
    "tier": "none",
    "arrival": "single",
}
POOL = {
    "quantity": "prefill_throughput_gain",
    "accelerator": "910C",
    "model": "DeepSeek-R1 INT8",
    "precision": "INT8",
    "input_tokens": "4096",
    "prefix_hit_fraction": "0.5",
    "tier": "ub_pool",
}


@pytest.fixture(scope="module")
def facts():
    return open_facts()


def ms(facts, **changes):
    value, note = predict_first_token(ROW | changes, facts)
    assert value is not None, note
    return value


@pytest.fixture(scope="module")
def rows(facts):
    return FIRST_TOKEN.rows(facts)


def test_known_constants_are_found_again_from_the_times_that_they_give(facts, rows, monkeypatch):
    monkeypatch.setattr(first_token_fit, "MARGIN", 0.0)
    known = {name: one.value for name, one in constants(facts).items() if name in FIRST_TOKEN.units}
    known |= {"load_nfs_ssd": 4.0, "prefill_h20_matrix_share": 0.8, "sglang_request": 30.0, "prefill_fill": 150.0}
    known[budget_name("ucm-nfs-h20-2-qwq32b")] = 32768.0
    made = rows.assign(value=(1 + FIRST_TOKEN.errors(rows, known)) * rows["value"])
    found = FIRST_TOKEN.solve(made)
    assert found == pytest.approx(known, rel=1e-3)


def test_fewer_than_a_third_as_many_constants_as_rows(rows):
    assert 3 * len(FIRST_TOKEN.units) < len(rows)
    assert set(FIRST_TOKEN.units) == set(UNITS) | {budget_name(name) for name in OPEN_BUDGETS}


def test_every_constant_is_informed_and_budgets_by_one_loaded_row_each(rows):
    informing = FIRST_TOKEN.informs(rows)
    assert set(informing) == set(FIRST_TOKEN.units)
    assert {name: int(mask.sum()) for name, mask in informing.items() if name not in UNITS} == {
        budget_name(name): 1 for name in OPEN_BUDGETS
    }
    assert all(mask.any() for mask in informing.values())


@pytest.mark.parametrize("fraction", ["0", "0.64"])
def test_the_closed_form_gives_what_one_request_in_one_step_takes(facts, fraction):
    one = prefiller(facts, "H20", 2, "QwQ-32B")
    model = transformer(facts, "QwQ-32B")
    # Tensor parallelism halves what a card loads: both are filled at once.
    load_GBps = 2 * tier_GBps(facts, "nfs_ssd")
    closed = first_token_s(model, one, 6000, float(fraction), load_GBps)
    assert ms(facts, prefix_hit_fraction=fraction, tier="nfs_ssd") == pytest.approx(1e3 * float(closed), rel=1e-9)


def test_an_engine_that_hands_over_and_one_that_waits_beside_take_what_was_fitted(facts):
    values = constants(facts)
    plain, apart = prefiller(facts, "H20", 4, "QwQ-32B"), prefiller(facts, "H20", 4, "QwQ-32B", disaggregated=True)
    assert apart.fixed_s - plain.fixed_s == pytest.approx(values["prefill_handover"].value / 1e3)
    other = prefiller(facts, "H20", 4, "QwQ-32B", engine="SGLang")
    assert other.fixed_s == pytest.approx(values["sglang_request"].value / 1e3)
    assert plain.step_s - other.step_s == pytest.approx(64 * values["vllm_prefill_layer"].value / 1e3)


@pytest.mark.parametrize("hit", ["0", "0.8"])
@pytest.mark.parametrize("engine", ["vLLM", "SGLang"])
def test_more_requests_and_longer_prompts_take_longer(facts, hit, engine):
    cells = {"prefix_hit_fraction": hit, "tier": "dram_then_ssd", "engine": engine}
    loaded = [ms(facts, concurrency=str(count), **cells) for count in (1, 2, 4, 8, 16, 32)]
    longer = [ms(facts, input_tokens=str(length), **cells) for length in (64, 500, 2000, 9000, 40_000, 200_000)]
    assert loaded == sorted(loaded)
    assert longer == sorted(longer)


def test_cached_tokens_cost_less_than_computed_ones_where_they_lie_in_the_accelerators_memory(facts):
    times = [ms(facts, tier="hbm", prefix_hit_fraction=str(hit)) for hit in (1, 0.9, 0.5, 0.1, 0)]
    assert times == sorted(times)


def test_a_slow_storage_limits_all_cards_together(facts):
    cells = {"tier": "nfs_ssd", "prefix_hit_fraction": "0.8"}
    fast, slow = (ms(facts, storage_GBps=rate, **cells) for rate in ("1000", "0.5"))
    assert fast == pytest.approx(ms(facts, **cells))
    # 37 blocks of 128 tokens, 64 layers of 2 x 8 heads x 128 values of 2 bytes.
    size = 37 * 128 * 64 * 2 * 8 * 128 * 2
    assert slow - fast == pytest.approx(1e3 * (size / 0.5e9 - size / 2e9 / tier_GBps(facts, "nfs_ssd")), rel=1e-6)


def test_a_stated_budget_wins_over_the_fitted_one_and_an_unknown_deployment_takes_the_default(facts):
    crowd = {"concurrency": "8", "deployment": "ucm-3fs-h100-2-qwq32b"}
    assert ms(facts, **crowd) > ms(facts, **crowd, max_batched_tokens=str(DEFAULT_BUDGET))
    unknown = ms(facts, concurrency="8", deployment="somebody else's")
    assert unknown == ms(facts, concurrency="8", max_batched_tokens=str(DEFAULT_BUDGET))


def test_cards_engines_and_tiers_without_constants_get_typical_ones_with_a_note(facts):
    value, note = predict_first_token(ROW | {"accelerator": "910B"}, facts)
    assert value > 0 and "performance core" in note
    value, note = predict_first_token(ROW | {"tier": "remote", "prefix_hit_fraction": "0.5"}, facts)
    assert value > 0 and "remote" in note


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"accelerator": ""}, "column accelerator: blank"),
        ({"accelerator": "H2O"}, "Did you mean"),
        ({"input_tokens": ""}, "column input_tokens"),
        ({"tensor_parallel": "4", "data_parallel": "2"}, "more than 2 ranks"),
    ],
)
def test_what_cannot_be_predicted_is_empty_with_a_reason(facts, changes, reason):
    value, note = predict_first_token(ROW | changes, facts)
    assert value is None
    assert reason in note


def test_predictions_see_conditions_alone_and_are_the_same_in_any_order(tmp_path):
    own = DATA / "measurements" / "ttft.csv"
    table = pd.read_csv(own, dtype=str, keep_default_na=False)
    # Measured values and roles replaced, names too, and the order turned round.
    changed = table.assign(value="1", role="context", note="", id=[f"x{place}" for place in range(len(table))])
    changed[::-1].to_csv(tmp_path / "ttft.csv", index=False)
    found = predict_file(tmp_path / "ttft.csv")
    assert predict_file(own)["predicted"].tolist() == found["predicted"].tolist()[::-1]


def test_half_of_the_rows_that_were_not_fitted_are_within_the_goal(facts):
    found = scored(facts, ("ttft",), ("validate",))
    assert found["predicted"].notna().all()
    assert found["error"].abs().median() <= GOAL


def test_ratios_pair_one_deployment_with_itself_and_never_two_fitted_rows(facts):
    pairs, table = reuse_errors(facts), facts.table("ttft").set_index("id")
    assert len(pairs)
    for one in pairs.itertuples():
        first, second = table.loc[one.first], table.loc[one.second]
        assert float(first["prefix_hit_fraction"]) > float(second["prefix_hit_fraction"])
        assert "validate" in (first["role"], second["role"])
        assert one.measured == pytest.approx(first["value"] / second["value"])
        assert one.error == pytest.approx(one.predicted / one.measured - 1)


def test_repeats_differ_in_nothing_that_is_stated(facts):
    found, table = repeats(facts), facts.table("ttft").set_index("id")
    assert (found["ratio"] >= 1).all()
    for one in found.itertuples():
        for column in ("model", "accelerator", "accelerators", "input_tokens", "concurrency", "prefix_hit_fraction"):
            assert table.loc[one.first, column] == table.loc[one.second, column]


def test_steps_of_every_budget_hold_the_same_work(facts):
    setup, _ = setup_of(ROW | {"concurrency": "5", "input_tokens": "20000"}, facts)
    values = {name: one.value for name, one in constants(facts).items()}
    work = []
    for budget in BUDGETS:
        (found,) = counted(replace(setup, engine="SGLang"), budget)
        # Without fixed time, all steps together take what one prompt takes, five times.
        free = factors_of(values | {"prefill_fill": 0.0, "prefill_expert_layer_launch": 0.0})
        work.append(float((found.forms[0] @ free).sum()))
    assert np.allclose(work, work[0], rtol=1e-9)


def test_what_a_pool_gives_grows_with_the_hit_and_shrinks_on_the_slower_link(facts):
    predict = QUANTITIES["prefill_throughput_gain"].predict
    gains = [predict(POOL | {"prefix_hit_fraction": hit}, facts)[0] for hit in ("0.1", "0.5", "0.9")]
    assert gains == sorted(gains)
    assert 1 < predict(POOL | {"tier": "vpc_pool"}, facts)[0] < predict(POOL, facts)[0]
    cut, _ = predict(POOL | {"quantity": "ttft_reduction"}, facts)
    assert cut == pytest.approx(100 * (1 - 1 / predict(POOL, facts)[0]))


def test_throughput_from_reuse_stays_below_one_over_what_is_left(facts):
    for hit in (0.2, 0.5, 0.8):
        gain, _ = QUANTITIES["prefill_throughput_gain"].predict(POOL | {"prefix_hit_fraction": str(hit)}, facts)
        assert gain < 1 / (1 - hit)


def test_the_pool_row_determines_its_one_constant(facts):
    rows = CACHE_POOL.rows(facts)
    assert len(rows) == 1
    assert CACHE_POOL.errors(rows, CACHE_POOL.solve(rows)) == pytest.approx([0], abs=1e-9)
    # A gain that the recomputed part alone forbids is clipped to what physics allows.
    assert CACHE_POOL.solve(rows.assign(value=9.0))[SHOWN] == pytest.approx(1e9)
    assert CACHE_POOL.solve(rows.assign(value=1e-9))[SHOWN] == pytest.approx(0.01)


def test_an_unknown_pool_tier_is_named(facts):
    value, note = QUANTITIES["ttft_reduction"].predict(POOL | {"tier": "tape"}, facts)
    assert value is None and "tape" in note


def test_an_unknown_tier_has_no_fitted_rate(facts):
    with pytest.raises(DataError, match="no fitted rate"):
        tier_GBps(facts, "tape")
