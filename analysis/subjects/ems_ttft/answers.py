"""What is compared under each reading, and by how much the time to first token falls."""

from itertools import product

import numpy as np

from analysis.facts.hardware import accelerators
from analysis.facts.units import PER_CENT
from analysis.facts.workloads import workloads
from analysis.judgement.case import Options
from analysis.subjects.ems_ttft.sides import (
    HIDDEN,
    HIT,
    LENGTH,
    LINK,
    LOCAL,
    LOOKUP,
    MEMORY,
    NOTHING,
    POOL,
    POOL_GB,
    PRIVATE,
    RESIDENT,
    SPEED,
    VARIATION,
    found,
    loading,
)
from analysis.subjects.ems_ttft.systems import INSTANCES, LAYOUTS, MODELS, SYSTEMS, instance
from analysis.subjects.ems_ttft.times import busy_s, mean_s, own_s, squared_s, waiting_s

INSTEAD, RECOMPUTED, RESIDING, OVERLOADED = READINGS = (
    "instead-of-npu-memory",
    "against-recomputation",
    "already-in-npu-memory",
    "overloaded-baseline",
)
# Shown beside the readings, and judged by none: a private cache in the memory of its own servers.
LOCAL_MEMORY = "local-memory"
BASELINES = {
    INSTEAD: (PRIVATE,),
    RECOMPUTED: (NOTHING,),
    RESIDING: (RESIDENT,),
    OVERLOADED: (NOTHING, PRIVATE),
    LOCAL_MEMORY: (LOCAL,),
}
UTILISATION = "baseline_utilisation"
COMMON = (HIT, LENGTH, SPEED, LINK, HIDDEN, LOOKUP, POOL_GB)
ASSUMPTIONS = {
    INSTEAD: (*COMMON, *MEMORY),
    RECOMPUTED: COMMON,
    RESIDING: COMMON,
    OVERLOADED: (*COMMON, *MEMORY, VARIATION, UTILISATION),
    LOCAL_MEMORY: COMMON,
}
# A time so many times as long stands for a queue that never ends.
FAR = 10.0


def chosen(settings, name, accepted):
    """Return the words of a comma-separated setting, or all of them."""
    words = [word.strip() for word in settings[name].split(",")]
    return tuple(word for word in accepted if "all" in words or str(word) in words)


def predictable(facts):
    """Return the workloads with a length and a hit rate, by name."""
    return {name: one for name, one in workloads(facts).items() if one.predictable}


def compared(facts, settings, reading):
    """Return everything that the source leaves open under a reading.

    Parameters
    ----------
    facts : Facts
    settings : dict
    reading : str

    Returns
    -------
    listed : list of Instance
    options : Options
        Against a private cache, only workloads for which one was replayed or measured.
    """
    names = (("model", MODELS), ("system", SYSTEMS), ("layout", LAYOUTS))
    found = (instance(facts, *one) for one in product(*(chosen(settings, *each) for each in names)))
    listed = [one for one in found if one is not None]
    services = [predictable(facts)[name] for name in chosen(settings, "workload", predictable(facts))]
    rows = []
    for baseline, service in product(BASELINES[reading], services):
        if baseline in (PRIVATE, LOCAL) and not (service.trace or (service.private_hit and baseline == PRIVATE)):
            continue
        for place, caches in product(range(len(listed)), chosen(settings, "instances", INSTANCES)):
            rows.append((baseline, service, place, caches))
    return listed, _options(facts, reading, listed, rows)


def _options(facts, reading, listed, rows):
    cards = {one.name: one for one in accelerators(facts)}
    columns = {name: [] for name in ("baseline", "workload", "kind", "model", "attention", "system", "fabric")}
    columns |= {name: [] for name in ("card", "vendor", "layout", "instances", "place")}
    sources = []
    for baseline, service, place, caches in rows:
        one = listed[place]
        system, shape = SYSTEMS[one.system], one.shape
        card = cards[system.card]
        cells = (baseline, service.name, service.kind, one.model, "latent" if shape.latent_attention else "grouped")
        cells += (one.system, system.fabric, card.name, card.vendor, one.layout, caches, place)
        for column, cell in zip(columns.values(), cells, strict=True):
            column.append(cell)
        sources.append((service.sources, shape.sources, card.sources))
    choices = ("workload", "model", "system", "layout", "instances")
    return Options(
        columns={name: np.array(cells) for name, cells in columns.items()},
        choices=("baseline", *choices) if reading == OVERLOADED else choices,
        categories=("kind", "attention", "fabric"),
        ordered={"instances": (float(min(INSTANCES)), float(max(INSTANCES)), "count")},
        rows=("workload", "model"),
        vendor="vendor",
        sources=tuple(sources),
    )


def ratio(facts, listed, options, rows, values):
    """Return the time to first token with the pool over that of the baseline.

    Parameters
    ----------
    facts : Facts
    listed : list of Instance
    options : Options
    rows : ndarray of int
        Shape (N,), positions in the options.
    values : dict of str to ndarray
        The assumptions, shape (N,). With `UTILISATION` among them requests wait, else every one finds an idle
        instance.

    Returns
    -------
    ndarray
        Shape (N,), never above `FAR`.
    """
    columns = {name: options.columns[name][rows] for name in ("baseline", "workload", "place", "instances")}
    base, pool = (np.zeros(len(rows)) for _ in range(2))
    for kind in np.unique(columns["baseline"]):
        mine = np.flatnonzero(columns["baseline"] == kind)
        here = {name: cell[mine] for name, cell in columns.items()}
        held = {name: cell[mine] for name, cell in values.items()}
        base[mine], pool[mine] = both_s(facts, kind, listed, here, held)
    return np.minimum(pool / base, FAR)


def both_s(facts, kind, listed, columns, values):
    """Return the mean times to first token of a baseline and of the pool, in seconds.

    Parameters
    ----------
    facts : Facts
    kind : str
        Of the baseline.
    listed : list of Instance
    columns, values : dict of str to ndarray
        Of the sampled options and assumptions, shape (N,).

    Returns
    -------
    tuple of ndarray
        Requests arrive as often on either side: as often as keeps the baseline as busy as assumed.
    """
    own = np.array([own_s(one.prefiller) for one in listed])[columns["place"]]
    times, busy, squares = [], [], []
    for side in (kind, POOL):
        # What lies in the memory of the accelerators is what the pool would find.
        means = found(facts, POOL if side == RESIDENT else side, listed, columns, values)
        how = loading(side, listed, columns["place"], values)
        asked = (means, own, values[SPEED], how)
        times.append(mean_s(*asked))
        if UTILISATION in values:
            busy.append(busy_s(*asked))
            squares.append(squared_s(*asked))
    if UTILISATION in values:
        rate = values[UTILISATION] / busy[0]
        times = [one + waiting_s(rate, *two) for one, two in zip(times, zip(busy, squares, strict=True), strict=True)]
    return tuple(times)


def cut(ratios):
    """Return by how many per cent a time falls."""
    return PER_CENT * (1 - ratios)
