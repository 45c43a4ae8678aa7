"""What the notebook shows: what can be read in a step, where a gain is reached, and which workloads have it."""

from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.facts.assumptions import assumptions
from analysis.facts.units import PER_CENT
from analysis.judgement.uncertainty import draw, option_weights
from analysis.models.inference import MILLI
from analysis.models.offload import WAYS, reuse_bound
from analysis.subjects.ems_throughput import ASSUMPTIONS, CONTEXT, LIMIT, Asked
from analysis.subjects.ems_throughput.layouts import free_share, placed, sides
from analysis.subjects.ems_throughput.pool import FABRICS, remote_of
from analysis.subjects.ems_throughput.reuse import workloads
from analysis.subjects.ems_throughput.steps import own_step_s

SHARES = np.geomspace(0.005, 0.8, 41)
CONTEXTS = np.geomspace(1000, 128000, 36)
SAMPLES, KILO = 4096, 1e3
BAND = (0.05, 0.5, 0.95)
# What the map moves, one at a time; and the part of the claimed gain by which one may differ and still equal it.
MAPPED = (CONTEXT, LIMIT, "pool_cpus_per_card", "cpu_memory_GBps")
TOLERANCE = 0.25


def at_modes(facts, parameters):
    """Return the assumptions at their modes, or where they are pinned."""
    found = {one.name: one.mode for one in assumptions(facts, ASSUMPTIONS)}
    return found | {name: parameters[name] for name in found if parameters.get(name) is not None}


def filled(values, count):
    """Return scalar assumptions as arrays of equal values."""
    return {name: np.full(count, float(value)) for name, value in values.items()}


def read_in_a_step(facts, side, values):
    """Return what a card can read of caches within the limit on a step, from its own memory and from the pool.

    Parameters
    ----------
    facts : Facts
    side : Side
    values : dict of str to float

    Returns
    -------
    pandas.DataFrame
        source, GBps (reached), gigabytes (within the limit), of_own (over what its own memory gives).
    """
    one = placed(facts, side)
    dies, limit = one.ranks_a_card, MILLI * values[LIMIT]
    rows = [("HBM of the card", dies * one.rank.memory_GBps * one.rates.memory_share)]
    for fabric in FABRICS:
        remote = remote_of(facts, np.array([fabric], dtype=object), filled(values, 1), dies)
        if fabric == FABRICS[0]:
            rows.append(("memory of its CPUs, read by the CPUs", dies * float(remote.memory_GBps[0, 0])))
        rows.append((f"the same over {fabric}", dies * float(np.minimum(remote.memory_GBps, remote.link_GBps)[0, 0])))
    table = pd.DataFrame(rows, columns=["source", "GBps"])
    return table.assign(gigabytes=limit * table["GBps"], of_own=table["GBps"] / table["GBps"].iloc[0])


def decoding_gain(facts, side, shares, values, fabrics=FABRICS, ways=WAYS):
    """Return the gain of decoding with whatever memory is left, the best way and fabric of those given.

    Parameters
    ----------
    facts : Facts
    side : Side
        Gives model and ranks; how much memory its weights leave is replaced.
    shares : ndarray
        Shape (N,), of a card's memory that the cache may use.
    values : dict of str to ndarray
        The assumptions, shape (N,).
    fabrics, ways : sequence of str

    Returns
    -------
    ndarray
        Per cent, shape (N,).
    """
    one, best = placed(facts, side), 0.0
    for fabric in fabrics:
        for way in ways:
            columns = {
                "side": np.zeros(len(shares), dtype=int),
                "fabric": np.full(len(shares), fabric, dtype=object),
                "way": np.full(len(shares), way, dtype=object),
            }
            asked = Asked(facts, [side], columns, values)
            question = asked.question(values[CONTEXT])
            fits = shares[:, None] * one.memory_bytes / question.sequence.cache_bytes
            best = np.maximum(best, asked.decoded(replace(question, fits=fits)) - 1)
    return PER_CENT * best


def gain_map(facts, side, values):
    """Return the gain of decoding over the memory left (`SHARES`) and the context (`CONTEXTS`).

    Returns
    -------
    ndarray
        Per cent, shape (len(CONTEXTS), len(SHARES)); 0 where nothing can be served either way.
    """
    context, share = (cells.ravel() for cells in np.meshgrid(CONTEXTS, SHARES, indexing="ij"))
    many = filled(values, len(share)) | {CONTEXT: context}
    return decoding_gain(facts, side, share, many).reshape(len(CONTEXTS), len(SHARES))


