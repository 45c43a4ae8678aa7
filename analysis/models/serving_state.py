"""What the compiled loop of `serving` works on: constants, records, and the arrays of one run."""

import math
from typing import NamedTuple

import numpy as np

from analysis.facts.traces import BLOCK_TOKENS

PREFILL, TOGETHER, APART = range(3)
ROUND_ROBIN, LEAST_LOADED, CACHE_AWARE = range(3)
HBM, DRAM, POOL = range(3)
IDLE, STARTING, STEPPING = range(3)
BLOCK = BLOCK_TOKENS
NONE = -1
# Numbers that stand for no limit; far from overflow when a prompt is added.
MANY = 2**62
DONE, GROW, DRAW = range(3)
# Times are counted in bins that are each one part in so many wider than the one before, from the least time on.
WIDTH, LEAST_S, BINS = 1.01, 1e-6, 3500
TTFT, TPOT, END_TO_END, WAITED, DECODED = range(5)
SUMS = 9
# Slots of a log, for each block that its cache and one prompt can hold.
LOG_LENGTHS = 6


def _record(**columns):
    kinds = {"real": np.float64, "whole": np.int64}
    return np.dtype([(name, kinds[kind]) for kind, names in columns.items() for name in names.split()], align=True)


# Caches of an instance, near and far, or the pool: the next slot, the first slot of each, blocks held, and the most.
CACHE = _record(whole="now near far near_held far_held near_blocks far_blocks")

# A prompt in work (`part`, of whose tokens `done` are there), those that end with the step (`ready`, a list), those on
# the way to a decoder (`sending`, a list), the waiting ones (`head` to `tail`), and sequences that decode.
INSTANCE = _record(
    real="began busy_s work_s sent",
    whole="phase head tail waiting part done ready ready_last sending sending_last held reserved promised "
    "sequences kv_tokens step steps decoding",
)

# A request between its arrival and its end.
REQUEST = _record(
    real="arrival began first sent work_s",
    whole="name input output start end need stated found hbm dram pool instance decoder client next",
)

# What is kept of one that has ended, where every request is asked for.
RESULT = _record(real="arrival began first finish", whole="found hbm dram pool instance decoder served")

SHARED = _record(
    real="fabric_free fabric_busy request_seconds counted end",
    # Places for requests: the first of those given back, a list, and how many were ever used.
    whole="turn inside most_inside arrived thoughts drawn_from given_back used",
)

RULES = _record(
    real="step_s weights_s token_s output_s communication_s pair_s sequence_s kv_token_s outside_s hidden lookup_s "
    "dram_token_s pool_token_s fabric_token_s transfer_token_s",
    whole="layout routing prefillers starts budget_tokens chunked prompts_a_step sequences kv_tokens local pooled "
    "stated_tier always_load total kept",
)


class World(NamedTuple):
    """The arrays of a run.

    Attributes
    ----------
    rules, shared : ndarray of `RULES` and of `SHARED`, shape (1,)
    instances : ndarray of `INSTANCE`
        Prefilling ones come before decoding ones.
    requests : ndarray of `REQUEST`
        Places for those in flight.
    results : ndarray of `RESULT`, shape (requests,), or (0,)
    tally, sums : ndarray of int64, shape (3, BINS), and of float, shape (SUMS,)
        Times to first token, between tokens and to the end, counted by size; sums of them and of tokens by tier.
    inputs, outputs, ends, stated : ndarray of int64, shape (requests,)
        Of the workload; `stated` has the shape (0,) where nothing is.
    events : ndarray of float
        A tree, see `event_kernel`, over ends of steps, of transfers and beginnings of steps.
    clients : ndarray of float
        A tree over the clients of a closed loop; empty where requests come on a schedule.
    drawn : ndarray of float
        The next arrivals of a schedule, or thinking times.
    last_steps, sequence_names : ndarray of int64, shape (instances, sequences)
        Heaps of the sequences that decode.
    caches : ndarray of `CACHE`, shape (prefilling instances + 1,)
        The last is the pool.
    slot_of, log : ndarray of int32, shape (caches, ...)
    blocks : ndarray of int64
    """

    rules: np.ndarray
    shared: np.ndarray
    instances: np.ndarray
    requests: np.ndarray
    results: np.ndarray
    tally: np.ndarray
    sums: np.ndarray
    inputs: np.ndarray
    outputs: np.ndarray
    ends: np.ndarray
    stated: np.ndarray
    events: np.ndarray
    clients: np.ndarray
    drawn: np.ndarray
    last_steps: np.ndarray
    sequence_names: np.ndarray
    caches: np.ndarray
    slot_of: np.ndarray
    log: np.ndarray
    blocks: np.ndarray


def tree_of(times, leaves):
    """Return a tree of event times with infinity where none is given."""
    size = 1 << max(1, math.ceil(math.log2(max(leaves, 2))))
    tree = np.full(2 * size, math.inf)
    tree[size : size + len(times)] = times
    for node in range(size - 1, 0, -1):
        tree[node] = min(tree[2 * node], tree[2 * node + 1])
    return tree


def empty_instances(count):
    """Return instances without work."""
    instances = np.zeros(count, dtype=INSTANCE)
    for name in ("head", "tail", "part", "ready", "ready_last", "sending", "sending_last"):
        instances[name] = NONE
    return instances


def empty_caches(rows, near_blocks, far_blocks, pool_blocks, trace):
    """Return caches of so many blocks, the pool last, and their slots and logs."""
    caches = np.zeros(rows + 1, dtype=CACHE)
    limit = trace.distinct
    caches["near_blocks"][:-1], caches["far_blocks"][:-1] = min(near_blocks, limit), min(far_blocks, limit)
    caches["near_blocks"][-1] = caches["far_blocks"][-1] = min(pool_blocks, limit)
    longest = int(np.diff(trace.ends, prepend=0).max()) if limit else 0
    used = max(int(caches["far_blocks"].max()), 1) if max(far_blocks, pool_blocks) > 0 and limit else 0
    for name in ("now", "near", "far"):
        caches[name] = 1
    # Zeros take no memory before they are touched.
    slot_of = np.zeros((rows + 1, limit if used else 0), dtype=np.int32)
    # Long enough that the live slots seldom move.
    log = np.zeros((rows + 1, 1 + LOG_LENGTHS * (used + longest) if used else 0), dtype=np.int32)
    return caches, slot_of, log
