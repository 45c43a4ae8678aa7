"""Equal requests on one instance: the cut over the cached fraction, the load and the link, and published points."""

from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.facts.units import PER_CENT
from analysis.subjects.ems_ttft.answers import ASSUMPTIONS, FAR, compared, cut
from analysis.subjects.ems_ttft.lines import NONE, pairs
from analysis.subjects.ems_ttft.sides import LOOKUP, POOL, SPEED, loading
from analysis.subjects.ems_ttft.systems import LAYOUTS
from analysis.subjects.ems_ttft.times import Moments, busy_s, mean_s, of_requests, own_s, squared_s, waiting_s

POINTS = 1640


def single_request(one, prompt, fraction, values, *, utilisation=None, link_GBps=None):
    """Return the cut of equal requests against recomputation.

    Parameters
    ----------
    one : Instance
    prompt, fraction : array_like
        Tokens, and the part of them that is cached.
    values : dict of str to float
        The assumptions.
    utilisation : array_like, optional
        Of the baseline; without it every request finds an idle instance.
    link_GBps : array_like, optional
        Reached into each card; else the printed rate times the assumed share.

    Returns
    -------
    ndarray
        Per cent.
    """
    sharing = LAYOUTS[one.layout][1]
    prompt, fraction = np.broadcast_arrays(np.asarray(prompt, dtype=float), fraction)
    cached = np.minimum(fraction * prompt, prompt - 1)
    how = loading(POOL, [one], np.zeros(prompt.shape, dtype=int), values)
    how = how if link_GBps is None else replace(how, rate_GBps=sharing * np.asarray(link_GBps))
    times, busy, squares = [], [], []
    for tokens in (np.zeros_like(cached), cached):
        work, size = of_requests(one, prompt, tokens)
        means = Moments(work, work**2, size, size**2, work * size, (size > 0).astype(float))
        asked = (means, own_s(one.prefiller), values[SPEED], how)
        times.append(mean_s(*asked))
        busy.append(busy_s(*asked))
        squares.append(squared_s(*asked))
    if utilisation is not None:
        rate = utilisation / busy[0]
        times = [one_s + waiting_s(rate, *two) for one_s, *two in zip(times, busy, squares, strict=True)]
    return cut(np.minimum(times[1] / times[0], FAR))


def measured_cuts(facts):
    """Return published cuts with few requests in flight.

    Parameters
    ----------
    facts : Facts

    Returns
    -------
    pandas.DataFrame
        fraction (cached), prompt (tokens), cut (per cent), source.
    """
    rows = [
        (
            float(second["prefix_hit_fraction"]),
            float(second["input_tokens"]),
            cut(second["value"] / first["value"]),
            second["source"],
        )
        for first, second in pairs(facts, NONE, few=True)
    ]
    return pd.DataFrame(rows, columns=["fraction", "prompt", "cut", "source"])


def break_even_GBps(one, prompt, fraction, values):
    """Return the rate into each card from which loading a cached prefix is faster than computing it.

    Parameters
    ----------
    one : Instance
    prompt, fraction : float
    values : dict of str to float

    Returns
    -------
    float
        Between the points of a fine grid on a straight line; not a number where even the slowest one gains.
    """
    rates = np.geomspace(1e-3, 1e3, POINTS)
    cuts = single_request(one, prompt, fraction, values, link_GBps=rates)
    gains = np.flatnonzero(cuts > 0)
    if not len(gains) or not gains[0]:
        return float("nan")
    return float(np.interp(0.0, cuts[gains[0] - 1 : gains[0] + 1], rates[gains[0] - 1 : gains[0] + 1]))


def examples(facts, parameters):
    """Return one instance with latent and one with grouped attention, the first of each among those that are open.

    Parameters
    ----------
    facts : Facts
    parameters : dict
        Of a record.

    Returns
    -------
    dict of str to Instance
        Keyed by model.
    """
    listed, _ = compared(facts, parameters, next(iter(ASSUMPTIONS)))
    kinds = {}
    for one in listed:
        kinds.setdefault(one.shape.latent_attention, one)
    return {one.model: one for one in kinds.values()}


def dense_example(facts, parameters):
    """Return the first instance of a model without experts and latents, which an event simulation plays exactly."""
    listed, _ = compared(facts, parameters, next(iter(ASSUMPTIONS)))
    found = (one for one in listed if not one.shape.routed_experts and not one.shape.latent_attention)
    return next(found, None)


def against_memory(one, prompt, fraction, values, link_GBps):
    """Return the cut of equal requests against a cache that holds everything in the accelerators' memory.

    Parameters
    ----------
    one, prompt, fraction, values, link_GBps
        As of `single_request`.

    Returns
    -------
    ndarray
        Per cent; never above 0.
    """
    loaded, resident = (
        1 - single_request(one, prompt, fraction, rate_values, link_GBps=rate) / PER_CENT
        for rate, rate_values in ((link_GBps, values), (np.inf, values | {LOOKUP: 0.0}))
    )
    return cut(loaded / resident)


def links(facts, parameters):
    """Return the printed rates into one card of the systems that are open, in GB/s.

    Parameters
    ----------
    facts : Facts
    parameters : dict
        Of a record.

    Returns
    -------
    dict of str to float
        Systems of one rate share an entry, a line each.
    """
    listed, _ = compared(facts, parameters, next(iter(ASSUMPTIONS)))
    rates = {one.system: one.link_GBps / LAYOUTS[one.layout][1] for one in listed}
    return {"\n".join(name for name in rates if rates[name] == rate): rate for rate in dict.fromkeys(rates.values())}
