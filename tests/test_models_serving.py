"""The serving simulation: against queueing theory, a plain step-by-step loop, a prefix cache, and what must hold."""

import dataclasses
import math
import tracemalloc
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving_reference import Reference

from analysis.errors import ParameterError
from analysis.facts.traces import TRACES, read_trace, trace_of
from analysis.models import serving_world
from analysis.models.prefill_queue import schedule
from analysis.models.prefix_cache import request_hits
from analysis.models.queueing import closed_deterministic_response_s, closed_response_s, mg1_wait_s
from analysis.models.serving import simulate, summarise, unshared
from analysis.models.serving_setup import Clients, Costs, Fleet, Renewal, Storage, Workload

# Binary fractions: sums of times are exact, so that events at one time are so in both computations.
TICK = 2.0**-10
PLAIN = Costs(token_s=TICK)


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Compile before Hypothesis looks at the clock."""
    simulate(Workload(unshared([1])), Fleet(PLAIN))


@pytest.fixture(scope="module", params=TRACES)
def published(request):
    return read_trace(TRACES[request.param])


def tree_trace(paths, lengths, outputs, times):
    """A trace whose blocks are named by the whole prefix; `lengths` are tokens in the last blocks."""
    names = {}
    ids = [names.setdefault(tuple(path[: i + 1]), len(names)) for path in paths for i in range(len(path))]
    inputs = [512 * (len(path) - 1) + length for path, length in zip(paths, lengths, strict=True)]
    return trace_of(times, inputs, outputs, [len(path) for path in paths], ids)


@st.composite
def traces(draw):
    count = draw(st.integers(1, 9))
    column = lambda one: draw(st.lists(one, min_size=count, max_size=count))  # noqa: E731
    paths = column(st.lists(st.integers(0, 1), min_size=1, max_size=4))
    times = np.cumsum(column(st.sampled_from([0, 0, 125, 250, 1000, 5000])))
    return tree_trace(paths, column(st.integers(1, 512)), column(st.integers(1, 12)), times.astype(float))


SECONDS = st.sampled_from([0.0, TICK / 8, TICK / 2, TICK])


@st.composite
def fleets(draw):
    costs = Costs(
        token_s=TICK / draw(st.sampled_from([1, 4, 16])),
        pair_s=draw(st.sampled_from([0.0, 2.0**-20])),
        kv_token_s=draw(st.sampled_from([0.0, 2.0**-14])),
        step_s=draw(st.sampled_from([TICK, 8 * TICK])),
        weights_s=draw(st.sampled_from([0.0, 64 * TICK])),
        output_s=draw(SECONDS),
        communication_s=draw(SECONDS),
        sequence_s=draw(SECONDS),
    )
    storage = Storage(
        hbm_blocks=draw(st.integers(0, 6)),
        dram_blocks=draw(st.sampled_from([0, 3, 8])),
        pool_blocks=draw(st.sampled_from([0, 4, math.inf])),
        dram_token_s=draw(st.sampled_from([0.0, TICK / 4, math.inf])),
        pool_token_s=draw(st.sampled_from([0.0, TICK / 2, math.inf])),
        fabric_token_s=draw(st.sampled_from([0.0, TICK / 2])),
        lookup_s=draw(SECONDS),
        hidden=draw(st.sampled_from([0.0, 0.5, 1.0])),
        always_load=draw(st.booleans()),
    )
    layout = draw(st.sampled_from(["prefill", "together", "apart"]))
    return Fleet(
        costs,
        storage,
        instances=draw(st.integers(1, 3)),
        layout=layout,
        decoders=draw(st.integers(1, 2)) if layout == "apart" else 0,
        transfer_token_s=draw(SECONDS),
        routing=draw(st.sampled_from(["round robin", "least loaded", "cache-aware"])),
        budget_tokens=draw(st.sampled_from([4, 300, 700, 4096, math.inf])),
        chunked=draw(st.booleans()),
        prompts_a_step=draw(st.sampled_from([1, 2, math.inf])),
        sequences=draw(st.sampled_from([1, 2, 4])),
        kv_tokens=draw(st.sampled_from([2100, 4000, math.inf])),
    )


ARRIVALS = st.one_of(st.none(), st.builds(Clients, st.integers(1, 4), st.sampled_from([0.0, 0.25, 16.0])))


@given(traces(), fleets(), ARRIVALS)
@settings(max_examples=200, deadline=None)
def test_every_request_as_in_a_loop_over_single_steps(trace, fleet, arrivals):
    workload = Workload(trace, arrivals)
    expected = Reference(workload, fleet).run()
    served = simulate(workload, fleet)
    arrival, first, last = np.array(expected.times, dtype=float).T
    np.testing.assert_allclose(served.arrival_s, arrival, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(served.ttft_s, first - arrival, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(served.end_to_end_s, last - arrival, rtol=1e-9, atol=1e-9)
    assert np.transpose(list(served.hit_tokens.values())).tolist() == expected.hits
    assert served.instance.tolist() == expected.where
    np.testing.assert_allclose(served.busy_s, [one.busy_s for one in expected.instances], rtol=1e-9, atol=1e-9)
    assert (served.times_served == 1).all()
    assert served.request_seconds == pytest.approx(served.end_to_end_s.sum(), rel=1e-12, abs=1e-9)


def mean_and_error(values):
    return np.mean(values), np.std(values, ddof=1) / np.sqrt(len(values))


# Tokens of a second's work, many enough that rounding to whole ones does not show.
SECOND = 1_000_000
SERVER = Fleet(Costs(token_s=1 / SECOND), prompts_a_step=1)


@pytest.mark.parametrize("load", [0.3, 0.8])
@pytest.mark.parametrize("shape", [0.5, 1.0, math.inf], ids=["varied", "exponential", "equal"])
def test_one_server_waits_as_long_as_queueing_theory_says(load, shape):
    waits = []
    for seed in range(24):
        rng = np.random.default_rng([seed, 9])
        needs = rng.gamma(shape, 1 / shape, 40_000) if shape < math.inf else np.ones(40_000)
        trace = unshared(np.maximum(1, np.rint(SECOND * needs)))
        waits.append(simulate(Workload(trace, Renewal(load)), SERVER, seed).waited_s[4000:].mean())
    mean, error = mean_and_error(waits)
    assert abs(mean - mg1_wait_s(load, 1.0, 1 / shape)) < 3 * error


@pytest.mark.parametrize("clients, think_s", [(1, 2.0), (5, 0.0), (5, 2.0), (12, 8.0)])
def test_exponential_closed_loop_responds_as_mean_value_analysis_says(clients, think_s):
    responses = []
    for seed in range(24):
        needs = np.random.default_rng([seed, 10]).exponential(SECOND, 20_000)
        workload = Workload(unshared(np.maximum(1, np.rint(needs))), Clients(clients, think_s, exponential=True))
        responses.append(simulate(workload, SERVER, seed).end_to_end_s[2000:].mean())
    mean, error = mean_and_error(responses)
    assert abs(mean - closed_response_s(clients, 1.0, think_s)) < 3 * error


@given(st.integers(1, 8), st.sampled_from([0.0, 0.5, 2.0, 7.5]))
def test_a_steady_closed_loop_waits_for_nobody_or_never_idles(clients, think_s):
    served = simulate(Workload(unshared(np.full(100, SECOND)), Clients(clients, think_s)), SERVER)
    expected = closed_deterministic_response_s(clients, 1.0, think_s)
    np.testing.assert_allclose(served.end_to_end_s[3 * clients : 90], expected, rtol=1e-12)


@given(
    st.integers(200, 2500),
    st.sampled_from([0, 150]),
    st.integers(1, 6),
    st.sampled_from([256, 512, 2048]),
    st.sampled_from([0, 2, 7]),
    st.booleans(),
    st.booleans(),
)
@settings(deadline=None)
def test_equal_prompts_wait_as_long_as_a_schedule_without_clock_says(prompt, cached, count, budget, out, cut, closed):
    """One client that asks again and again, or a burst that comes just after an idle engine has started."""
    chunked = cut or out > 0
    steps = schedule(prompt, cached, 1 if closed else count, count, budget, out, chunked=chunked)
    fleet = Fleet(
        Costs(token_s=1e-4, pair_s=1e-7, kv_token_s=1e-7, step_s=0.01),
        layout="together" if out else "prefill",
        budget_tokens=budget,
        chunked=chunked,
    )
    burst = dataclasses.replace(unshared([prompt] * count, max(out, 1)), timestamps_ms=1.0 * (np.arange(count) > 0))
    workload = Workload(burst, Clients(1) if closed else None, speed=1e9, cached_tokens=cached)
    expected = steps.waiting @ (0.01 + 1e-4 * steps.tokens + 1e-7 * steps.pairs)
    assert simulate(workload, fleet).ttft_s.mean() == pytest.approx(expected, rel=1e-9)


def test_gamma_arrivals_have_their_rate_and_variation():
    workload = Workload(unshared(np.ones(200_000)), Renewal(4.0, squared_variation=2.5))
    between = np.diff(simulate(workload, SERVER, seed=4).arrival_s)
    assert between.mean() == pytest.approx(0.25, rel=0.02)
    assert between.var() / between.mean() ** 2 == pytest.approx(2.5, rel=0.05)


def test_regular_arrivals_below_full_load_never_wait():
    served = simulate(Workload(unshared(np.full(50, SECOND)), Renewal(0.9, squared_variation=0)), SERVER)
    assert np.abs(served.waited_s).max() < 1e-12


COSTS = Costs(token_s=2e-5, pair_s=2e-10, kv_token_s=2e-9, step_s=0.004, weights_s=0.01, sequence_s=1e-5, output_s=1e-6)
STORED = Storage(hbm_blocks=3000, dram_blocks=8000, pool_blocks=40_000, pool_token_s=2e-6, fabric_token_s=1e-7)
LAYOUTS = {
    "prefill": Fleet(COSTS, STORED, instances=8),
    "together": Fleet(COSTS, STORED, instances=8, layout="together", budget_tokens=2048, kv_tokens=400_000),
    "whole prompts": Fleet(COSTS, STORED, instances=8, layout="together", chunked=False, kv_tokens=400_000),
    "apart": Fleet(
        COSTS, STORED, instances=5, layout="apart", decoders=3, transfer_token_s=1e-6, kv_tokens=400_000, sequences=64
    ),
}


@pytest.fixture(scope="module", params=LAYOUTS)
def layout(request):
    return LAYOUTS[request.param]


def test_nothing_is_lost_or_served_twice_and_littles_law_holds_on_its_own_counts(published, layout):
    served = simulate(Workload(published), layout)
    assert (served.times_served == 1).all()
    assert served.request_seconds == pytest.approx(served.end_to_end_s.sum(), rel=1e-9)
    assert (served.waited_s >= 0).all() and (served.ttft_s > served.waited_s).all()
    assert (served.end_to_end_s >= served.ttft_s).all() and (served.utilisation <= 1).all()
    assert np.isnan(served.tpot_s).all() == (layout.layout == "prefill")


@pytest.mark.parametrize("arrivals", [None, Renewal(4.0, 3.0), Clients(40, 1.0, exponential=True)])
def test_a_summary_counts_what_the_single_requests_say(published, layout, arrivals):
    fleet = dataclasses.replace(layout, costs=dataclasses.replace(COSTS, outside_s=0.5))
    workload = Workload(published, arrivals)
    served, found = simulate(workload, fleet, 3), summarise(workload, fleet, 3)
    for name in ("ttft_s", "end_to_end_s", "waited_s"):
        assert getattr(found, name) == pytest.approx(getattr(served, name).mean(), rel=1e-9)
    assert found.found_tokens == served.found_tokens.sum()
    assert found.hit_tokens == {tier: tokens.sum() for tier, tokens in served.hit_tokens.items()}
    assert (found.busy_s == served.busy_s).all() and found.end_s == served.end_s
    assert found.requests == published.requests and found.most_inside > 1
    for fraction in (0.1, 0.5, 0.99):
        expected = np.quantile(served.ttft_s, fraction, method="inverted_cdf")
        assert found.quantile_s("ttft", fraction) == pytest.approx(expected, rel=0.0051)
    if layout.layout != "prefill":
        assert found.tpot_s == pytest.approx(np.nanmean(served.tpot_s), rel=1e-9)
        tpot = served.tpot_s[published.output_tokens > 1]
        assert found.quantile_s("tpot", 0.9) == pytest.approx(np.quantile(tpot, 0.9, method="inverted_cdf"), rel=0.0051)


@pytest.mark.parametrize("arrivals", [Renewal(50.0), Clients(3, 0.02, exponential=True)])
def test_memory_does_not_grow_with_the_number_of_requests(arrivals):
    peaks = []
    for count in (150_000, 600_000):
        workload = Workload(unshared(np.full(count, 10), np.full(count, 3)), arrivals)
        fleet = Fleet(Costs(token_s=1e-3, step_s=1e-4), layout="together", budget_tokens=512)
        tracemalloc.start()
        found = summarise(workload, fleet)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert found.most_inside < 256
    assert peaks[1] < 1.1 * peaks[0]


@pytest.mark.parametrize("arrivals", [Renewal(40.0, 2.0), Clients(5, 0.5, exponential=True)])
def test_times_do_not_depend_on_how_many_are_drawn_at_once(arrivals, monkeypatch):
    workload = Workload(unshared(np.full(3000, 20)), arrivals)
    whole = simulate(workload, Fleet(PLAIN), seed=8)
    monkeypatch.setattr(serving_world, "CHUNK", 7)
    monkeypatch.setattr(serving_world, "PLACES", 1)
    parts = simulate(workload, Fleet(PLAIN), seed=8)
    assert (whole.arrival_s == parts.arrival_s).all() and (whole.ttft_s == parts.ttft_s).all()


def test_memory_is_never_promised_twice(published):
    fleet = LAYOUTS["together"]
    served = simulate(Workload(published, speed=3.0), fleet)
    begin, end = served.arrival_s + served.waited_s, served.arrival_s + served.end_to_end_s
    need = published.input_tokens + published.output_tokens
    for instance in range(fleet.instances):
        mine = served.instance == instance
        times = np.concatenate([end[mine], begin[mine]])
        changes = np.concatenate([-need[mine], need[mine]])
        # At one time what ends makes room for what begins.
        order = np.lexsort((changes, times.round(9)))
        assert np.cumsum(changes[order]).max() <= fleet.kv_tokens


@pytest.mark.parametrize("routing", ["round robin", "least loaded", "cache-aware"])
def test_the_same_seed_gives_the_same_answer(published, routing):
    fleet = dataclasses.replace(LAYOUTS["together"], routing=routing)
    first, other, again = (
        simulate(Workload(published, Renewal(3.0, 2.0)), fleet, seed).end_to_end_s for seed in (1, 2, 1)
    )
    assert (first == again).all() and (first != other).any()


@pytest.mark.slow
def test_any_number_of_processes_gives_the_same_answer():
    trace = read_trace(TRACES["synthetic"])
    tasks = [(Workload(trace, Renewal(3.0, 2.0)), LAYOUTS["apart"], seed) for seed in (1, 2, 3)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        shared = [served.end_to_end_s for served in pool.map(simulate, *zip(*tasks, strict=True))]
    assert all((simulate(*task).end_to_end_s == other).all() for task, other in zip(tasks, shared, strict=True))


@pytest.mark.parametrize("instances", [1, 8])
@pytest.mark.parametrize("prompts_a_step", [1, math.inf])
def test_private_caches_hit_what_the_replay_of_the_trace_hits(published, instances, prompts_a_step):
    for blocks in (1000, 3000, 50_000, math.inf):
        fleet = Fleet(COSTS, Storage(hbm_blocks=blocks), instances=instances, prompts_a_step=prompts_a_step)
        found = simulate(Workload(published), fleet).found_tokens
        assert (found == request_hits(published, blocks, instances)[1]).all()


def test_local_dram_hits_what_a_cache_of_its_size_hits(published):
    served = simulate(Workload(published), Fleet(COSTS, Storage(hbm_blocks=1000, dram_blocks=20_000)))
    assert (served.found_tokens == request_hits(published, 20_000)[1]).all()
    near = np.minimum(request_hits(published, 1000)[1], published.input_tokens - 1)
    assert (served.hit_tokens["hbm"] == near).all()


def test_a_larger_cache_never_lowers_the_hits_of_an_instance(published):
    sizes = [0, 100, 1000, 5000, 20_000, math.inf]
    found = [
        simulate(Workload(published), Fleet(COSTS, Storage(hbm_blocks=size), layout="together", budget_tokens=4096))
        for size in sizes
    ]
    assert (np.diff([served.found_tokens for served in found], axis=0) >= 0).all()


@pytest.mark.parametrize("blocks", [500, 3000, 12_000])
def test_pooling_loses_no_hits_where_requests_are_spread_without_affinity(published, blocks):
    private = simulate(Workload(published), Fleet(COSTS, Storage(hbm_blocks=blocks), instances=8))
    pooled = simulate(Workload(published), Fleet(COSTS, Storage(pool_blocks=8 * blocks), instances=8))
    assert pooled.found_tokens.sum() > private.found_tokens.sum()
    assert pooled.ttft_s.mean() < private.ttft_s.mean()


def test_a_pool_that_cannot_be_read_changes_nothing(published, layout):
    without = dataclasses.replace(layout, storage=Storage(hbm_blocks=3000))
    unreadable = dataclasses.replace(
        layout, storage=Storage(hbm_blocks=3000, pool_blocks=math.inf, pool_token_s=math.inf)
    )
    before, after = (simulate(Workload(published), fleet) for fleet in (without, unreadable))
    assert not after.hit_tokens["pool"].any()
    assert (before.end_to_end_s == after.end_to_end_s).all()


def test_without_reuse_no_cache_makes_a_difference(layout):
    count = 400
    trace = trace_of(np.arange(count) * 100.0, np.full(count, 1500), np.full(count, 5), [3] * count, range(3 * count))
    bare = simulate(Workload(trace), dataclasses.replace(layout, storage=Storage()))
    for workload in (Workload(trace), Workload(trace, cached_tokens=0, cached_in="pool")):
        served = simulate(workload, layout)
        assert not any(tokens.any() for tokens in served.hit_tokens.values())
        assert (served.end_to_end_s == bare.end_to_end_s).all()


def test_time_to_first_token_grows_with_load(published, layout):
    means = [simulate(Workload(published, speed=speed), layout).ttft_s.mean() for speed in (0.25, 1.0, 2.0, 4.0, 8.0)]
    assert (np.diff(means) > 0).all()


def test_a_load_gains_below_the_read_time_that_the_model_predicts_and_loses_above():
    prompt, cached = 4096, 3072
    saved = COSTS.token_s * cached + COSTS.pair_s * cached * (cached + 1) / 2
    trace = unshared([prompt])
    computed = simulate(Workload(trace), Fleet(COSTS)).ttft_s[0]
    for always in (False, True):
        for factor in (0.5, 0.99, 1.01, 2.0):
            storage = Storage(pool_token_s=factor * saved / cached, always_load=always)
            loaded = simulate(Workload(trace, cached_tokens=cached, cached_in="pool"), Fleet(COSTS, storage)).ttft_s[0]
            expected = computed + (factor - 1) * saved if always or factor < 1 else computed
            assert loaded == pytest.approx(expected, rel=1e-9)


def test_loads_queue_for_the_fabric_in_order():
    tokens, instances = 2048, 5
    fleet = Fleet(Costs(token_s=1.0), Storage(pool_token_s=1e-4, fabric_token_s=1e-3), instances=instances)
    workload = Workload(unshared(np.full(instances, tokens + 1)), cached_tokens=tokens, cached_in="pool")
    served = simulate(workload, fleet)
    np.testing.assert_allclose(served.ttft_s, 1.0 + tokens * 1e-3 * np.arange(1, instances + 1))
    assert served.fabric_busy_s == pytest.approx(instances * tokens * 1e-3)


def test_cache_aware_routing_finds_more_than_round_robin(published):
    found = {
        routing: simulate(Workload(published), dataclasses.replace(LAYOUTS["prefill"], routing=routing, storage=stored))
        for stored in [Storage(hbm_blocks=3000)]
        for routing in ("round robin", "cache-aware")
    }
    assert found["cache-aware"].found_tokens.sum() > 2 * found["round robin"].found_tokens.sum()


def test_least_loaded_routing_waits_less_than_round_robin_with_varied_prompts():
    lengths = np.random.default_rng(5).lognormal(13, 1.5, 20_000).astype(int) + 1
    workload = Workload(unshared(lengths), Renewal(4 * 0.8 / (lengths.mean() / SECOND)))
    fleets = [dataclasses.replace(SERVER, instances=4, routing=routing) for routing in ("round robin", "least loaded")]
    turns, least = (simulate(workload, fleet, 3).waited_s.mean() for fleet in fleets)
    assert least < 0.7 * turns


@pytest.mark.parametrize("times", [[0.0] * 6, [0.0, 1.0, 1.0, 1.0, 9e9, 9e9]], ids=["together", "far apart"])
def test_equal_timestamps_are_served_in_the_order_of_the_trace(times, layout):
    trace = trace_of(times, [512] * 6, [2] * 6, [1] * 6, [0, 1, 2, 0, 1, 2])
    served = simulate(Workload(trace), dataclasses.replace(layout, instances=1, sequences=2))
    first = served.arrival_s + served.ttft_s
    assert (np.diff(first) >= 0).all() and (served.times_served == 1).all()


def test_one_request_of_one_block_takes_its_own_time(layout):
    served = simulate(Workload(trace_of([7.0], [512], [3], [1], [4])), layout)
    prefill = COSTS.step_s + max(COSTS.weights_s, 512 * COSTS.token_s + COSTS.output_s) + COSTS.pair_s * 512 * 513 / 2
    decode = 2 * (COSTS.step_s + COSTS.weights_s + COSTS.sequence_s) + COSTS.kv_token_s * (513 + 514)
    assert served.ttft_s[0] == pytest.approx(prefill)
    if layout.layout != "prefill":
        assert served.end_to_end_s[0] == pytest.approx(prefill + decode + 512 * layout.transfer_token_s)
        assert served.tpot_s[0] == pytest.approx((decode + 512 * layout.transfer_token_s) / 2)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"layout": "apert"}, "Did you mean apart"),
        ({"routing": "random"}, "Accepted: round robin"),
        ({"instances": 0}, "instances: 0; expected a whole number"),
        ({"decoders": 2}, "decoders: 2"),
        ({"layout": "apart"}, "decoders: 0"),
        ({"kv_tokens": 99}, "kv_tokens: 99; expected a number from 100"),
        ({"layout": "together", "budget_tokens": 8}, "budget_tokens: 8; expected a number from 256"),
        ({"storage": Storage(hidden=1.5)}, "hidden: 1.5"),
        ({"costs": Costs(token_s=math.nan)}, "token_s: nan"),
    ],
)
def test_errors_name_the_field_and_what_is_accepted(changes, message):
    with pytest.raises(ParameterError, match=message):
        simulate(Workload(unshared([100])), dataclasses.replace(Fleet(PLAIN), **changes))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"arrivals": Renewal(0.0)}, "rate_per_s"),
        ({"arrivals": Clients(0)}, "clients"),
        ({"speed": -1.0}, "speed"),
        ({"cached_tokens": [101]}, "cached_tokens"),
        ({"cached_in": "disk"}, "cached_in: 'disk'. Accepted: hbm, dram, pool"),
    ],
)
def test_errors_of_a_workload_name_the_field(changes, message):
    with pytest.raises(ParameterError, match=message):
        simulate(dataclasses.replace(Workload(unshared([100])), **changes), Fleet(PLAIN))
