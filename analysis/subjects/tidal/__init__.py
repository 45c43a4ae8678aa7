"""Tidal scheduling: inference by day, training by night, on one pool; utilisation rises by so much.

The article names neither the load nor the share of cards in inference nor how cards move. Every published day under
every policy and block is one option; shares, headroom, switching time and forecast error are sampled.
"""

from functools import partial

import numpy as np
import pandas as pd

from analysis.facts.units import PER_CENT
from analysis.judgement.case import Case, Options
from analysis.judgement.uncertainty import option_weights
from analysis.models.tidal_pool import gained, mean_held, utilisation_before
from analysis.models.tidal_reserves import ERROR_WEIGHTS, error_factors, forecast_reserve
from analysis.models.tidal_simulation import STATES, TRAINING, Controller, mean_and_error, simulate
from analysis.subjects.model import ClaimModel
from analysis.subjects.tidal.choices import (
    POLICIES,
    SETTINGS,
    bank,
    block_cards,
    days,
    reaction_lag,
    reaction_reserves,
)
from analysis.subjects.tidal.lines import lines_of

CLAIM = "tidal.utilisation"
READINGS = ("relative", "points")
ASSUMPTIONS = (
    "inference_share",
    "headroom",
    "training_utilisation",
    "switch_min",
    "forecast_error",
    "night_hours",
)
COMBINATION = ("curve", "shape", "policy", "block")
COLUMNS = ("cards_per_block", "mean_to_peak", "day", "policy_number")
LOOKS_AHEAD = [policy.looks_ahead for policy in POLICIES.values()]
TRANSITS = [policy.transits for policy in POLICIES.values()]
SIMULATED_DAYS = 16


def enumerated(facts, settings, night_hours):
    """Return every combination of a day, a policy and a block that the settings let count.

    Parameters
    ----------
    facts : Facts
    settings : dict
        Values of `SETTINGS`.
    night_hours : float
        At which the mean of a parametric day is told.

    Returns
    -------
    pandas.DataFrame
        curve, shape, policy, block, cards_per_block, mean_to_peak, day (position in `days`), policy_number,
        source.
    """
    rows = []
    for number, day in enumerate(days(facts)):
        mean = float(day.loads[day.row(night_hours)].mean())
        rows += [
            (day.curve, day.shape, policy, block, cards, mean, number, place, day.source)
            for place, policy in enumerate(POLICIES)
            for block, cards in block_cards(facts).items()
        ]
    found = pd.DataFrame(rows, columns=[*COMBINATION, *COLUMNS, "source"])
    for name in ("curve", "policy", "block"):
        if settings[name] != "all":
            found = found[found[name] == settings[name]]
    return found.reset_index(drop=True)


def held_shares(facts, settings, options, rows, values):
    """Return what of the inference cards is kept from training, and the load, both as means over the day.

    Parameters
    ----------
    facts : Facts
    settings : dict
    options : mapping
        Columns day, policy_number and cards_per_block.
    rows : ndarray of shape (N,)
        Positions in the options.
    values : dict of str to ndarray of shape (N,)
        Assumptions.

    Returns
    -------
    held, mean_to_peak : ndarray of shape (N,)
    """
    known = bank(facts)
    blocks = values["inference_share"] * settings["cards"] / options["cards_per_block"][rows]
    day, policy = options["day"][rows].astype(int), options["policy_number"][rows].astype(int)
    night = known.night(day, values["night_hours"])
    ahead, transits = (np.array(column)[policy] for column in (LOOKS_AHEAD, TRANSITS))
    reserve, error = reserves(facts, settings, ahead, known.first_row[day] + night, values)
    factors, window = error_factors(reserve, error), transits * values["switch_min"]
    held = np.empty(len(rows))
    for number, table in enumerate(known.tables):
        for points in (slice(None), slice(1, 2)):
            # What is seen is not forecast: the middle point of the error is enough.
            some = np.flatnonzero((known.table[day, policy] == number) & (ahead == (points == slice(None))))
            at = known.offset[day[some], policy[some]] + night[some]
            kept = mean_held(table, at, window[some], factors[some, points], blocks[some])
            held[some] = kept @ ERROR_WEIGHTS[points] / ERROR_WEIGHTS[points].sum()
    return held, known.means[known.first_row[day] + night]


def reserves(facts, settings, ahead, rows, values):
    """Return reserve and forecast error of each sample.

    Parameters
    ----------
    facts : Facts
    settings : dict
    ahead : ndarray of bool of shape (N,)
        Whether the policy looks ahead.
    rows : ndarray of shape (N,)
        Rows of the bank's days.
    values : dict of str to ndarray of shape (N,)

    Returns
    -------
    reserve, error : ndarray of shape (N,)
    """
    limit, error = settings["late_limit"], values["forecast_error"]
    seen = reaction_reserves(facts, limit)[reaction_lag(values["switch_min"]), rows]
    return np.where(ahead, forecast_reserve(error, limit), seen), np.where(ahead, error, 0.0)


