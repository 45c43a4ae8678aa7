"""Compiled steps of an instance: what goes into one, and what leaves it at its end."""

import math

from analysis.models.compiling import merged
from analysis.models.event_kernel import pop, push, put
from analysis.models.serving_cache_kernel import touch
from analysis.models.serving_costs_kernel import decoding_s, loaded, plan, work_s
from analysis.models.serving_state import (
    APART,
    BINS,
    DECODED,
    END_TO_END,
    IDLE,
    LEAST_S,
    PREFILL,
    STARTING,
    STEPPING,
    SUMS,
    TOGETHER,
    TPOT,
    TTFT,
    WAITED,
    WIDTH,
)


@merged
def begin_step(world, number, now):
    """Fill a step and set its end, or leave the instance idle."""
    rules, one = world.rules[0], world.instances[number]
    one.began, one.steps = now, 1
    tokens, pairs, ended, free = 0, 0.0, 0, now
    if number < rules.prefillers:
        tokens, pairs, ended, free = _take_prompts(world, number, now)
    else:
        _take_sequences(world, number)
    one.decoding = one.sequences if rules.chunked or not tokens else 0
    if tokens:
        attention = rules.pair_s * pairs + (rules.kv_token_s * one.kv_tokens if one.decoding else 0.0)
        computed = work_s(rules, tokens, ended, one.decoding) + attention
        load = free - now
        end = now + computed + load - min(rules.hidden * load, computed)
    elif one.decoding:
        one.steps = world.last_steps[number, 0] - one.step
        end = now + decoding_s(rules, one, one.steps)
    else:
        one.phase = IDLE
        return
    one.phase = STEPPING
    put(world.events, number, end)


@merged
def _fits(rules, one, need):
    return one.held < rules.sequences and one.reserved + need <= rules.kv_tokens


@merged
def _take_prompts(world, number, now):
    """Take waiting prompts into a step; return its tokens, query-key pairs, prompts that end, and the loads' end."""
    rules, one = world.rules[0], world.instances[number]
    room = rules.budget_tokens - (one.sequences if rules.chunked else 0)
    tokens, pairs, taken, ended, free = 0, 0.0, 0, 0, now
    while taken < rules.prompts_a_step and room > 0:
        if one.part < 0:
            place = one.head
            if place < 0 or not _fits(rules, one, world.requests[place].need):
                break
            hbm, dram, pool, found, _ = plan(world, number, place, free)
            if taken and not rules.chunked and world.requests[place].input - hbm - dram - pool > room:
                break
            free = _admit(world, number, hbm, dram, pool, found, now, free)
        request = world.requests[one.part]
        tokens_now = request.input - one.done
        if rules.chunked:
            tokens_now = min(tokens_now, room)
        pairs += tokens_now * one.done + tokens_now * (tokens_now + 1) / 2
        one.done += tokens_now
        tokens += tokens_now
        room -= tokens_now
        taken += 1
        if one.done == request.input:
            _enlist(world, number)
            ended += 1
    return tokens, pairs, ended, free


@merged
def _admit(world, number, hbm, dram, pool, found, now, free):
    """Move the head of the queue into work with the tokens it takes from each tier; return when they are in."""
    rules, shared, one = world.rules[0], world.shared[0], world.instances[number]
    place = one.head
    request = world.requests[place]
    one.head = request.next
    one.waiting -= 1
    one.held += 1
    one.reserved += request.need
    one.part, one.done = place, hbm + dram + pool
    request.began = now
    request.found, request.hbm, request.dram, request.pool = found, hbm, dram, pool
    if rules.local:
        touch(world.caches[number], world.slot_of[number], world.log[number], world.blocks, request.start, request.end)
    free, shared.fabric_free = loaded(rules, shared, free, dram, pool)
    shared.fabric_busy += pool * rules.fabric_token_s if pool else 0.0
    return free


@merged
def _enlist(world, number):
    """Put the prompt in work behind those that end with this step."""
    one = world.instances[number]
    place, one.part = one.part, -1
    world.requests[place].next = -1
    if one.ready < 0:
        one.ready = place
    else:
        world.requests[one.ready_last].next = place
    one.ready_last = place


@merged
def _take_sequences(world, number):
    """Take waiting sequences whose prompts were prefilled elsewhere."""
    rules, one = world.rules[0], world.instances[number]
    while one.head >= 0 and _fits(rules, one, world.requests[one.head].need):
        place = one.head
        one.head = world.requests[place].next
        one.waiting -= 1
        one.held += 1
        one.reserved += world.requests[place].need
        _join(world, number, place)


