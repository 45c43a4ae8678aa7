"""Time of an accelerator's own step, prepared once; and what it decodes with and without a pool, at a limit."""

from dataclasses import dataclass

import numpy as np

from analysis.models.inference import MILLI, step_s, step_work
from analysis.models.offload import (
    BESIDE,
    STREAMED,
    Remote,
    Sequence,
    beside_step_s,
    elsewhere_s,
    moved_beside,
    remote_attention_s,
    streamed_s,
    streamed_step_s,
    two_batch_step_s,
)
from analysis.models.rank import Batch

# Sequences, and seconds of attention with the cache over all layers, at which an accelerator's own step is prepared.
SIZES = np.geomspace(1, 4096, 33)
LEAST_S, MOST_S = 1e-4, 0.4
TIMES = np.concatenate([[0.0], np.geomspace(LEAST_S, MOST_S, 25)])
SIZE_STEP, TIME_STEP = np.log(SIZES[1]), np.log(TIMES[2] / TIMES[1])
MICRO_BATCHES = (1, 2)
# How many times as many sequences are tried as without a pool, and which parts of those stay.
GROWTH, RESIDENT_PARTS = np.geomspace(1, 64, 21), (1.0, 0.5, 0.0)
SECOND = np.geomspace(1 / 16, 64, 16)
# As many times as much: stands for serving where nothing could be served before.
FAR = 10.0


def own_step_s(one, sequences, cache_s):
    """Return the time of an accelerator's own step, one or two micro-batches, whichever is faster.

    Parameters
    ----------
    one : Placed
    sequences : array_like
        At least one.
    cache_s : array_like
        Attention with the cache, summed over the layers.

    Returns
    -------
    ndarray
        Seconds.
    """
    tokens = np.asarray(cache_s) / (np.asarray(sequences) * one.token_s)
    batch = Batch(sequences=np.asarray(sequences, dtype=float), cached_tokens=tokens)
    counts = MICRO_BATCHES if one.rank.handover else (1,)
    return np.min([step_s(step_work(one.rank, batch, count), one.rates) for count in counts], axis=0)


class OwnStep:
    """Prepared steps of several sides, read between the prepared points on straight lines.

    Parameters
    ----------
    tables : ndarray
        See `tables_of`.
    which : ndarray of int
        Shape (N,), positions in `tables`.
    """

    def __init__(self, tables, which):
        self.flat, self.which = tables.reshape(-1), which

    def __call__(self, sequences, cache_s):
        """Return seconds of a step, shape (N, G); 0 without a sequence."""
        sequences, cache_s = np.broadcast_arrays(sequences, cache_s)
        wanted = np.maximum(sequences, 1.0)
        row = np.minimum((np.log(wanted) / SIZE_STEP).astype(int), len(SIZES) - 2)
        place = np.log(np.maximum(cache_s, LEAST_S) / LEAST_S) / TIME_STEP
        column = np.where(cache_s < LEAST_S, 0, np.minimum(1 + place.astype(int), len(TIMES) - 2))
        along = (wanted - SIZES[row]) / (SIZES[row + 1] - SIZES[row])
        across = (cache_s - TIMES[column]) / (TIMES[column + 1] - TIMES[column])
        side = self.which.reshape(-1, *[1] * (sequences.ndim - 1))
        at = (side * len(SIZES) + row) * len(TIMES) + column
        near, far = (
            (1 - across) * self.flat.take(at + one) + across * self.flat.take(at + one + 1) for one in (0, len(TIMES))
        )
        return np.where(sequences > 0, (1 - along) * near + along * far, 0.0)


def table_of(facts, key, one):
    """Return the prepared steps of one rank, shape (len(SIZES), len(TIMES))."""
    key = ("ems throughput table", key)
    if key not in facts.derived:
        facts.derived[key] = own_step_s(one, SIZES[:, None], TIMES[None, :])
    return facts.derived[key]


def tables_of(facts, listed, ranks):
    """Return the prepared steps of several sides, shape (sides, len(SIZES), len(TIMES))."""
    key = ("ems throughput tables", tuple(listed))
    if key not in facts.derived:
        facts.derived[key] = np.array([table_of(facts, side, one) for side, one in zip(listed, ranks, strict=True)])
    return facts.derived[key]


@dataclass(frozen=True)
class Question:
    """What is asked of decoding, each field of shape (N, 1).

    Attributes
    ----------
    limit_s : ndarray
        On the time of a step.
    fits : ndarray
        Sequences whose cache the accelerator's memory holds.
    sequence : Sequence
    remote : Remote
    """

    limit_s: np.ndarray
    fits: np.ndarray
    sequence: Sequence
    remote: Remote


def sequence_of(listed, which, context):
    """Return what one sequence costs, from ranks (`listed`, chosen by `which`) and tokens of context, shape (N, 1)."""

    def column(name):
        return np.array([getattr(one, name) for one in listed])[which][:, None]

    tokens = np.asarray(context)[:, None]
    layers = np.array([one.shape.layers for one in listed])[which][:, None]
    costs = (tokens * column(name) for name in ("token_s", "token_bytes", "token_flops"))
    return Sequence(*costs, column("exchanged_bytes"), layers)


