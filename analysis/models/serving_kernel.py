"""The compiled event loop of `serving`; imported only when a simulation is asked for.

At one time, requests arrive first, then steps end, then keys and values reach their decoder, then steps begin. So a
step takes in all that is there at its beginning.
"""

import math

from analysis.models import (
    compiling,
    event_kernel,
    serving_cache_kernel,
    serving_costs_kernel,
    serving_state,
    serving_step_kernel,
)
from analysis.models.compiling import kept, merged
from analysis.models.event_kernel import first, put
from analysis.models.serving_costs_kernel import decoding_s, plan, steps_until
from analysis.models.serving_state import CACHE_AWARE, DONE, DRAW, GROW, IDLE, ROUND_ROBIN, STARTING, STEPPING, TOGETHER
from analysis.models.serving_step_kernel import begin_step, count, end_step, release


@merged
def _lacks_times(world):
    """Return whether more arrivals or thinking times must be drawn before the next event."""
    total, shared = world.rules[0].total, world.shared[0]
    drawn = shared.drawn_from + len(world.drawn)
    if len(world.clients):
        # As many requests as there are clients can end at once.
        return drawn < min(total, shared.thoughts + len(world.clients))
    return drawn < min(total, shared.arrived + 1)


@merged
def _next_arrival(world):
    """Return when the next request arrives, from a client or from the schedule."""
    if len(world.clients):
        return world.clients[1]
    shared = world.shared[0]
    return world.drawn[shared.arrived - shared.drawn_from] if shared.arrived < world.rules[0].total else math.inf


@merged
def _enter(world, now):
    """Return a place with the next request in it."""
    rules, shared = world.rules[0], world.shared[0]
    place = shared.given_back
    if place >= 0:
        shared.given_back = world.requests[place].next
    else:
        place = shared.used
        shared.used += 1
    request, name = world.requests[place], shared.arrived
    shared.arrived += 1
    request.name, request.arrival, request.work_s = name, now, 0.0
    request.input, request.output = world.inputs[name], world.outputs[name]
    request.start, request.end = world.ends[name - 1] if name else 0, world.ends[name]
    request.need = request.input + (request.output if rules.layout == TOGETHER else 0)
    request.stated = world.stated[name] if len(world.stated) else 0
    request.client = request.decoder = request.next = -1
    return place


@merged
def _arrive(world, now):
    """Take in the next request and give it to an instance."""
    place = _enter(world, now)
    if len(world.clients):
        client = first(world.clients)
        world.requests[place].client = client
        put(world.clients, client, math.inf)
    count(world.shared[0], 1, now)
    number = _route(world, place, now)
    world.requests[place].instance = number
    _queue(world, number, place, now)


@merged
def _queue(world, number, place, now):
    """Put a request at the end of an instance's queue, and wake the instance or cut short its steps."""
    one = world.instances[number]
    world.requests[place].next = -1
    if one.head < 0:
        one.head = place
    else:
        world.requests[one.tail].next = place
    one.tail = place
    one.waiting += 1
    one.promised += world.requests[place].need
    if one.phase == IDLE:
        one.phase = STARTING
        put(world.events, world.rules[0].starts + number, now)
    elif one.phase == STEPPING and one.steps > 1 and one.waiting == 1:
        # With others waiting the head of the queue does not fit before a sequence ends.
        one.steps = steps_until(world.rules[0], one, now)
        put(world.events, number, one.began + decoding_s(world.rules[0], one, one.steps))


@merged
def _route(world, place, now):
    """Choose an instance; among equals the next after the one chosen last."""
    rules, shared = world.rules[0], world.shared[0]
    chosen = shared.turn
    if rules.routing != ROUND_ROBIN:
        least = math.inf
        for offset in range(rules.prefillers):
            number = (shared.turn + offset) % rules.prefillers
            one = world.instances[number]
            load = float(one.held + one.waiting)
            if rules.routing == CACHE_AWARE:
                load = one.work_s + plan(world, number, place, now)[4]
            if load < least:
                least, chosen = load, number
        if rules.routing == CACHE_AWARE:
            world.requests[place].work_s = least - world.instances[chosen].work_s
            world.instances[chosen].work_s = least
    shared.turn = (chosen + 1) % rules.prefillers
    return chosen


@merged
def _deliver(world, number, now):
    """Hand a prompt's keys and values to the decoder with the fewest tokens promised, and send the next."""
    one = world.instances[number]
    place = one.sending
    one.sending = world.requests[place].next
    if one.sending >= 0:
        put(world.events, len(world.instances) + number, world.requests[one.sending].sent)
    request = world.requests[place]
    release(one, request)
    if one.phase == IDLE and one.head >= 0:
        # It waited for this memory.
        one.phase = STARTING
        put(world.events, world.rules[0].starts + number, now)
    request.need = request.input + request.output
    decoder = world.rules[0].prefillers
    for other in range(decoder + 1, len(world.instances)):
        if world.instances[other].promised < world.instances[decoder].promised:
            decoder = other
    request.decoder = decoder
    _queue(world, decoder, place, now)


def _loop(sources):
    """Return the loop, compiled for the sources that it is made of."""

    @kept
    def run(world):
        # Enclosed, so that a change of any source compiles anew.
        _ = sources
        events = world.events
        instances, starts, shared = len(world.instances), world.rules[0].starts, world.shared[0]
        while True:
            if _lacks_times(world):
                return DRAW
            now, due = _next_arrival(world), events[1]
            if now <= due:
                if now == math.inf:
                    return DONE
                if shared.given_back < 0 and shared.used == len(world.requests):
                    return GROW
                _arrive(world, now)
                continue
            leaf = first(events)
            put(events, leaf, math.inf)
            if leaf < instances:
                end_step(world, leaf, due)
                put(events, starts + leaf, due)
            elif leaf < starts:
                _deliver(world, leaf - instances, due)
            else:
                begin_step(world, leaf - starts, due)

    return run


# Plays the requests of a `World` until all have ended, or until it needs more places or more times drawn.
run = _loop(
    compiling.fingerprint(
        compiling, event_kernel, serving_cache_kernel, serving_costs_kernel, serving_state, serving_step_kernel
    )
)
