"""Compiled costs: how long a step takes, when a load is in, and from which tiers a prompt takes its prefix.

Steps that only decode are taken in one go. Their time grows by the same amount from step to step, as every sequence
grows by a token, so a sum stands for the loop.
"""

import math

from analysis.models.compiling import merged
from analysis.models.serving_cache_kernel import leading_far, leading_near
from analysis.models.serving_state import BLOCK, DRAM, HBM, POOL


@merged
def work_s(rules, tokens, prompts, sequences):
    """Return the seconds of a step without attention and loads.

    Parameters
    ----------
    rules : record
    tokens, prompts, sequences : int
        Prompt tokens, prompts that end, and sequences that get a token.
    """
    rows = tokens + sequences
    matrices = max(rules.weights_s, rules.token_s * rows + rules.output_s * (prompts + sequences))
    return rules.step_s + matrices + rules.communication_s * rows + rules.sequence_s * sequences


@merged
def decoding_s(rules, one, steps):
    """Return the seconds of a number of steps that only decode."""
    held = steps * one.kv_tokens + one.sequences * steps * (steps - 1) / 2
    return steps * work_s(rules, 0, 0, one.sequences) + rules.kv_token_s * held


@merged
def steps_until(rules, one, time):
    """Return how many decoding steps, at least one, end no earlier than a time."""
    growth = rules.kv_token_s * one.sequences / 2
    slope = work_s(rules, 0, 0, one.sequences) + rules.kv_token_s * one.kv_tokens - growth
    wait = time - one.began
    steps = 1
    if wait > 0 and growth + slope > 0:
        root = 2 * wait / (slope + math.sqrt(slope * slope + 4 * growth * wait))
        steps = min(max(1, int(root)), one.steps)
    while steps > 1 and one.began + decoding_s(rules, one, steps - 1) >= time:
        steps -= 1
    while steps < one.steps and one.began + decoding_s(rules, one, steps) < time:
        steps += 1
    return steps


@merged
def loaded(rules, shared, free, dram, pool):
    """Return when tokens of two tiers are in, and when the fabric is free again.

    An instance loads one prompt after the other. The fabric serves loads in the order in which they begin, each at its
    whole rate, or at the instance's own where that is less.
    """
    at = free + dram * rules.dram_token_s if dram else free
    if not pool:
        return at, shared.fabric_free
    begin = max(at + rules.lookup_s, shared.fabric_free)
    return begin + pool * max(rules.pool_token_s, rules.fabric_token_s), begin + pool * rules.fabric_token_s


@merged
def prompt_s(rules, shared, prompt, cached, free, dram, pool):
    """Return the seconds that a prompt adds to a step with some of its tokens cached."""
    tokens = prompt - cached
    pairs = tokens * cached + tokens * (tokens + 1) / 2
    computed = (rules.token_s + rules.communication_s) * tokens + rules.pair_s * pairs
    load = loaded(rules, shared, free, dram, pool)[0] - free
    if load == math.inf:
        return load
    return computed + load - min(rules.hidden * load, computed)


@merged
def plan(world, number, place, free):
    """Return the tokens to take from each tier, those found in any, and the prompt's seconds with that choice.

    The prefix ends where the memory of the accelerators ends, or local DRAM, or the pool, whichever gives the first
    token soonest; at a tie the longer one. Some engines always take the longest.
    """
    rules, shared, request = world.rules[0], world.shared[0], world.requests[place]
    prompt = request.input
    found_hbm, found_dram, found = find(world, number, place)
    # The last token is computed always.
    hbm = min(found_hbm, prompt - 1)
    near = min(found_dram, prompt - 1)
    far = min(found, prompt - 1)
    dram = pool = 0
    best = prompt_s(rules, shared, prompt, hbm, free, 0, 0)
    if near > hbm:
        seconds = prompt_s(rules, shared, prompt, near, free, near - hbm, 0)
        if seconds <= best or (rules.always_load and seconds < math.inf):
            best, dram = seconds, near - hbm
    if far > near:
        seconds = prompt_s(rules, shared, prompt, far, free, near - hbm, far - near)
        if seconds <= best or (rules.always_load and seconds < math.inf):
            best, dram, pool = seconds, near - hbm, far - near
    return hbm, dram, pool, found, best


@merged
def find(world, number, place):
    """Return the tokens of a prompt's prefix in the instance's memory, with local DRAM, and with the pool."""
    rules, request = world.rules[0], world.requests[place]
    if rules.stated_tier >= 0:
        stated = request.stated
        return (
            stated if rules.stated_tier == HBM else 0,
            stated if rules.stated_tier <= DRAM else 0,
            stated if rules.stated_tier <= POOL else 0,
        )
    start, end = request.start, request.end
    hbm = dram = pool = start
    if rules.local:
        hbm = leading_near(world.caches[number], world.slot_of[number], world.blocks, start, end)
        dram = leading_far(world.slot_of[number], world.blocks, hbm, end)
        pool = dram
    if rules.pooled:
        pool = leading_far(world.slot_of[-1], world.blocks, dram, end)
    prompt = request.input
    return min(BLOCK * (hbm - start), prompt), min(BLOCK * (dram - start), prompt), min(BLOCK * (pool - start), prompt)
