"""Second method: caches replayed at their very size, prefixes loaded layer by layer, requests that queue one by one."""

import numpy as np

from analysis.facts.workloads import shipped_trace, workloads
from analysis.models.collectives import GIGA
from analysis.models.prefix_cache import request_hits
from analysis.subjects.ems_ttft.sides import (
    HIT,
    LENGTH,
    NOTHING,
    POOL,
    PRIVATE,
    RESIDENT,
    SPEED,
    VARIATION,
    between,
    blocks_of,
    loading,
)
from analysis.subjects.ems_ttft.times import of_requests, own_s

DRAWS, BATCHES = 2**17, 8
UTILISATION = "baseline_utilisation"
# One comparison of each kind is played: the columns that tell kinds apart.
KINDS = ("baseline", "workload", "model")


def some_of(options):
    """Return one combination for each baseline, workload and model: the middle one of those that differ in the rest."""
    names = np.stack([np.unique(options.columns[name], return_inverse=True)[1] for name in KINDS])
    _, group = np.unique(names, axis=1, return_inverse=True)
    places = [np.flatnonzero(group.reshape(-1) == one) for one in range(group.max() + 1)]
    return options.take(np.array([mine[len(mine) // 2] for mine in places]))


def cuts(facts, listed, options, values):
    """Return by how much the time to first token falls, as a fraction, in each batch of drawn requests.

    Parameters
    ----------
    facts : Facts
    listed : list of Instance
    options : Options
    values : dict of str to float
        The assumptions; with `UTILISATION` among them requests queue.

    Returns
    -------
    ndarray
        Shape (options, BATCHES); all alike where nothing is drawn.
    """
    names = ("place", "baseline", "workload", "instances")
    rows = zip(*(options.columns[name].tolist() for name in names), strict=True)
    return np.array([_cut(facts, listed[place], *row, values) for place, *row in rows])


def _cut(facts, one, baseline, workload, caches, values):
    rng = np.random.default_rng(0)
    sides = [_requests(facts, one, kind, workload, caches, values) for kind in (baseline, POOL)]
    if UTILISATION not in values:
        base, pool = (float(np.mean(sum(side))) for side in sides)
        return np.full(BATCHES, 1 - pool / base)
    count = len(sides[0][1])
    drawn = rng.integers(count, size=DRAWS)
    stretch = _stretch(rng, workloads(facts)[workload], values)
    # Looking up keeps no instance busy, so it is apart.
    busy, lookups = zip(*(_drawn(side, drawn, stretch) for side in sides), strict=True)
    gaps = rng.standard_exponential(DRAWS) * busy[0].mean() / values[UTILISATION]
    base, pool = (waited_s(one, gaps) + one + lookup for one, lookup in zip(busy, lookups, strict=True))
    base, pool = (times.reshape(BATCHES, -1).mean(axis=1) for times in (base, pool))
    return 1 - pool / base


def _stretch(rng, workload, values):
    """How much longer than the mean each drawn request is; a trace has its own lengths."""
    if workload.trace or not values[VARIATION]:
        return 1.0
    shape = values[VARIATION] ** -2
    return rng.standard_gamma(shape, DRAWS) / shape


def _drawn(side, drawn, stretch):
    own, computing, lookup = side
    return own + stretch * computing[drawn], lookup[drawn]


def waited_s(busy_s, gaps_s):
    """Return how long each request waits for the ones before it.

    Parameters
    ----------
    busy_s, gaps_s : ndarray
        What each keeps the instance busy, and from the arrival of the one before to its own.

    Returns
    -------
    ndarray
        Source: [lindley1952queues]; the recursion max(0, wait + busy - gap) as sums and their least value so far.
    """
    steps = np.concatenate([[0.0], busy_s[:-1] - gaps_s[1:]]).cumsum()
    return steps - np.minimum.accumulate(steps)


def _requests(facts, one, kind, workload, caches, values):
    """What every request takes: of its own, computing with what is not hidden of the load, and looking up."""
    prompt, cached = _found(workloads(facts)[workload], facts, one, kind, caches, values)
    work, size = of_requests(one, prompt, cached)
    how = loading(kind, [one], np.zeros(1, dtype=int), {name: np.array([cell]) for name, cell in values.items()})
    load = size / (GIGA * np.broadcast_to(how.rate_GBps, 1))
    seconds = by_layers_s(work / values[SPEED], load, float(np.squeeze(how.hidden)), one.shape.layers)
    return own_s(one.prefiller), seconds, np.where(size > 0, how.lookup_s, 0.0)


def by_layers_s(work, load, hidden, layers):
    """Return the time of prompts whose prefix arrives layer by layer while others are computed.

    Parameters
    ----------
    work, load : ndarray
        Seconds, of all layers.
    hidden : float
        Part of the load that may arrive while layers are computed; the rest comes first.
    layers : int

    Returns
    -------
    ndarray
        Seconds.
    """
    now = (1 - hidden) * load
    begun = now.copy()
    for layer in range(layers):
        now = np.maximum(now, begun + hidden * load * (layer + 1) / layers) + work / layers
    return now


def _found(workload, facts, one, kind, caches, values):
    """Prompts, and what each finds cached."""
    if not workload.trace:
        prompt = np.array([between(workload.prompt_tokens, values[LENGTH])])
        ends = workload.private_hit if kind == PRIVATE else workload.hit
        hit = 0.0 if kind == NOTHING else between(ends, values[HIT])
        return prompt, np.minimum(hit * prompt, prompt - 1)
    trace = shipped_trace(facts, workload.trace)
    blocks = 0.0
    if kind != NOTHING:
        held = {name: np.array([cell]) for name, cell in values.items()}
        (blocks,) = blocks_of(kind, [one], np.zeros(1, dtype=int), caches, held)
    _, tokens = request_hits(trace, int(blocks), 1 if kind in (POOL, RESIDENT) else caches)
    return trace.input_tokens, np.minimum(tokens, trace.input_tokens - 1)
