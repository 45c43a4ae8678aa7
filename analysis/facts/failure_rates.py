"""How often the machines of published clusters fail, brought to one unit."""

import math

import pandas as pd

from analysis.errors import DataError

RATE_UNIT = "per 1000 node-days"
NODES, MINUTES_A_DAY = 1000, 24 * 60


def published_failure_rates(facts):
    """Return the failure rate of every cluster on which the typical rate is fitted.

    Parameters
    ----------
    facts : Facts
        The tables; rows of ``operations.csv`` on reliability of role `calibrate` are used, in their order.

    Returns
    -------
    pandas.DataFrame
        One cluster a row: id, cluster, source (a citation key), accelerators (NaN where no source states a number),
        accelerators_per_node, failures_per_1000_node_days.

    Raises
    ------
    DataError
        For a unit that is no rate, or a blank cell without which a figure is no rate.
    """
    table = facts.table("operations")
    table = table[(table["topic"] == "reliability") & (table["role"] == "calibrate")]
    rows = [
        {
            "id": row["id"],
            "cluster": row["system"],
            "source": row["source"],
            "accelerators": row["accelerators"],
            "accelerators_per_node": row["accelerators_per_node"],
            "failures_per_1000_node_days": _rate(row, facts.where("operations", position)),
        }
        for position, row in table.iterrows()
    ]
    columns = ("id", "cluster", "source", "accelerators", "accelerators_per_node", "failures_per_1000_node_days")
    return pd.DataFrame(rows, columns=list(columns))


def _rate(row, where):
    if row["unit"] == RATE_UNIT:
        return row["value"]
    if row["unit"] == "count":
        return NODES * row["value"] / (_needed(row, "days", where) * _nodes(row, where))
    if row["unit"] == "min":
        return NODES * MINUTES_A_DAY / (row["value"] * _nodes(row, where))
    raise DataError(f"{where}, column unit: {row['unit']!r} is no failure rate; accepted: {RATE_UNIT}, count, min")


def _nodes(row, where):
    return _needed(row, "accelerators", where) / _needed(row, "accelerators_per_node", where)


def _needed(row, column, where):
    if math.isnan(row[column]) or row[column] <= 0:
        raise DataError(f"{where}, column {column}: {row[column]:g}; a number above 0 makes {row['value']:g} a rate")
    return row[column]
