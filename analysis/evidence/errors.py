"""How far predictions are from measurements: row by row, by quantity, and for ratios between systems."""

import math
from itertools import combinations

import numpy as np
import pandas as pd

from analysis.evidence.predict import conditions
from analysis.evidence.quantities import QUANTITIES
from analysis.facts.schemas import SPECS
from analysis.facts.tablespec import MEASUREMENTS
from analysis.facts.units import PER_CENT

COLUMNS = (
    "table",
    "id",
    "system",
    "quantity",
    "unit",
    "role",
    "source",
    "group",
    "rounding",
    "measured",
    "predicted",
    "error",
    "note",
)
SAME_GROUP = ("model", "precision", "software_release")
SCORED_ROLES = ("calibrate", "validate")
BELOW, ABOVE = ("at_most", "less_than", "up_to"), ("at_least",)


def scored(facts, quantities=None, roles=SCORED_ROLES):
    """Predict every measurement that counts, and say how far off each prediction is.

    Parameters
    ----------
    facts : Facts
    quantities : sequence of str, optional
        All that have a model, where not given.
    roles : sequence of str

    Returns
    -------
    pandas.DataFrame
        One measurement a row: table, id, system, quantity, unit, role, source, group, rounding (fraction by which the
        published figure is rounded, NaN where not stated), measured, predicted, error (predicted over measured less
        one; 0 inside a published bound or range; a prediction that is missing counts as -1), note. Rows of one `group`
        share model, precision and software release.
    """
    wanted = [name for name in quantities or QUANTITIES if QUANTITIES[name].predict]
    kept = facts.derived.setdefault("scored", {})
    key = (*wanted, *roles)
    if key not in kept:
        kept[key] = _all_scored(facts, wanted, roles)
    return kept[key].copy()


def _all_scored(facts, wanted, roles):
    found = []
    for table in (name for name, spec in SPECS.items() if spec.folder == MEASUREMENTS):
        rows = facts.table(table)
        for row in rows[rows["quantity"].isin(wanted) & rows["role"].isin(roles)].to_dict("records"):
            found.append({"table": table} | _scored(row, facts))
    return pd.DataFrame(found, columns=list(COLUMNS))


def _scored(row, facts):
    cells = {name: _text(cell) for name, cell in row.items()}
    predicted, note = QUANTITIES[row["quantity"]].predict(conditions(cells), facts)
    # A rate in TFLOPS is printed finer than tokens a second in whole sequences.
    measured = float(cells.get("value_from_tflops") or row["value"])
    error = -1.0 if predicted is None else _error(predicted, measured, row)
    kept = {name: row[name] for name in ("id", "system", "quantity", "unit", "role", "source")}
    group = ", ".join(filter(None, (cells.get(name, "") for name in SAME_GROUP)))
    rounding = float(cells.get("resolution_percent") or math.nan) / PER_CENT
    found = {"measured": measured, "predicted": predicted, "error": error, "note": note}
    return kept | {"group": group, "rounding": rounding} | found


def _text(cell):
    if isinstance(cell, float):
        return "" if math.isnan(cell) else f"{cell:.12g}"
    return str(cell)


def _error(predicted, measured, row):
    bound = row.get("bound", "eq")
    low, high = measured, measured
    if bound in BELOW:
        low = -math.inf
    elif bound in ABOVE:
        high = math.inf
    elif bound == "range":
        low, high = row["value_low"], row["value_high"]
    nearest = min(max(predicted, low), high)
    return predicted / nearest - 1


def measurements(facts, role="calibrate"):
    """Return how many distinct measurements have a role; rows that share a `pair_id` are one."""
    found = set()
    for name in (name for name, spec in SPECS.items() if spec.folder == MEASUREMENTS):
        rows = facts.table(name)
        rows = rows[rows["role"] == role]
        pairs = rows.get("pair_id", rows["id"])
        found |= {(name, pair or own) for pair, own in zip(pairs, rows["id"], strict=True)}
    return len(found)


def summary(rows):
    """Return, by quantity and role, how many rows are covered and how large the errors are.

    Parameters
    ----------
    rows : pandas.DataFrame
        From `scored`.

    Returns
    -------
    pandas.DataFrame
        quantity, role, rows, covered, median, percentile_90, worst: absolute errors as fractions.
    """

    def figures(group):
        size = group["error"].abs()
        return pd.Series(
            {
                "rows": len(group),
                "covered": int(group["predicted"].notna().sum()),
                "median": size.median(),
                "percentile_90": float(np.quantile(size, 0.9)),
                "worst": size.max(),
            }
        )

    return rows.groupby(["quantity", "role"], sort=False)[["predicted", "error"]].apply(figures).reset_index()


def spread(errors):
    """Return the 5th and 95th percentile of errors, the band of a model's own error.

    Parameters
    ----------
    errors : array_like
        Signed, as fractions.

    Returns
    -------
    tuple of float
    """
    low, high = np.quantile(np.asarray(errors, dtype=float), (0.05, 0.95))
    return float(low), float(high)


def ratio_errors(rows):
    """Return the errors of predicted ratios between two measurements of one group.

    Parameters
    ----------
    rows : pandas.DataFrame
        From `scored`.

    Returns
    -------
    pandas.DataFrame
        One pair a row, at least one of it not fitted: first, second, measured, predicted, error.
    """
    found = []
    for _, group in rows[rows["predicted"].notna()].groupby("group", sort=False):
        for one, other in combinations(group.itertuples(index=False), 2):
            if "validate" in (one.role, other.role):
                measured, predicted = one.measured / other.measured, one.predicted / other.predicted
                found.append((one.id, other.id, measured, predicted, predicted / measured - 1))
    return pd.DataFrame(found, columns=["first", "second", "measured", "predicted", "error"])
