"""Cards that are bought for their memory: caching prefixes, or holding live contexts, with and without a pool.

Cards are counted in the large: a fraction of a card is accepted, but no deployment is smaller than one instance, which
holds one copy of the weights.
"""

from dataclasses import dataclass

import numpy as np

from analysis.facts.traces import BLOCK_TOKENS
from analysis.models.memory_reuse import CACHES


@dataclass(frozen=True)
class Card:
    """One card and its part of an instance; fields broadcast.

    Attributes
    ----------
    instance_cards : array_like
        Cards that share one copy of the weights.
    weight_bytes, room_bytes : array_like
        On one card: weights, and what they leave for keys and values.
    flops : array_like
        Operations a second that prefill reaches.
    memory_Bps, link_Bps : array_like
        Bytes a second that reading reaches: from its own memory, and from the pool.
    exposed : array_like
        Part of a transfer that computation does not hide.
    """

    instance_cards: np.ndarray
    weight_bytes: np.ndarray
    room_bytes: np.ndarray
    flops: np.ndarray
    memory_Bps: np.ndarray
    link_Bps: np.ndarray
    exposed: np.ndarray


def instance_cards(weight_bytes, memory_bytes, weights_share):
    """Return the fewest cards on which the weights take no more than a share of the memory.

    Examples
    --------
    >>> float(instance_cards(671e9, 128e9, 0.25))
    21.0
    """
    return np.maximum(np.ceil(np.asarray(weight_bytes) / (memory_bytes * weights_share)), 1.0)


def compute_cards(work, reuse, hits, card, copies):
    """Return the cards that compute alone needs for a load of so many copies of the trace."""
    return np.maximum(copies * work.at(hits) / (card.flops * reuse.seconds), card.instance_cards)


def pooled_cards(work, reuse, hits, card, copies, token_bytes):
    """Return the cards that are needed where a pool holds every cached prefix.

    Parameters
    ----------
    work : Work
    reuse : Reuse
    hits : ndarray
        Token hit fraction of the pool.
    card : Card
    copies : float
        Load, as independent copies of the trace.
    token_bytes : float
        Keys and values of one token.

    Returns
    -------
    ndarray
        Transfers that are not hidden take time of cards, even of idle ones: hits are read, the rest is written.
    """
    moved = reuse.tokens * token_bytes / card.link_Bps * card.exposed
    return compute_cards(work, reuse, hits, card, copies) + copies * moved / reuse.seconds


def cards_for_hits(work, reuse, hits, card, copies, token_bytes):
    """Return the cards whose memory, taken as one cache, gives the hits; never fewer than compute needs.

    Parameters
    ----------
    work, reuse, hits, card, copies, token_bytes
        As in `pooled_cards`; without transfers.

    Returns
    -------
    ndarray
    """
    stored = pool_bytes(reuse, hits, copies, token_bytes)
    return np.maximum(stored / card.room_bytes, compute_cards(work, reuse, hits, card, copies))


def pool_bytes(reuse, hits, copies, token_bytes):
    """Return the bytes of a cache with some token hit fraction; copies of a trace share nothing."""
    return copies * np.searchsorted(reuse.shared_hits, hits) * BLOCK_TOKENS * token_bytes


def cards_for_service(work, reuse, card, copies, token_bytes):
    """Return the fewest cards that serve the load with what their memory caches, taken as one cache.

    Parameters
    ----------
    work, reuse, card, copies, token_bytes
        As in `pooled_cards`.

    Returns
    -------
    ndarray
        More cards hold more, find more and so have less to compute.
    """
    stored = copies * work.capacities[:, None] * BLOCK_TOKENS * token_bytes
    needed = copies * work.flops.T[:, work.model] / (card.flops * reuse.seconds)
    return _met(stored / card.room_bytes, np.maximum(needed, card.instance_cards))


def cards_for_private_service(work, reuse, card, copies, token_bytes):
    """Return the fewest cards that serve the load where each instance caches for itself.

    Parameters
    ----------
    work, reuse, card, copies, token_bytes
        As in `pooled_cards`; requests go round the instances.

    Returns
    -------
    ndarray
        An instance's memory holds as much of each copy of the trace; more instances see less of each prefix.
    """
    blocks = card.instance_cards * card.room_bytes / (BLOCK_TOKENS * token_bytes * copies)
    hits = np.array([curve.token_hit(blocks) for curve in reuse.private])
    needed = copies * work.at(hits) / (card.flops * reuse.seconds)
    bought = np.array(CACHES, dtype=float)[:, None] * card.instance_cards
    return np.maximum(_met(bought, needed), card.instance_cards)


def _met(bought, needed):
    """The fewest cards that are enough, on straight lines between the rows; beyond them needs no longer change."""
    spare = bought - needed
    first, across = np.argmax(spare >= 0, axis=0), np.arange(spare.shape[1])
    before = np.maximum(first - 1, 0)
    gap = spare[first, across] - spare[before, across]
    part = spare[first, across] / np.where(gap > 0, gap, np.inf)
    enough = bought[first, across] - part * (bought[first, across] - bought[before, across])
    return np.where(spare[-1] >= 0, enough, needed[-1])


def sequences_a_card(card, context_bytes, token_flops, limit_s, new_bytes=0.0):
    """Return how many live contexts a card can read and compute for within a limit on the step, memory aside.

    Parameters
    ----------
    card : Card
    context_bytes : array_like
        Keys and values of one context, read in every step.
    token_flops : array_like
        Operations of one new token.
    limit_s : array_like
        A step may always serve one sequence an instance.
    new_bytes : array_like
        Keys and values of one new token that go to the pool.

    Returns
    -------
    ndarray
    """
    weights_s = card.weight_bytes / card.memory_Bps
    own_s = context_bytes / card.memory_Bps + token_flops / card.flops
    allowed = np.maximum(limit_s - weights_s, own_s / card.instance_cards)
    return allowed / (own_s + card.exposed * new_bytes / card.link_Bps)


def contexts_in_memory(card, context_bytes):
    """Return how many live contexts the memory of a card holds."""
    return card.room_bytes / context_bytes


def contexts_beyond_memory(card, context_bytes, limit_s):
    """Return how many live contexts a card holds where the pool keeps what does not fit.

    Parameters
    ----------
    card : Card
    context_bytes, limit_s : array_like

    Returns
    -------
    ndarray
        What lies in the pool crosses the link once a step.
    """
    return contexts_in_memory(card, context_bytes) + limit_s * card.link_Bps / context_bytes


def contexts_from_pool(card, context_bytes, limit_s):
    """Return how many live contexts of a pool the link can bring to a card within each step."""
    return limit_s * card.link_Bps / context_bytes
