"""The ledger: what was claimed, in whose words, and in which readings."""

import math
from dataclasses import dataclass

from analysis.errors import DataError, ParameterError, nearest


@dataclass(frozen=True)
class Reading:
    """One thing that the claim's sentence can mean, with the rule by which it is judged."""

    id: str
    label: str
    comparator: str
    value: float | None


@dataclass(frozen=True)
class LedgerClaim:
    """A row of ``claims.csv`` with its readings; the first reading is the headline."""

    id: str
    title: str
    statement: str
    quote: str
    metric: str
    comparator: str
    value: float | None
    unit: str
    computable: bool
    reason: str
    joint_of: tuple[str, ...]
    source: str
    readings: tuple[Reading, ...]


def claim_ids(facts):
    """Return the ids of every claim, in the order of the ledger."""
    return tuple(facts.table("claims")["id"])


def ledger_claim(facts, claim_id):
    """Return one claim of the ledger.

    Parameters
    ----------
    facts : Facts
        The tables.
    claim_id : str
        An id of ``claims.csv``.

    Returns
    -------
    LedgerClaim

    Raises
    ------
    ParameterError
        If the ledger has no such id; the nearest ones are named.
    """
    table = facts.table("claims")
    match = table.index[table["id"] == claim_id]
    if not len(match):
        raise ParameterError(f"no claim {claim_id!r} in the ledger. {nearest(claim_id, table['id'])}")
    row = table.loc[match[0]]
    joint_of = tuple(part for part in row["joint_of"].split(";") if part)
    _check_value(facts, row, match[0], joint_of, table)
    fields = {name: row[name] for name in ("id", "title", "statement", "quote", "metric", "comparator", "unit")}
    return LedgerClaim(
        **fields,
        value=None if math.isnan(row["value"]) else float(row["value"]),
        computable=row["computable"] == "yes",
        reason=row["reason"],
        joint_of=joint_of,
        source=row["source"],
        readings=_readings(facts, row),
    )


def _check_value(facts, row, position, joint_of, table):
    where = facts.where("claims", position)
    if row["computable"] == "yes" and math.isnan(row["value"]) and not joint_of:
        raise DataError(f"{where}, column value: blank; only a joint claim (joint_of) may leave it so")
    unknown = [part for part in joint_of if part not in set(table["id"])]
    if unknown:
        raise DataError(f"{where}, column joint_of: {unknown[0]!r} is no claim. {nearest(unknown[0], table['id'])}")


def _readings(facts, row):
    table = facts.table("readings")
    known = set(facts.table("claims")["id"])
    for position, claim in enumerate(table["claim"]):
        if claim not in known:
            where = facts.where("readings", position)
            raise DataError(f"{where}, column claim: no claim {claim!r}. {nearest(claim, sorted(known))}")
    return tuple(
        Reading(
            id=reading["reading"],
            label=reading["label"],
            comparator=reading["comparator"] or row["comparator"],
            value=_first_number(reading["value"], row["value"]),
        )
        for _, reading in table[table["claim"] == row["id"]].iterrows()
    )


def _first_number(*values):
    return next((float(value) for value in values if not math.isnan(value)), None)