@merged
def _join(world, number, place):
    """Let a sequence that has its first token take part in the next step."""
    one, request = world.instances[number], world.requests[place]
    last = one.step + request.output - 1
    push(world.last_steps[number], world.sequence_names[number], one.sequences, last, place)
    one.sequences += 1
    one.kv_tokens += request.input + 1


@merged
def end_step(world, number, now):
    """Let sequences and prompts leave the steps that end now."""
    one = world.instances[number]
    one.busy_s += now - one.began
    if one.decoding:
        one.step += one.steps
        one.kv_tokens += one.decoding * one.steps
        while one.sequences and world.last_steps[number, 0] <= one.step:
            place = pop(world.last_steps[number], world.sequence_names[number], one.sequences)
            one.sequences -= 1
            one.kv_tokens -= world.requests[place].input + world.requests[place].output
            release(one, world.requests[place])
            finish(world, place, now)
    place, one.ready = one.ready, -1
    while place >= 0:
        # Read before the request moves into another queue.
        following = world.requests[place].next
        _end_prompt(world, number, place, now)
        place = following
    one.phase = STARTING


@merged
def _end_prompt(world, number, place, now):
    """Give out the first token of a prompt."""
    rules, one, request = world.rules[0], world.instances[number], world.requests[place]
    request.first = now
    one.work_s -= request.work_s
    if rules.pooled:
        touch(world.caches[-1], world.slot_of[-1], world.log[-1], world.blocks, request.start, request.end)
    if rules.layout == TOGETHER and request.output > 1:
        _join(world, number, place)
    elif rules.layout == APART and request.output > 1:
        _send(world, number, place, now)
    else:
        release(one, request)
        finish(world, place, now)


@merged
def _send(world, number, place, now):
    """Put a prompt's keys and values on the way to a decoder, behind those that the instance still sends."""
    rules, one, request = world.rules[0], world.instances[number], world.requests[place]
    request.next = -1
    request.sent = max(now, one.sent) + rules.transfer_token_s * request.input
    one.sent = request.sent
    if one.sending < 0:
        one.sending = place
        put(world.events, len(world.instances) + number, request.sent)
    else:
        world.requests[one.sending_last].next = place
    one.sending_last = place


@merged
def release(one, request):
    """Free the place and the memory of a request."""
    one.held -= 1
    one.reserved -= request.need
    one.promised -= request.need


@merged
def count(shared, change, now):
    """Change the number of requests in the system, summing it over time."""
    shared.request_seconds += shared.inside * (now - shared.counted)
    shared.counted = now
    shared.inside += change
    shared.most_inside = max(shared.most_inside, shared.inside)


@merged
def finish(world, place, now):
    """Answer a request and give its place back; a client of a closed loop thinks and asks again."""
    rules, shared, request = world.rules[0], world.shared[0], world.requests[place]
    count(shared, -1, now)
    shared.end = max(shared.end, now)
    if rules.kept:
        _keep(world.results[request.name], request, now)
    else:
        _tally(world, request, now)
    if request.client >= 0:
        # Thinking times are used in the order in which they begin.
        again = math.inf
        if shared.thoughts < rules.total:
            again = now + rules.outside_s + world.drawn[shared.thoughts - shared.drawn_from]
        put(world.clients, request.client, again)
        shared.thoughts += 1
    request.next = shared.given_back
    shared.given_back = place


@merged
def _keep(result, request, now):
    """Copy what is asked of a request."""
    result.arrival, result.began, result.first, result.finish = request.arrival, request.began, request.first, now
    result.found, result.hbm, result.dram, result.pool = request.found, request.hbm, request.dram, request.pool
    result.instance, result.decoder = request.instance, request.decoder
    result.served += 1


@merged
def _tally(world, request, now):
    """Count the times of a request."""
    sums = world.sums
    _add(world.tally[TTFT], sums, TTFT, request.first - request.arrival)
    _add(world.tally[END_TO_END], sums, END_TO_END, now - request.arrival)
    if request.output > 1 and world.rules[0].layout != PREFILL:
        _add(world.tally[TPOT], sums, TPOT, (now - request.first) / (request.output - 1))
        sums[DECODED] += 1
    sums[WAITED] += request.began - request.arrival
    sums[SUMS - 4] += request.found
    sums[SUMS - 3] += request.hbm
    sums[SUMS - 2] += request.dram
    sums[SUMS - 1] += request.pool


@merged
def _add(bins, sums, which, seconds):
    sums[which] += seconds
    size = 0
    if seconds > LEAST_S:
        size = min(1 + int(math.log(seconds / LEAST_S) / math.log(WIDTH)), BINS - 1)
    bins[size] += 1
