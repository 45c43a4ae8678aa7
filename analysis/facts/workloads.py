"""Cited workloads: how long prompts are, and how much of them a cache holds already."""

import math
from dataclasses import dataclass

from analysis.errors import DataError, nearest
from analysis.facts.traces import TRACES, read_trace


@dataclass(frozen=True)
class Workload:
    """One row of ``workloads.csv``; of ranges the low and the high end.

    Attributes
    ----------
    name, title, kind : str
        For parameters; what is served; and what sort of service it is.
    trace : str
        Name of the trace from which all else is computed; blank for a workload of which only figures are published.
    hit, private_hit : tuple of float or None
        Fraction of prompt tokens found by a pool that holds everything, and by private caches.
    prompt_tokens : tuple of float or None
        None where no length is published: such a workload cannot be predicted.
    sources : frozenset of str
        Citation keys.
    confidence, note : str
    """

    name: str
    title: str
    kind: str
    trace: str
    hit: tuple[float, float] | None
    private_hit: tuple[float, float] | None
    prompt_tokens: tuple[float, float] | None
    sources: frozenset
    confidence: str
    note: str

    @property
    def predictable(self):
        """Whether lengths and hit rates are known."""
        return bool(self.trace or (self.hit and self.prompt_tokens))


def workloads(facts):
    """Return every cited workload by name, in the order of the table.

    Parameters
    ----------
    facts : Facts

    Returns
    -------
    dict of str to Workload

    Raises
    ------
    DataError
        For a trace that does not ship with the project, a range that is none or half of one, a fraction outside
        [0, 1], or a private cache that hits more than the pool.
    """
    if "workloads" not in facts.derived:
        rows = facts.table("workloads").iterrows()
        facts.derived["workloads"] = {row["name"]: _workload(facts, place, row) for place, row in rows}
    return facts.derived["workloads"]


def _workload(facts, place, row):
    where = facts.where("workloads", place)
    if row["trace"] and row["trace"] not in TRACES:
        raise DataError(f"{where}, column trace: no trace {row['trace']!r}. {nearest(row['trace'], TRACES)}")
    hit, private = (_range(row, name, where, most=1.0) for name in ("hit", "private_hit"))
    if private and not (hit and private[1] <= hit[1]):
        told = f"{private[1]:g}; expected no more than the pool finds, hit_high"
        raise DataError(f"{where}, column private_hit_high: {told}")
    return Workload(
        name=row["name"],
        title=row["title"],
        kind=row["kind"],
        trace=row["trace"],
        hit=hit,
        private_hit=private,
        prompt_tokens=_range(row, "prompt", where, most=math.inf),
        sources=frozenset(row["source"].split(";")),
        confidence=row["confidence"],
        note=row["note"],
    )


def _range(row, name, where, most):
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    if math.isnan(low) and math.isnan(high):
        return None
    if not 0 <= low <= high <= most:
        raise DataError(f"{where}, column {name}_low: {low:g} to {high:g}; expected a range from 0 to {most:g}")
    return low, high


def shipped_trace(facts, name):
    """Return one of the traces that come with the project, read once and kept with the tables."""
    key = ("shipped trace", name)
    if key not in facts.derived:
        facts.derived[key] = read_trace(TRACES[name])
    return facts.derived[key]
