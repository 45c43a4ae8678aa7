"""The serving simulation once more, slow and plain: every step on its own, caches as ordered dictionaries."""

import heapq
import math
from collections import OrderedDict, deque

ARRIVAL, END, DELIVERY, START = range(4)


class Lru:
    def __init__(self, size):
        self.size, self.content = size, OrderedDict()

    def touch(self, prompt):
        for block in reversed(prompt):
            self.content[block] = True
            self.content.move_to_end(block)
        while len(self.content) > self.size:
            self.content.popitem(last=False)


class Instance:
    def __init__(self, storage):
        self.hbm, self.dram = Lru(storage.hbm_blocks), Lru(max(storage.hbm_blocks, storage.dram_blocks))
        self.queue, self.work, self.decoding, self.sending = deque(), deque(), {}, deque()
        self.busy = self.sent = self.busy_s = self.promised = 0
        self.reserved = {}
        self.estimates = {}


class Reference:
    """Plays a workload; `times` then holds arrival, first token and end of each request."""

    def __init__(self, workload, fleet):
        trace = workload.trace
        self.fleet, self.costs, self.storage, self.workload = fleet, fleet.costs, fleet.storage, workload
        starts = [0, *trace.ends[:-1].tolist()]
        self.prompts = [trace.blocks[a:b].tolist() for a, b in zip(starts, trace.ends.tolist(), strict=True)]
        self.inputs, self.outputs = trace.input_tokens.tolist(), trace.output_tokens.tolist()
        self.instances = [Instance(fleet.storage) for _ in range(fleet.instances + fleet.decoders)]
        self.pool = Lru(fleet.storage.pool_blocks)
        self.fabric_free = self.turn = self.arrived = 0
        self.times = [[None] * 3 for _ in self.inputs]
        self.hits = [None] * len(self.inputs)
        self.where = [-1] * len(self.inputs)
        self.clients = {}
        self.events = []
        self.asked = 0

    def run(self):
        arrivals = self.workload.arrivals
        if arrivals is None:
            times = self.workload.trace.timestamps_ms
            for name, time in enumerate(times):
                heapq.heappush(self.events, ((time - times[0]) / 1000, ARRIVAL, name))
        else:
            for client in range(min(arrivals.clients, len(self.inputs))):
                self.ask(client, 0.0)
        handlers = (self.arrive, self.end, self.deliver, self.start)
        while self.events:
            time, kind, index = heapq.heappop(self.events)
            handlers[kind](time, index)
        return self

    def ask(self, client, time):
        if self.asked < len(self.inputs):
            self.asked += 1
            heapq.heappush(self.events, (time + self.workload.arrivals.think_s, ARRIVAL, client))

    def arrive(self, time, index):
        name = self.arrived
        self.arrived += 1
        if self.workload.arrivals is not None:
            self.clients[name] = index
        self.times[name][0] = time
        number = self.route(time, name)
        self.where[name] = number
        self.instances[number].queue.append(name)
        self.wake(time, number)

    def wake(self, time, number):
        one = self.instances[number]
        if not one.busy:
            one.busy = True
            heapq.heappush(self.events, (time, START, number))

    def route(self, time, name):
        count = self.fleet.instances
        order = [(self.turn + offset) % count for offset in range(count)]
        if self.fleet.routing == "round robin":
            chosen = order[0]
        elif self.fleet.routing == "least loaded":
            chosen = min(order, key=lambda i: len(self.instances[i].queue) + len(self.instances[i].reserved))
        else:
            own = {i: self.choose(i, name, time)[0] for i in order}
            chosen = min(order, key=lambda i: sum(self.instances[i].estimates.values()) + own[i])
            self.instances[chosen].estimates[name] = own[chosen]
        self.turn = (chosen + 1) % count
        return chosen

    def need(self, number, name):
        whole = self.fleet.layout == "together" or number >= self.fleet.instances
        return self.inputs[name] + (self.outputs[name] if whole else 0)

    def fits(self, number, name):
        one = self.instances[number]
        reserved = sum(one.reserved.values()) + self.need(number, name)
        return len(one.reserved) < self.fleet.sequences and reserved <= self.fleet.kv_tokens

    def choose(self, number, name, free):
        """Seconds of the best choice, tokens by tier, when they are loaded and when the fabric is free."""
        one, prompt = self.instances[number], self.inputs[name]
        tiers = [one.hbm.content, one.dram.content | one.hbm.content]
        tiers.append(tiers[1] | self.pool.content)
        found = []
        for content in tiers:
            blocks = next((i for i, b in enumerate(self.prompts[name]) if b not in content), len(self.prompts[name]))
            found.append(min(512 * blocks, prompt - 1))
        best = None
        for last in range(3):
            cut = [found[min(tier, last)] for tier in range(3)]
            used = [cut[0], cut[1] - cut[0], cut[2] - cut[1]]
            new = prompt - sum(used)
            pairs = sum(sum(used) + 1 + i for i in range(new))
            computed = (self.costs.token_s + self.costs.communication_s) * new + self.costs.pair_s * pairs
            at, fabric = free, self.fabric_free
            if used[1]:
                at += used[1] * self.storage.dram_token_s
            if used[2]:
                begin = max(at + self.storage.lookup_s, fabric)
                fabric = begin + used[2] * self.storage.fabric_token_s
                at = begin + used[2] * max(self.storage.pool_token_s, self.storage.fabric_token_s)
            load = at - free
            seconds = math.inf if load == math.inf else computed + load - min(self.storage.hidden * load, computed)
            loads = self.storage.always_load and seconds < math.inf
            if best is None or seconds <= best[0] or loads:
                best = seconds, used, at, fabric
        return best

    def start(self, time, number):
        one, costs, fleet = self.instances[number], self.costs, self.fleet
        tokens = pairs = taken = 0
        free, ended = time, []
        if number >= fleet.instances:
            while one.queue and self.fits(number, one.queue[0]):
                name = one.queue.popleft()
                one.reserved[name] = self.need(number, name)
                one.decoding[name] = 1
        else:
            room = fleet.budget_tokens - (len(one.decoding) if fleet.chunked else 0)
            while taken < fleet.prompts_a_step and room > 0:
                if not one.work:
                    if not one.queue or not self.fits(number, one.queue[0]):
                        break
                    name = one.queue[0]
                    _, used, at, fabric = self.choose(number, name, free)
                    if not fleet.chunked and taken and self.inputs[name] - sum(used) > room:
                        break
                    one.queue.popleft()
                    free, self.fabric_free, self.hits[name] = at, fabric, used
                    one.reserved[name] = self.need(number, name)
                    one.hbm.touch(self.prompts[name])
                    one.dram.touch(self.prompts[name])
                    one.work.append([name, sum(used)])
                name, done = one.work[0]
                now = min(self.inputs[name] - done, room if fleet.chunked else math.inf)
                pairs += sum(done + 1 + i for i in range(now))
                one.work[0][1] += now
                tokens, room, taken = tokens + now, room - now, taken + 1
                if done + now < self.inputs[name]:
                    break
                one.work.popleft()
                ended.append(name)
        decoding = list(one.decoding) if fleet.chunked or not tokens else []
        if not tokens and not decoding:
            one.busy = False
            return
        rows = tokens + len(decoding)
        held = sum(self.inputs[name] + one.decoding[name] for name in decoding)
        seconds = costs.step_s + costs.communication_s * rows + costs.sequence_s * len(decoding)
        seconds += max(costs.weights_s, costs.token_s * rows + costs.output_s * (len(ended) + len(decoding)))
        seconds += costs.pair_s * pairs + costs.kv_token_s * held
        end = time + seconds + (free - time) - min(self.storage.hidden * (free - time), seconds)
        one.step = (decoding, ended)
        one.busy_s += end - time
        heapq.heappush(self.events, (end, END, number))

    def end(self, time, number):
        one = self.instances[number]
        decoding, ended = one.step
        for name in sorted(decoding):
            one.decoding[name] += 1
            if one.decoding[name] == self.outputs[name]:
                del one.decoding[name], one.reserved[name]
                self.finish(time, name)
        for name in ended:
            self.times[name][1] = time
            one.estimates.pop(name, None)
            self.pool.touch(self.prompts[name])
            if self.fleet.layout == "prefill" or self.outputs[name] == 1:
                del one.reserved[name]
                self.finish(time, name)
            elif self.fleet.layout == "together":
                one.decoding[name] = 1
            else:
                one.sent = max(time, one.sent) + self.fleet.transfer_token_s * self.inputs[name]
                one.sending.append(name)
                heapq.heappush(self.events, (one.sent, DELIVERY, number))
        heapq.heappush(self.events, (time, START, number))

    def deliver(self, time, number):
        one = self.instances[number]
        name = one.sending.popleft()
        del one.reserved[name]
        self.wake(time, number)
        decoders = range(self.fleet.instances, len(self.instances))
        promised = {
            i: sum(self.instances[i].reserved.values()) + sum(self.need(i, other) for other in self.instances[i].queue)
            for i in decoders
        }
        decoder = min(decoders, key=promised.get)
        self.instances[decoder].queue.append(name)
        self.wake(time, decoder)

    def finish(self, time, name):
        self.times[name][2] = time
        if name in self.clients:
            self.ask(self.clients[name], time + self.costs.outside_s)
