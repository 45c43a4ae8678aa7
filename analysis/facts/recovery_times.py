"""How long published systems take to detect, localise and recover from faults, in minutes."""

import math

import pandas as pd

from analysis.errors import DataError, nearest

STAGES = ("detection", "localisation", "recovery")
FAULTS = ("explicit", "implicit", "all")
STARTS = ("fault", "detection", "localisation")
DEPLOYMENTS = ("production", "prototype")
MEANS = ("automatic", "by hand or timeout")
MINUTES = {"s": 1 / 60, "min": 1.0, "h": 60.0}
UPPER_BOUNDS = ("less_than", "at_most")
COPIED = (
    "id",
    "system",
    "operator",
    "deployment",
    "means",
    "stage",
    "faults",
    "counted_from",
    "bound",
    "conditions",
    "source",
    "locator",
    "confidence",
)


def recovery_times(facts, role="context"):
    """Return every published time of a stage.

    Parameters
    ----------
    facts : Facts
        The tables; rows of ``operations.csv`` whose `stage` is filled, in their order.
    role : str
        "context" for what others published, "claim" for the vendor's own statements, which are shown and never used.

    Returns
    -------
    pandas.DataFrame
        One time a row: id, system, operator, deployment (production, prototype), means (automatic, by hand or
        timeout), stage (detection, localisation, recovery), faults (explicit, implicit, all), counted_from (fault,
        detection, localisation), bound, conditions, source, locator, confidence, low_min, high_min. A range has two
        ends; an upper bound runs from nought to the bound; a lower bound stands for itself, the shortest that it can
        mean.

    Raises
    ------
    DataError
        For an unknown word, a unit that is no time, or a range that is none.
    """
    table = facts.table("operations")
    chosen = table[(table["stage"] != "") & (table["role"] == role)]
    rows = [_row(row, facts.where("operations", position)) for position, row in chosen.iterrows()]
    return pd.DataFrame(rows, columns=[*COPIED, "low_min", "high_min"])


def _row(row, where):
    words = {
        "stage": STAGES,
        "faults": FAULTS,
        "counted_from": STARTS,
        "deployment": DEPLOYMENTS,
        "means": MEANS,
    }
    for column, accepted in words.items():
        if row[column] not in accepted:
            raise DataError(f"{where}, column {column}: {row[column]!r}. {nearest(row[column], accepted)}")
    if row["unit"] not in MINUTES:
        raise DataError(f"{where}, column unit: {row['unit']!r} is no time; accepted: {', '.join(MINUTES)}")
    if not row["operator"]:
        raise DataError(f"{where}, column operator: blank; a published time names who runs the system")
    low, high = (MINUTES[row["unit"]] * end for end in _ends(row, where))
    return {name: row[name] for name in COPIED} | {"low_min": low, "high_min": high}


def _ends(row, where):
    if row["bound"] in UPPER_BOUNDS:
        return 0.0, row["value"]
    if row["bound"] != "range":
        return row["value"], row["value"]
    low, high = row["value_low"], row["value_high"]
    if math.isnan(low) or math.isnan(high) or low > high:
        raise DataError(f"{where}, column value_low: {low:g} to {high:g} is no range")
    return low, high


def recovery_regime(facts, name):
    """Return one regime of ``recovery_regimes.csv``.

    Parameters
    ----------
    facts : Facts
    name : str

    Returns
    -------
    dict of str to float
        Minutes of detection, localisation and recovery in their order; a stage that the regime does not tell apart is
        absent.

    Raises
    ------
    DataError
        For a name that is not in the table.
    """
    table = facts.table("recovery_regimes").set_index("regime")
    if name not in table.index:
        raise DataError(f"recovery_regimes.csv: no regime {name!r}. {nearest(name, table.index)}")
    row = table.loc[name]
    return {stage: float(row[f"{stage}_min"]) for stage in STAGES if not math.isnan(row[f"{stage}_min"])}
