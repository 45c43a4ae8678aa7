"""Second method: the same pool minute by minute, each block of cards a state machine.

A block serves, drains, trains or returns. The controller says for every minute how many blocks inference needs; a
block that is needed and does not serve returns for `switch_min` minutes, one that is no longer needed drains as long.
Blocks are needed from the first on, so that the last ones train longest.
"""

from dataclasses import dataclass

import numpy as np

from analysis.models.day_curves import BIN_MIN
from analysis.models.tidal_pool import SLACK
from analysis.models.tidal_reserves import ERROR_POINTS, ERROR_WEIGHTS

SERVING, DRAINING, TRAINING, RETURNING = range(4)
STATES = ("serving", "draining", "training", "returning")


@dataclass(frozen=True)
class Controller:
    """What the controller of one pool does.

    Attributes
    ----------
    wanted : ndarray of shape (bins,)
        Load to hold for in each bin, a fraction of the peak; infinite where all is held.
    reserve : float
        Held above it, in proportion.
    error : float
        Standard deviation of a day's forecast error; nought where the load is observed.
    looks_ahead : bool
        Whether blocks are called back in time; otherwise only when they are needed.
    """

    wanted: np.ndarray
    reserve: float
    error: float
    looks_ahead: bool


@dataclass(frozen=True)
class SimulatedDays:
    """What happened on each day.

    Attributes
    ----------
    minutes : ndarray of shape (days, 4)
        Card-minutes in each of `STATES`, as a fraction of all card-minutes of the inference cards.
    late : ndarray of shape (days,)
        Share of the day's requests that came above the capacity that served.
    by_minute : ndarray of shape (1440, 4)
        Share of the inference cards in each state through the last day.
    """

    minutes: np.ndarray
    late: np.ndarray
    by_minute: np.ndarray


def simulate(load, controller, *, blocks, switch_min, days, seed):
    """Simulate days with random forecast errors.

    Parameters
    ----------
    load : ndarray of shape (bins,)
        Load, a fraction of the peak.
    controller : Controller
    blocks : float
        How many blocks the inference cards make; the last may be a part of one.
    switch_min : float
        Minutes that a block drains, and minutes that it returns; whole minutes are simulated.
    days, seed : int

    Returns
    -------
    SimulatedDays
    """
    # Numba takes longer to load than a day to run.
    from analysis.models.tidal_kernel import run

    whole = int(np.ceil(blocks - SLACK))
    switch = round(switch_min)
    ahead = switch if controller.looks_ahead else 0
    warm_up = switch + ahead + 1
    rng = np.random.default_rng(seed)
    errors = rng.choice(ERROR_POINTS, size=days, p=ERROR_WEIGHTS) * controller.error
    load_by_minute = np.repeat(load, BIN_MIN)
    minutes, late = np.zeros((days, 4)), np.zeros(days)
    for day, error in enumerate(errors):
        level = np.repeat(controller.wanted, BIN_MIN) * (1 + controller.reserve) * (1 + error)
        needed = np.ceil(np.minimum(level, 1.0) * blocks - SLACK)
        called = _called(needed, ahead)
        counts = run(np.concatenate([called[-warm_up:], called]), whole, blocks - whole + 1, switch, warm_up)
        by_minute = counts / blocks
        minutes[day] = by_minute.mean(axis=0)
        late[day] = np.maximum(load_by_minute - by_minute[:, SERVING], 0).sum() / load_by_minute.sum()
    return SimulatedDays(minutes, late, by_minute)


def _called(needed, ahead):
    """Blocks to call back in each minute: those that are needed within the minutes that a return takes."""
    called = needed.copy()
    for minute in range(1, ahead + 1):
        called = np.maximum(called, np.roll(needed, -minute))
    return called.astype(np.int64)


def mean_and_error(values):
    """Return the mean over days and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
