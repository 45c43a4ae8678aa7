"""Every fit of the project: which rows determine which constants."""

import numpy as np

from analysis.evidence import cache_pool, expert_parallel, first_token_fit, inference_fit, training
from analysis.evidence.calibrate import Fit
from analysis.facts.failure_rates import RATE_UNIT, published_failure_rates

RATE = "failures_per_1000_node_days"


def _rates(rows):
    return rows[RATE].to_numpy(dtype=float)


TYPICAL_FAILURE_RATE = Fit(
    tables=("operations",),
    units={RATE: RATE_UNIT},
    rows=published_failure_rates,
    solve=lambda rows: {RATE: float(np.exp(np.log(_rates(rows)).mean()))},
    errors=lambda rows, values: values[RATE] / _rates(rows) - 1,
    informs=lambda rows: {RATE: np.ones(len(rows), dtype=bool)},
)

FITS = (
    TYPICAL_FAILURE_RATE,
    expert_parallel.DEEPEP,
    expert_parallel.UB,
    inference_fit.INFERENCE,
    training.TRAINING,
    first_token_fit.FIRST_TOKEN,
    cache_pool.CACHE_POOL,
)
