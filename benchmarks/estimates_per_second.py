"""Estimates of decoding and prefill a second: one call for many batches, one deployment after the other, whole rows.

An estimate is the time of one step of DeepSeek-V3 with its exchange, both with one and with two micro-batches.
Run: ``make setup && .venv/bin/python benchmarks/estimates_per_second.py``
"""

import time

import numpy as np

from analysis.evidence.inference import answers, case_of
from analysis.evidence.inference_fit import INFERENCE, exchange_values
from analysis.evidence.offline import case_of as offline_case
from analysis.evidence.serving import Layout, card_of, formats_of, rank_of
from analysis.evidence.serving_kernels import kernels_of, published_shares, reached
from analysis.facts import open_facts
from analysis.facts.transformers import transformer
from analysis.models.inference import step_s, step_work
from analysis.models.rank import Batch

SIZES = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
DEGREES = (8, 16, 32, 64, 72, 96, 128, 144, 192, 256, 320)
REPEATS = 3
DECODE = {
    "quantity": "decode_throughput",
    "accelerator": "H800",
    "model": "DeepSeek-V3 FP8",
    "ep_degree": "144",
    "batch_per_accelerator": "128",
    "kv_tokens": "4096",
    "routing": "default",
}
OFFLINE = {
    "quantity": "offline_throughput",
    "accelerator": "B200",
    "accelerators": "4",
    "model": "DeepSeek-R1",
    "precision": "FP4",
    "kv_precision": "FP8",
    "parallelism": "attention data parallel, expert parallel",
    "requests": "3000",
    "input_tokens": "1024",
    "output_tokens": "1024",
}


def fastest(call):
    """Return the shortest of some runs, in seconds."""
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return min(taken)


def deployment(facts, values, ranks):
    """One rank of DeepSeek-V3 on H800 and what its kernels reach."""
    shape, (card, _) = transformer(facts, "DeepSeek-V3"), card_of(facts, "H800 SXM")
    formats = formats_of(facts, "DeepSeek-V3", "FP8")
    layout = Layout(ranks, 1, ranks, "DeepEP", "InfiniBand 400G", normal=False)
    rank = rank_of(facts, shape, card, formats, layout, values)
    kernels, _ = kernels_of(card, formats, layout, rank.handover, balanced=False)
    return rank, reached([kernels], values, published_shares(facts))


def steps(rank, rates, batch):
    """Seconds of a step, whichever of one and two micro-batches is faster."""
    return np.minimum(*(step_s(step_work(rank, batch, count), rates) for count in (1, 2)))


def main():
    """Print estimates a second of each way, and how the time of one call grows with its size."""
    facts = open_facts()
    values = exchange_values(facts) | INFERENCE.solve(INFERENCE.rows(facts))
    rank, rates = deployment(facts, values, 144)
    rng = np.random.default_rng(0)
    print("one call, many batches:      estimates   seconds   estimates a second")
    for size in SIZES:
        decode = Batch(sequences=rng.uniform(1, 256, size), cached_tokens=rng.uniform(100, 32_000, size))
        taken = fastest(lambda batch=decode: steps(rank, rates, batch))
        print(f"  decode                   {size:>12,} {taken:>9.4f} {size / taken:>20,.0f}")
    prompt = Batch(prompts=rng.uniform(1, 8, SIZES[-2]), prompt_tokens=4096.0, prompt_pairs=5e8)
    taken = fastest(lambda: steps(rank, rates, prompt))
    print(f"  prefill                  {SIZES[-2]:>12,} {taken:>9.4f} {SIZES[-2] / taken:>20,.0f}")
    batches = Batch(sequences=np.arange(1.0, 257.0), cached_tokens=4096.0)
    taken = fastest(lambda: [steps(*deployment(facts, values, ranks), batches) for ranks in DEGREES])
    count = len(DEGREES) * 256
    print(f"  degrees x 256 batches    {count:>12,} {taken:>9.4f} {count / taken:>20,.0f}")
    shares = published_shares(facts)
    for name, row, build in (("row of decoding", DECODE, case_of), ("row of a queue", OFFLINE, offline_case)):
        taken = fastest(lambda row=row, build=build: answers([build(row, facts, values)[0]], values, shares))
        print(f"  {name:<24} {1:>12,} {taken:>9.4f} {1 / taken:>20,.0f}")


if __name__ == "__main__":
    main()
