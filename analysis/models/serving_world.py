"""The arrays of a run of `serving` at its beginning, and the times that are drawn for it."""

from dataclasses import asdict

import numpy as np

from analysis.models import serving_state as state
from analysis.models.serving_setup import LAYOUTS, ROUTINGS, TIERS, Clients, Renewal

MS_PER_S = 1000
# Times drawn at once, and places for requests in flight to begin with.
CHUNK, PLACES = 65_536, 256


def drawing(workload, rng):
    """Yield thinking times of a closed loop, or times of arrival, in chunks.

    Parameters
    ----------
    workload : Workload
    rng : numpy.random.Generator

    Yields
    ------
    ndarray of float
        One number a request over all chunks, the same however long these are.
    """
    arrivals, count = workload.arrivals, workload.trace.requests
    if not isinstance(arrivals, Clients | Renewal):
        times = workload.trace.timestamps_ms
        yield (times - times[0]) / (MS_PER_S * workload.speed)
        return
    # A closed loop asks for more while it still has as many as its tree of clients is long.
    chunk = max(CHUNK, 8 * arrivals.clients) if isinstance(arrivals, Clients) else CHUNK
    last = 0.0
    for start in range(0, count, chunk):
        size = min(chunk, count - start)
        if isinstance(arrivals, Clients):
            yield arrivals.think_s * (rng.standard_exponential(size) if arrivals.exponential else np.ones(size))
            continue
        variation, mean = arrivals.squared_variation, 1 / arrivals.rate_per_s
        intervals = mean * (variation * rng.standard_gamma(1 / variation, size) if variation else np.ones(size))
        intervals[0] += last
        times = np.cumsum(intervals)
        last = times[-1]
        yield times


def world_of(workload, fleet, drawn, kept):
    """Return the arrays of a run at its beginning.

    Parameters
    ----------
    workload : Workload
    fleet : Fleet
    drawn : ndarray of float
        First chunk of `drawing`.
    kept : bool
        Whether the times of each request are kept.

    Returns
    -------
    World
    """
    storage, trace = fleet.storage, workload.trace
    count = fleet.instances + fleet.decoders
    far = max(storage.hbm_blocks, storage.dram_blocks)
    caches, slot_of, log = state.empty_caches(fleet.instances, storage.hbm_blocks, far, storage.pool_blocks, trace)
    closed = isinstance(workload.arrivals, Clients)
    clients = min(workload.arrivals.clients, trace.requests) if closed else 0
    shared = np.zeros(1, dtype=state.SHARED)
    shared["thoughts"], shared["given_back"] = clients, state.NONE
    heaps = np.zeros((2, count, int(min(fleet.sequences, trace.requests))), dtype=np.int64)
    stated = [] if workload.cached_tokens is None else np.broadcast_to(workload.cached_tokens, trace.requests)
    return state.World(
        rules=_rules(workload, fleet, kept),
        shared=shared,
        instances=state.empty_instances(count),
        requests=np.zeros(PLACES, dtype=state.REQUEST),
        results=np.zeros(trace.requests if kept else 0, dtype=state.RESULT),
        tally=np.zeros((3, state.BINS), dtype=np.int64),
        sums=np.zeros(state.SUMS),
        inputs=trace.input_tokens,
        outputs=trace.output_tokens,
        ends=trace.ends,
        stated=np.array(stated, dtype=np.int64),
        events=state.tree_of([], count * 2 + fleet.instances),
        clients=state.tree_of(drawn[:clients], clients) if closed else np.empty(0),
        drawn=drawn,
        last_steps=heaps[0],
        sequence_names=heaps[1],
        caches=caches,
        slot_of=slot_of,
        log=log,
        blocks=trace.blocks,
    )


def _rules(workload, fleet, kept):
    """Return what stays the same during a run, as one record."""
    storage, trace = fleet.storage, workload.trace
    rules = np.zeros(1, dtype=state.RULES)
    for name, value in (asdict(fleet.costs) | asdict(storage)).items():
        if name in rules.dtype.names:
            rules[name] = value
    for name in ("budget_tokens", "prompts_a_step", "sequences", "kv_tokens"):
        rules[name] = int(min(getattr(fleet, name), state.MANY))
    rules["transfer_token_s"], rules["chunked"] = fleet.transfer_token_s, fleet.chunked
    rules["layout"], rules["routing"] = LAYOUTS[fleet.layout], ROUTINGS[fleet.routing]
    rules["prefillers"], rules["starts"] = fleet.instances, fleet.instances * 2 + fleet.decoders
    rules["local"] = trace.distinct > 0 and max(storage.hbm_blocks, storage.dram_blocks) > 0
    rules["pooled"] = trace.distinct > 0 and storage.pool_blocks > 0
    rules["stated_tier"] = state.NONE if workload.cached_tokens is None else TIERS[workload.cached_in]
    rules["total"], rules["kept"] = trace.requests, kept
    return rules
