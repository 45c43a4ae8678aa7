"""A grid of parameter values through `evaluate`, one tidy row a point."""

import json
import math
from itertools import product

import pandas as pd

from analysis.errors import AnalysisError, ParameterError
from analysis.evaluation.asking import evaluate
from analysis.judgement.record import plain

OUTCOMES = ("estimate", "low", "high", "share", "verdict", "error")


def sweep(claim_id, grid, *, jobs=1, seed=0, samples=8192, data=None):
    """Evaluate a claim at every point of a grid.

    Parameters
    ----------
    claim_id : str
    grid : dict of str to sequence
        Parameter to the values to try; the last one varies fastest.
    jobs : int
        Processes. The rows are the same whatever their number.
    seed, samples, data
        As in `evaluate`.

    Returns
    -------
    pandas.DataFrame
        The parameters as columns, then estimate, low, high (5th and 95th percentile), share, verdict, error. The
        numbers of a joint claim are JSON objects keyed by part. A point that cannot be judged has its error as text.

    Raises
    ------
    ParameterError
        For an empty grid, or an unknown claim.
    """
    if not grid or not all(len(values) for values in grid.values()):
        raise ParameterError("sweep: the grid is empty; give at least one parameter with one value")
    evaluate(claim_id, detail="point", data=data)
    points = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    from joblib import Parallel, delayed

    # Threads would share the caches, processes share nothing: a point is the same wherever it is computed.
    rows = Parallel(n_jobs=jobs)(delayed(_row)(claim_id, point, seed, samples, data) for point in points)
    return pd.DataFrame(rows, columns=[*grid, *OUTCOMES])


def _row(claim_id, point, seed, samples, data):
    try:
        record = evaluate(claim_id, detail="verdict", seed=seed, samples=samples, data=data, **point)
    except AnalysisError as error:
        return (
            point | dict.fromkeys(("estimate", "low", "high", "share"), math.nan) | {"verdict": "", "error": str(error)}
        )
    return point | _outcomes(record) | {"share": plain(record.share), "verdict": record.verdict, "error": ""}


def _outcomes(record):
    if not isinstance(record.estimate, dict):
        return plain({"estimate": record.estimate, "low": record.interval[0], "high": record.interval[1]})
    ends = {
        name: {part: span[end] for part, span in record.interval.items()} for end, name in enumerate(("low", "high"))
    }
    return {name: json.dumps(plain(values)) for name, values in {"estimate": record.estimate, **ends}.items()}
