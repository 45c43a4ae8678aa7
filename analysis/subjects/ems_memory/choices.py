"""What the sentence leaves open about memory: what is kept, against which deployment, of which model and load."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from analysis.errors import DataError
from analysis.evidence.exchange_kernels import DIES_A_PACKAGE
from analysis.facts.devices import device
from analysis.facts.hardware import accelerators
from analysis.facts.traces import TRACES, read_trace
from analysis.facts.transformers import transformer
from analysis.models.batching import GIB
from analysis.models.collectives import GIGA
from analysis.models.memory_cards import Card, instance_cards
from analysis.models.memory_reuse import reuse_of, work_of
from analysis.models.transformer_costs import forward_flops, key_value_bytes, parameters
from analysis.subjects.model import Setting

CARD, FORMAT = "Ascend 910C", "int8"
WEIGHT_BYTES, CACHE_BYTES, MILLI, KILO = 1, 2, 1e-3, 1e3
# Row of fabrics.csv: one way, of a die.
DIE_LINK = "UB plane to CPU memory, read in a server"
TRACE_SOURCE = "qin2025mooncake"
MODELS = ("DeepSeek-R1", "Kimi-K2", "Qwen3-235B-A22B", "Llama-3.1 405B", "Llama-3 70B", "QwQ-32B")
PREFIXES, CONTEXTS = USES = ("cached prefixes", "live contexts")
SAME_HITS, ONE_CACHE, PRIVATE = "same hits", "same service, one cache", "same service, private caches"
BEYOND, IN_PLACE = "beyond NPU memory", "in place of NPU memory"
# What is asked of a deployment without a pool; of live contexts, what the pool is asked to hold.
WAYS = {SAME_HITS: PREFIXES, ONE_CACHE: PREFIXES, PRIVATE: PREFIXES, BEYOND: CONTEXTS, IN_PLACE: CONTEXTS}


def _words(*accepted):
    return lambda facts: ("all", *accepted)


SETTINGS = (
    Setting("memory_use", "all", "what is kept in memory", options=_words(*USES), several=True),
    Setting("memory_model", "all", "models", options=_words(*MODELS), several=True),
    Setting("memory_trace", "all", "requests that are served", options=_words(*TRACES), several=True),
    Setting("trace_copies", 8, "load, as independent copies of the trace", "count", low=1, high=512),
)


@dataclass(frozen=True)
class Kept:
    """What models keep: bytes of weights and of one token, and the operations of a new token of a context."""

    weight_bytes: np.ndarray
    token_bytes: np.ndarray
    token_flops: np.ndarray


def chosen(settings, name, accepted):
    """Return the words of a comma-separated setting, or all of them."""
    words = [word.strip() for word in settings[name].split(",")]
    return tuple(word for word in accepted if "all" in words or word in words)


def combinations(settings):
    """Return every (way, model, trace) that the settings let count."""
    uses = chosen(settings, "memory_use", USES)
    ways = [way for way, use in WAYS.items() if use in uses]
    return list(
        product(ways, chosen(settings, "memory_model", MODELS), chosen(settings, "memory_trace", tuple(TRACES)))
    )


def trace_of(facts, name):
    """Return a shipped trace, read once."""
    key = ("ems memory trace", name)
    if key not in facts.derived:
        facts.derived[key] = read_trace(TRACES[name])
    return facts.derived[key]


def reuse(facts, name):
    """Return what a shipped trace finds in caches, counted once."""
    key = ("ems memory reuse", name)
    if key not in facts.derived:
        facts.derived[key] = reuse_of(trace_of(facts, name))
    return facts.derived[key]


def work(facts, name, model):
    """Return the operations of prefill by the hits, for positions in `MODELS`; counted once."""
    key = ("ems memory work", name)
    if key not in facts.derived:
        shapes = [transformer(facts, one) for one in MODELS]
        facts.derived[key] = work_of(trace_of(facts, name), reuse(facts, name), shapes)
    return replace(facts.derived[key], model=model)


def kept(facts, model, context_tokens):
    """Return what models keep, for positions in `MODELS`, with contexts of some length."""
    key = ("ems memory kept", context_tokens)
    if key not in facts.derived:
        shapes = [transformer(facts, one) for one in MODELS]
        weights = [WEIGHT_BYTES * parameters(shape) for shape in shapes]
        each = [key_value_bytes(shape, 1, CACHE_BYTES) for shape in shapes]
        flops = [forward_flops(shape, 1, context_tokens, latent=True) for shape in shapes]
        facts.derived[key] = [np.array(column, dtype=float) for column in (weights, each, flops)]
    return Kept(*(column[model] for column in facts.derived[key]))


def memory_bytes(facts):
    """Return the bytes of memory of one card."""
    return device(facts, CARD).memory_gb * GIB


def die_link_GBps(facts):
    """Return the one-way rate at which a die reads the memory of CPUs.

    Raises
    ------
    DataError
        Where ``fabrics.csv`` has no such row, or no bandwidth in it.
    """
    key = "ems memory link"
    if key not in facts.derived:
        row = _link(facts)
        value = row["bandwidth_GBps_one_way_per_accelerator"] if row is not None else np.nan
        if not value > 0:
            raise DataError(f"fabrics.csv: no bandwidth of {DIE_LINK!r}")
        facts.derived[key] = float(value)
    return facts.derived[key]


def _link(facts):
    table = facts.table("fabrics")
    rows = table[table["name"] == DIE_LINK]
    return rows.iloc[0] if len(rows) else None


def card_of(facts, weight_bytes, values):
    """Return one card with its part of an instance.

    Parameters
    ----------
    facts : Facts
    weight_bytes : array_like
        Of the models.
    values : dict of str to array_like
        Assumptions.

    Returns
    -------
    Card
    """
    one = device(facts, CARD)
    cards = instance_cards(weight_bytes, memory_bytes(facts), values["weights_memory_share"])
    left = memory_bytes(facts) - weight_bytes / cards - GIGA * values["working_memory_gb"]
    return Card(
        instance_cards=cards,
        weight_bytes=weight_bytes / cards,
        room_bytes=values["cache_memory_share"] * left,
        flops=1e12 * one.tflops(FORMAT) * values["prefill_peak_share"],
        memory_Bps=GIGA * one.memory_GBps * values["memory_bandwidth_share"],
        link_Bps=GIGA * DIES_A_PACKAGE * die_link_GBps(facts) * values["pool_link_share"],
        exposed=1 - values["load_hidden_share"],
    )


def card_sources(facts):
    """Return the citation keys of the card and of its link."""
    row = _link(facts)
    keys = {*next(one.sources for one in accelerators(facts) if one.name == CARD)}
    return keys | set(row["source"].split(";") if row is not None else ())
