"""Blocks a second through LRU caches on the Mooncake conversation trace: this project beside libcachesim.

Run: ``make setup && .venv/bin/python benchmarks/prefix_cache_against_libcachesim.py``

The peer is no dependency; ``.venv/bin/python -m pip install libcachesim==0.3.5`` adds it, and without it the script
prints this project's figures alone. libcachesim knows blocks, not requests: it looks a block up and inserts it at once,
in the order of the prompt. So its counts are compared with a replay in which every block is a request of its own, where
both rules are the same; at the rules of requests they can only agree where nothing is evicted. It is fed in two ways:
block by block from Python, and from a binary file that its own C code reads.
"""

import json
import lzma
import tempfile
import time
from pathlib import Path

import numpy as np

from analysis.facts.traces import TRACES, read_trace, trace_of
from analysis.models.prefix_cache import miss_ratio_curve, request_hits

try:
    import libcachesim
except ImportError:
    libcachesim = None

ROUNDS, SECONDS = 5, 0.5
HASH_POWER = 17  # of the buckets of its hash table: as many as the trace has blocks, much faster than its default of 24
SIZES = np.linspace(2500, 50_000, 20).astype(int).tolist()
ONE = 10_000
ORACLE_GENERAL = np.dtype([("time", "<u4"), ("id", "<u8"), ("bytes", "<u4"), ("next", "<i8")])


def best(call):
    """Return the result of a call, and its least seconds over `ROUNDS` and at least `SECONDS` after one to warm up."""
    found, spent = call(), []
    while len(spent) < ROUNDS or sum(spent) < SECONDS:
        start = time.perf_counter()
        call()
        spent.append(time.perf_counter() - start)
    return found, min(spent)


def each_alone(trace):
    """The same blocks, every one a request of its own."""
    ones = np.ones(len(trace.blocks), dtype=np.int64)
    return trace_of(0 * ones, 512 * ones, ones, ones, trace.blocks)


def through_python(blocks, size):
    """Hits of libcachesim, asked block by block."""
    cache = libcachesim.LRU(cache_size=size, hashpower=HASH_POWER)
    request = libcachesim.Request()
    request.obj_size = 1
    get, hits = cache.get, 0
    for block in blocks:
        request.obj_id = block
        hits += get(request)
    return hits


def through_file(path, count, size):
    """Hits of libcachesim, its C code reading a file."""
    reader = libcachesim.TraceReader(str(path), libcachesim.TraceType.ORACLE_GENERAL_TRACE)
    misses, _ = libcachesim.LRU(cache_size=size, hashpower=HASH_POWER).process_trace(reader)
    return count - round(misses * count)


def show(way, sizes, found, seconds, count):
    """Print a line: the hits at size `ONE`, and how many times a second the blocks pass through a cache."""
    print(f"{way:<52}{sizes:>6}{found:>12,}{1e3 * seconds:>12,.2f}{sizes * count / seconds / 1e6:>16,.1f}")


def load(folder):
    """Print how long loading takes; return the trace."""
    packed = TRACES["conversation"]
    plain = Path(folder) / "trace.jsonl"
    plain.write_bytes(lzma.decompress(packed.read_bytes()))
    trace, seconds = best(lambda: read_trace(plain))
    _, unpacking = best(lambda: read_trace(packed))
    _, parsing = best(lambda: [json.loads(line) for line in plain.read_bytes().splitlines()])
    print(f"{trace.requests:,} requests, {len(trace.blocks):,} blocks, {trace.distinct:,} of them different")
    print(f"loading, checks included: {1e3 * seconds:.0f} ms, from .xz {1e3 * unpacking:.0f} ms", end=" ")
    print(f"(the json module alone, nothing checked: {1e3 * parsing:.0f} ms)\n")
    return trace


def ours(trace, rules):
    """Print and return the seconds of one size and of the curve, and the hits at all sizes."""
    count = len(trace.blocks)
    (hits, _), one = best(lambda: request_hits(trace, ONE))
    curve, all_sizes = best(lambda: miss_ratio_curve(trace).hit_blocks)
    show(f"analysis, {rules}: request_hits", 1, int(hits.sum()), one, count)
    show(f"analysis, {rules}: miss_ratio_curve", len(SIZES), int(curve[ONE]), all_sizes, count)
    return one, all_sizes, curve[SIZES].tolist()


def theirs(trace, folder):
    """Print and return the seconds of one size and of all, and the hits at all sizes, for each way to feed the peer."""
    count = len(trace.blocks)
    records = np.zeros(count, dtype=ORACLE_GENERAL)
    records["id"], records["bytes"], records["next"] = trace.blocks + 1, 1, -1
    path = Path(folder) / "trace.oracleGeneral.bin"
    records.tofile(path)
    blocks = trace.blocks.tolist()
    found = {}
    for way, hits_of in (
        ("Python", lambda size: through_python(blocks, size)),
        ("file", lambda size: through_file(path, count, size)),
    ):
        hits, one = best(lambda hits_of=hits_of: hits_of(ONE))
        curve, all_sizes = best(lambda hits_of=hits_of: [hits_of(size) for size in SIZES])
        show(f"libcachesim, {way}", 1, hits, one, count)
        show(f"libcachesim, {way}", len(SIZES), hits, all_sizes, count)
        found[way] = one, all_sizes, curve
    return found


def main():
    """Print the figures, side by side."""
    with tempfile.TemporaryDirectory() as folder:
        trace = load(folder)
        print(f"{'way':<52}{'sizes':>6}{f'hits, {ONE:,}':>12}{'ms':>12}{'M blocks a s':>16}")
        mine = {"requests": ours(trace, "requests"), "blocks": ours(each_alone(trace), "block by block")}
        if libcachesim is None:
            print("libcachesim is not installed; see the head of this script")
            return
        for way, (one, all_sizes, hits) in theirs(trace, folder).items():
            same = sum(a == b for a, b in zip(hits, mine["blocks"][2], strict=True))
            print(f"\nagainst libcachesim, {way}: same hits block by block at {same} of {len(SIZES)} sizes")
            for rules, (my_one, my_all, _) in mine.items():
                print(f"  {rules:<10} one size {one / my_one:,.0f} times as fast, 20 sizes {all_sizes / my_all:,.0f}")
        whole = through_python(trace.blocks.tolist(), trace.distinct)
        print(
            f"\nwithout eviction: {whole:,} hits of libcachesim, {miss_ratio_curve(trace).hit_blocks[-1]:,} of requests"
        )


if __name__ == "__main__":
    main()
