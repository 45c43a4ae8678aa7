"""What the notebook shows: rates over the degree of expert parallelism, where a layer's time goes, who wins where."""

from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.facts.assumptions import assumptions
from analysis.facts.transformers import transformer
from analysis.judgement.case import Options
from analysis.judgement.uncertainty import draw, option_weights
from analysis.models.collectives import MICRO
from analysis.models.expert_load import inclusion, peak_over_mean, placement, routed_peak, skewed_popularity
from analysis.subjects.moe_affinity.crowding import SKEW, peaks, shares, skews
from analysis.subjects.moe_affinity.layouts import (
    LEAST_EXPERTS,
    MANY_RANKS,
    SYSTEMS,
    WITH,
    Side,
    one_expert_ranks,
    placed,
)
from analysis.subjects.moe_affinity.steps import CONTEXT, LIMIT, MEMORY, layer_parts_s, operating

SHOWN_RANKS = (8, 16, 32, 64, 96, 128, 144, 192, 256, 288, 320)
BAND = (0.05, 0.95)
BAND_SAMPLES = 512
ROUNDS, ROUTED_TOKENS = 2, 4096
RATIO_SAMPLES = 8192
# Ranks for each routed expert beyond which a layout is no longer of interest.
MOST = 1.25
NAMES = (LIMIT, CONTEXT, SKEW, *MEMORY)


def at_modes(facts, parameters):
    """Return the assumptions at their modes, or where they are pinned."""
    return {one.name: _pinned(parameters, one.name, one.mode) for one in assumptions(facts, NAMES)}


def _pinned(parameters, name, otherwise):
    value = parameters.get(name)
    return otherwise if value is None else value


def _sampled(facts, parameters, seed):
    return _held(draw(assumptions(facts, NAMES), Options(), np.ones(1), BAND_SAMPLES, seed).values, parameters)


def _held(values, parameters):
    """Sampled values, with pinned ones in their place."""
    return {name: np.full_like(cells, _pinned(parameters, name, cells)) for name, cells in values.items()}


def rates_over_ranks(facts, parameters, model, systems, seed):
    """Return tokens a second and card over the degree of expert parallelism, with copies of popular experts.

    Parameters
    ----------
    facts : Facts
    parameters : dict
        Of a record; holds the pinned assumptions.
    model : str
    systems : sequence of str
    seed : int

    Returns
    -------
    pandas.DataFrame
        system, fabric, ranks, experts (on one rank, copies counted), rate (at the modes), low and
        high (5th and 95th percentile over the assumptions); degrees whose weights do not fit are left out.
    """
    modes, sampled, rows = at_modes(facts, parameters), _sampled(facts, parameters, seed), []
    for system in systems:
        for ranks in SHOWN_RANKS:
            side = Side(model, system, WITH, ranks)
            one = placed(facts, side)
            slots = side.slots(one.shape) / ranks
            if not _fits(facts, side, modes) or ranks > MOST * one.shape.routed_experts:
                continue
            middle = _rate(facts, side, {name: np.array([value]) for name, value in modes.items()})[0]
            low, high = np.quantile(_rate(facts, side, sampled), BAND)
            rows.append((system, SYSTEMS[system].fabric, ranks, slots, middle, low, high))
    return pd.DataFrame(rows, columns=["system", "fabric", "ranks", "experts", "rate", "low", "high"])


def _rate(facts, side, values):
    found = operating(facts, [side], np.zeros(len(values[LIMIT]), dtype=int), values)
    return placed(facts, side).ranks_a_card * found.sequences / found.step_s


def layer_times(facts, parameters, listed):
    """Return where the time of a layer goes for each sequence, side by side.

    Parameters
    ----------
    facts : Facts
    parameters : dict
        Of a record; holds the pinned assumptions.
    listed : sequence of Side

    Returns
    -------
    pandas.DataFrame
        One side a row: system, ranks, sequences (of one rank within the limit), and microseconds of one layer and
        sequence by operator: attention (with the shared expert), experts, dispatch, combine, waiting (what the busiest
        rank takes longer than the mean one). Nothing runs side by side here.
    """
    modes, rows = at_modes(facts, parameters), []
    for side in listed:
        one = placed(facts, side)
        values = {name: np.array([value]) for name, value in modes.items()}
        sequences = float(operating(facts, [side], np.array([0]), values).sequences[0])
        row = {"system": side.system, "ranks": side.ranks, "sequences": sequences}
        if sequences:
            even = replace(one, rates=replace(one.rates, peak_load=1.0, exchange_load=1.0))
            peak = busiest(facts, side, sequences, modes[SKEW])
            crowded = layer_parts_s(one, sequences, modes[CONTEXT], peak, 1)
            level = layer_parts_s(even, sequences, modes[CONTEXT], 1.0, 1)
            level["waiting"] = sum(crowded.values()) - sum(level.values())
            row |= {name: value / sequences / MICRO for name, value in level.items()}
        rows.append(row)
    return pd.DataFrame(rows)


