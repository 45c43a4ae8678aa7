"""Inference on one side: tokens a second and card with the degree of parallelism that suits it best."""

from dataclasses import replace
from functools import partial

import numpy as np

from analysis.evidence.calibrate import constants
from analysis.evidence.serving import Layout, assumed, formats_of, rank_of
from analysis.evidence.serving_kernels import kernels_of, published_shares, reached
from analysis.facts.assumptions import assumptions
from analysis.facts.transformers import transformer
from analysis.models.batching import GIB
from analysis.models.collectives import GIGA
from analysis.models.inference import MILLI, step_s, step_work
from analysis.models.rank import Batch
from analysis.models.transformer_costs import attention_pairs
from analysis.subjects.matrixlink.sides import DECODE, SERVED_IN, SERVER_CARDS, die
from analysis.subjects.matrixlink.training import NETWORK, interpolated, nodes

LIMIT, CONTEXT = "token_time_limit_ms", "cached_tokens"
MEMORY = ("working_memory_gb", "cache_memory_share")
ASSUMPTIONS = (LIMIT, CONTEXT, NETWORK)
EXPERT_RANKS, SUM_RANKS = (8, 16, 32, 64, 128, 256), (4, 8, 16, 32, 64)
LIMITS, CONTEXTS, BATCHES, MOST_SEQUENCES = 5, 5, 25, 4096
PROMPT_TOKENS = 16384
MICRO_BATCHES = (1, 2)
WRITE_IN_SERVER, WRITE_BEYOND = "UB plane, measured write in a server", "UB plane, write latency between servers"


def grid(facts, name, count):
    """Return the values of an assumption at which rates are prepared: its declared range in equal ratios."""
    key = ("matrixlink grid", name, count)
    if key not in facts.derived:
        (declared,) = assumptions(facts, (name,))
        facts.derived[key] = np.geomspace(declared.low, declared.high, count)
    return facts.derived[key]


def shared(facts, name, ask):
    """Return what many ranks need of the tables, asked for once."""
    key = ("matrixlink shared", name)
    if key not in facts.derived:
        facts.derived[key] = ask()
    return facts.derived[key]


def degrees(facts, shape, side):
    """Return the degrees of parallelism that a side may use.

    Experts may lie anywhere; matrices that many ranks share need the fast fabric.
    """
    _, dies = die(facts, side, 1.0)
    if shape.routed_experts:
        return tuple(n for n in EXPERT_RANKS if shape.routed_experts % n == 0)
    return tuple(n for n in SUM_RANKS if n <= side.domain * dies and shape.attention_heads % n == 0)


def rank_and_rates(facts, shape, side, degree, phase, network_share):
    """Return a rank of one side and what its kernels reach, all experts being equally popular.

    Parameters
    ----------
    facts : Facts
    shape : Transformer
    side : Side
    degree : int
        Ranks over which experts are spread, or that share all matrices.
    phase : str
    network_share : float

    Returns
    -------
    Rank, Reached
    """
    card, dies = die(facts, side, network_share)
    values = shared(facts, "constants", lambda: {name: one.value for name, one in constants(facts).items()})
    formats = formats_of(facts, shape.name, SERVED_IN)
    crosses = degree > card.scaleup_domain
    # Exchanges over a network are measured of DeepEP, those over the fast fabric of this card's own library.
    library, fabric = ("DeepEP", "RoCE") if crosses else ("CANN EP", "UB")
    experts = shape.routed_experts > 0
    layout = Layout(*((degree, 1, degree) if experts else (1, degree, 1)), library, fabric, normal=phase != DECODE)
    rank = rank_of(facts, shape, card, formats, layout, values)
    table = facts.table("fabrics").set_index("name")["latency_us"]
    latency_us = float(table[WRITE_IN_SERVER if degree <= SERVER_CARDS * dies else WRITE_BEYOND])
    rank = replace(rank, fabrics=replace(rank.fabrics, scaleup_latency_us=latency_us))
    kernels, _ = kernels_of(card, formats, layout, rank.handover, balanced=True)
    return rank, reached([kernels], values, shared(facts, "published", lambda: published_shares(facts)))


