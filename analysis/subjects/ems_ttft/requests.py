"""What requests find cached: in the shipped traces by capacity and number of caches, elsewhere as published."""

from dataclasses import dataclass

import numpy as np

from analysis.facts.workloads import shipped_trace
from analysis.models.prefix_cache import request_hits

CAPACITIES = 15
LEAST_BLOCKS = 64
# Classes of requests that look alike: so many to each doubling of what is computed and of what is cached.
CLASSES_A_DOUBLING = 2


@dataclass(frozen=True)
class Requests:
    """Classes of requests.

    Attributes
    ----------
    part : ndarray
        Of all requests, adds up to one.
    prompt, cached : ndarray
        Mean tokens of a class.
    """

    part: np.ndarray
    prompt: np.ndarray
    cached: np.ndarray

    @property
    def hit(self):
        """Fraction of all prompt tokens that are cached."""
        return float(self.part @ self.cached / (self.part @ self.prompt))


def capacities(trace):
    """Return the capacities, in blocks of one cache, at which a trace is replayed; the last one holds everything."""
    return np.geomspace(LEAST_BLOCKS, trace.distinct, CAPACITIES)


def place_of(trace, blocks):
    """Return where capacities lie among `capacities`: the lower neighbour, and how far towards the next one."""
    steps = np.log(np.clip(blocks, LEAST_BLOCKS, trace.distinct) / LEAST_BLOCKS)
    place = steps / np.log(trace.distinct / LEAST_BLOCKS) * (CAPACITIES - 1)
    low = np.minimum(place.astype(int), CAPACITIES - 2)
    return low, place - low


def replayed(facts, name, caches):
    """Return the requests of a trace with what each finds, at every capacity.

    Parameters
    ----------
    facts : Facts
    name : str
        Of a shipped trace.
    caches : int
        Request i goes to cache i mod `caches`; 1 is a pool.

    Returns
    -------
    list of Requests
        One for each of `capacities`.
    """
    key = ("ems ttft requests", name, caches)
    if key not in facts.derived:
        trace = shipped_trace(facts, name)
        found = (request_hits(trace, blocks, caches)[1] for blocks in capacities(trace))
        facts.derived[key] = [classes(trace.input_tokens, tokens) for tokens in found]
    return facts.derived[key]


def classes(prompt, cached):
    """Return requests gathered into classes of about equal length and equal cached prefix, with the means of each.

    Parameters
    ----------
    prompt, cached : ndarray of int
        One entry a request. The last token of a prompt is always computed.

    Returns
    -------
    Requests
    """
    cached = np.minimum(cached, prompt - 1)
    cells = [np.floor(CLASSES_A_DOUBLING * np.log2(1 + tokens)).astype(int) for tokens in (prompt - cached, cached)]
    width = 1 + cells[1].max()
    _, code, count = np.unique(cells[0] * width + cells[1], return_inverse=True, return_counts=True)
    prompt, cached = (np.bincount(code, tokens) / count for tokens in (prompt, cached))
    return Requests(count / count.sum(), prompt, cached)


def without_cache(trace):
    """Return the requests of a trace with nothing cached."""
    return classes(trace.input_tokens, np.zeros_like(trace.input_tokens))
