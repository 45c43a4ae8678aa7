"""Constants of inference engines: one fit over prefill, decoding and offline serving, as they share kernels."""

import numpy as np
import pandas as pd

from analysis.evidence import inference, offline
from analysis.evidence.calibrate import Fit
from analysis.evidence.expert_parallel import DEEPEP, UB
from analysis.evidence.inference import Prepared
from analysis.evidence.serving_kernels import (
    BLOCK_SCALED,
    LAYER_OVERHEAD,
    LOAD_SPREAD,
    MATRIX_SHARES,
    SEQUENCE_OVERHEAD,
    STEP_OVERHEAD,
    UNALIGNED,
    published_shares,
)

TABLES = {"prefill": inference.case_of, "decode": inference.case_of, "offline_throughput": offline.case_of}
QUANTITIES = ("prefill_throughput", "decode_throughput", "decode_layer_latency", "offline_throughput")
UNITS = {
    **dict.fromkeys((*MATRIX_SHARES.values(), BLOCK_SCALED, LOAD_SPREAD, UNALIGNED), "fraction"),
    LAYER_OVERHEAD: "us",
    STEP_OVERHEAD: "ms",
    SEQUENCE_OVERHEAD: "us",
}
# Where the fit begins, and the bounds of what is possible.
BOUNDS = {"fraction": (0.02, 0.5, 1.0), "us": (0.1, 20.0, 1000.0), "ms": (0.1, 3.0, 50.0)}
NUDGE = 1.1
TIGHT = 1e-10


def exchange_values(facts):
    """Constants of the libraries that exchange tokens, fitted first; this fit builds on them."""
    if "exchange_values" not in facts.derived:
        fits = (DEEPEP, UB)
        facts.derived["exchange_values"] = {
            name: value for fit in fits for name, value in fit.solve(fit.rows(facts)).items()
        }
    return facts.derived["exchange_values"]


def _rows(facts):
    found = []
    for name, case_of in TABLES.items():
        table = facts.table(name)
        table = table[(table["role"] == "calibrate") & table["quantity"].isin(QUANTITIES)]
        for row in table.to_dict("records"):
            case, _ = case_of(row, facts, exchange_values(facts))
            found.append({"source": row["source"], "value": row["value"], "case": case})
    rows = pd.DataFrame(found, columns=["source", "value", "case"])
    rows["published"] = [published_shares(facts)] * len(rows)
    return rows


def _errors(rows, values):
    prepared = Prepared(list(rows["case"]))
    return prepared.answers(values, rows["published"].iloc[0]) / rows["value"].to_numpy() - 1


def _solve(rows):
    from scipy.optimize import least_squares

    prepared, measured = Prepared(list(rows["case"])), rows["value"].to_numpy()
    published = rows["published"].iloc[0]
    low, start, high = np.log([BOUNDS[unit] for unit in UNITS.values()]).T

    def residuals(logs):
        return np.log(prepared.answers(dict(zip(UNITS, np.exp(logs), strict=True)), published) / measured)

    found = least_squares(residuals, start, bounds=(low, high), xtol=TIGHT, ftol=TIGHT, gtol=TIGHT)
    return dict(zip(UNITS, np.exp(found.x), strict=True))


def _informs(rows):
    start = {name: BOUNDS[unit][1] for name, unit in UNITS.items()}
    base = _errors(rows, start)
    return {name: _errors(rows, start | {name: NUDGE * value}) != base for name, value in start.items()}


INFERENCE = Fit(tuple(TABLES), UNITS, _rows, _solve, _errors, _informs)