def gains(facts, settings, reading, options, rows, values):
    """Return the gain in utilisation: per cent of what it was before, or percentage points.

    Parameters
    ----------
    facts, settings, options, rows, values
        As in `held_shares`.
    reading : str

    Returns
    -------
    ndarray of shape (N,)
    """
    held, mean = held_shares(facts, settings, options, rows, values)
    return _gain(settings, reading, held, mean, values)


def _gain(settings, reading, held, mean, values):
    share, busy = values["inference_share"], values["training_utilisation"]
    added = gained(share, held, busy, mean_to_peak=mean, backlog=settings["training_backlog"])
    if reading == "relative":
        added = added / utilisation_before(share, mean, values["headroom"], busy)
    return PER_CENT * added


def simulated(facts, settings, reading, options, values, *, seed=0, days_each=SIMULATED_DAYS):
    """Simulate every combination minute by minute.

    Parameters
    ----------
    facts, settings : Facts, dict
    reading : str
    options : mapping
        Columns day, policy and cards_per_block.
    values : dict of str to float
    seed, days_each : int

    Returns
    -------
    pandas.DataFrame
        One combination a row: gain, standard_error, late (share of requests), and the share of the inference cards in
        each state.
    """
    rows = []
    columns = zip(options["day"], options["policy"], options["cards_per_block"], strict=True)
    for position, (number, name, cards) in enumerate(columns):
        load, controller = controlled(facts, settings, number, name, values)
        found = simulate(
            load,
            controller,
            blocks=values["inference_share"] * settings["cards"] / cards,
            switch_min=values["switch_min"],
            # Without an error every day is like the other.
            days=days_each if controller.error else 2,
            seed=[seed, position],
        )
        gain = _gain(settings, reading, 1 - found.minutes[:, TRAINING], load.mean(), values)
        rows.append((*mean_and_error(gain), found.late.mean(), *found.minutes.mean(axis=0)))
    return pd.DataFrame(rows, columns=["gain", "standard_error", "late", *STATES])


def controlled(facts, settings, number, name, values):
    """Return the load of one day and the controller of one policy, at scalar assumptions."""
    day, policy = days(facts)[number], POLICIES[name]
    row = day.row(values["night_hours"])
    one = {name: np.array([value]) for name, value in values.items()}
    place = bank(facts).first_row[number] + row
    reserve, error = reserves(facts, settings, np.array([policy.looks_ahead]), np.array([place]), one)
    wanted = policy.wanted(day.loads)[row]
    return day.loads[row], Controller(wanted, float(reserve[0]), float(error[0]), policy.looks_ahead)


def _case(facts, settings, reading, assumptions):
    night = next(one.mode for one in assumptions if one.name == "night_hours")
    table = enumerated(facts, settings, night)
    options = Options(
        columns={name: table[name].to_numpy() for name in table.columns},
        # A shape belongs to its curve: what differs between days is the curve's.
        choices=("curve", "policy", "block"),
        categories=("shape", "policy", "block"),
        ordered={"mean_to_peak": (0.0, 1.0, "fraction")},
        rows=("curve",),
        sources=tuple((frozenset({source}),) for source in table["source"]),
    )

    def predict(options, rows, values):
        return gains(facts, settings, reading, options.columns, rows, values)

    lines = lines_of(facts, assumptions)
    evidence = tuple(sorted({*table["source"], *lines.evidence}))
    methods = partial(_methods, facts, settings, reading, predict)
    return Case(assumptions, options, predict, methods, lambda: lines.told, evidence)


def _methods(facts, settings, reading, predict, options, values):
    """The closed form beside the simulation: weighted means over the options."""
    rows, weight = np.arange(len(options)), option_weights(options)
    closed = predict(options, rows, {name: np.full(len(rows), value) for name, value in values.items()})
    found = simulated(facts, settings, reading, options.columns, values)
    shared = ["data/load_curves.csv", "data/measurements/operations.csv", "the reserve that a policy holds"]
    error = float(np.sqrt(((weight * found["standard_error"]) ** 2).sum()))
    return {
        "closed form": {"estimate": [float(weight @ closed)], "standard_error": 0.0, "shares": shared},
        "simulation by the minute": {
            "estimate": [float(weight @ found["gain"])],
            "standard_error": error,
            "shares": shared,
        },
    }


CLAIMS = (ClaimModel(CLAIM, "07_tidal", ASSUMPTIONS, SETTINGS, READINGS, _case),)