def largest_within(steps, sizes, limit_s):
    """Return the largest batch whose step keeps a limit, between those tried on a straight line.

    Parameters
    ----------
    steps, sizes : ndarray
        Shape (N, G), rising.
    limit_s : ndarray
        Shape (N, 1).

    Returns
    -------
    ndarray
        Shape (N,); 0 where the smallest batch is too slow.
    """
    kept = (steps <= limit_s).sum(axis=1)
    low, rows = np.clip(kept - 1, 0, sizes.shape[1] - 2), np.arange(len(steps))
    first, second = steps[rows, low], steps[rows, low + 1]
    part = np.clip((limit_s[:, 0] - first) / np.maximum(second - first, 1e-12), 0, 1)
    return np.where(kept, sizes[rows, low] + part * (sizes[rows, low + 1] - sizes[rows, low]), 0.0)


def without_pool(own_s, question):
    """Return the batch without a pool: as many sequences as limit and memory allow, 0 where not one.

    Parameters
    ----------
    own_s : callable
    question : Question

    Returns
    -------
    sequences, rate : ndarray
        Shape (N,); `rate` in tokens a second.
    """
    local = question.sequence.local_s
    sizes = np.broadcast_to(SIZES, (len(local), len(SIZES)))
    within = largest_within(own_s(sizes, sizes * local), sizes, question.limit_s)
    sequences = np.minimum(within, question.fits[:, 0])
    sequences = np.where(sequences < 1, 0.0, sequences)
    seconds = own_s(sequences[:, None], sequences[:, None] * local)[:, 0]
    return sequences, sequences / np.maximum(seconds, 1e-12)


def _best(steps, working, extra, limit_s):
    """The highest rate among batches (`working` + `extra`) within the limit, the one at the limit included."""
    rate = np.where(steps <= limit_s, (working + extra) / np.maximum(steps, 1e-12), 0.0).max(axis=1)
    edge = largest_within(steps, extra, limit_s)
    reaches = (edge > 0) & (edge < extra[:, -1])
    at_limit = np.where(reaches, (np.broadcast_to(working, extra.shape)[:, 0] + edge) / limit_s[:, 0], 0.0)
    return np.maximum(rate, at_limit)


def with_pool(own_s, question, way, before):
    """Return the rate with a pool.

    Parameters
    ----------
    own_s : callable
    question : Question
    way : str
        See `analysis.models.offload`.
    before : ndarray
        Sequences without a pool, shape (N,).

    Returns
    -------
    ndarray
        Tokens a second, shape (N,); what the way itself reaches, which may be less than without a pool.
    """
    local, fits, start = question.sequence.local_s, question.fits, np.maximum(before, 1.0)[:, None]
    each, step = remote_attention_s(question.remote, question.sequence)
    if way in (BESIDE, STREAMED):
        sizes = start * GROWTH
        if way == BESIDE:
            moved = moved_beside(sizes, fits, local, each, step)
            steps = beside_step_s(own_s, sizes, moved, local, each, step)
        else:
            moved = np.maximum(sizes - fits, 0)
            steps = streamed_step_s(own_s, sizes, moved, local, streamed_s(question.remote, question.sequence))
        return _best(steps, 0.0, sizes, question.limit_s)
    return _two_batches(own_s, question, before[:, None], start * SECOND, each, step)


def _two_batches(own_s, question, before, second, each, step):
    """The highest rate of two batches, over what stays, and with or without some of the first batch moved too."""
    local, own_second, found = question.sequence.local_s, own_s(second, 0.0), 0.0
    away_second = elsewhere_s(second, each, step)
    # The pool has time for some of the first batch while the second is on the accelerator.
    spare = np.maximum(own_second - step, 0) / each
    for part in RESIDENT_PARTS:
        resident = part * before
        alone = two_batch_step_s((own_s(resident, resident * local), own_second), (0.0, away_second))
        found = np.maximum(found, _best(alone, resident, second, question.limit_s))
        filled = (own_s(resident + spare, resident * local), own_second)
        steps = two_batch_step_s(filled, (elsewhere_s(spare, each, step), away_second))
        rate = np.where(steps <= question.limit_s, (resident + spare + second) / steps, 0.0).max(axis=1)
        found = np.maximum(found, rate)
    return found


def decode_ratio(own_s, question, ways):
    """Return decoding with a pool over decoding without.

    Parameters
    ----------
    own_s : callable
        ``own_s(rows)`` gives the accelerator's step for some of the samples.
    question : callable
        ``question(rows)`` gives the question for some of the samples.
    ways : ndarray of str
        Shape (N,).

    Returns
    -------
    ndarray
        Shape (N,). At least 1, as a scheduler may leave the pool unused; `FAR` where only the pool lets anything be
        served within the limit, and never beyond.
    """
    found = np.ones(len(ways))
    for way in np.unique(ways):
        rows = np.flatnonzero(ways == way)
        step, asked = own_s(rows), question(rows)
        sequences, rate = without_pool(step, asked)
        pooled = with_pool(step, asked, way, sequences)
        found[rows] = ratio(pooled, rate)
    return found


def ratio(pooled, rate):
    """Return a rate with a pool over that without: 1 where the pool is better left unused, `FAR` at most."""
    served = np.where(rate > 0, pooled / np.maximum(rate, 1e-12), np.where(pooled > 0, FAR, 1.0))
    return np.clip(served, 1.0, FAR)


def limit_of(values):
    """Return the limit on a step in seconds, shape (N, 1)."""
    return MILLI * np.asarray(values["token_time_limit_ms"])[:, None]
