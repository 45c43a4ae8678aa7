"""What a reader asks of the pool: from which share on, what a day looks like, and what blocks and moves cost."""

from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.facts.assumptions import assumptions as declared_assumptions
from analysis.facts.units import PER_CENT
from analysis.models.tidal_pool import mean_for_bound, relative_bound, share_for_bound, utilisation_before
from analysis.models.tidal_reserves import ERROR_WEIGHTS, error_factors, late_share
from analysis.models.tidal_simulation import simulate
from analysis.subjects.tidal import (
    ASSUMPTIONS,
    COMBINATION,
    controlled,
    enumerated,
    gains,
    simulated,
)
from analysis.subjects.tidal.choices import block_cards, days, reaction_lag

SHARES = np.linspace(0.01, 0.99, 197)
MOVES_MIN = np.arange(1.0, 121.0)


def at_modes(facts, given):
    """Return one value for each assumption: what is given, else its mode."""
    return {one.name: given.get(one.name, one.mode) for one in declared_assumptions(facts, ASSUMPTIONS)}


def outcomes(facts, settings, values, *, seed=0):
    """Return every combination with what it gains, in closed form and simulated, and what it costs the requests.

    Parameters
    ----------
    facts : Facts
    settings : dict
    values : dict of str to float
        One value for each assumption.
    seed : int

    Returns
    -------
    pandas.DataFrame
        The combination; relative, points and late in closed form (per cent, percentage points, and the share of
        requests that come above the capacity, at most); of the simulation simulated (relative), its standard_error,
        simulated_late, and the share of the inference cards in each state.
    """
    table = enumerated(facts, settings, values["night_hours"])
    columns, rows = _columns(table), np.arange(len(table))
    many = {name: np.full(len(rows), value) for name, value in values.items()}
    closed = {reading: gains(facts, settings, reading, columns, rows, many) for reading in ("relative", "points")}
    found = simulated(facts, settings, "relative", columns, values, seed=seed)
    late = [_late(facts, settings, row, values) for row in table.itertuples()]
    found = found.rename(columns={"gain": "simulated", "late": "simulated_late"})
    return pd.concat([table, pd.DataFrame(closed | {"late": late}), found], axis=1)


def _late(facts, settings, row, values):
    """The late share of one combination, averaged over the forecast error."""
    load, controller = controlled(facts, settings, row.day, row.policy, values)
    blocks = values["inference_share"] * settings["cards"] / row.cards_per_block
    lag = 0 if controller.looks_ahead else int(reaction_lag(values["switch_min"]))
    factors = error_factors(controller.reserve, controller.error)
    return float(late_share(load, controller.wanted, factors, blocks, lag) @ ERROR_WEIGHTS)


def _columns(table):
    return {name: table[name].to_numpy() for name in table.columns}


def _over(facts, settings, values, name, grid, reading):
    """Gains of every combination over a grid of one assumption, shape (combinations, grid), and the combinations."""
    table = enumerated(facts, settings, values["night_hours"])
    many = {one: np.full(len(table) * len(grid), value) for one, value in values.items()}
    many[name] = np.tile(grid, len(table))
    rows = np.repeat(np.arange(len(table)), len(grid))
    found = gains(facts, settings, reading, _columns(table), rows, many)
    return table[[*COMBINATION, "mean_to_peak"]], found.reshape(len(table), -1)


def shares_needed(facts, settings, values, wanted, reading="relative"):
    """Return from which share of cards in inference on a gain is reached, for every combination.

    Parameters
    ----------
    facts : Facts
    settings : dict
    values : dict of str to float
    wanted : float
        Gain, per cent or percentage points as the reading has it.
    reading : str

    Returns
    -------
    pandas.DataFrame
        The combination, share (NaN where no share reaches it) and at_all (the gain with nearly all cards in inference).
    """
    table, found = _over(facts, settings, values, "inference_share", SHARES, reading)
    # From there on: blocks make the gain a saw, so the last share that misses decides.
    missing = np.where(found < wanted, np.arange(1, len(SHARES) + 1), 0).max(axis=1)
    return table.assign(share=np.append(SHARES, np.nan)[missing], at_all=found[:, -1])


