"""What a reader asks: how many cards for which hits, what a pool replaces, and from which price on it pays."""

import numpy as np
import pandas as pd

from analysis.facts.assumptions import assumptions as declared_assumptions
from analysis.facts.units import PER_CENT
from analysis.judgement.uncertainty import draw, option_weights
from analysis.subjects.ems_memory import ASSUMPTIONS, options_of
from analysis.subjects.ems_memory.choices import MODELS, PREFIXES, WAYS, combinations, memory_bytes
from analysis.subjects.ems_memory.counts import CARDS, COST, bought, ratio

SAMPLES = 4096


def at_modes(facts, parameters):
    """Return the assumptions at their modes, or where a record pins them, each of shape (1,).

    Parameters
    ----------
    facts : Facts
    parameters : dict
        Of a record; holds the pinned ones.

    Returns
    -------
    dict of str to ndarray
    """
    declared = declared_assumptions(facts, ASSUMPTIONS)
    return {one.name: np.array([float(parameters.get(one.name, one.mode))]) for one in declared}


def cards_over_target(facts, parameters, way, targets):
    """Return the cards for prefixes at several targets, at the modes.

    Parameters
    ----------
    facts : Facts
    parameters : dict
        Of a record.
    way : str
        A way of `PREFIXES`.
    targets : sequence of float
        Shares of the hits of a cache without limit.

    Returns
    -------
    pandas.DataFrame
        model, trace, target, compute, without, pooled (cards), pool_gb.
    """
    values, rows = at_modes(facts, parameters), []
    for asked, model, trace in combinations(parameters):
        if asked == way and WAYS[asked] == PREFIXES:
            many = {name: np.repeat(one, len(targets)) for name, one in values.items()}
            many["hit_target_share"] = np.asarray(targets, dtype=float)
            found = bought(facts, parameters, way, np.full(len(targets), MODELS.index(model)), trace, many)
            columns = zip(targets, found.compute, found.without, found.pooled, found.pool_bytes / 1e9, strict=True)
            rows += [(model, trace, *one) for one in columns]
    return pd.DataFrame(rows, columns=["model", "trace", "target", "compute", "without", "pooled", "pool_gb"])


def price_break_even(facts, parameters):
    """Return from which price ratio on a pool is cheaper than the cards it saves, at the modes.

    Parameters
    ----------
    facts : Facts
    parameters : dict
        Of a record.

    Returns
    -------
    pandas.DataFrame
        way, model, trace, saved (cards that the pool saves, of a hundred), price_ratio (a gigabyte on a card over one
        in the pool; NaN where no card is saved).
    """
    values, rows = at_modes(facts, parameters), []
    for way, model, trace in combinations(parameters):
        found = bought(facts, parameters, way, np.array([MODELS.index(model)]), trace, values)
        saved = float(found.without[0] - found.pooled[0])
        needed = float(found.pool_bytes[0]) / memory_bytes(facts) / saved if saved > 0 else np.nan
        rows.append((way, model, trace, PER_CENT * saved / float(found.without[0]), needed))
    return pd.DataFrame(rows, columns=["way", "model", "trace", "saved", "price_ratio"])


def by_way(facts, parameters, samples=SAMPLES, seed=0):
    """Return what decides, by what is asked of the deployment without a pool.

    Parameters
    ----------
    facts : Facts
    parameters : dict
        Of a record.
    samples, seed : int

    Returns
    -------
    pandas.DataFrame
        use, way, short (share of the set in which cards are bought for memory), ratio (median), holds and cost_holds
        (shares), replaced (median part of the cards bought for memory that the pool makes needless, where any is).
    """
    declared = declared_assumptions(facts, ASSUMPTIONS)
    pinned = {one.name: parameters[one.name] for one in declared if parameters.get(one.name) is not None}
    options = options_of(facts, parameters)
    sample = draw([one for one in declared if one.name not in pinned], options, option_weights(options), samples, seed)
    values = sample.values | {name: np.full(samples, float(one)) for name, one in pinned.items()}
    group, parts = options.columns["group"][sample.rows], []
    for one in np.unique(group):
        some = np.flatnonzero(group == one)
        row = sample.rows[some[0]]
        picked = {name: value[some] for name, value in values.items()}
        asked = (options.columns["way"][row], options.columns["model_place"][sample.rows[some]])
        found = bought(facts, parameters, *asked, options.columns["trace"][row], picked)
        columns = {
            "way": asked[0],
            "short": found.without > found.compute * (1 + 1e-9),
            "ratio": ratio(facts, CARDS, found, picked),
            "cost": ratio(facts, COST, found, picked),
            "replaced": found.replaced(),
        }
        parts.append(pd.DataFrame(columns))
    table = pd.concat(parts)
    rows = [
        (
            WAYS[way],
            way,
            one["short"].mean(),
            one["ratio"].median(),
            (one["ratio"] >= 1).mean(),
            (one["cost"] >= 1).mean(),
            one.loc[one["short"], "replaced"].median(),
        )
        for way, one in table.groupby("way", sort=False)
    ]
    return pd.DataFrame(rows, columns=["use", "way", "short", "ratio", "holds", "cost_holds", "replaced"])