def share_needed(facts, side, values, wanted, **kept):
    """Return the largest part of a card's memory left for the cache at which decoding gains so much, or NaN.

    Parameters
    ----------
    facts : Facts
    side : Side
    values : dict of str to float
    wanted : float
        Per cent.
    **kept
        fabrics and ways of `decoding_gain`.

    Returns
    -------
    float
    """
    found = decoding_gain(facts, side, SHARES, filled(values, len(SHARES)), **kept)
    reached = SHARES[found >= wanted]
    return float(reached.max()) if len(reached) else float("nan")


def needs(facts, side, values, wanted, axes):
    """Return the memory left at which decoding gains so much, one assumption or the fabric moving at a time.

    Parameters
    ----------
    facts : Facts
    side : Side
    values : dict of str to float
    wanted : float
    axes : dict of str to sequence of float
        Assumption to values.

    Returns
    -------
    pandas.DataFrame
        what, value, and share for each fabric of `FABRICS`.
    """
    rows = []
    for name, cells in axes.items():
        for cell in cells:
            moved = values | {name: cell}
            rows.append((name, cell, *(share_needed(facts, side, moved, wanted, fabrics=(one,)) for one in FABRICS)))
    return pd.DataFrame(rows, columns=["what", "value", *FABRICS])


def sampled(facts, case, parameters, seed):
    """Return the predictions of a case over its declared set, and their positions in the options."""
    sample = draw(case.assumptions, case.options, option_weights(case.options), SAMPLES, seed)
    held = {
        name: np.full_like(cells, parameters[name]) if parameters.get(name) is not None else cells
        for name, cells in sample.values.items()
    }
    return case.predict(case.options, sample.rows, held), sample.rows


def by_column(case, rows, gains, name, wanted):
    """Return low, median, high (5th, 50th, 95th percentile) and the part that reaches a gain, by a column.

    Parameters
    ----------
    case : Case
    rows, gains : ndarray
        From `sampled`.
    name : str
        A column of the options.
    wanted : float

    Returns
    -------
    pandas.DataFrame
    """
    table = pd.DataFrame({name: case.options.columns[name][rows], "gain": gains})
    found = []
    for value, cells in table.groupby(name, sort=False)["gain"]:
        found.append((value, *np.quantile(cells, BAND), float((cells >= wanted).mean())))
    return pd.DataFrame(found, columns=[name, "low", "median", "high", "reaches"]).sort_values("median")


def with_bounds(facts, table, shares):
    """Return a table by workload with the cached part of prompts, and the most that reuse can give at some shares.

    Parameters
    ----------
    facts : Facts
    table : pandas.DataFrame
        From `by_column`, of "workload".
    shares : sequence of float
        Of the work that is prefill.
    """
    hits = {one.name: one.hit for one in workloads(facts)}
    found = table.assign(hit=[hits[name] for name in table["workload"]])
    for share in shares:
        found[f"bound_{share:g}"] = PER_CENT * (reuse_bound(share, found["hit"]) - 1)
    return found


def layouts(facts, settings):
    """Return the sides with what is left of a card's memory.

    Returns
    -------
    pandas.DataFrame
        model, attention, ranks, free_share, kilobytes (of a token in all layers and on all ranks that share it).
    """
    rows = []
    for side in sides(facts, settings):
        one = placed(facts, side)
        attention = "MLA" if one.shape.latent_attention else "GQA"
        shared = 1 if one.shape.routed_experts else min(one.ranks, one.shape.key_value_heads)
        size = one.token_bytes * shared / KILO
        rows.append((side.model, attention, one.ranks, free_share(facts, side), size))
    return pd.DataFrame(rows, columns=["model", "attention", "ranks", "free_share", "kilobytes"])


def tightest(facts, settings, attention, values):
    """Return the side whose weights leave the least, of a kind of attention, among those that keep the limit at all.

    Parameters
    ----------
    facts : Facts
    settings : dict
    attention : str
        MLA or GQA.
    values : dict of str to float

    Returns
    -------
    Side or None
    """
    found = []
    for side in sides(facts, settings):
        one = placed(facts, side)
        quick = float(own_step_s(one, 1.0, 0.0)) <= MILLI * values[LIMIT]
        if quick and one.shape.latent_attention == (attention == "MLA"):
            found.append(side)
    return min(found, key=lambda one: free_share(facts, one)) if found else None
