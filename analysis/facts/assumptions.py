"""Declared assumptions: a range, a most likely value, a distribution and where they come from."""

import math
from dataclasses import dataclass, replace

from analysis.errors import DataError, nearest

JUDGEMENT = "author's judgement"


@dataclass(frozen=True)
class Assumption:
    """A number that is not known exactly.

    Attributes
    ----------
    name, unit, description, source : str
        What it is; `source` is a citation key, or "author's judgement".
    low, mode, high : float
        The declared range and its most likely value, in `unit`.
    distribution : str
        uniform, log-uniform, triangular or log-triangular.
    possible_low, possible_high : float
        Bounds that no widening may cross.
    """

    name: str
    low: float
    mode: float
    high: float
    unit: str
    distribution: str
    source: str
    description: str
    possible_low: float = -math.inf
    possible_high: float = math.inf

    @property
    def logarithmic(self):
        """Whether the range is measured in the logarithm."""
        return self.distribution.startswith("log-")

    @property
    def judged(self):
        """Whether the range is the author's own judgement."""
        return self.source == JUDGEMENT


def assumptions(facts, names):
    """Return declared assumptions by name.

    Parameters
    ----------
    facts : Facts
        The tables.
    names : iterable of str
        Names of ``assumptions.csv``.

    Returns
    -------
    tuple of Assumption

    Raises
    ------
    DataError
        For a name that is not declared, or a range that is no range.
    """
    table = facts.table("assumptions")
    known = {row["name"]: (position, row) for position, row in table.iterrows()}
    missing = [name for name in names if name not in known]
    if missing:
        raise DataError(f"assumptions.csv: no row {missing[0]!r}. {nearest(missing[0], known)}")
    return tuple(_assumption(facts, *known[name]) for name in names)


def _assumption(facts, position, row):
    fields = {
        name: row[name] for name in ("name", "low", "mode", "high", "unit", "distribution", "source", "description")
    }
    bounds = {name: row[name] for name in ("possible_low", "possible_high") if not math.isnan(row[name])}
    declared = Assumption(**fields, **bounds)
    where = facts.where("assumptions", position)
    if not declared.low <= declared.mode <= declared.high or declared.low == declared.high:
        told = f"low {declared.low:g}, mode {declared.mode:g}, high {declared.high:g}"
        raise DataError(f"{where}: {told}; expected low <= mode <= high and a range")
    if not declared.possible_low <= declared.mode <= declared.possible_high:
        told = f"{declared.possible_low:g} to {declared.possible_high:g}"
        raise DataError(f"{where}, column mode: {declared.mode:g} is impossible; accepted: {told}")
    if declared.logarithmic and declared.low <= 0:
        raise DataError(f"{where}, column low: {declared.low:g}; a logarithmic range starts above 0")
    # A range that a reader widened beyond what is possible ends where the possible does.
    low, high = max(declared.low, declared.possible_low), min(declared.high, declared.possible_high)
    return replace(declared, low=low, high=high)
