"""What the notebook draws and tabulates: hit rates, cuts by baseline, and what moves them."""

import numpy as np
import pandas as pd

from analysis.facts.assumptions import assumptions
from analysis.facts.workloads import shipped_trace, workloads
from analysis.judgement.uncertainty import draw, option_weights, weighted_quantile
from analysis.models.prefix_cache import miss_ratio_curve
from analysis.subjects.ems_ttft.answers import ASSUMPTIONS, OVERLOADED, UTILISATION, both_s, compared, cut, ratio
from analysis.subjects.ems_ttft.sides import POOL, PRIVATE, blocks_of

SAMPLES, POINTS = 4096, 41
ENDS = (0.05, 0.5, 0.95)


def at_modes(facts, parameters):
    """Return every assumption at its mode, or where a record has it pinned."""
    pinned = parameters
    declared = assumptions(facts, ASSUMPTIONS[OVERLOADED])
    return {one.name: one.mode if pinned.get(one.name) is None else pinned[one.name] for one in declared}


def by_workload(facts, parameters, reading, seed):
    """Return the cuts of one reading by workload, over everything that is open.

    Parameters
    ----------
    facts : Facts
    parameters : dict
        Of a record.
    reading : str
    seed : int

    Returns
    -------
    pandas.DataFrame
        workload, low, middle, high (5th, 50th and 95th percentile), cut (every sample of it).
    """
    listed, options = compared(facts, parameters, reading)
    if not len(options):
        return pd.DataFrame(columns=["workload", "low", "middle", "high", "cut"])
    declared = assumptions(facts, ASSUMPTIONS[reading])
    sample = draw(declared, options, option_weights(options), SAMPLES, seed)
    held = {one.name: parameters[one.name] for one in declared if parameters.get(one.name) is not None}
    values = sample.values | {name: np.full(SAMPLES, value) for name, value in held.items()}
    cuts = cut(ratio(facts, listed, options, sample.rows, values))
    names = options.columns["workload"][sample.rows]
    titles = {name: one.title for name, one in workloads(facts).items()}
    rows = [
        (titles[name], *np.quantile(cuts[names == name], ENDS), cuts[names == name]) for name in dict.fromkeys(names)
    ]
    return pd.DataFrame(rows, columns=["workload", "low", "middle", "high", "cut"])


def hit_curve(facts, trace, caches):
    """Return the token-weighted hit rate of a shipped trace over the capacity of one cache.

    Parameters
    ----------
    facts : Facts
    trace : str
    caches : int
        Over which requests are spread; 1 is a pool.

    Returns
    -------
    pandas.DataFrame
        blocks (of one cache), hit.
    """
    curve = miss_ratio_curve(shipped_trace(facts, trace), caches)
    blocks = np.unique(np.geomspace(16, len(curve.hit_blocks) - 1, 8 * POINTS).astype(int))
    return pd.DataFrame({"blocks": blocks, "hit": curve.token_hit(blocks)})


def rooms(facts, parameters):
    """Return what the accelerators' memory of one instance, and the pool of all, hold at the modes.

    Parameters
    ----------
    facts : Facts
    parameters : dict
        Of a record.

    Returns
    -------
    pandas.DataFrame
        model, system, layout, instances, private (blocks of one instance), pool (blocks of all together).
    """
    modes, rows = at_modes(facts, parameters), []
    listed, options = compared(facts, parameters, next(iter(ASSUMPTIONS)))
    columns = options.columns
    first = columns["workload"] == columns["workload"][0]
    places, instances = columns["place"][first], columns["instances"][first]
    values = {name: np.full(len(places), value) for name, value in modes.items()}
    private, pool = (blocks_of(kind, listed, places, instances, values) for kind in (PRIVATE, POOL))
    for place, *cells in zip(places, instances, private, pool, strict=True):
        one = listed[place]
        rows.append((one.model, one.system, one.layout, *cells))
    return pd.DataFrame(rows, columns=["model", "system", "layout", "instances", "private", "pool"])


def hits_at(facts, parameters):
    """Return the hit rates of private caches and of the pool on the shipped traces, at the modes.

    Parameters
    ----------
    facts : Facts
    parameters : dict
        Of a record.

    Returns
    -------
    pandas.DataFrame
        The columns of `rooms`; trace, private_hit, pool_hit.
    """
    room, found = rooms(facts, parameters), []
    for trace in ("conversation", "synthetic"):
        alone = {count: miss_ratio_curve(shipped_trace(facts, trace), count) for count in set(room["instances"])}
        pooled = miss_ratio_curve(shipped_trace(facts, trace))
        private = [alone[row.instances].token_hit(row.private) for row in room.itertuples()]
        found.append(room.assign(trace=trace, private_hit=private, pool_hit=pooled.token_hit(room["pool"])))
    return pd.concat(found, ignore_index=True)


def queueing(facts, parameters, busy):
    """Return the cut against an overloaded baseline and how much of it is queueing, by workload and baseline.

    Parameters
    ----------
    facts : Facts
    parameters : dict
        Of a record.
    busy : sequence of float
        Utilisations of the baseline.

    Returns
    -------
    pandas.DataFrame
        baseline, workload, utilisation, cut (per cent, median over the options), idle (the cut without a queue), queue
        (part of the time saved that is waiting).
    """
    listed, options = compared(facts, parameters, OVERLOADED)
    modes, rows = at_modes(facts, parameters), []
    columns = options.columns
    for baseline, name in dict.fromkeys(zip(columns["baseline"], columns["workload"], strict=True)):
        mine = np.flatnonzero((columns["baseline"] == baseline) & (columns["workload"] == name))
        here = {column: columns[column][mine] for column in ("baseline", "workload", "place", "instances")}
        values = {one: np.full(len(mine), value) for one, value in modes.items()}
        alone = both_s(facts, baseline, listed, here, {k: cell for k, cell in values.items() if k != UTILISATION})
        for level in busy:
            loaded = both_s(facts, baseline, listed, here, values | {UTILISATION: np.full(len(mine), level)})
            saved, idle = loaded[0] - loaded[1], alone[0] - alone[1]
            cells = (cut(loaded[1] / loaded[0]), cut(alone[1] / alone[0]), 1 - idle / saved)
            rows.append((baseline, workloads(facts)[name].title, level, *(float(np.median(cell)) for cell in cells)))
    return pd.DataFrame(rows, columns=["baseline", "workload", "utilisation", "cut", "idle", "queue"])


def over(facts, parameters, reading, name, points):
    """Return the median cut over the options while one assumption moves, the others at their modes.

    Parameters
    ----------
    facts : Facts
    parameters : dict
        Of a record.
    reading : str
    name : str
        Of an assumption.
    points : sequence of float

    Returns
    -------
    list of float
        Per cent.
    """
    listed, options = compared(facts, parameters, reading)
    rows, weight = np.arange(len(options)), option_weights(options)
    modes = {one: value for one, value in at_modes(facts, parameters).items() if one in ASSUMPTIONS[reading]}
    found = []
    for point in points:
        values = {one: np.full(len(rows), value) for one, value in (modes | {name: point}).items()}
        cuts = cut(ratio(facts, listed, options, rows, values))
        found.append(float(weighted_quantile(cuts, weight, [0.5])[0]))
    return found


def methods_of(case, modes):
    """Return what both methods find for a case at the modes of its own assumptions."""
    return case.methods(case.options, {one.name: modes[one.name] for one in case.assumptions})
