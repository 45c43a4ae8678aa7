"""The quantity `ettr`: effective training time, predicted from the conditions of a measurement."""

import math

import numpy as np
import pandas as pd

from analysis.evidence.calibrate import constants
from analysis.facts.assumptions import assumptions
from analysis.facts.units import PER_CENT
from analysis.models import failures
from analysis.models.checkpointing import SECONDS_A_MINUTE, best_interval_min

RATE = "failures_per_1000_node_days"
NUMBERS = (
    "accelerators",
    "accelerators_per_node",
    RATE,
    "failure_interval_min",
    "recovery_min",
    "checkpoint_interval_min",
)
POSITIVE = ("accelerators", "accelerators_per_node", "failure_interval_min", "checkpoint_interval_min")
WHOLE_JOB = ("", "job")
USUAL_NODE = 8
BAND = (0.05, 0.95)


def predict_ettr(row, facts, left_out=""):
    """Predict the effective training time of one row.

    From a failure interval the time on the clock is accounted for; from a failure rate a failure may strike during a
    recovery too (`failures.interval_ettr`, `failures.exponential_ettr`). A restart unit other than the job means that
    the other parts go on (`failures.partial_ettr`).

    Parameters
    ----------
    row : dict of str to str
        Conditions; what is blank is filled with a typical value, and the note says with which.
    facts : Facts
    left_out : str
        A source without which the typical failure rate is fitted.

    Returns
    -------
    value : float or None
        In per cent; None where nothing says how often the job fails, or a condition is impossible.
    note : str
    """
    given = {name: _number(row.get(name, "")) for name in NUMBERS}
    reason = _unanswerable(given)
    if reason:
        return None, reason
    filled = []
    measured = not math.isnan(given["failure_interval_min"])
    between = given["failure_interval_min"] if measured else _from_rate(given, facts, left_out, filled)
    whole = row.get("restart_unit", "").strip() in WHOLE_JOB
    recovery = _or_typical(given["recovery_min"], facts, "recovery" if whole else "stall", filled)
    if whole:
        value = _whole_job(between, measured, recovery, given["checkpoint_interval_min"], facts, filled)
    else:
        value = float(failures.partial_ettr(between, recovery, stalls_included=measured))
    return PER_CENT * value, f"filled in: {', '.join(filled)}" if filled else ""


def _number(text):
    return float(text) if text else math.nan


def _unanswerable(given):
    for name in POSITIVE:
        if given[name] <= 0:
            return f"{name} is {given[name]:g}; a number above 0 is needed"
    if math.isnan(given["failure_interval_min"]) and math.isnan(given["accelerators"]):
        return "accelerators and failure_interval_min are blank: nothing says how often the job fails"
    return ""


def _from_rate(given, facts, left_out, filled):
    """Mean time between failures from a rate for each node; a blank rate is the typical one."""
    rate, per_node = given[RATE], given["accelerators_per_node"]
    if math.isnan(rate):
        rate = constants(facts, left_out)[RATE].value
        filled.append(f"{rate:.3g} failures in 1000 node-days (fitted)")
    if math.isnan(per_node):
        per_node = USUAL_NODE
        filled.append(f"nodes of {per_node}")
    return float(failures.time_between_failures_min(rate, given["accelerators"], per_node))


TYPICAL = {"recovery": "typical_recovery_min", "stall": "partial_restart_stall_min"}


def _or_typical(value, facts, what, filled):
    if math.isnan(value):
        value = _mode(facts, TYPICAL[what])
        filled.append(f"a {what} of {value:g} min (typical)")
    return value


def _mode(facts, name):
    return assumptions(facts, (name,))[0].mode


def _whole_job(between, measured, recovery, interval, facts, filled):
    block_s = _mode(facts, "checkpoint_block_s")
    block = block_s / SECONDS_A_MINUTE
    if math.isnan(interval):
        training = between - recovery if measured else between
        if training <= 0:
            return 0.0
        if math.isinf(training):
            return 1.0
        interval = float(best_interval_min(training, block))
        filled.append(f"a checkpoint every {interval:.2g} min (best)")
    filled.append(f"checkpoints that block {block_s:g} s (typical)")
    known = failures.interval_ettr if measured else failures.exponential_ettr
    return float(known(between, recovery, interval, block))


def validation(facts, left_out=""):
    """Return every `validate` row of ``ettr.csv`` with its prediction.

    Parameters
    ----------
    facts : Facts
    left_out : str
        As of `predict_ettr`.

    Returns
    -------
    pandas.DataFrame
        id, system, accelerators, measured, bound, low, high (what the measurement allows, in per cent), predicted,
        error (predicted over the nearest value that the measurement allows, less one; NaN without a prediction),
        note, source.
    """
    table = facts.table("ettr")
    rows = []
    for row in table[table["role"] == "validate"].to_dict("records"):
        conditions = {name: _text(row[name]) for name in (*NUMBERS, "restart_unit")}
        value, note = predict_ettr(conditions, facts, left_out)
        low, high = allowed(row)
        predicted = math.nan if value is None else value
        error = predicted / min(max(predicted, low), high) - 1
        copied = {name: row[name] for name in ("id", "system", "accelerators", "bound", "source")}
        rows.append(
            copied
            | {"measured": row["value"], "low": low, "high": high, "predicted": predicted, "error": error, "note": note}
        )
    return pd.DataFrame(rows)


def _text(value):
    return "" if value != value else str(value)


def allowed(row):
    """Return the ends between which a measurement lies: of a range, of a bound, or twice the value."""
    if row["bound"] == "range":
        return row["value_low"], row["value_high"]
    if row["bound"] == "at_least":
        return row["value"], float(PER_CENT)
    if row["bound"] in ("up_to", "less_than", "at_most"):
        return 0.0, row["value"]
    return row["value"], row["value"]


def error_band(facts, left_out=""):
    """Return the 5th and 95th percentile of the error on the `validate` rows that can be predicted.

    Parameters
    ----------
    facts : Facts
    left_out : str
        As of `predict_ettr`.

    Returns
    -------
    (low, high) : float, or None
        As fractions; None where no row can be predicted.
    """
    errors = validation(facts, left_out)["error"].dropna()
    return tuple(float(end) for end in np.quantile(errors, BAND)) if len(errors) else None
