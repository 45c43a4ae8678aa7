"""What several tests share: a synthetic case whose answers are known in closed form."""

import csv
import sys

import numpy as np
import pytest

from analysis.facts import DATA
from analysis.facts.assumptions import JUDGEMENT, Assumption
from analysis.judgement.case import Case, Options, Target


def assumption(name, low=0.0, high=1.0, mode=None, distribution="uniform", source=JUDGEMENT, **bounds):
    """Return an assumption with sensible fields for a test."""
    middle = (low + high) / 2 if mode is None else mode
    return Assumption(name, low, middle, high, "fraction", distribution, source, "of a test", **bounds)


def closed_form(function, assumptions, options=None, **fields):
    """Return a case whose prediction is a function of its assumptions and of its options' columns."""
    options = options or Options()

    def predict(options, rows, values):
        columns = {name: column[rows] for name, column in options.columns.items()}
        return function(**values, **columns)

    return Case(tuple(assumptions), options, predict, lambda options, values: {}, lambda: {}, (), **fields)


def target(value, comparator="at_least", tolerance=0.25):
    """Return the target of a simple claim."""
    return Target((comparator,), np.array([float(value)]), tolerance)


@pytest.fixture(autouse=True)
def close_figures():
    """Close what a test has drawn; pyplot keeps every figure until somebody does."""
    yield
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot:
        pyplot.close("all")


@pytest.fixture
def overlay(tmp_path):
    """Write a reader's own table and return its folder."""

    def write(**tables):
        for name, text in tables.items():
            (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
        return tmp_path

    return write


def edited(folder, table, changes, columns=None):
    """Write an overlay with some rows of a project table, changed.

    Parameters
    ----------
    folder : Path
    table : str
        Name of the table.
    changes : dict
        Key of a row (its first column) to the cells that change.
    columns : tuple of str, optional
        Columns to write beside the key; all of the table where not given.

    Returns
    -------
    Path
        The folder.
    """
    with open(DATA / f"{table}.csv", newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        key = reader.fieldnames[0]
        rows = [row | changes[row[key]] for row in reader if row[key] in changes]
    with open(folder / f"{table}.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, [key, *columns] if columns else reader.fieldnames, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return folder
