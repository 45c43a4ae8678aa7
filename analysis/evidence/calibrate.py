"""Free constants: fitted on `calibrate` rows alone, with interval, leave-one-out error, and refits without a source."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.errors import DataError
from analysis.facts import open_facts

COLUMNS = ("constant", "value", "low", "high", "unit", "rows", "left_out", "loo_error_percent")
# A source that supplies more than this part of a fit's rows is left out in turn.
LARGE_PART = 0.1
LEVEL = 0.95


@dataclass(frozen=True)
class Constant:
    """A fitted number.

    Attributes
    ----------
    value : float
    low, high : float or None
        5th and 95th percentile by the jackknife; None where the rows determine the constants and no more.
    unit : str
    rows : int
        Distinct measurements that inform it; one says that this row is no evidence for the model.
    loo_error_percent : float or None
        Median absolute error at rows that were left out of their own fit; None where nothing is left to fit on.
    """

    value: float
    low: float | None
    high: float | None
    unit: str
    rows: int
    loo_error_percent: float | None


@dataclass(frozen=True)
class Fit:
    """Constants that one set of rows determines together.

    Attributes
    ----------
    tables : tuple of str
        Tables of measurements that are read.
    units : dict of str to str
        Each constant with its unit.
    rows : callable
        ``rows(facts)`` gives the calibrate rows, one distinct measurement each: a frame with `source` (citation keys)
        and what the other functions need.
    solve : callable
        ``solve(rows)`` gives a dict of constant to value.
    errors : callable
        ``errors(rows, values)`` gives predicted over measured less one, shape (len(rows),).
    informs : callable
        ``informs(rows)`` gives a dict of constant to the mask of rows that inform it.
    """

    tables: tuple[str, ...]
    units: dict
    rows: Callable
    solve: Callable
    errors: Callable
    informs: Callable


def fitted(fit, rows):
    """Fit the constants of one set of rows.

    Parameters
    ----------
    fit : Fit
    rows : pandas.DataFrame
        As `fit.rows` gives them, or a part of them.

    Returns
    -------
    dict of str to Constant
        Intervals by the jackknife in the logarithm, with Student's t for as many degrees of freedom as rows exceed
        constants. Source: [efron1981jackknife].
    """
    values = fit.solve(rows)
    informing = {name: np.flatnonzero(mask) for name, mask in fit.informs(rows).items()}
    without, errors = _left_out_one_by_one(fit, rows, informing, values)
    found = {}
    for name, value in values.items():
        places = informing[name]
        low, high = _interval(value, [without[place][name] for place in places if place in without], len(rows), fit)
        own = [abs(errors[place]) for place in places if place in errors]
        error = 100 * float(np.median(own)) if own else None
        found[name] = Constant(float(value), low, high, fit.units[name], len(places), error)
    return found


def _left_out_one_by_one(fit, rows, informing, values):
    """Constants without each row in turn, and the error at that row; rows that a constant cannot spare are skipped."""
    without, errors = {}, {}
    needed = {place for places in informing.values() if len(places) == 1 for place in places}
    for place in range(len(rows)):
        if place in needed or len(rows) <= len(values):
            continue
        kept = np.arange(len(rows)) != place
        without[place] = fit.solve(rows[kept])
        errors[place] = float(fit.errors(rows[~kept], without[place])[0])
    return without, errors


def _interval(value, replicates, count, fit):
    from scipy.stats import t

    freedom = count - len(fit.units)
    if len(replicates) < 2 or freedom < 1 or value <= 0:
        return None, None
    logs = np.log(replicates)
    error = math.sqrt((len(logs) - 1) / len(logs) * float(((logs - logs.mean()) ** 2).sum()))
    reach = math.exp(float(t.ppf(LEVEL, freedom)) * error)
    return value / reach, value * reach


def large_sources(rows):
    """Return the sources that supply more than a tenth of the rows, sorted."""
    keys = [frozenset(text.split(";")) for text in rows["source"]]
    counts = {source: sum(source in own for own in keys) for source in sorted(frozenset().union(*keys))}
    return tuple(source for source, count in counts.items() if count > LARGE_PART * len(rows))


def without_source(rows, source):
    """Return the rows that keep a source when one is left out."""
    return rows[[bool(set(text.split(";")) - {source}) for text in rows["source"]]]


def calibrate(facts, fits=None):
    """Fit constants, on all rows and without each large source in turn.

    Parameters
    ----------
    facts : Facts
    fits : sequence of Fit, optional
        All of the project where not given.

    Returns
    -------
    pandas.DataFrame
        The content of ``data/calibration.csv``: numbers as text of six significant digits.
    """
    found = []
    for fit in _fits() if fits is None else fits:
        rows = fit.rows(facts)
        if not len(rows):
            raise DataError(f"{', '.join(fit.tables)}: no calibrate row for {', '.join(fit.units)}")
        found += _lines(fitted(fit, rows), "")
        for source in large_sources(rows):
            kept = without_source(rows, source)
            if all(mask.any() for mask in fit.informs(kept).values()):
                found += _lines(fitted(fit, kept), source)
    return pd.DataFrame(found, columns=list(COLUMNS))


def _fits():
    from analysis.evidence.fits import FITS

    return FITS


def _lines(constants, left_out):
    for name, one in constants.items():
        shown = {field: getattr(one, field) for field in ("value", "low", "high", "loo_error_percent")}
        numbers = {field: "" if value is None else f"{value:.6g}" for field, value in shown.items()}
        yield {"constant": name, "unit": one.unit, "rows": str(one.rows), "left_out": left_out} | numbers


def constants(facts, left_out=""):
    """Return the fitted constants, as committed; refitted where a reader's tables change the calibrate rows.

    Parameters
    ----------
    facts : Facts
    left_out : str
        A source to do without; what it does not inform stays as it is.

    Returns
    -------
    dict of str to Constant
    """
    if "constants" not in facts.derived:
        facts.derived["constants"] = _of_these_tables(facts)
    found = facts.derived["constants"]
    everything = {name: one for (name, source), one in found.items() if not source}
    return everything | {name: one for (name, source), one in found.items() if left_out and source == left_out}


def _of_these_tables(facts):
    committed = _typed(facts.table("calibration"))
    changed = [] if facts.overlay is None else [fit for fit in _fits() if _rows_differ(fit, facts, open_facts())]
    if not changed:
        return committed
    refitted = {name for fit in changed for name in fit.units}
    kept = {key: one for key, one in committed.items() if key[0] not in refitted}
    return kept | _typed(calibrate(facts, changed))


def _rows_differ(fit, facts, ours):
    changed = any(not facts.table(name).equals(ours.table(name)) for name in fit.tables)
    return changed and not fit.rows(facts).equals(fit.rows(ours))


def _typed(table):
    def number(cell):
        return None if cell == "" or cell != cell else float(cell)

    return {
        (row.constant, row.left_out): Constant(
            *(number(cell) for cell in (row.value, row.low, row.high)),
            row.unit,
            int(row.rows),
            number(row.loo_error_percent),
        )
        for row in table.itertuples()
    }
