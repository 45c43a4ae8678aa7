"""The same points asked of `evaluate` and of the notebook through papermill, side by side.

Run: ``make setup && .venv/bin/python benchmarks/evaluate_against_papermill.py``
"""

import tempfile
import time
from pathlib import Path

import papermill

import analysis
from analysis.subjects import NOTEBOOKS

ROOT = Path(__file__).resolve().parents[1]
STEM = "01_bandwidth_gap"
YEARS = (7.0, 7.5, 8.0, 8.5)
ROUNDS = {"point": 200, "verdict": 5, "record": 1}


def per_second(call, calls):
    """Return how often a call runs in a second, over a number of calls after one to warm up."""
    call()
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return calls / (time.perf_counter() - start)


def ask(detail):
    """Ask every claim of the notebook at every point."""
    for claim in NOTEBOOKS[STEM]:
        for years in YEARS:
            analysis.evaluate(claim, detail=detail, years=years)


def run_notebook(folder):
    """Run the notebook once: all its claims at one point."""
    source = ROOT / "notebooks" / f"{STEM}.ipynb"
    papermill.execute_notebook(source, Path(folder) / "out.ipynb", {"years": YEARS[0]}, progress_bar=False)


def main():
    """Print a line a way: points a second, a point being one claim at one value of `years`."""
    claims = len(NOTEBOOKS[STEM])
    print(f"{'asked through':<28}{'points a second':>16}")
    for detail, rounds in ROUNDS.items():
        rate = per_second(lambda detail=detail: ask(detail), rounds) * claims * len(YEARS)
        print(f"{'evaluate, ' + detail:<28}{rate:>16,.1f}")
    with tempfile.TemporaryDirectory() as folder:
        rate = per_second(lambda: run_notebook(folder), 1) * claims
    print(f"{'papermill, whole notebook':<28}{rate:>16,.2f}")


if __name__ == "__main__":
    main()
