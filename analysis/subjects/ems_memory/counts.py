"""Cards with and without a pool, for one way of asking, one model and one trace."""

from dataclasses import dataclass

import numpy as np

from analysis.models import memory_cards
from analysis.subjects.ems_memory.choices import (
    BEYOND,
    CONTEXTS,
    IN_PLACE,
    MILLI,
    ONE_CACHE,
    PRIVATE,
    SAME_HITS,
    WAYS,
    card_of,
    kept,
    memory_bytes,
    reuse,
    work,
)

CARDS, COST = READINGS = ("cards", "cost")


@dataclass(frozen=True, eq=False)
class Bought:
    """What two deployments of the same duty consist of; for live contexts, for each of them.

    Attributes
    ----------
    compute : ndarray
        Cards that compute alone needs: memory without limit, nothing to transfer.
    without, pooled : ndarray
        Cards without a pool, and with one.
    pool_bytes : ndarray
        Memory of the pool.
    """

    compute: np.ndarray
    without: np.ndarray
    pooled: np.ndarray
    pool_bytes: np.ndarray

    def replaced(self):
        """Return the part of the cards bought for memory that the pool makes needless; 0 where none was bought."""
        extra = self.without - self.compute
        saved = np.maximum(self.without - self.pooled, 0.0)
        return np.divide(saved, extra, out=np.zeros_like(extra), where=extra > 1e-9 * self.compute).clip(0, 1)


def bought(facts, settings, way, model, trace, values):
    """Return what is bought with and without a pool.

    Parameters
    ----------
    facts : Facts
    settings : dict
        `trace_copies` is used.
    way : str
        Key of `WAYS`.
    model : ndarray of int of shape (N,)
        Positions in `MODELS`.
    trace : str
    values : dict of str to ndarray of shape (N,)
        Assumptions.

    Returns
    -------
    Bought
    """
    found = reuse(facts, trace)
    one = kept(facts, model, found.context_tokens)
    card = card_of(facts, one.weight_bytes, values)
    if WAYS[way] == CONTEXTS:
        return contexts(card, one, found.context_tokens * one.token_bytes, way, values)
    return prefixes(card, one, (work(facts, trace, model), found), way, settings["trace_copies"], values)


def prefixes(card, one, load, way, copies, values):
    """Return what is bought to cache prefixes; `load` is the work and the reuse of a trace."""
    _, found = load
    hits = values["hit_target_share"] * found.shared.token_hit(np.inf)
    asked = (*load, hits, card, copies, one.token_bytes)
    if way == SAME_HITS:
        without, compute = memory_cards.cards_for_hits(*asked), memory_cards.compute_cards(*asked[:-1])
    else:
        count = {
            ONE_CACHE: memory_cards.cards_for_service,
            PRIVATE: memory_cards.cards_for_private_service,
        }[way]
        without = count(*load, card, copies, one.token_bytes)
        compute = np.minimum(memory_cards.compute_cards(*load, np.inf, card, copies), without)
    pool = memory_cards.pool_bytes(found, hits, copies, one.token_bytes)
    return Bought(compute, without, memory_cards.pooled_cards(*asked), pool)


def contexts(card, one, context_bytes, way, values):
    """Return what is bought to hold live contexts, for each of them."""
    limit_s = MILLI * values["token_time_limit_ms"]
    alone = memory_cards.sequences_a_card(card, context_bytes, one.token_flops, limit_s)
    saving = memory_cards.sequences_a_card(card, context_bytes, one.token_flops, limit_s, one.token_bytes)
    fitting = memory_cards.contexts_in_memory(card, context_bytes)
    reach = {BEYOND: memory_cards.contexts_beyond_memory, IN_PLACE: memory_cards.contexts_from_pool}[way]
    held = np.minimum(saving, reach(card, context_bytes, limit_s))
    left_over = np.maximum(held - fitting, 0.0) if way == BEYOND else held
    return Bought(1 / alone, 1 / np.minimum(alone, fitting), 1 / held, left_over / held * context_bytes)


def ratio(facts, reading, found, values):
    """Return what is bought without a pool over what is bought with it, in cards or in cost."""
    if reading == CARDS:
        return found.without / found.pooled
    return found.without / (found.pooled + found.pool_bytes / (values["memory_price_ratio"] * memory_bytes(facts)))


def ratios(facts, settings, reading, columns, rows, values):
    """Return the ratio of each sample, shape (N,).

    Parameters
    ----------
    facts, settings, reading
        As elsewhere.
    columns : mapping
        way, trace, group (of equal way and trace) and model_place (in `MODELS`) of each option.
    rows : ndarray of int of shape (N,)
    values : dict of str to ndarray of shape (N,)
    """
    answer = np.empty(len(rows))
    group = columns["group"][rows]
    for one in np.unique(group):
        some = np.flatnonzero(group == one)
        first = rows[some[0]]
        picked = {name: value[some] for name, value in values.items()}
        asked = (columns["way"][first], columns["model_place"][rows[some]], columns["trace"][first])
        answer[some] = ratio(facts, reading, bought(facts, settings, *asked, picked), picked)
    return answer
