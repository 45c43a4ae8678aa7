"""Prefix reuse timed on this machine: a small decoder computes prompts with and without their cached prefix.

Keys and values lie in memory, or come from a mapped file that stands for a pool.
"""

import os
import platform
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import numpy as np

from analysis.errors import ParameterError
from analysis.models.small_transformer import decoder_shape, empty_cache, prefill, random_weights

RECOMPUTED, MEMORY, FILE, EVICTED = "recomputed", "memory", "mapped file", "evicted file"
FULL, LOAD = "first token", "load alone"
COLUMNS = ("round", "what", "tier", "prompt_tokens", "cached_tokens", "seconds", "waited_s")
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
ROUNDING = 1e-4  # of the largest logit: what sums in another order may change in single precision
FEWEST_LENGTHS = 3  # as many as there are constants
FEWEST_REPEATS = 2  # less shows no spread
WAITED = Path("/proc/thread-self/schedstat")


@dataclass(frozen=True)
class Plan:
    """What is timed.

    Attributes
    ----------
    shape : Transformer
    lengths : tuple of int
        Tokens of the prompts, rising.
    fractions : tuple of float
        Cached parts of a prompt, in (0, 1).
    repeats, seed : int
    budget_s : float
        No round begins after so many seconds, but for the first two.
    """

    shape: object
    lengths: tuple
    fractions: tuple
    repeats: int
    seed: int
    budget_s: float

    def cached_tokens(self, prompt_tokens):
        """Return the lengths of the cached prefixes of one prompt, each at least one token short of it."""
        return [min(max(round(part * prompt_tokens), 1), prompt_tokens - 1) for part in self.fractions]

    def reused(self, tiers):
        """Return every prompt with every cached prefix at every tier: (prompt tokens, cached tokens, tier)."""
        pairs = [(prompt, cached) for prompt in self.lengths for cached in self.cached_tokens(prompt)]
        return [(*pair, tier) for pair in pairs for tier in tiers]

    def cases(self):
        """Return what a round runs: (what, tier, prompt tokens, cached tokens)."""
        whole = [(FULL, RECOMPUTED, prompt, 0) for prompt in self.lengths]
        reused = [(FULL, tier, prompt, cached) for prompt, cached, tier in self.reused(tiers())]
        loads = sorted({(LOAD, tier, cached, cached) for _, cached, tier in self.reused(tiers()[1:])})
        return whole + reused + loads

    def tokens(self):
        """Return the longest prompt; the others are its beginnings, so that one cache serves all."""
        return np.random.default_rng(self.seed).integers(self.shape.vocabulary, size=self.lengths[-1])


def plan(lengths, fractions, *, layers, width, heads, key_value_heads, repeats, seed, budget_s):
    """Return what is to be timed, checked.

    Parameters
    ----------
    lengths, fractions : str
        Numbers with commas between them: tokens of the prompts, cached parts of them.
    layers, width, heads, key_value_heads : int
        Of the decoder.
    repeats, seed : int
    budget_s : float

    Returns
    -------
    Plan

    Raises
    ------
    ParameterError

    Examples
    --------
    >>> sizes = {"layers": 2, "width": 64, "heads": 4, "key_value_heads": 2, "repeats": 3, "seed": 0, "budget_s": 9.0}
    >>> plan("64, 256, 128", "0.5", **sizes).lengths
    (64, 128, 256)
    """
    least = {"layers": 1, "width": 1, "heads": 1, "key_value_heads": 1, "repeats": FEWEST_REPEATS, "seed": 0}
    for (name, low), value in zip(least.items(), (layers, width, heads, key_value_heads, repeats, seed), strict=True):
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            raise ParameterError(f"{name}: {value!r}; expected a whole number of {low} or more")
    if not 0 < budget_s < np.inf:
        raise ParameterError(f"budget_s: {budget_s!r}; expected a number above 0")
    if width % (2 * heads):
        raise ParameterError(f"width: {width}; expected a multiple of twice the {heads} heads")
    if heads % key_value_heads:
        raise ParameterError(f"key_value_heads: {key_value_heads}; expected a divisor of the {heads} heads")
    prompts = _numbers("lengths", lengths, int, lambda tokens: tokens >= 2, "whole numbers of 2 or more")
    if len(prompts) < FEWEST_LENGTHS:
        raise ParameterError(f"lengths: {lengths!r}; expected {FEWEST_LENGTHS} different ones or more")
    parts = _numbers("fractions", fractions, float, lambda part: 0 < part < 1, "numbers between 0 and 1")
    return Plan(decoder_shape(layers, width, heads, key_value_heads), prompts, parts, repeats, seed, budget_s)


def _numbers(name, text, kind, accepted, expected):
    """Different numbers of a text, rising."""
    try:
        found = sorted({kind(word) for word in str(text).split(",")})
    except ValueError:
        found = []
    if not found or not all(map(accepted, found)):
        raise ParameterError(f"{name}: {text!r}; expected {expected}, with commas between them")
    return tuple(found)


