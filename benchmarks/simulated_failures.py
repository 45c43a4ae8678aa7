"""Simulated failures a second: the compiled loop beside NumPy arrays and a plain Python loop, in one run.

Run: ``make setup && .venv/bin/python benchmarks/simulated_failures.py``

All play the same job: a failure every 180 minutes, 1, 3 and 10 minutes of recovery, a checkpoint every 4 minutes that
blocks 6 seconds. The compiled loop keeps account of six parts of the time, the others of the useful one alone.
"""

import random
import time

import numpy as np

from analysis.models.failure_simulation import simulate
from analysis.models.failures import weibull_ettr, weibull_scale

BETWEEN, STAGES, INTERVAL, BLOCK = 180.0, (1.0, 3.0, 10.0), 4.0, 0.1


def compiled(shape, failures):
    """The loop of the project."""
    return simulate(BETWEEN, shape, STAGES, INTERVAL, BLOCK, failures=failures).ettr


def vectorised(shape, failures):
    """The peer in NumPy: whole segments behind the recovery, a million failures at a time."""
    rng = np.random.default_rng(0)
    useful = clock = 0.0
    for _ in range(failures // 1_000_000):
        between = weibull_scale(BETWEEN, shape) * rng.standard_exponential(1_000_000) ** (1 / shape)
        whole = np.floor(np.maximum(between - sum(STAGES), 0.0) / (INTERVAL + BLOCK))
        useful, clock = useful + INTERVAL * whole.sum(), clock + between.sum()
    return useful / clock


def looped(shape, failures):
    """The peer in plain Python: one event after the other, with the random numbers of its standard library."""
    rng, scale = random.Random(0), float(weibull_scale(BETWEEN, shape))
    useful = clock = 0.0
    for _ in range(failures):
        between = rng.weibullvariate(scale, shape)
        left = max(between - sum(STAGES), 0.0)
        useful += INTERVAL * (left // (INTERVAL + BLOCK))
        clock += between
    return useful / clock


WAYS = {
    "compiled loop": (compiled, 50_000_000),
    "NumPy arrays": (vectorised, 10_000_000),
    "plain Python loop": (looped, 500_000),
}


def seconds(call):
    """Return the result of a call and how long it took."""
    start = time.perf_counter()
    return call(), time.perf_counter() - start


def main():
    """Print what each way finds and how many failures it plays through in a second."""
    simulate(BETWEEN, 1.0, STAGES, INTERVAL, BLOCK, failures=64)
    print(f"{'way':<26}{'shape':>6}{'ETTR':>9}{'failures a second':>20}")
    for shape in (1.0, 0.7):
        formula = float(weibull_ettr(BETWEEN, shape, sum(STAGES), INTERVAL, BLOCK))
        print(f"{'renewal formula':<26}{shape:>6}{formula:>9.5f}{'':>20}")
        for name, (way, failures) in WAYS.items():
            found, took = seconds(lambda way=way, failures=failures, shape=shape: way(shape, failures))
            print(f"{name:<26}{shape:>6}{found:>9.5f}{failures / took:>20,.0f}")


if __name__ == "__main__":
    main()
