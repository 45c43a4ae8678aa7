"""Requests a second through the serving simulation, and beside SimPy on the same queue with the same cache.

Run: ``make setup && .venv/bin/python benchmarks/serving_requests.py``

The peer is no dependency; ``.venv/bin/python -m pip install simpy==4.1.2`` adds it, and without it the script prints
this project's figures alone. The Mooncake conversation trace is played with its own arrivals, as it is and repeated
with fresh blocks; one core, everything included except reading the file and compiling.
"""

import time
from collections import OrderedDict

import numpy as np

from analysis.facts.traces import TRACES, read_trace, trace_of
from analysis.models.serving import simulate, summarise, unshared
from analysis.models.serving_setup import Clients, Costs, Fleet, Renewal, Storage, Workload

try:
    import simpy
except ImportError:
    simpy = None

ROUNDS, SECONDS = 5, 0.5
COSTS = Costs(token_s=1e-5, pair_s=1e-10, step_s=0.01, weights_s=0.01, kv_token_s=1e-9, sequence_s=1e-5)
BLOCKS, ROOM = 3000, Storage(hbm_blocks=3000)
POOLED = Storage(hbm_blocks=3000, pool_blocks=100_000, pool_token_s=1e-6, fabric_token_s=1e-7)
ONE = Fleet(COSTS, ROOM, prompts_a_step=1)
TOGETHER = {"layout": "together", "budget_tokens": 8192, "kv_tokens": 500_000}
FLEETS = {
    "prefill, prefix cache, 1 instance": ONE,
    "prefill, prefix caches, 8 instances": Fleet(COSTS, ROOM, instances=8, prompts_a_step=1),
    "the same and a pool over a fabric": Fleet(COSTS, POOLED, instances=8, prompts_a_step=1),
    "the same, routed to the cache": Fleet(COSTS, POOLED, instances=8, prompts_a_step=1, routing="cache-aware"),
    "prefill and decode together, 8": Fleet(COSTS, ROOM, instances=8, **TOGETHER),
    "the same and a pool": Fleet(COSTS, POOLED, instances=8, **TOGETHER),
    "prefill and decode apart, 5 and 3": Fleet(COSTS, POOLED, instances=5, layout="apart", decoders=3),
}


def best(call):
    """Return the result of a call, and its least seconds over `ROUNDS` and at least `SECONDS` after one to warm up."""
    found, spent = call(), []
    while len(spent) < ROUNDS or sum(spent) < SECONDS:
        start = time.perf_counter()
        call()
        spent.append(time.perf_counter() - start)
    return found, min(spent)


def repeated(trace, times):
    """The trace several times, one after the other, each time with fresh blocks."""
    span = trace.timestamps_ms[-1] + trace.timestamps_ms[-1] / trace.requests
    return trace_of(
        np.concatenate([trace.timestamps_ms + span * turn for turn in range(times)]),
        np.tile(trace.input_tokens, times),
        np.tile(trace.output_tokens, times),
        np.tile(np.diff(trace.ends, prepend=0), times),
        np.concatenate([trace.blocks + trace.distinct * turn for turn in range(times)]),
    )


def show(name, requests, seconds, mean_s):
    """Print a line."""
    print(f"{name:<40}{requests:>12,}{1e3 * mean_s:>14,.2f}{1e3 * seconds:>12,.1f}{requests / seconds:>16,.0f}")


def with_simpy(trace, fleet):
    """Times to first token by SimPy: one server, the same times of service, the same cache."""
    costs, content, times = fleet.costs, OrderedDict(), np.zeros(trace.requests)
    environment = simpy.Environment()
    server = simpy.Resource(environment)
    starts = [0, *trace.ends[:-1].tolist()]
    blocks, ends, inputs = trace.blocks.tolist(), trace.ends.tolist(), trace.input_tokens.tolist()

    def service_s(name):
        prompt = blocks[starts[name] : ends[name]]
        hits = next((place for place, block in enumerate(prompt) if block not in content), len(prompt))
        for block in reversed(prompt):
            content[block] = True
            content.move_to_end(block)
        while len(content) > BLOCKS:
            content.popitem(last=False)
        cached = min(512 * hits, inputs[name] - 1)
        suffix = inputs[name] - cached
        pairs = suffix * cached + suffix * (suffix + 1) / 2
        return costs.step_s + max(costs.weights_s, costs.token_s * suffix) + costs.pair_s * pairs

    def request(name):
        came = environment.now
        with server.request() as turn:
            yield turn
            yield environment.timeout(service_s(name))
        times[name] = environment.now - came

    def source():
        for name, at in enumerate((trace.timestamps_ms / 1000).tolist()):
            if at > environment.now:
                yield environment.timeout(at - environment.now)
            environment.process(request(name))

    environment.process(source())
    environment.run()
    return times


def main():
    """Print requests a second by setting, by number of requests, and beside the peer."""
    trace = read_trace(TRACES["conversation"])
    print(f"{'setting':<40}{'requests':>12}{'mean TTFT, ms':>14}{'ms':>12}{'requests a s':>16}")
    for name, fleet in FLEETS.items():
        served, seconds = best(lambda fleet=fleet: simulate(Workload(trace), fleet))
        show(name, trace.requests, seconds, served.ttft_s.mean())
    print("\ngrowth with the number of requests; means and counts kept, no single request")
    for times in (1, 4, 16):
        longer = repeated(trace, times)
        for name in (next(iter(FLEETS)), "prefill and decode together, 8"):
            found, seconds = best(lambda name=name, longer=longer: summarise(Workload(longer), FLEETS[name]))
            show(name, longer.requests, seconds, found.ttft_s)
    for count in (1_000_000, 4_000_000):
        lengths = unshared(np.random.default_rng(0).integers(1, 2000, count))
        for name, arrivals in (("no blocks, Poisson arrivals", Renewal(40.0)), ("no blocks, 64 clients", Clients(64))):
            workload = Workload(lengths, arrivals)
            found, seconds = best(lambda workload=workload: summarise(workload, ONE))
            show(name, count, seconds, found.ttft_s)
    if simpy is None:
        print("\nSimPy is not installed; see the head of this script")
        return
    print("\nbeside SimPy: prefill with a prefix cache, 1 instance")
    mine, seconds = best(lambda: simulate(Workload(trace), ONE))
    show("analysis", trace.requests, seconds, mine.ttft_s.mean())
    theirs, slower = best(lambda: with_simpy(trace, ONE))
    show("SimPy", trace.requests, slower, theirs.mean())
    apart = np.abs(theirs - mine.ttft_s).max()
    print(f"{slower / seconds:,.0f} times as fast; times to first token differ by at most {apart:.1g} s")


if __name__ == "__main__":
    main()
