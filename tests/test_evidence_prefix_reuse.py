"""Prefix reuse on this machine: the same answers, constants found again in made-up times, the bound; no time tested."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import ParameterError
from analysis.evidence import prefix_reuse, prefix_reuse_fit
from analysis.evidence.prefix_reuse import COLUMNS, FILE, FULL, LOAD, MEMORY, RECOMPUTED, Pool
from analysis.models.first_token import Prefiller
from analysis.models.small_transformer import decoder_shape, empty_cache

SIZES = {"layers": 2, "width": 32, "heads": 4, "key_value_heads": 2, "repeats": 2, "seed": 0, "budget_s": 1.0}
SMALL = prefix_reuse.plan("16, 70, 130", "0.5, 0.9", **SIZES)
SHAPE = decoder_shape(4, 128, 4, 2)
ROOT = Path(__file__).resolve().parents[1]
TRUE = {"fixed_s": 2e-3, "matrix": 40e9, "attention": 9e9, "load_GBps": 1.5, "lookup_s": 3e-4}


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def pairs_by_hand(suffix, prompt):
    return sum(range(prompt - suffix + 1, prompt + 1))


def made_up_seconds(what, tier, prompt, cached):
    """Seconds from operations counted here, without the model: 2 per weight and token, 4 per pair and value."""
    width, keys, inner = 128, 64, 352
    weights = 4 * (2 * width * width + 2 * width * keys + 3 * width * inner + 2 * width)
    load = cached * 4 * 2 * keys * 4 / (TRUE["load_GBps"] * 1e9) + TRUE["lookup_s"] if tier == FILE else 0.0
    if what == LOAD:
        return load
    suffix = prompt - cached
    matrices = (2 * weights * suffix + 2 * 2048 * width) / TRUE["matrix"]
    attention = 4 * 4 * width * pairs_by_hand(suffix, prompt) / TRUE["attention"]
    return TRUE["fixed_s"] + matrices + attention + load


def made_up_runs(slower=lambda number: 1.0):
    cases = [(FULL, RECOMPUTED, prompt, 0) for prompt in (128, 256, 512, 1024)]
    cases += [(FULL, tier, prompt, prompt // 2) for prompt in (128, 256, 512, 1024) for tier in (MEMORY, FILE)]
    cases += [(LOAD, FILE, cached, cached) for cached in (64, 128, 256, 512)]
    rows = [(number, *case, made_up_seconds(*case) * slower(number), 0.0) for number in range(4) for case in cases]
    return pd.DataFrame(rows, columns=COLUMNS)


def test_constants_are_found_again_in_made_up_times():
    machine = prefix_reuse_fit.prefiller(SHAPE, made_up_runs())
    assert machine.fixed_s == pytest.approx(TRUE["fixed_s"], rel=1e-6)
    assert machine.peak_tflops * 1e12 == pytest.approx(TRUE["matrix"], rel=1e-6)
    assert machine.attention_tflops * 1e12 == pytest.approx(TRUE["attention"], rel=1e-6)
    loads = prefix_reuse_fit.load_rates(SHAPE, made_up_runs())
    assert list(loads) == [MEMORY, FILE]
    assert loads[FILE] == pytest.approx((TRUE["load_GBps"], TRUE["lookup_s"]), rel=1e-6)


def test_rounds_that_were_slowed_down_change_nothing():
    slow, quiet = made_up_runs(lambda number: 1.0 if number == 2 else 3.0), made_up_runs()
    assert prefix_reuse_fit.prefiller(SHAPE, slow) == prefix_reuse_fit.prefiller(SHAPE, quiet)


def test_runs_with_a_prefix_do_not_enter_the_fit():
    runs = made_up_runs()
    runs.loc[runs["tier"] != RECOMPUTED, "seconds"] *= 7
    assert prefix_reuse_fit.prefiller(SHAPE, runs) == prefix_reuse_fit.prefiller(SHAPE, made_up_runs())


def test_cuts_of_made_up_times_are_predicted_exactly():
    runs = made_up_runs()
    machine, loads = prefix_reuse_fit.prefiller(SHAPE, runs), prefix_reuse_fit.load_rates(SHAPE, runs)
    rows = prefix_reuse_fit.compared(SHAPE, runs, machine, loads)
    assert len(rows) == 8 and list(rows["predicted"]) == pytest.approx(list(rows["cut"]), abs=1e-9)
    assert (rows["cut"] < rows["fraction"]).all() and (rows["halves"] == 0).all()
    assert list(rows["low"]) == list(rows["high"]) == pytest.approx(list(rows["cut"]))
    told = prefix_reuse_fit.agreement(rows)
    assert list(told.index) == [MEMORY, FILE, "all"] and told.loc["all", "worst"] < 1e-9
    assert told.loc["all", "cases"] == 8 and told.loc["all", "above"] == 0
    fitted = prefix_reuse_fit.without_reuse(SHAPE, runs, machine).dropna()
    assert list(fitted["predicted"]) == pytest.approx(list(fitted["seconds"]))


def test_the_spread_is_that_of_the_repeats():
    """Rounds in which all is slower by one factor have the same cuts; a slower case alone has not."""
    runs = made_up_runs(lambda number: 1.0 + number)
    late = (runs["tier"] == FILE) & (runs["prompt_tokens"] == 256) & (runs["round"] % 2 == 1)
    runs.loc[late, "seconds"] *= 1.2
    rows = prefix_reuse_fit.compared(SHAPE, runs, Prefiller(1.0, 1.0), dict.fromkeys((MEMORY, FILE), (np.inf, 0.0)))
    moved = (rows["tier"] == FILE) & (rows["prompt_tokens"] == 256)
    assert (rows.loc[moved, "halves"] > 0.01).all() and (rows.loc[~moved, "halves"] < 1e-9).all()
    assert (rows["high"] - rows["low"] > 0.01).tolist() == moved.tolist()


positive = st.floats(1e-6, 1e6)


@given(positive, positive, st.floats(0, 1e3), st.floats(1e-6, 1), positive, st.integers(2, 5000), st.floats(0, 1))
def test_no_cut_exceeds_the_cached_fraction(matrices, attention, fixed_s, launch_s, load_GBps, prompt, fraction):
    machine = Prefiller(matrices, 0.5, fixed_s, attention_tflops=attention, launch_s=launch_s)
    for shape in (SHAPE, replace(SHAPE, sliding_window=100)):
        for load in ((np.inf, 0.0), (load_GBps, 1e-4)):
            assert prefix_reuse_fit.cut(shape, machine, prompt, fraction * prompt, load) <= fraction + 1e-9


def test_the_bound_is_met_where_only_matrices_take_time():
    """No attention, no fixed time, no load, no head: the cut is the cached fraction itself."""
    machine = Prefiller(1.0, 1.0, attention_tflops=np.inf)
    headless = replace(SHAPE, vocabulary=0)
    assert prefix_reuse_fit.cut(headless, machine, 100, [25, 50, 90]) == pytest.approx([0.25, 0.5, 0.9])
    assert prefix_reuse_fit.largest_excess(headless, [100], [0.25, 0.5], seed=0, machines=50) <= 1e-12


def test_logits_agree_from_memory_and_from_the_file():
    found = prefix_reuse.logit_differences(SMALL)
    cases = {(tier, prompt, cached) for tier, prompt, cached, _ in found}
    assert cases == {
        (tier, *case)
        for tier in (MEMORY, FILE)
        for case in ((16, 8), (16, 14), (70, 35), (70, 63), (130, 65), (130, 117))
    }
    assert all(off < prefix_reuse.ROUNDING for *_, off in found)


def test_a_pool_gives_back_the_prefix_and_nothing_more(tmp_path):
    cache = np.random.default_rng(0).random(empty_cache(SHAPE, 20).shape, dtype=np.float32)
    pool, into = Pool(tmp_path / "pool", cache), np.zeros_like(cache)
    if hasattr(os, "posix_fadvise"):
        pool.evict()
    pool.read_into(into, 7)
    np.testing.assert_array_equal(into[:, :, :, :7], cache[:, :, :, :7])
    assert not into[:, :, :, 7:].any()


def test_every_case_is_timed_in_every_round_in_another_process():
    before = {name: os.environ.get(name) for name in prefix_reuse.THREADS}
    with prefix_reuse.single_threaded() as process:
        runs = prefix_reuse.measured(SMALL, process)
        assert process.submit(os.getpid).result() != os.getpid()
        assert process.submit(os.getenv, prefix_reuse.THREADS[0]).result() == "1"
    assert list(runs.columns) == list(COLUMNS) and (runs["seconds"] > 0).all() and (runs["waited_s"] >= 0).all()
    cases = runs.groupby("round").apply(lambda part: sorted(zip(*(part[name] for name in COLUMNS[1:5]), strict=True)))
    assert len(cases) == SMALL.repeats and all(found == sorted(SMALL.cases()) for found in cases)
    assert {name: os.environ.get(name) for name in prefix_reuse.THREADS} == before


def test_the_process_ends_with_a_parent_that_is_killed():
    program = (
        "import os; from analysis.evidence import prefix_reuse\n"
        "if __name__ == '__main__':\n"
        "    process = prefix_reuse.single_threaded()\n"
        "    print(process.submit(os.getpid).result(), flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    child, until = int(done.stdout), time.monotonic() + 30
    while alive(child) and time.monotonic() < until:
        time.sleep(0.02)
    assert not alive(child)


def test_no_round_but_two_begins_after_the_budget():
    runs = prefix_reuse.timings(replace(SMALL, repeats=50, budget_s=1e-9))
    assert {number for number, *_ in runs} == {0, 1}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"lengths": "64, 64, 128"}, "lengths: .*3 different"),
        ({"lengths": "64, many"}, "lengths: '64, many'; expected whole numbers"),
        ({"fractions": "0.5, 1"}, "fractions: .*between 0 and 1"),
        ({"fractions": ""}, "fractions: ''"),
        ({"width": 36}, "width: 36; expected a multiple of twice the 4 heads"),
        ({"key_value_heads": 3}, "key_value_heads: 3; expected a divisor of the 4 heads"),
        ({"repeats": 1}, "repeats: 1; expected a whole number of 2 or more"),
        ({"layers": True}, "layers: True"),
        ({"seed": -1}, "seed: -1"),
        ({"budget_s": float("nan")}, "budget_s: nan"),
    ],
)
def test_a_plan_that_cannot_be_timed_is_refused(changed, told):
    with pytest.raises(ParameterError, match=told):
        prefix_reuse.plan(**{"lengths": "16, 32, 64", "fractions": "0.5"} | SIZES | changed)
