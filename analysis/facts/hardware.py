"""Accelerators: specifications as ranges, and which of them have been confirmed."""

import math
from dataclasses import dataclass
from functools import cached_property

from analysis.errors import DataError, nearest
from analysis.facts.schemas import COMPUTE_COLUMNS, SPECIFICATION_COLUMNS

MONTHS_A_YEAR = 12
FORMATS = {column.split("_")[0]: column for column in COMPUTE_COLUMNS}


@dataclass(frozen=True)
class Cell:
    """A specification as published: one number, or the range on which sources differ."""

    low: float
    high: float
    confirmed: bool


@dataclass(frozen=True)
class Accelerator:
    """One row of ``accelerators.csv``.

    Attributes
    ----------
    name, vendor, segment : str
        Which card, whose, and whether it is a training, export-limited or inference part.
    dates : dict
        "announced" and "available" to ``(month index, confirmed)``; a date that is not known is absent.
    cells : dict
        Column name to `Cell`, in the units of the column's name; unknown figures are absent.
    sparse_formats : frozenset of str
        Number formats whose rate structured sparsity multiplies by the sparsity factor.
    sources : frozenset of str
        Citation keys of the row.
    """

    name: str
    vendor: str
    segment: str
    dates: dict
    cells: dict
    sparse_formats: frozenset
    sources: frozenset

    @cached_property
    def has_scaleup(self):
        """Whether the card joins others of its node by a bus with a published bandwidth."""
        return "scaleup_GBps_bidirectional" in self.cells


def accelerators(facts):
    """Return every accelerator of the tables, in their order.

    Parameters
    ----------
    facts : Facts
        The tables.

    Returns
    -------
    tuple of Accelerator

    Raises
    ------
    DataError
        If a disputed cell names an unknown card or a reversed range, or a confirmed column does not exist.
    """
    if "accelerators" not in facts.derived:
        disputed = _disputed(facts)
        rows = facts.table("accelerators").iterrows()
        facts.derived["accelerators"] = tuple(_accelerator(facts, position, row, disputed) for position, row in rows)
    return facts.derived["accelerators"]


def _disputed(facts):
    names = list(facts.table("accelerators")["name"])
    ranges = {}
    for position, row in facts.table("disputed").iterrows():
        where = facts.where("disputed", position)
        if row["name"] not in names:
            raise DataError(f"{where}, column name: no accelerator {row['name']!r}. {nearest(row['name'], names)}")
        if row["low"] > row["high"]:
            raise DataError(f"{where}, column low: {row['low']:g} is above high {row['high']:g}")
        ranges[row["name"], row["column"]] = (row["low"], row["high"])
    return ranges


def _accelerator(facts, position, row, disputed):
    checked = set(filter(None, row["checked_columns"].split(";")))
    unknown = sorted(checked - set(row.index))
    if unknown:
        where = facts.where("accelerators", position)
        raise DataError(f"{where}, column checked_columns: {unknown[0]!r} is no column of the table")
    cells = {}
    for column in SPECIFICATION_COLUMNS:
        value = row[column]
        if not math.isnan(value):
            low, high = disputed.get((row["name"], column), (value, value))
            cells[column] = Cell(low, high, column in checked)
    dates = {basis: _month(row[basis], basis in checked) for basis in ("announced", "available") if row[basis]}
    sparse, sources = (frozenset(filter(None, row[name].split(";"))) for name in ("sparsity_formats", "source"))
    if not sparse <= set(FORMATS):
        where = facts.where("accelerators", position)
        raise DataError(
            f"{where}, column sparsity_formats: {row['sparsity_formats']!r}; accepted: {', '.join(FORMATS)}"
        )
    return Accelerator(row["name"], row["vendor"], row["segment"], dates, cells, sparse, sources)


def _month(text, confirmed):
    """Months since year 0; a bare year is taken at its middle and counts as unconfirmed."""
    year, _, month = text.partition("-")
    return int(year) * MONTHS_A_YEAR + (int(month) - 1 if month else 6), confirmed and bool(month)
