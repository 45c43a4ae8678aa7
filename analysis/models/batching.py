"""Serving a queue of equal requests: how many fit, and how long continuous batching takes.

All requests wait from the start. A step adds one token to every sequence in work; where places are free it also
prefills prompts, as many as its limit of tokens allows, and each finished sequence makes place for the next prompt.
"""

import math
from dataclasses import dataclass

import numpy as np

GIB = 1024**3
# The tool never plans more sequences or tokens than these, nor fewer.
MOST_SEQUENCES, MOST_TOKENS, FEWEST_SEQUENCES, FEWEST_TOKENS = 4096, 32768, 64, 2048
SEQUENCE_STEPS = ((256, 32), (1024, 128), (math.inf, 256))
TOKEN_STEPS = ((4096, 256), (8192, 512), (math.inf, 1024))


@dataclass(frozen=True)
class Queue:
    """A queue of equal requests, as each of several ranks that work in step has it.

    Attributes
    ----------
    requests : float
        Of one rank.
    input_tokens, output_tokens : float
        Of each request.
    sequences : float
        Most that are in work at once on a rank.
    prompts_a_step : float
        Most that a rank prefills in one step.
    unaligned_ranks : float
        Ranks that take in prompts whenever they have a place, so that the others wait for one that prefills; 1 where
        they wait for one another first.
    """

    requests: float
    input_tokens: float
    output_tokens: float
    sequences: float
    prompts_a_step: float
    unaligned_ranks: float = 1.0


@dataclass(frozen=True)
class Phases:
    """Steps of a run, by kind; arrays of the same length.

    Attributes
    ----------
    steps : ndarray
        How many of a kind.
    sequences, prompts : ndarray
        In work, and prefilled, on the busiest rank.
    prompting : ndarray
        Part of the ranks that prefill.
    """

    steps: np.ndarray
    sequences: np.ndarray
    prompts: np.ndarray
    prompting: np.ndarray


def sequences_in_memory(memory_bytes, weight_bytes, sequence_bytes, cache_share):
    """Return how many sequences of full length the memory left by the weights can hold.

    Parameters
    ----------
    memory_bytes, weight_bytes : array_like
        Of one rank.
    sequence_bytes : array_like
        Cache of one sequence at its full length on one rank.
    cache_share : array_like
        Part of what the weights leave that the cache may use.

    Returns
    -------
    ndarray
        At least 0. A scheduler that never evicts reserves a sequence's full length.
    """
    return np.maximum(np.asarray(memory_bytes) - weight_bytes, 0.0) * cache_share / sequence_bytes


def tool_limits(free_bytes, token_bytes, input_tokens, output_tokens):
    """Return the limits on sequences and tokens of a step that TensorRT-LLM's benchmark tool sets by itself.

    Parameters
    ----------
    free_bytes : float
        Memory of all cards less the tool's estimate of the weights, times the cache's share.
    token_bytes : float
        The tool's estimate of one token's cache: a key and a value of every head in every layer, latent or not.
    input_tokens, output_tokens : float

    Returns
    -------
    sequences, tokens : float
        Of one rank. Source: [nvidia2025trtllmbench], without chunks of prompts: one prompt always fits.
    """
    fitting = free_bytes / (token_bytes * (input_tokens + output_tokens))
    sequences = min(fitting, MOST_SEQUENCES)
    tokens = min(sequences * (1 + input_tokens / output_tokens), MOST_TOKENS)
    sequences = max(FEWEST_SEQUENCES, _rounded_up(sequences, SEQUENCE_STEPS))
    tokens = max(FEWEST_TOKENS, _rounded_up(tokens, TOKEN_STEPS))
    return sequences, max(tokens, input_tokens + sequences)


def _rounded_up(value, steps):
    step = next(step for below, step in steps if value < below)
    return step * math.ceil(value / step)


def queue(requests, input_tokens, output_tokens, *, sequences, tokens, unaligned_ranks=1.0):
    """Return a queue as its limits shape it.

    Parameters
    ----------
    requests, input_tokens, output_tokens : float
    sequences, tokens : float
        Limits of a step of one rank; one prompt is always let in.
    unaligned_ranks : float

    Returns
    -------
    Queue
        No more sequences than requests, nor than prompts arrive while one sequence lasts.
    """
    sequences = min(sequences, requests)
    prompts = max(1.0, (tokens - sequences) // input_tokens)
    return Queue(
        requests, input_tokens, output_tokens, min(sequences, prompts * output_tokens), prompts, unaligned_ranks
    )


def phases(run):
    """Return how many steps of which kind a run takes, in the fluid limit.

    Parameters
    ----------
    run : Queue

    Returns
    -------
    Phases
        Filling up; full with and without prompts; then the last requests, which fill only a part: taking them in,
        the full wave running out, the last wave alone, and its end. Equal lengths keep requests in waves, each
        `output_tokens` steps long. Prompts add up to the requests, and sequences times steps to all output tokens.
    """
    full, rest = divmod(run.requests / run.sequences, 1.0)
    batch, last, prompts, length = run.sequences, rest * run.sequences, run.prompts_a_step, run.output_tokens
    fill, refill = batch / prompts, last / prompts
    stretch, last_stretch = (_stretch(steps / length, run.unaligned_ranks) for steps in (fill, refill))
    later = (last_stretch - 1) * refill
    shape = [
        (fill, batch / 2, prompts, 1 / stretch),
        ((full * stretch - 1) * fill, batch, prompts, 1 / stretch),
        (full * (length - stretch * fill), batch, 0.0, 1.0),
        (refill, batch, prompts, 1 / last_stretch),
        (later, last, prompts, 1 / last_stretch),
        (fill - refill, (batch + last) / 2, 0.0, 1.0),
        (max(length - fill - later, 0.0), last, 0.0, 1.0),
        (refill, last / 2, 0.0, 1.0),
    ]
    kept = [phase for phase in shape if phase[0] * phase[1] > 0]
    return Phases(*(np.array(column) for column in zip(*kept, strict=True)))


def _stretch(part, ranks):
    """How many times as many steps have a prompt somewhere, when each rank has one in a part of its steps by chance."""
    return (1 - (1 - part) ** ranks) / part if part > 0 else 1.0


def prepared_size(sequences, sizes):
    """Return the smallest prepared batch that holds so many sequences; beyond the largest, the number itself."""
    sizes = np.asarray(sizes, dtype=float)
    place = np.searchsorted(sizes, sequences)
    return np.where(place < len(sizes), sizes[np.minimum(place, len(sizes) - 1)], sequences)


def played(run):
    """Return the steps of a run played one by one, the second method.

    Parameters
    ----------
    run : Queue
        Whole requests, sequences, prompts a step and tokens; ranks are taken to be aligned.

    Returns
    -------
    Phases
        One entry a step: sequences that decode, those just admitted included, and prompts.
    """
    waiting, groups, found = int(run.requests), [], []
    while waiting or groups:
        working = sum(count for count, _ in groups)
        new = min(waiting, int(run.prompts_a_step), int(run.sequences) - working)
        waiting -= new
        if new:
            groups.append((new, int(run.output_tokens)))
        found.append((1.0, working + new, new, 1.0))
        groups = [(count, left - 1) for count, left in groups if left > 1]
    return Phases(*(np.array(column, dtype=float) for column in zip(*found, strict=True)))
