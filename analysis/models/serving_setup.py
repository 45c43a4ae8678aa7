"""What a simulation of `serving` is asked: costs of a step, storage of prefixes, instances, requests.

A step of an instance takes prompt tokens up to its budget, first come first served, and one token of every sequence
that decodes [agrawal2024sarathi]. Nothing is pre-empted: a request is taken in when its whole length fits into memory.
Prefixes lie in blocks of the trace, in the accelerators' memory, in local DRAM and in a pool, each of which keeps the
blocks used last. An instance inserts a prompt when it takes it in, the pool when its first token is out.
"""

import math
from dataclasses import dataclass, field, fields

import numpy as np

from analysis.errors import ParameterError, nearest
from analysis.facts.traces import Trace
from analysis.models import serving_state as state

LAYOUTS = {"prefill": state.PREFILL, "together": state.TOGETHER, "apart": state.APART}
ROUTINGS = {"round robin": state.ROUND_ROBIN, "least loaded": state.LEAST_LOADED, "cache-aware": state.CACHE_AWARE}
PART = 65_536
# Beyond any engine; they catch slips of units and keep sums finite.
MOST_SECONDS, MOST_INSTANCES, TINY = 1e9, 10_000, 1e-12
TIERS = {"hbm": state.HBM, "dram": state.DRAM, "pool": state.POOL}


@dataclass(frozen=True)
class Costs:
    """What a step of an instance takes, in seconds.

    A step of q prompt tokens, p prompts that end and n sequences takes `step_s`, plus the larger of `weights_s` and
    ``token_s (q + n) + output_s (p + n)``, plus ``communication_s (q + n) + sequence_s n``, plus `pair_s` for every
    pair of a prompt token and a token that it looks back on, itself included, plus `kv_token_s` for every token that a
    decoding sequence looks back on.

    Attributes
    ----------
    token_s, pair_s, kv_token_s : float
    step_s, weights_s, output_s, communication_s, sequence_s : float
    outside_s : float
        Of a request, on its way to the instance and back; keeps no instance busy.
    """

    token_s: float
    pair_s: float = 0.0
    kv_token_s: float = 0.0
    step_s: float = 0.0
    weights_s: float = 0.0
    output_s: float = 0.0
    communication_s: float = 0.0
    sequence_s: float = 0.0
    outside_s: float = 0.0


@dataclass(frozen=True)
class Storage:
    """Where keys and values of prefixes lie, and how fast they are read.

    Attributes
    ----------
    hbm_blocks, dram_blocks : float
        Of 512 tokens, of each prefilling instance. Local DRAM holds what the accelerators' memory holds and more, so
        that of the two the larger one counts.
    pool_blocks : float
        Of all instances together. Infinity is accepted for all three.
    dram_token_s, pool_token_s : float
        An instance reads a token of a prefix; infinite where it cannot.
    fabric_token_s : float
        The fabric of the pool moves a token, for all instances together. Loads are served in the order in which they
        begin.
    lookup_s : float
        Before a load from the pool begins.
    hidden : float
        Part of a load that can pass behind computation, but no longer than that takes.
    always_load : bool
        Whatever lies in a tier that can be read is loaded; else only where that gives the first token no later.
    """

    hbm_blocks: float = 0
    dram_blocks: float = 0
    pool_blocks: float = 0
    dram_token_s: float = 0.0
    pool_token_s: float = 0.0
    fabric_token_s: float = 0.0
    lookup_s: float = 0.0
    hidden: float = 0.0
    always_load: bool = False


@dataclass(frozen=True)
class Fleet:
    """Instances of an engine.

    Attributes
    ----------
    costs : Costs
    storage : Storage
    instances : int
        That prefill.
    layout : str
        `prefill`: a request ends with its first token; `together`: the same instances decode; `apart`: others do.
    decoders : int
        Instances that decode, where they are apart.
    transfer_token_s : float
        An instance sends a prompt token's keys and values to a decoder, one prompt after the other.
    routing : str
        `round robin`; `least loaded`: fewest requests that are not finished; `cache-aware`: least seconds of prompts,
        this one included, with what it finds cached there. Among equals the next in turn. Decoders: the one with the
        fewest tokens promised.
    budget_tokens : float
        Of a step, prompts and sequences together.
    chunked : bool
        Prompts are cut to fill the budget and share the step with sequences. Else a step takes whole prompts, at least
        one, and while it does, sequences wait.
    prompts_a_step : float
        Most prompts that a step works on.
    sequences : float
        Most requests that an instance has in work.
    kv_tokens : float
        Tokens of the requests in work, their whole length reserved; prefixes kept for reuse are not counted here.
    """

    costs: Costs
    storage: Storage = field(default_factory=Storage)
    instances: int = 1
    layout: str = "prefill"
    decoders: int = 0
    transfer_token_s: float = 0.0
    routing: str = "round robin"
    budget_tokens: float = math.inf
    chunked: bool = True
    prompts_a_step: float = math.inf
    sequences: float = 256
    kv_tokens: float = math.inf