def busiest(facts, side, sequences, skew):
    """Return the load of the busiest rank over the mean by popularity alone, at a batch."""
    shape = placed(facts, side).shape
    copies = np.array([sequences * shape.experts_per_token])
    prepared = peaks(facts, shape, side.ranks, side.slots(shape), copies)[:, 0]
    return float(np.interp(skew, skews(facts), prepared))


def degrees(facts, model, spares):
    """Return the degrees of expert parallelism that are shown: those with many experts a rank, and with one."""
    shape = transformer(facts, model)
    many = [ranks for ranks in MANY_RANKS if shape.routed_experts >= LEAST_EXPERTS * ranks]
    return (*many, one_expert_ranks(shape, spares))


def ends(facts, model, system, parameters):
    """Return the side with the fewest ranks on which a sequence fits, and the one with one expert a rank."""
    modes = at_modes(facts, parameters)
    *many, one = (Side(model, system, WITH, ranks) for ranks in degrees(facts, model, WITH))
    return next(side for side in many if _fits(facts, side, modes)), one


def _fits(facts, side, values):
    return placed(facts, side).sequences(values[CONTEXT], **{name: values[name] for name in MEMORY}) >= 1


def spread_over(facts, name):
    """Return the low end, the mode and the high end of an assumption."""
    (declared,) = assumptions(facts, (name,))
    return declared.low, declared.mode, declared.high


def sampled_ratios(facts, case, parameters, seed):
    """Return the ratios of a case over its declared set.

    Parameters
    ----------
    facts : Facts
    case : Case
    parameters : dict
        Of a record; holds the pinned assumptions.
    seed : int

    Returns
    -------
    ratios, rows : ndarray
        Shape (RATIO_SAMPLES,); `rows` are positions in the options.
    """
    sample = draw(case.assumptions, case.options, option_weights(case.options), RATIO_SAMPLES, seed)
    return case.predict(case.options, sample.rows, _held(sample.values, parameters)), sample.rows


def loads(facts, model, spares, ranks, skew):
    """Return the busiest rank's load by order statistics and token by token, and as measured deployments have it.

    Parameters
    ----------
    facts : Facts
    model, spares : str
    ranks : sequence of int
    skew : float
        Exponent of popularity.

    Returns
    -------
    pandas.DataFrame
        ranks, experts (on one rank), closed, routed, standard_error, fitted. For `ROUTED_TOKENS` of all ranks.
    """
    rows = []
    for degree in ranks:
        side = Side(model, next(iter(SYSTEMS)), spares, degree)
        one = placed(facts, side)
        popularity = skewed_popularity(one.shape.routed_experts, skew)
        slots = side.slots(one.shape)
        chosen = inclusion(popularity, one.shape.experts_per_token)
        closed = peak_over_mean(shares(one.shape, degree, slots, skew), ROUTED_TOKENS * one.shape.experts_per_token)
        routed, error = routed_peak(
            popularity, placement(chosen, degree, slots), ROUTED_TOKENS, one.shape.experts_per_token, rounds=ROUNDS
        )
        rows.append((degree, slots // degree, closed, routed, error, float(np.squeeze(one.rates.peak_load))))
    return pd.DataFrame(rows, columns=["ranks", "experts", "closed", "routed", "standard_error", "fitted"])


def by_group(options, rows, ratios, names):
    """Return the median ratio and how often one expert wins, by columns of the options.

    Parameters
    ----------
    options : Options
    rows : ndarray
        Positions in the options, shape (N,).
    ratios : ndarray
        Shape (N,).
    names : sequence of str

    Returns
    -------
    pandas.DataFrame
        The columns, median, wins.
    """
    table = pd.DataFrame({name: options.columns[name][rows] for name in names} | {"ratio": ratios})
    grouped = table.groupby(list(names))["ratio"]
    return grouped.agg(median="median", wins=lambda cells: (cells >= 1).mean()).reset_index()


def over_two(facts, parameters, case, first, second):
    """Return the median ratio over the comparisons while two assumptions move, the others at their modes.

    Parameters
    ----------
    facts : Facts
    parameters : dict
        Of a record; holds the pinned assumptions.
    case : Case
    first, second : (str, sequence of float)
        Name of an assumption and its values.

    Returns
    -------
    pandas.DataFrame
        Rows are values of the first, columns of the second.
    """
    options = case.options
    modes, rows = at_modes(facts, parameters), np.arange(len(options))
    found = {}
    for across in second[1]:
        cells = []
        for along in first[1]:
            moved = modes | {first[0]: along, second[0]: across}
            values = {name: np.full(len(rows), value) for name, value in moved.items()}
            cells.append(float(np.median(case.predict(options, rows, values))))
        found[across] = cells
    return pd.DataFrame(found, index=list(first[1]))
