"""What a request trace finds in caches of every size, alone or private, and the operations that are then left."""

from dataclasses import dataclass

import numpy as np

from analysis.models.prefix_cache import HitCurve, miss_ratio_curve, request_hits
from analysis.models.transformer_costs import forward_flops

# Private caches for which the hits are counted; between them they are interpolated.
CACHES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256, 512)
WORK_POINTS = 49


@dataclass(frozen=True, eq=False)
class Reuse:
    """What a trace finds in caches.

    Attributes
    ----------
    shared : HitCurve
        Of one cache.
    shared_hits : ndarray
        Its token hit fraction at 0, 1, 2, ... blocks.
    private : tuple of HitCurve
        Of as many private caches as `CACHES` says.
    capacities : ndarray of int
        Some capacities in blocks, from nothing to everything.
    cached_tokens : tuple of ndarray of shape (requests,)
        What each request finds in one cache of each of them.
    tokens : int
        Of all prompts.
    seconds : float
        From the first request to the last.
    context_tokens : float
        Mean length of a live context, over all output tokens.
    """

    shared: HitCurve
    shared_hits: np.ndarray
    private: tuple[HitCurve, ...]
    capacities: np.ndarray
    cached_tokens: tuple[np.ndarray, ...]
    tokens: int
    seconds: float
    context_tokens: float


@dataclass(frozen=True, eq=False)
class Work:
    """Operations that prefill takes, by the hits: straight lines between the points.

    Attributes
    ----------
    capacities : ndarray of shape (points,)
        Blocks of one cache.
    hits : ndarray of shape (points,)
        Fraction of prompt tokens found, rising.
    flops : ndarray of shape (models, points)
        Of the whole trace.
    model : ndarray of int, shape (N,)
        Row of `flops` for each sample.
    """

    capacities: np.ndarray
    hits: np.ndarray
    flops: np.ndarray
    model: np.ndarray

    def at(self, hits):
        """Return the operations at some token hit fractions, of shape (N,) or (..., N)."""
        last = len(self.hits) - 2
        place = np.clip(np.searchsorted(self.hits, hits, side="right") - 1, 0, last)
        low, high = self.hits[place], self.hits[place + 1]
        part = np.clip((hits - low) / (high - low), 0.0, 1.0)
        first, second = self.flops[self.model, place], self.flops[self.model, place + 1]
        return first + part * (second - first)


def reuse_of(trace):
    """Return what a trace finds in one cache and in private ones, at every capacity.

    Parameters
    ----------
    trace : Trace

    Returns
    -------
    Reuse
    """
    lives = trace.input_tokens + trace.output_tokens / 2
    capacities = np.unique([0, *np.geomspace(1, trace.distinct, WORK_POINTS).round().astype(int)])
    shared = miss_ratio_curve(trace)
    return Reuse(
        shared=shared,
        shared_hits=shared.hit_tokens / shared.tokens,
        private=tuple(miss_ratio_curve(trace, caches) for caches in CACHES),
        capacities=capacities,
        cached_tokens=tuple(request_hits(trace, capacity)[1] for capacity in capacities),
        tokens=trace.tokens,
        # A trace of one instant still lasts a millisecond.
        seconds=max(float(trace.timestamps_ms[-1] - trace.timestamps_ms[0]), 1.0) / 1e3,
        context_tokens=float(np.average(lives, weights=trace.output_tokens)),
    )


def work_of(trace, reuse, shapes):
    """Return the operations of prefill by the hits of one cache, for several models.

    Parameters
    ----------
    trace : Trace
    reuse : Reuse
        Of the trace.
    shapes : sequence of Transformer

    Returns
    -------
    Work
        With one sample a model.
    """
    points = [[prefill_flops(trace, shape, cached) for cached in reuse.cached_tokens] for shape in shapes]
    hits, flops = np.moveaxis(np.array(points), 2, 0)
    # Capacities that find the same are one point; a trace without reuse still has two, so that there is a line.
    kept = np.append(np.flatnonzero(np.diff(hits[0]) > 0), len(hits[0]) - 1)
    capacities, hits, flops = reuse.capacities[kept], hits[0, kept], flops[:, kept]
    if len(kept) == 1:
        capacities, hits = np.append(capacities, capacities + 1), np.append(hits, 1.0)
        flops = np.repeat(flops, 2, axis=1)
    return Work(capacities, hits, flops, np.arange(len(shapes)))


def prefill_flops(trace, shape, cached_tokens):
    """Return the token hit fraction and the operations of all prompts when so many tokens of each are cached.

    Parameters
    ----------
    trace : Trace
    shape : Transformer
    cached_tokens : ndarray of shape (requests,)
        A prompt that is cached as a whole still computes its last token.

    Returns
    -------
    hits, flops : float
    """
    cached = np.minimum(cached_tokens, trace.input_tokens - 1)
    flops = forward_flops(shape, trace.input_tokens - cached, cached)
    return float(np.sum(cached_tokens)) / trace.tokens, float(flops.sum())