@dataclass(frozen=True)
class Renewal:
    """Requests at independent intervals, gamma distributed; a squared variation of 1 makes a Poisson process.

    Attributes
    ----------
    rate_per_s : float
    squared_variation : float
        Variance of the intervals over their squared mean; 0 for equal ones.
    """

    rate_per_s: float
    squared_variation: float = 1.0


@dataclass(frozen=True)
class Clients:
    """A closed loop: each client asks, waits for the whole answer, thinks, and asks again.

    Attributes
    ----------
    clients : int
    think_s : float
        Mean.
    exponential : bool
        Thinking times are exponential; else all alike.
    """

    clients: int
    think_s: float = 0.0
    exponential: bool = False


@dataclass(frozen=True)
class Workload:
    """Requests and when they come.

    Attributes
    ----------
    trace : Trace
        Lengths and blocks; see `unshared` for requests that share nothing.
    arrivals : Renewal or Clients or None
        None for the trace's own timestamps. Requests keep the trace's order.
    speed : float
        Of the trace's own timestamps.
    cached_tokens : array_like or None
        Tokens of each prompt that are taken as cached in `cached_in`, whatever the caches hold.
    cached_in : str
        `hbm`, `dram` or `pool`.
    """

    trace: Trace
    arrivals: Renewal | Clients | None = None
    speed: float = 1.0
    cached_tokens: object = None
    cached_in: str = "hbm"


def check(workload, fleet):
    """Raise a ParameterError that names the first field out of range."""
    costs, storage, trace = fleet.costs, fleet.storage, workload.trace
    for owner in (costs, storage):
        for one in fields(owner):
            limit = 1.0 if one.name in ("hidden", "always_load") else math.inf if owner is storage else MOST_SECONDS
            _within(one.name, getattr(owner, one.name), 0.0, limit)
    _within("instances", fleet.instances, 1, MOST_INSTANCES, whole=True)
    for name, accepted in (("layout", LAYOUTS), ("routing", ROUTINGS)):
        _named(name, getattr(fleet, name), accepted)
    _named("cached_in", workload.cached_in, TIERS)
    apart = fleet.layout == "apart"
    _within("decoders", fleet.decoders, int(apart), MOST_INSTANCES if apart else 0, whole=True)
    _within("transfer_token_s", fleet.transfer_token_s, 0.0, MOST_SECONDS)
    _within("prompts_a_step", fleet.prompts_a_step, 1, math.inf)
    _within("sequences", fleet.sequences, 1, math.inf)
    shares = fleet.chunked and fleet.layout == "together"
    _within("budget_tokens", fleet.budget_tokens, fleet.sequences if shares else 1, math.inf)
    _within("kv_tokens", fleet.kv_tokens, _longest(trace, fleet.layout != "prefill"), math.inf)
    if isinstance(workload.arrivals, Renewal):
        _within("rate_per_s", workload.arrivals.rate_per_s, TINY, math.inf)
        _within("squared_variation", workload.arrivals.squared_variation, 0.0, MOST_SECONDS)
    elif isinstance(workload.arrivals, Clients):
        _within("clients", workload.arrivals.clients, 1, math.inf, whole=True)
        _within("think_s", workload.arrivals.think_s, 0.0, MOST_SECONDS)
    else:
        _within("speed", workload.speed, TINY, math.inf)
    if workload.cached_tokens is not None:
        cached = np.asarray(workload.cached_tokens)
        _within("cached_tokens", cached.min(), 0, math.inf)
        if (cached > trace.input_tokens).any():
            raise ParameterError("cached_tokens: more than the prompt has; expected at most input_tokens")


def _longest(trace, decoded):
    """Return the tokens of the longest request, by parts so that no column is copied."""
    parts = [slice(start, start + PART) for start in range(0, trace.requests, PART)]
    return max(int((trace.input_tokens[one] + decoded * trace.output_tokens[one]).max()) for one in parts)


def _within(name, value, low, high, whole=False):
    if not low <= value <= high or (whole and value != int(value)):
        kind = "a whole number" if whole else "a number"
        raise ParameterError(f"{name}: {value!r}; expected {kind} from {low:g} to {high:g}")


def _named(name, value, accepted):
    if value not in accepted:
        raise ParameterError(f"{name}: {value!r}. {nearest(value, accepted)}")
