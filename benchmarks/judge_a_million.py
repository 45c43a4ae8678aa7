"""A million samples of a closed form: drawn, predicted and judged, beside the same steps written with SciPy and a loop.

Run: ``make setup && .venv/bin/python benchmarks/judge_a_million.py``
"""

import time

import numpy as np
from scipy import stats

from analysis.facts.assumptions import JUDGEMENT, Assumption
from analysis.judgement import judge, uncertainty, verdict
from analysis.judgement.case import Case, Options, Target

SAMPLES = 1_000_000
LOOPED = 20_000
NAMES = ("first", "second", "third")
TARGET = Target(("at_least",), np.array([1.0]), 0.25)


def seconds(call):
    """Return the result of a call and how long it took."""
    start = time.perf_counter()
    found = call()
    return found, time.perf_counter() - start


def product_case():
    """A claim on the product of three triangular factors."""
    declared = tuple(Assumption(name, 0.5, 1.0, 2.0, "x", "triangular", JUDGEMENT, "") for name in NAMES)

    def predict(options, rows, values):
        return values["first"] * values["second"] * values["third"]

    return Case(declared, Options(), predict, lambda options, values: {}, lambda: {}, ())


def looped():
    """The peer: one sample after the other, drawn with SciPy and held against the claim in Python."""
    rng = np.random.default_rng(0)
    factor = stats.triang(c=1 / 3, loc=0.5, scale=1.5)
    return sum(np.prod(factor.rvs(3, random_state=rng)) >= 1.0 for _ in range(LOOPED)) / LOOPED


def main():
    """Print the share and the samples a second of each way."""
    case = product_case()
    one = np.ones(1)
    sample, drawing = seconds(lambda: uncertainty.draw(case.assumptions, case.options, one, SAMPLES, seed=0))
    prediction, predicting = seconds(lambda: judge.predictions(case, sample))
    shares, judging = seconds(lambda: verdict.shares(prediction, sample.weight, TARGET))
    whole, total = seconds(lambda: judge.judge(case, TARGET, one, SAMPLES, 0))
    share, loop = seconds(looped)
    print(f"draw {drawing:.2f} s, predict {predicting:.2f} s, judge {judging:.2f} s for {SAMPLES:,} samples")
    print(f"{'way':<34}{'share':>8}{'samples a second':>20}")
    together = drawing + predicting + judging
    print(f"{'shares of a verdict, vectorised':<34}{shares.holds:>8.3f}{SAMPLES / together:>20,.0f}")
    print(f"{'with quantiles and region':<34}{whole.shares.holds:>8.3f}{SAMPLES / total:>20,.0f}")
    print(f"{'SciPy and a Python loop':<34}{share:>8.3f}{LOOPED / loop:>20,.0f}")


if __name__ == "__main__":
    main()
