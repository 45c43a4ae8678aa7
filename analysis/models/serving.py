"""Requests served by instances of an engine, played event by event: queues, batches, caches and a pool.

A step of an instance takes prompt tokens up to its budget, first come first served, and one token of every sequence
that decodes [agrawal2024sarathi]. Nothing is pre-empted: a request is taken in when its whole length fits into memory.
Prefixes lie in blocks of the trace, in the accelerators' memory, in local DRAM and in a pool, each of which keeps the
blocks used last. An instance inserts a prompt when it takes it in, the pool when its first token is out.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from analysis.facts.traces import Trace
from analysis.models import serving_state as state
from analysis.models.serving_setup import TIERS, check
from analysis.models.serving_world import drawing, world_of


@dataclass(frozen=True, eq=False)
class Served:
    """What became of the requests; arrays in the trace's order.

    Attributes
    ----------
    arrival_s, ttft_s, end_to_end_s : ndarray of float
        When a request came, and from then to its first token and to its last.
    tpot_s : ndarray of float
        Mean time between its tokens; not a number where there is only one.
    waited_s : ndarray of float
        From arrival to the first step that works on it.
    found_tokens : ndarray of int64
        Tokens of the prompt that lay in any cache.
    hit_tokens : dict of str to ndarray of int64
        Tokens that were not computed, by tier.
    instance, decoder : ndarray of int64
        Who prefilled and who decoded; -1 for no one.
    times_served : ndarray of int64
    busy_s : ndarray of float, shape (instances + decoders,)
    fabric_busy_s, request_seconds, end_s : float
        What the fabric of the pool was busy, requests in the system summed over time, and when the last one left.
    """

    arrival_s: np.ndarray
    ttft_s: np.ndarray
    end_to_end_s: np.ndarray
    tpot_s: np.ndarray
    waited_s: np.ndarray
    found_tokens: np.ndarray
    hit_tokens: dict
    instance: np.ndarray
    decoder: np.ndarray
    times_served: np.ndarray
    busy_s: np.ndarray
    fabric_busy_s: float
    request_seconds: float
    end_s: float

    @property
    def utilisation(self):
        """Part of the time from 0 to the end that each instance was busy."""
        return self.busy_s / self.end_s


@dataclass(frozen=True, eq=False)
class Summary:
    """What became of the requests, counted and not kept one by one.

    Attributes
    ----------
    requests, most_inside : int
        All, and most that were in the system at once.
    ttft_s, end_to_end_s, tpot_s, waited_s : float
        Means; see `Served`.
    found_tokens : int
    hit_tokens : dict of str to int
    busy_s : ndarray of float, shape (instances + decoders,)
    fabric_busy_s, request_seconds, end_s : float
        See `Served`.
    tally : ndarray of int64
        Times by size.
    outside_s : float
    """

    requests: int
    most_inside: int
    ttft_s: float
    end_to_end_s: float
    tpot_s: float
    waited_s: float
    found_tokens: int
    hit_tokens: dict
    busy_s: np.ndarray
    fabric_busy_s: float
    request_seconds: float
    end_s: float
    tally: np.ndarray
    outside_s: float

    @property
    def utilisation(self):
        """Part of the time from 0 to the end that each instance was busy."""
        return self.busy_s / self.end_s

    def quantile_s(self, what, fraction):
        """Return a quantile of `ttft`, `tpot` or `end_to_end`, within half a per cent from a microsecond on."""
        counts = self.tally[{"ttft": state.TTFT, "tpot": state.TPOT, "end_to_end": state.END_TO_END}[what]]
        place = np.searchsorted(np.cumsum(counts), np.asarray(fraction) * counts.sum())
        outside = 0.0 if what == "tpot" else self.outside_s
        return outside + np.where(place > 0, state.LEAST_S * state.WIDTH ** (place - 0.5), 0.0)


def unshared(input_tokens, output_tokens=None):
    """Return a trace of requests that share nothing, at time 0; blocks are left out, so caches find nothing.

    Parameters
    ----------
    input_tokens : array_like of int, shape (requests,)
    output_tokens : array_like of int, shape (requests,), or None
        None for one token each.
    """
    inputs = np.asarray(input_tokens, dtype=np.int64)
    outputs = np.ones_like(inputs) if output_tokens is None else np.broadcast_to(output_tokens, inputs.shape)
    return Trace(np.zeros(len(inputs)), inputs, outputs.astype(np.int64), np.zeros_like(inputs), np.empty(0, int), 0)


def simulate(workload, fleet, seed=0):
    """Play all requests of a workload to their end.

    Parameters
    ----------
    workload : Workload
    fleet : Fleet
    seed : int
        Of arrivals and thinking times that are drawn.

    Returns
    -------
    Served

    Raises
    ------
    ParameterError
        If a field is out of range, or a request is too long for `kv_tokens`.

    Examples
    --------
    >>> from analysis.models.serving_setup import Costs, Fleet, Workload
    >>> two = unshared([1000, 500])
    >>> simulate(Workload(two), Fleet(Costs(token_s=0.001), prompts_a_step=1)).ttft_s.tolist()
    [1.0, 1.5]
    """
    world = _play(workload, fleet, seed, kept=True)
    results, shared = world.results, world.shared[0]
    outside = fleet.costs.outside_s
    decoded = workload.trace.output_tokens - 1
    between = np.full(len(results), math.nan)
    if fleet.layout != "prefill":
        np.divide(results["finish"] - results["first"], decoded, out=between, where=decoded > 0)
    return Served(
        arrival_s=results["arrival"].copy(),
        ttft_s=results["first"] - results["arrival"] + outside,
        end_to_end_s=results["finish"] - results["arrival"] + outside,
        tpot_s=between,
        waited_s=results["began"] - results["arrival"],
        found_tokens=results["found"].copy(),
        hit_tokens={name: results[name].copy() for name in TIERS},
        instance=results["instance"].copy(),
        decoder=results["decoder"].copy(),
        times_served=results["served"].copy(),
        busy_s=world.instances["busy_s"].copy(),
        fabric_busy_s=float(shared["fabric_busy"]),
        request_seconds=float(shared["request_seconds"]),
        end_s=float(shared["end"]),
    )


def summarise(workload, fleet, seed=0):
    """Play all requests and keep means and counts only: beside the workload, memory grows with what is in flight.

    Parameters and errors are those of `simulate`.

    Returns
    -------
    Summary

    Examples
    --------
    >>> from analysis.models.serving_setup import Costs, Fleet, Workload
    >>> found = summarise(Workload(unshared([1000, 500])), Fleet(Costs(token_s=0.001), prompts_a_step=1))
    >>> found.ttft_s, found.most_inside
    (1.25, 2)
    """
    world = _play(workload, fleet, seed, kept=False)
    sums, shared, requests = world.sums, world.shared[0], workload.trace.requests
    outside, decoded = fleet.costs.outside_s, sums[state.DECODED]
    found, *hits = (int(tokens) for tokens in sums[-1 - len(TIERS) :])
    return Summary(
        requests=requests,
        most_inside=int(shared["most_inside"]),
        ttft_s=float(sums[state.TTFT] / requests + outside),
        end_to_end_s=float(sums[state.END_TO_END] / requests + outside),
        tpot_s=float(sums[state.TPOT] / decoded) if decoded else math.nan,
        waited_s=float(sums[state.WAITED] / requests),
        found_tokens=found,
        hit_tokens=dict(zip(TIERS, hits, strict=True)),
        busy_s=world.instances["busy_s"].copy(),
        fabric_busy_s=float(shared["fabric_busy"]),
        request_seconds=float(shared["request_seconds"]),
        end_s=float(shared["end"]),
        tally=world.tally,
        outside_s=outside,
    )


def _play(workload, fleet, seed, kept):
    """Return the arrays of a run at its end; the loop stops where it needs longer ones."""
    check(workload, fleet)
    chunks = drawing(workload, np.random.default_rng([seed, 6]))
    world = world_of(workload, fleet, next(chunks), kept)
    run = _kernel()
    while (asked := run(world)) != state.DONE:
        if asked == state.GROW:
            world = world._replace(requests=np.concatenate([world.requests, np.zeros_like(world.requests)]))
            continue
        shared = world.shared[0]
        used = shared["thoughts"] if len(world.clients) else shared["arrived"]
        left = world.drawn[used - shared["drawn_from"] :]
        world.shared["drawn_from"] = used
        world = world._replace(drawn=np.concatenate([left, next(chunks)]))
    return world


@cache
def _kernel():
    # Compiled when first asked for, so that importing the package does not load the compiler.
    from analysis.models.serving_kernel import run

    return run
