"""Layouts of a training step searched per second, how the cost grows, and the event schedule beside the closed form.

Run: ``make setup && .venv/bin/python benchmarks/training_layouts.py``
"""

import time

import numpy as np

from analysis.evidence.training import training_machine
from analysis.facts import open_facts
from analysis.facts.transformers import transformer
from analysis.models.schedule import scheduled_step_s
from analysis.models.training import training_step
from analysis.models.training_layouts import best_layout, candidate_layouts, taken
from analysis.models.training_setup import Software

CARDS = (16, 64, 256, 1024, 4096)
ONE_BY_ONE = 200
REPEATS = 5


def seconds(call):
    """Return the result of a call and the best time of a few."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        found = call()
        times.append(time.perf_counter() - start)
    return found, min(times)


def main():
    """Print layouts a second by size of the job and by way of computing."""
    facts = open_facts()
    shape, machine = transformer(facts, "DeepSeek-V3"), training_machine(facts, "GB200", "MXFP8")
    software = Software(bytes_per_value=1.0, forwards=True, graphs=1)
    print(f"{'cards':>6}{'layouts':>10}{'seconds':>10}{'layouts a second':>18}{'best tokens/s/card':>20}")
    for cards in CARDS:
        job = {"cards": cards, "sequence_tokens": 4096, "global_batch": 16 * cards}
        try:
            found, taking = seconds(lambda job=job: best_layout(shape, machine, software=software, **job))
        except ValueError:
            print(f"{cards:>6}  does not fit")
            continue
        best = job["global_batch"] * 4096 / (cards * float(found.step.total_s))
        print(f"{cards:>6}{found.candidates:>10,}{taking:>10.3f}{found.candidates / taking:>18,.0f}{best:>20,.0f}")

    tried = candidate_layouts(shape, cards=256, sequence_tokens=4096, global_batch=4096)
    count = len(tried.micro_batch)
    _, together = seconds(lambda: training_step(shape, tried, software, machine))
    places = np.linspace(0, count - 1, ONE_BY_ONE).astype(int)
    alone = [taken(tried, int(place)) for place in places]
    _, single = seconds(lambda: [training_step(shape, one, software, machine) for one in alone])
    _, played = seconds(lambda: [scheduled_step_s(shape, one, software, machine) for one in alone])
    print(f"\n{'way':<34}{'steps a second':>16}")
    for name, number, taking in (
        ("closed form, all at once", count, together),
        ("closed form, one by one", ONE_BY_ONE, single),
        ("event schedule, one by one", ONE_BY_ONE, played),
    ):
        print(f"{name:<34}{number / taking:>16,.0f}")


if __name__ == "__main__":
    main()
