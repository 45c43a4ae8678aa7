"""Predicting the rows of a measurements table from their condition columns alone."""

import csv
import math
import tempfile
from pathlib import Path

import pandas as pd

from analysis.errors import DataError, nearest
from analysis.evidence.quantities import FRACTIONS, LENGTHS, QUANTITIES
from analysis.facts import open_facts
from analysis.facts.csvfile import read_raw

# What a row was measured to be, in whatever column it hides: never a condition.
RESULTS = frozenset(("value", "role", "id", "note", "resolution_percent"))
RESULT_PREFIXES = ("published_", "measured_", "value_from_")
ADDED = ("predicted", "error_percent", "prediction_note")


def predict(table, data=None):
    """Predict every row of a measurements table.

    Parameters
    ----------
    table : str, Path or pandas.DataFrame
        A CSV file or a frame with a column `quantity` and the condition columns of each quantity.
    data : str or Path, optional
        Folder of the reader's own tables.

    Returns
    -------
    pandas.DataFrame
        Every input cell as it was, then predicted, error_percent and prediction_note, as text, in order.

    Raises
    ------
    DataError
        For a table that is wrong; the message names file, line and column. Nothing is predicted then.
    """
    if isinstance(table, pd.DataFrame):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "table.csv"
            table.to_csv(path, index=False, quoting=csv.QUOTE_MINIMAL)
            return predict_file(path, data)
    return predict_file(Path(table), data)


def predict_file(path, data=None):
    """Predict every row of a CSV file; see `predict`."""
    raw = read_raw(path, strip=False)
    check_table(raw)
    facts = open_facts(data)
    rows = []
    for cells in raw.rows:
        value, note = _prediction(conditions(cells), facts)
        rows.append({**cells, **_answer(cells, value, note)})
    return pd.DataFrame(rows, columns=[*raw.columns, *ADDED], dtype=str)


def conditions(cells):
    """Return the condition columns of a row: what was measured, and what it is called, left out."""
    return {
        name: text.strip()
        for name, text in cells.items()
        if name not in RESULTS and not name.startswith(RESULT_PREFIXES)
    }


def _prediction(row, facts):
    name = row["quantity"]
    if name not in QUANTITIES:
        return None, f"unknown quantity {name!r}. {nearest(name, QUANTITIES)}"
    if QUANTITIES[name].predict is None:
        return None, f"no model covers {name} yet"
    return QUANTITIES[name].predict(row, facts)


def _answer(cells, value, note):
    if value is None:
        return {"predicted": "", "error_percent": "", "prediction_note": note}
    measured = cells.get("value", "").strip()
    error = f"{100 * (value / float(measured) - 1):.6g}" if measured and float(measured) else ""
    return {"predicted": f"{value:.6g}", "error_percent": error, "prediction_note": note}


def check_table(raw):
    """Check a measurements table before anything is predicted.

    Parameters
    ----------
    raw : RawTable

    Raises
    ------
    DataError
        No `quantity` column, a repeated id, a cell that is no finite number where one is needed, a negative length,
        a fraction outside [0, 1], or a unit other than the quantity's.
    """
    if "quantity" not in raw.columns:
        raise DataError(f"{raw.path}, line 1: no column 'quantity'; the header has {', '.join(raw.columns)}")
    taken = sorted(set(ADDED) & set(raw.columns))
    if taken:
        raise DataError(f"{raw.path}, line 1: column {taken[0]!r} would be written twice; rename it")
    seen = set()
    for cells, line in zip(raw.rows, raw.lines, strict=True):
        name = cells.get("id", "").strip()
        if name and name in seen:
            raise DataError(f"{raw.path}, line {line}, column id: {name!r} stands twice")
        seen.add(name)
        for column, text in cells.items():
            _check_cell(f"{raw.path}, line {line}, column {column}", column, text.strip())
        _check_unit(f"{raw.path}, line {line}, column unit", cells)


def _check_cell(where, column, text):
    if not text or column not in LENGTHS | FRACTIONS | {"value"}:
        return
    try:
        number = float(text)
    except ValueError:
        raise DataError(f"{where}: {text!r}; expected a number") from None
    if not math.isfinite(number):
        raise DataError(f"{where}: {text!r}; expected a finite number")
    if column in LENGTHS and number < 0:
        raise DataError(f"{where}: {text}; expected 0 or more")
    if column in FRACTIONS and not 0 <= number <= 1:
        raise DataError(f"{where}: {text}; expected a fraction between 0 and 1")


def _check_unit(where, cells):
    unit, quantity = cells.get("unit", "").strip(), QUANTITIES.get(cells["quantity"].strip())
    if unit and quantity and unit != quantity.unit:
        raise DataError(f"{where}: {unit!r}; {cells['quantity'].strip()} is given in {quantity.unit}")
