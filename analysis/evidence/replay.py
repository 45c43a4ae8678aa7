"""Replaying a request trace: the hit figures of prefix caches of some sizes."""

import operator

import numpy as np

from analysis.errors import ParameterError
from analysis.facts.traces import Trace, read_trace
from analysis.models.prefix_cache import miss_ratio_curve


def replay(trace, blocks=(), caches=None):
    """Replay a request trace through prefix caches and return their hit figures.

    Parameters
    ----------
    trace : str, Path or Trace
        A file in the format of Mooncake, plain, gzip or xz; see `analysis.facts.traces.read_trace`.
    blocks : iterable of int
        Cache sizes in blocks of 512 tokens, each 1 or more.
    caches : int, optional
        Compare as many private caches with one pool.

    Returns
    -------
    dict
        `requests`, `blocks` and `tokens` of all prompts; `infinite`, the hits of a cache without limit; `lru`, those of
        a cache of each size, keyed by the size as text. With `caches` K also `private`, K caches of each size where
        request i goes to cache i mod K, and `pooled`, one cache of K times the size. Hits are
        ``{"block_hit": fraction of blocks, "token_hit": fraction of tokens}``.

    Raises
    ------
    DataError
        For a trace that is wrong; the message names the physical line.
    ParameterError
        For a size or a number of caches that is no whole number of 1 or more.
    """
    sizes = [_positive("blocks", size) for size in blocks]
    several = None if caches is None else _positive("caches", caches)
    trace = trace if isinstance(trace, Trace) else read_trace(trace)
    curve = miss_ratio_curve(trace)
    found = {
        "requests": trace.requests,
        "blocks": len(trace.blocks),
        "tokens": trace.tokens,
        "infinite": _hits(curve, np.inf),
        "lru": {str(size): _hits(curve, size) for size in sizes},
    }
    if several:
        private = miss_ratio_curve(trace, several)
        found["private"] = {str(size): _hits(private, size) for size in sizes}
        found["pooled"] = {str(size): _hits(curve, several * size) for size in sizes}
    return found


def _hits(curve, size):
    return {"block_hit": float(curve.block_hit(size)), "token_hit": float(curve.token_hit(size))}


def _positive(name, number):
    try:
        whole = operator.index(number)
    except TypeError:
        whole = 0
    if whole < 1 or isinstance(number, bool):
        raise ParameterError(f"{name}: {number!r}; expected a whole number of 1 or more")
    return whole
