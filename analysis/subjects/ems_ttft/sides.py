"""The sides of a comparison: where cached prefixes lie, and so how much of a prompt is computed and how much loaded."""

from dataclasses import fields

import numpy as np

from analysis.facts.traces import BLOCK_TOKENS
from analysis.facts.workloads import shipped_trace, workloads
from analysis.models.collectives import GIGA
from analysis.models.inference import MILLI
from analysis.subjects.ems_ttft.requests import place_of, replayed, without_cache
from analysis.subjects.ems_ttft.systems import INSTANCES
from analysis.subjects.ems_ttft.times import Loading, Moments, moments, of_requests

# Where prefixes lie. Resident: what the pool would find lies in the memory of the accelerators already.
NOTHING, PRIVATE, RESIDENT, LOCAL, POOL = "nothing", "private", "resident", "local", "pool"
HIT, LENGTH, VARIATION = "workload_hit_position", "workload_length_position", "prompt_length_variation"
SPEED, LINK, HIDDEN = "relative_prefill_speed", "pool_link_share", "load_hidden_share"
LOOKUP, POOL_GB = "pool_lookup_ms", "pool_gb_per_card"
MEMORY = ("cache_memory_share", "working_memory_gb")
# How many caches the requests of a trace are spread over; 0 for none, 1 for a pool.
SPREAD = (0, 1, *INSTANCES)
# Points over the range of hit rate and of length at which published workloads are prepared.
GRID = {HIT: 5, LENGTH: 9}


def between(ends, position):
    """Return values inside ranges."""
    low, high = ends
    return low + position * (high - low)


def loading(kind, listed, which, values):
    """Return how prefixes arrive on one side.

    Parameters
    ----------
    kind : str
    listed : list of Instance
    which : ndarray of int
        Shape (N,), positions in `listed`.
    values : dict of str to ndarray
        The assumptions, shape (N,).

    Returns
    -------
    Loading
    """
    if kind not in (LOCAL, POOL):
        return Loading()
    printed = np.array([one.link_GBps if kind == POOL else one.host_GBps for one in listed])[which]
    lookup_s = MILLI * values[LOOKUP] if kind == POOL else 0.0
    return Loading(printed * values[LINK], values[HIDDEN], lookup_s)


def found(facts, kind, listed, columns, values):
    """Return what the requests of each sample compute and load on one side.

    Parameters
    ----------
    facts : Facts
    kind : str
    listed : list of Instance
    columns : dict of str to ndarray
        Of the sampled options, shape (N,): workload, place (in `listed`), instances.
    values : dict of str to ndarray
        The assumptions, shape (N,).

    Returns
    -------
    Moments
        Each field of shape (N,).
    """
    cells = np.zeros((len(fields(Moments)), len(columns["workload"])))
    for name in np.unique(columns["workload"]):
        mine = np.flatnonzero(columns["workload"] == name)
        here = {column: cell[mine] for column, cell in columns.items()}
        held = {assumption: cell[mine] for assumption, cell in values.items()}
        workload = workloads(facts)[name]
        answer = _traced if workload.trace else _published
        cells[:, mine] = answer(facts, workload, kind, listed, here, held)
    return Moments(*cells)


def _published(facts, workload, kind, listed, columns, values):
    """Equal requests, whose lengths vary for the squares alone; between prepared ones on straight lines."""
    squares = 1 + values[VARIATION] ** 2 if VARIATION in values else 1.0
    which = {NOTHING: 0, PRIVATE: 2}.get(kind, 1)
    table = _stacked(facts, workload.name, listed, lambda one: published(facts, workload, one))
    corners = [_neighbours(GRID[name], values[name]) for name in (HIT, LENGTH)]
    work, size = (0.0, 0.0)
    for hit, hit_part in corners[0]:
        for length, length_part in corners[1]:
            cells = table[columns["place"], :, which, hit, length]
            work, size = (total + hit_part * length_part * cells[:, at] for at, total in enumerate((work, size)))
    return work, work**2 * squares, size, size**2 * squares, work * size * squares, (size > 0).astype(float)


def _stacked(facts, workload, listed, make):
    """What `make` gives for each instance, one above the other, kept for the next call."""
    key = ("ems ttft stacked", workload, tuple((one.model, one.system, one.layout) for one in listed))
    if key not in facts.derived:
        facts.derived[key] = np.stack([make(one) for one in listed])
    return facts.derived[key]