def fitting_sequences(facts, side, shape, rank, cached_tokens):
    """Return how many sequences the memory left by the weights caches on one rank."""
    card, dies = die(facts, side, 1.0)
    working_gb, share = (shared(facts, name, partial(assumed, facts, name)) for name in MEMORY)
    left = card.memory_gb * GIB - rank.weight_bytes - GIGA * working_gb / dies
    room = share / (shape.layers * rank.cached_bytes)
    return max(left, 0.0) * room / np.asarray(cached_tokens)


def _decoding(facts, shape, side, degree, network_share):
    """Sequences a second and rank within each limit, shape (CONTEXTS, LIMITS)."""
    rank, rates = rank_and_rates(facts, shape, side, degree, DECODE, network_share)
    lengths, limits_s = grid(facts, CONTEXT, CONTEXTS), MILLI * grid(facts, LIMIT, LIMITS)
    fits = fitting_sequences(facts, side, shape, rank, lengths)[:, None]
    batches = np.geomspace(1, np.maximum(np.minimum(fits, MOST_SEQUENCES * rank.sum_ranks), 1), BATCHES, axis=-1)[:, 0]
    counts = MICRO_BATCHES if rank.handover else MICRO_BATCHES[:1]
    work = [step_work(rank, Batch(sequences=batches, cached_tokens=lengths[:, None]), count) for count in counts]
    steps = np.min([np.broadcast_to(step_s(one, rates), batches.shape) for one in work], axis=0)
    steps = np.maximum.accumulate(steps, axis=1)
    found = np.zeros((CONTEXTS, LIMITS))
    for place, (times, sizes) in enumerate(zip(steps, batches, strict=True)):
        within = np.interp(limits_s, times, sizes, left=0.0)
        found[place] = within / np.minimum(np.maximum(limits_s, times[0]), times[-1])
    return np.where(fits >= 1, found, 0.0) / rank.sum_ranks


def _prefilling(facts, shape, side, degree, network_share):
    """Prompt tokens a second and rank, shape (CONTEXTS, LIMITS); no limit bears on them."""
    rank, rates = rank_and_rates(facts, shape, side, degree, "prefill", network_share)
    lengths = grid(facts, CONTEXT, CONTEXTS)
    pairs = attention_pairs(shape, lengths, 0.0)
    batch = Batch(prompts=PROMPT_TOKENS / lengths, prompt_tokens=lengths, prompt_pairs=pairs)
    counts = MICRO_BATCHES if rank.handover else MICRO_BATCHES[:1]
    steps = np.min([step_s(step_work(rank, batch, count), rates) for count in counts], axis=0)
    fits = fitting_sequences(facts, side, shape, rank, lengths) >= PROMPT_TOKENS / lengths
    return np.repeat((fits * PROMPT_TOKENS / steps / rank.sum_ranks)[:, None], LIMITS, axis=1)


def served(facts, model, side, phase):
    """Return the rate of a card by the share of the network, the context and the limit; each with its best degree.

    Parameters
    ----------
    facts : Facts
    model : str
    side : Side
    phase : str

    Returns
    -------
    ndarray
        Tokens a second and card; 0 where nothing fits or keeps the limit.
    """
    key = ("matrixlink serving", model, side, phase)
    if key not in facts.derived:
        shape, at = transformer(facts, model), _decoding if phase == DECODE else _prefilling
        _, dies = die(facts, side, 1.0)
        found = [
            np.max([at(facts, shape, side, degree, share) for degree in degrees(facts, shape, side)], axis=0)
            for share in nodes(facts, NETWORK)
        ]
        facts.derived[key] = dies * np.stack(found)
    return facts.derived[key]


def best_degree(facts, shape, side, phase, values):
    """Return the degree of parallelism with which a side puts out most, at the nearest prepared context and limit."""
    at = _decoding if phase == DECODE else _prefilling
    place = tuple(
        int(np.argmin(np.abs(np.log(grid(facts, name, count) / values[name]))))
        for name, count in ((CONTEXT, CONTEXTS), (LIMIT, LIMITS))
    )
    return max(degrees(facts, shape, side), key=lambda one: at(facts, shape, side, one, values[NETWORK])[place])


def rate(facts, table, which, values):
    """Return tokens a second and card, shape (N,); `table` as of `served`, one side a row."""
    axes = [(nodes(facts, NETWORK), values[NETWORK])]
    axes += [
        (np.log(grid(facts, name, count)), np.log(values[name]))
        for name, count in ((CONTEXT, CONTEXTS), (LIMIT, LIMITS))
    ]
    return interpolated(table, which, axes)