def longest_moves(facts, settings, values, wanted):
    """Return up to how many minutes a move may take, each way, for a relative gain, for every combination.

    Parameters
    ----------
    facts, settings, values, wanted
        As in `shares_needed`.

    Returns
    -------
    pandas.DataFrame
        The combination and minutes (NaN where the gain is not reached even by moves of a minute).
    """
    table, found = _over(facts, settings, values, "switch_min", MOVES_MIN, "relative")
    # The first that misses ends it.
    reached = np.where(found < wanted, 0, 1).cumprod(axis=1).sum(axis=1)
    return table.assign(minutes=np.append(np.nan, MOVES_MIN)[reached])


def bounds(facts, values, wanted):
    """Return what a perfect forecast and free switching would give on each day.

    Parameters
    ----------
    facts : Facts
    values : dict of str to float
    wanted : float
        Relative gain in per cent.

    Returns
    -------
    pandas.DataFrame
        curve, shape, mean_to_peak, relative (per cent, at the share given), at_all (with all cards in inference), share
        (from which `wanted` is reached, NaN where it is not).
    """
    rest = (values["headroom"], values["training_utilisation"])
    rows = []
    for day in days(facts):
        mean = float(day.loads[day.row(values["night_hours"])].mean())
        share = float(share_for_bound(wanted / PER_CENT, mean, *rest))
        relative, at_all = (
            PER_CENT * float(relative_bound(at, mean, *rest)) for at in (values["inference_share"], 1.0)
        )
        rows.append((day.curve, day.shape, mean, relative, at_all, share if 0 <= share <= 1 else np.nan))
    return pd.DataFrame(rows, columns=["curve", "shape", "mean_to_peak", "relative", "at_all", "share"])


def peakedness_needed(values, wanted, shares):
    """Return up to which mean over peak the bound reaches a relative gain in per cent, for shares of cards."""
    rest = (values["headroom"], values["training_utilisation"])
    return mean_for_bound(wanted / PER_CENT, np.asarray(shares, dtype=float), *rest)


def utilisation(values, mean_to_peak):
    """Return the busy share of all card-time with two fixed pools."""
    rest = (values["headroom"], values["training_utilisation"])
    return float(utilisation_before(values["inference_share"], mean_to_peak, *rest))


def bound_map(values, shares, means):
    """Return the bound of the relative gain in per cent over shares and means, shape (means, shares)."""
    rest = (values["headroom"], values["training_utilisation"])
    return PER_CENT * relative_bound(shares[None, :], means[:, None], *rest)


def one_day(facts, settings, values, *, curve, policy, block):
    """Return one simulated day whose forecast is right, minute by minute, as shares of all cards.

    Parameters
    ----------
    facts, settings, values
        As in `outcomes`.
    curve, policy, block : str

    Returns
    -------
    pandas.DataFrame
        hour, load (cards that the load takes), serving, moving, valley (training in the valley), pool (training cards).
    """
    number = next(place for place, day in enumerate(days(facts)) if day.curve == curve)
    load, controller = controlled(facts, settings, number, policy, values)
    controller = replace(controller, error=0.0)
    share = values["inference_share"]
    blocks = share * settings["cards"] / block_cards(facts)[block]
    found = simulate(load, controller, blocks=blocks, switch_min=values["switch_min"], days=1, seed=0)
    serving, draining, training, returning = share * found.by_minute.T
    hour = np.arange(len(serving)) * 24 / len(serving)
    return pd.DataFrame(
        {
            "hour": hour,
            "load": share * np.repeat(load, len(serving) // len(load)),
            "serving": serving,
            "moving": draining + returning,
            "valley": training,
            "pool": 1 - share,
        }
    )


def gain_by_block(facts, settings, values, *, policy, sizes, switches_min):
    """Return the relative gain over the size of a block and the time of a move, for each curve.

    Parameters
    ----------
    facts, settings, values
        As in `outcomes`.
    policy : str
    sizes, switches_min : sequence of float
        Cards a block, and minutes each way.

    Returns
    -------
    pandas.DataFrame
        curve, shape, mean_to_peak, switch_min, cards_per_block, relative.
    """
    table = enumerated(facts, settings | {"policy": policy, "block": "card"}, values["night_hours"])
    grid = table.merge(pd.DataFrame({"switch_min": switches_min}), how="cross")
    grid = grid.drop(columns="cards_per_block").merge(pd.DataFrame({"cards_per_block": sizes}), how="cross")
    many = {name: np.full(len(grid), value) for name, value in values.items()}
    many["switch_min"] = grid["switch_min"].to_numpy(dtype=float)
    found = gains(facts, settings, "relative", _columns(grid), np.arange(len(grid)), many)
    return grid[["curve", "shape", "mean_to_peak", "switch_min", "cards_per_block"]].assign(relative=found)
