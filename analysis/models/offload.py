"""Decoding with keys and values in pooled memory, and prompts whose beginning is read from it.

A step of an accelerator is its own work, a function of the sequences in it and of the time that reading their cache
takes, beside what memory and processors elsewhere do for the sequences that were moved there. Three ways to compose
them: attention elsewhere runs beside the accelerator's own attention in every layer [liang2025adrenaline]; or two
batches take turns, one on the accelerator while the other's attention runs elsewhere [jiang2024neo;he2024fastdecode];
or keys and values come back over the link in time for the layer that needs them [sheng2023flexgen]. Arrays broadcast.
"""

from dataclasses import dataclass

import numpy as np

from analysis.models.collectives import GIGA, MICRO
from analysis.models.roofline import TERA

BESIDE, TWO_BATCHES, STREAMED = WAYS = ("beside attention", "two batches", "streamed")


@dataclass(frozen=True)
class Remote:
    """Pooled memory and processors, as the share of one accelerator, with what they reach.

    Attributes
    ----------
    memory_GBps, tflops : array_like
        Of the memory, and of the processors beside it.
    link_GBps : array_like
        Between accelerator and pool, one way.
    layer_us : array_like
        Until the attention of one layer has started there and its result is used here, besides the work itself.
    """

    memory_GBps: float
    tflops: float
    link_GBps: float
    layer_us: float


@dataclass(frozen=True)
class Sequence:
    """What one sequence costs in one step.

    Attributes
    ----------
    local_s : array_like
        Attention with its cache on the accelerator.
    cache_bytes, flops : array_like
        Its cache in all layers, and the operations of attention with it.
    exchanged_bytes : array_like
        Queries, new keys and values there, and results back.
    layers : array_like
    """

    local_s: float
    cache_bytes: float
    flops: float
    exchanged_bytes: float
    layers: float


def remote_attention_s(remote, sequence):
    """Return what attention elsewhere takes: for each sequence, and for each step whatever the sequences.

    Parameters
    ----------
    remote : Remote
    sequence : Sequence

    Returns
    -------
    each_s, step_s : ndarray
        A sequence takes what its arithmetic or its memory traffic takes, whichever is longer, and its transfer.
    """
    read_s = sequence.cache_bytes / (GIGA * remote.memory_GBps)
    compute_s = sequence.flops / (TERA * remote.tflops)
    moved_s = sequence.exchanged_bytes / (GIGA * remote.link_GBps)
    return np.maximum(read_s, compute_s) + moved_s, sequence.layers * MICRO * remote.layer_us


def streamed_s(remote, sequence):
    """Return the time in which the cache of one sequence comes over the link: memory or link, whichever is slower."""
    return sequence.cache_bytes / (GIGA * np.minimum(remote.memory_GBps, remote.link_GBps))


def moved_beside(sequences, fits, local_s, each_s, step_s):
    """Return how many sequences to move when attention runs on both sides at once.

    Parameters
    ----------
    sequences, fits : array_like
        All, and those whose cache the accelerator's own memory holds.
    local_s, each_s, step_s : array_like
        See `Sequence` and `remote_attention_s`.

    Returns
    -------
    ndarray
        Those that do not fit; more where both sides then end together sooner.
    """
    together = (sequences * local_s - step_s) / (local_s + each_s)
    return np.clip(np.maximum(sequences - fits, together), 0, sequences)


def beside_step_s(own_s, sequences, moved, local_s, each_s, step_s):
    """Return the time of a step whose attention runs here and elsewhere at once, layer by layer.

    Parameters
    ----------
    own_s : callable
        ``own_s(sequences, cache_s)``: the accelerator's step, given the time for which each layer's attention with the
        cache lasts, summed over the layers.
    sequences, moved, local_s, each_s, step_s : array_like

    Returns
    -------
    ndarray
        Seconds.
    """
    away_s = elsewhere_s(moved, each_s, step_s)
    return own_s(sequences, np.maximum((sequences - moved) * local_s, away_s))


def two_batch_step_s(own_s, elsewhere_s):
    """Return the time of a step in which two batches take turns.

    Parameters
    ----------
    own_s, elsewhere_s : sequence of two array_like
        Of the first and of the second batch: on the accelerator, its weights being read for each, and attention
        elsewhere for those of its sequences that were moved.

    Returns
    -------
    ndarray
        Seconds: while one batch is on the accelerator, the other's attention runs elsewhere [jiang2024neo].

    Examples
    --------
    >>> float(two_batch_step_s((3.0, 1.0), (1.0, 2.0)))
    4.0
    """
    return np.maximum(own_s[0], elsewhere_s[1]) + np.maximum(own_s[1], elsewhere_s[0])


def elsewhere_s(moved, each_s, step_s):
    """Return the time that attention elsewhere takes for so many sequences; nothing without one."""
    return np.where(np.asarray(moved) > 0, step_s + moved * each_s, 0.0)


def streamed_step_s(own_s, sequences, moved, local_s, stream_s):
    """Return the time of a step whose missing keys and values come over the link while it runs.

    Parameters
    ----------
    own_s : callable
        See `beside_step_s`.
    sequences, moved, local_s : array_like
    stream_s : array_like
        See `streamed_s`.

    Returns
    -------
    ndarray
        Seconds. Which cache a layer needs is known in advance, so that only the longer of the two counts.
    """
    return np.maximum(own_s(sequences, sequences * local_s), moved * stream_s)


def system_gain(decode_ratio, prefill_share):
    """Return by how much a system gains when decoding alone becomes faster.

    Parameters
    ----------
    decode_ratio : array_like
        Throughput of decoding with over without.
    prefill_share : array_like
        Of the accelerators' time, before.

    Returns
    -------
    ndarray
        Ratio of the system's throughput, accelerators being shared out anew [amdahl1967validity].

    Examples
    --------
    >>> float(system_gain(2.0, 0.5))
    1.3333333333333333
    """
    return 1 / (prefill_share + (1 - prefill_share) / decode_ratio)


def reuse_bound(prefill_share, cached_fraction):
    """Return the most that reading prefixes instead of computing them can multiply throughput by.

    Parameters
    ----------
    prefill_share, cached_fraction : array_like
        Share of the work that is prefill, and of the prompts' tokens that are read.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> float(reuse_bound(0.5, 0.8))
    1.6666666666666667
    """
    return 1 / (1 - np.asarray(prefill_share) * cached_fraction)


def reuse_prefill_s(suffix_s, load_s, hidden):
    """Return the accelerator's time for a prompt whose prefix is loaded.

    Parameters
    ----------
    suffix_s, load_s : array_like
        Computation of the rest, and loading of the prefix.
    hidden : array_like
        Part of the shorter of the two that runs beside the other.

    Returns
    -------
    ndarray
    """
    return suffix_s + load_s - hidden * np.minimum(suffix_s, load_s)
