"""The second method: caches played block by block, instances and pages of contexts added until they are enough."""

from math import ceil

import numpy as np

from analysis.facts.traces import BLOCK_TOKENS
from analysis.facts.transformers import transformer
from analysis.models.memory_reuse import prefill_flops
from analysis.models.prefix_cache import request_hits
from analysis.subjects.ems_memory.choices import (
    BEYOND,
    CONTEXTS,
    MILLI,
    MODELS,
    ONE_CACHE,
    SAME_HITS,
    WAYS,
    card_of,
    kept,
    memory_bytes,
    trace_of,
)
from analysis.subjects.ems_memory.counts import CARDS

MOST_PAGES = 2**32
# Contexts have many lengths: they are added by pages of this part of one.
PAGES = 256


def played_ratio(facts, settings, reading, way, model, trace_name, values):
    """Return what is bought without a pool over what is bought with it, at one value for each assumption."""
    trace = trace_of(facts, trace_name)
    lives = trace.input_tokens + trace.output_tokens / 2
    length = float((lives * trace.output_tokens).sum() / trace.output_tokens.sum())
    one = kept(facts, MODELS.index(model), length)
    card = card_of(facts, one.weight_bytes, values)
    if WAYS[way] == CONTEXTS:
        cards = _contexts(card, one, length * one.token_bytes, way, MILLI * values["token_time_limit_ms"])
    else:
        played = _Prefixes(trace, transformer(facts, model), card, one.token_bytes, settings["trace_copies"])
        cards = played.cards(way, values)
    without, pooled, pool_bytes = cards
    if reading == CARDS:
        return without / pooled
    return without / (pooled + pool_bytes / (values["memory_price_ratio"] * memory_bytes(facts)))


class _Prefixes:
    """A trace served by cards that are added until they are enough."""

    def __init__(self, trace, shape, card, token_bytes, copies):
        self.trace, self.shape, self.card = trace, shape, card
        self.block_bytes, self.token_bytes, self.copies = BLOCK_TOKENS * token_bytes, token_bytes, copies
        self.seconds = (trace.timestamps_ms[-1] - trace.timestamps_ms[0]) / 1e3

    def played(self, capacity, caches=1):
        """Hits, and the cards that compute, with caches of so many blocks of each copy."""
        _, cached = request_hits(self.trace, capacity, caches)
        hits, flops = prefill_flops(self.trace, self.shape, cached)
        return hits, max(self.copies * flops / self.card.flops / self.seconds, float(self.card.instance_cards))

    def cards(self, way, values):
        """Cards without and with a pool, and bytes of the pool."""
        everything, _ = self.played(np.inf)
        target = values["hit_target_share"] * everything
        blocks = _smallest(lambda size: self.played(size)[0] >= target, self.trace.distinct)
        _, busy = self.played(blocks)
        moved = self.copies * self.trace.tokens * self.token_bytes / self.card.link_Bps * self.card.exposed
        pooled = busy + moved / self.seconds
        stored = self.copies * blocks * self.block_bytes
        if way == SAME_HITS:
            return max(stored / self.card.room_bytes, busy), pooled, stored
        return (self.together() if way == ONE_CACHE else self.apart()), pooled, stored

    def together(self):
        """Tenths of a card are added until what they cache leaves no more to compute than they can."""
        each = self.card.room_bytes / (self.block_bytes * self.copies) / 10

        def enough(tenths):
            return self.played(int(tenths * each))[1] <= tenths / 10

        return _smallest(enough, int(10 * self.played(0)[1]) + 1) / 10

    def apart(self):
        """Instances are added, each with a cache of its own."""
        each = float(self.card.instance_cards)
        size = int(each * self.card.room_bytes / (self.block_bytes * self.copies))

        def enough(caches):
            return self.played(size, caches)[1] <= caches * each

        return each * _smallest(enough, ceil(self.played(0)[1] / each))


def _contexts(card, one, context_bytes, way, limit_s):
    """Pages of contexts are put on one instance until its memory, its step or the link of its cards is full."""
    cards = float(card.instance_cards)
    room, link = cards * card.room_bytes, cards * card.link_Bps * limit_s

    def step_s(count, saved_bytes):
        read = (card.weight_bytes * cards + count * context_bytes) / (cards * card.memory_Bps)
        return read + count * (one.token_flops / card.flops + card.exposed * saved_bytes / card.link_Bps) / cards

    allowed_s = max(limit_s, step_s(1, 0.0))

    def most(room_bytes, saved_bytes):
        def full(pages):
            count = pages / PAGES
            return step_s(count, saved_bytes) > allowed_s or count * context_bytes > room_bytes

        return (_smallest(full, MOST_PAGES) - 1) / PAGES

    own = room if way == BEYOND else 0.0
    alone, held = most(room, 0.0), most(own + link, one.token_bytes)
    return cards / alone, cards / held, max(held * context_bytes - own, 0.0) / held


def _smallest(true_of, most):
    """The smallest whole number up to `most` of which something is true, by halving."""
    least = 0
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (least, middle) if true_of(middle) else (middle, most)
    return most