def _neighbours(count, position):
    """Return the two prepared points around positions in [0, 1], each with its weight."""
    place = np.clip(position, 0, 1) * (count - 1)
    low = np.minimum(place.astype(int), count - 2)
    return (low, 1 - (place - low)), (low + 1, place - low)


def published(facts, workload, one):
    """Return seconds of computing and bytes to load of the mean request of a workload on an instance.

    Parameters
    ----------
    facts : Facts
    workload : Workload
        Without a trace.
    one : Instance

    Returns
    -------
    ndarray
        Shape (2, 3, hits, lengths): with nothing cached, with the pool, with private caches (as the pool where none
        are published).
    """
    key = ("ems ttft published", workload.name, one.model, one.system, one.layout)
    if key not in facts.derived:
        hit, length = (np.linspace(0, 1, GRID[name]) for name in (HIT, LENGTH))
        prompt = between(workload.prompt_tokens, length[None, :])
        fractions = [0 * hit, *(between(ends or workload.hit, hit) for ends in (workload.hit, workload.private_hit))]
        cached = np.stack([np.minimum(part[:, None] * prompt, prompt - 1) for part in fractions])
        facts.derived[key] = np.array(of_requests(one, np.broadcast_to(prompt, cached.shape), cached))
    return facts.derived[key]


def _traced(facts, workload, kind, listed, columns, values):
    """As replayed, between the capacities at which the trace was replayed on a straight line."""
    table = _stacked(facts, workload.name, listed, lambda one: prepared(facts, workload.trace, one))
    places, caches = columns["place"], columns["instances"]
    spread = {NOTHING: 0 * caches, PRIVATE: caches, LOCAL: caches}.get(kind, 0 * caches + 1)
    blocks = np.inf if kind == NOTHING else blocks_of(kind, listed, places, caches, values)
    low, part = place_of(shipped_trace(facts, workload.trace), blocks + 0.0 * places)
    group = np.searchsorted(SPREAD, spread)
    first, second = (table[places, :, group, low + step] for step in (0, 1))
    return ((1 - part)[:, None] * first + part[:, None] * second).T


def blocks_of(kind, listed, which, instances, values):
    """Return the blocks of each cache over which the requests of a trace are spread.

    Parameters
    ----------
    kind : str
    listed : list of Instance
    which : ndarray of int
        Shape (N,), positions in `listed`.
    instances : ndarray of int
        That share the pool, shape (N,).
    values : dict of str to ndarray
        The assumptions, shape (N,).

    Returns
    -------
    ndarray
        What weights and the engine leave of the accelerators' memory, or the memory of the pool.
    """
    cells = [(one.memory_bytes, one.weight_bytes, one.cards, one.copies, one.token_bytes) for one in listed]
    memory, weights, cards, copies, token = np.array(cells)[which].T
    if kind == PRIVATE:
        share, working_gb = (values[name] for name in MEMORY)
        room = np.maximum(memory - weights - cards * GIGA * working_gb, 0) * share / copies
    else:
        room = cards * GIGA * values[POOL_GB] * (1 if kind == LOCAL else instances)
    return room / (token * BLOCK_TOKENS)


def prepared(facts, trace, one):
    """Return means over the requests of a trace on an instance, shape (fields of Moments, SPREAD, CAPACITIES)."""
    key = ("ems ttft moments", trace, one.model, one.system, one.layout)
    if key not in facts.derived:
        part, prompt, cached, starts, shape = _gathered(facts, trace)
        found = moments(*of_requests(one, prompt, cached), part, starts)
        facts.derived[key] = np.array([getattr(found, field.name).reshape(shape) for field in fields(Moments)])
    return facts.derived[key]


def _gathered(facts, trace):
    """Classes of requests of all replays of a trace, one after the other."""
    key = ("ems ttft classes", trace)
    if key not in facts.derived:
        nothing = without_cache(shipped_trace(facts, trace))
        played = [replayed(facts, trace, caches) for caches in SPREAD[1:]]
        rows = [[nothing] * len(played[0]), *played]
        flat = [one for row in rows for one in row]
        cells = [np.concatenate([getattr(one, name) for one in flat]) for name in ("part", "prompt", "cached")]
        starts = np.cumsum([0, *(len(one.part) for one in flat[:-1])])
        facts.derived[key] = (*cells, starts, (len(rows), len(rows[0])))
    return facts.derived[key]