def tiers():
    """Return where a prefix may lie; a file can be evicted where the system lets a program ask for it."""
    return (MEMORY, FILE, EVICTED) if hasattr(os, "posix_fadvise") else (MEMORY, FILE)


class Pool:
    """A mapped file with the keys and values of a prompt.

    Parameters
    ----------
    path : Path
        Written once.
    cache : ndarray
        Axes as `analysis.models.small_transformer.cache_shape` names them.
    """

    def __init__(self, path, cache):
        self.path, self.axes = path, cache.shape
        with path.open("wb") as file:
            file.write(np.ascontiguousarray(cache, dtype=np.float32).tobytes())
            file.flush()
            os.fsync(file.fileno())  # only what is on the disk can be evicted

    def read_into(self, cache, cached_tokens):
        """Copy a prefix into a cache, layer by layer."""
        kept = np.memmap(self.path, dtype=np.float32, mode="r", shape=self.axes)
        for own, stored in zip(cache, kept, strict=True):
            own[:, :, :cached_tokens] = stored[:, :, :cached_tokens]

    def evict(self):
        """Ask the system to forget what it holds of the file in memory."""
        with self.path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def logit_differences(plan):
    """Compare what follows a prompt when its prefix is cached and when all is computed.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    list of tuple
        Tier, tokens of the prompt, cached tokens, and the largest difference of a logit over the largest logit.
    """
    shape, tokens = plan.shape, plan.tokens()
    weights = random_weights(shape, plan.seed)
    known = empty_cache(shape, len(tokens))
    prefill(shape, weights, tokens, known)
    found = []
    with TemporaryDirectory(prefix="prefix-pool-") as folder:
        pool = Pool(Path(folder, "keys-and-values"), known)
        whole = {
            prompt: prefill(shape, weights, tokens[:prompt], empty_cache(shape, prompt)) for prompt in plan.lengths
        }
        for prompt, cached, tier in plan.reused((MEMORY, FILE)):
            cache = np.full_like(known, np.nan)  # what was not cached and is used all the same would show
            if tier == FILE:
                pool.read_into(cache, cached)
            else:
                cache[:, :, :, :cached] = known[:, :, :, :cached]
            logits = prefill(shape, weights, tokens[:prompt], cache, cached)
            found.append(
                (tier, prompt, cached, float(np.abs(logits - whole[prompt]).max() / np.abs(whole[prompt]).max()))
            )
    return found


def measured(plan, process):
    """Time a plan.

    Parameters
    ----------
    plan : Plan
    process : concurrent.futures.Executor
        Of `single_threaded`.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`, one run a row: a first token, or the load of a prefix alone.
    """
    import pandas as pd

    return pd.DataFrame(process.submit(timings, plan).result(), columns=COLUMNS)


def single_threaded():
    """Return a new process, as an executor, whose products of matrices use one thread.

    The libraries read the number of threads when they are loaded, so that only a new process can change it; threads
    that wait for each other on busy cores would be most of what is timed.
    """
    process = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_end_with_parent)
    with _one_thread():
        process.submit(int).result()  # it starts with its first call
    return process


def _end_with_parent():
    """Let this process end when the one that asked for it is killed."""

    def watch():
        wait([parent_process().sentinel])
        os._exit(1)

    Thread(target=watch, daemon=True).start()


@contextmanager
def _one_thread():
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def timings(plan):
    """Time a plan in this process; every round runs all cases, in an order of its own.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    list of tuple
        `COLUMNS`; `seconds` without `waited_s`.
    """
    shape, random = plan.shape, np.random.default_rng(plan.seed)
    weights, tokens, cache = random_weights(shape, plan.seed), plan.tokens(), empty_cache(shape, plan.lengths[-1])
    prefill(shape, weights, tokens, cache)
    cases, found, began = plan.cases(), [], time.perf_counter()
    with TemporaryDirectory(prefix="prefix-pool-") as folder:
        pool = Pool(Path(folder, "keys-and-values"), cache)
        for number in range(plan.repeats):
            if number >= FEWEST_REPEATS and time.perf_counter() - began > plan.budget_s:
                break
            for what, tier, prompt, cached in [cases[place] for place in random.permutation(len(cases))]:
                if tier == EVICTED:
                    pool.evict()
                # The clock is read first and last: a wait between two readings then makes a run longer, never shorter.
                started, waited = time.perf_counter(), waited_s()
                if tier in (FILE, EVICTED):
                    pool.read_into(cache, cached)
                if what == FULL:
                    prefill(shape, weights, tokens[:prompt], cache, cached)
                waited, seconds = waited_s() - waited, time.perf_counter() - started
                found.append((number, what, tier, prompt, cached, seconds - waited, waited))
    return found


def waited_s():
    """Return how long this thread has waited for a core that other programs held; 0 where the system does not tell."""
    try:
        return int(WAITED.read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def machine():
    """Return what was timed: processor, cores, and the library that multiplies matrices."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]
    kind = platform.processor() or platform.machine()
    return f"{kind}, {os.cpu_count()} cores, NumPy {np.__version__} with {blas}"
