"""What the sentence leaves open: whose day, its shape, who decides when cards move, and how many move at once."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analysis.errors import DataError
from analysis.facts.load_curves import day_ratios, load_curves
from analysis.models import day_curves
from analysis.models.tidal_pool import Levels, level_table, stacked
from analysis.models.tidal_reserves import reaction_reserve
from analysis.subjects.model import Setting

SUPERNODE = "Ascend 910C"
NODE_CARDS = 8
# Nights for which the tables are made; a sampled night is rounded to the nearest.
NIGHTS_H = np.arange(4.0, 12.5, 0.5)
LONGEST_SWITCH_MIN = 120
WIDTHS = 2 * LONGEST_SWITCH_MIN // day_curves.BIN_MIN + 2
# How long each ramp of a parametric day takes, as a fraction of its night: steep, or a wave without a level night.
SHAPES = {"plateau": 0.25, "wave": 1.0}
MEASURED = "measured"
# Tables of up to so many levels are kept together, so that a day of few does not pay for one of many.
LEVEL_LIMITS = (8, 32, 72, day_curves.BINS)


@dataclass(frozen=True)
class Policy:
    """When cards move.

    Attributes
    ----------
    wanted : callable
        Days, shape (rows, bins), to the load to hold for.
    looks_ahead : bool
        Whether it acts on a forecast, in time; otherwise on the load of the bin before.
    told : str
    """

    wanted: Callable
    looks_ahead: bool
    told: str

    @property
    def transits(self):
        """How many moves of a free spell are taken from its training: there and back, or there alone."""
        return 2 if self.looks_ahead else 1


POLICIES = {
    "fixed-windows": Policy(day_curves.best_night, True, "one window a night, the best one; a forecast of its load"),
    "hourly": Policy(day_curves.hour_maxima, True, "a timetable by the hour, from a forecast of the day"),
    "forecast": Policy(lambda days: days, True, "every ten minutes, from a forecast of the day"),
    "reactive": Policy(lambda days: np.roll(days, 1, axis=-1), False, "every ten minutes, from the load just seen"),
}


@dataclass(frozen=True)
class Day:
    """One curve in one shape, for every night for which it is made.

    Attributes
    ----------
    curve, shape, source : str
    loads : ndarray of shape (rows, bins)
        A measured day has one row, a parametric one a row a night.
    """

    curve: str
    shape: str
    source: str
    loads: np.ndarray

    def row(self, night_hours):
        """Return the row for one night."""
        return int(night_row(night_hours)) if len(self.loads) > 1 else 0


def night_row(night_hours):
    """Return the position in `NIGHTS_H` that is nearest."""
    nearest = np.rint((np.asarray(night_hours) - NIGHTS_H[0]) / (NIGHTS_H[1] - NIGHTS_H[0]))
    return np.clip(nearest, 0, len(NIGHTS_H) - 1).astype(int)


def days(facts):
    """Return every day of the tables: measured ones, then those of which a ratio is published, in each shape.

    Parameters
    ----------
    facts : Facts

    Returns
    -------
    tuple of Day
    """
    if "tidal days" not in facts.derived:
        found = [Day(one.name, MEASURED, one.source, day_curves.binned(one.loads)[None]) for one in load_curves(facts)]
        for ratio in day_ratios(facts):
            for shape, ramp in SHAPES.items():
                if ratio.trough_to_peak is None:
                    loads = day_curves.dip_of_mean(ratio.mean_to_peak, NIGHTS_H, ramp)
                else:
                    loads = day_curves.dip(np.full(len(NIGHTS_H), ratio.trough_to_peak), NIGHTS_H, ramp * NIGHTS_H)
                found.append(Day(ratio.name, shape, ratio.source, loads))
        facts.derived["tidal days"] = tuple(found)
    return facts.derived["tidal days"]


@dataclass(frozen=True)
class Bank:
    """What every policy must hold on every day, ready to be looked up by many samples at once.

    Attributes
    ----------
    tables : tuple of Levels
        One for each of `LEVEL_LIMITS`.
    table, offset : ndarray of shape (days, policies)
        In which table the rows of a day under a policy lie, and from where on.
    first_row, nights : ndarray of shape (days,)
        Where a day begins in `means` and in the reserves, and how many rows it has.
    means : ndarray of shape (all rows,)
        Mean over peak of each day and night.
    """

    tables: tuple[Levels, ...]
    table: np.ndarray
    offset: np.ndarray
    first_row: np.ndarray
    nights: np.ndarray
    means: np.ndarray

    def night(self, day, night_hours):
        """Return the row inside each day for each night."""
        return np.where(self.nights[day] > 1, night_row(night_hours), 0)


def bank(facts):
    """Return the bank of all days and policies, made once."""
    if "tidal bank" not in facts.derived:
        facts.derived["tidal bank"] = _bank(days(facts))
    return facts.derived["tidal bank"]


def _bank(known):
    kept = [[] for _ in LEVEL_LIMITS]
    table, offset = np.zeros((2, len(known), len(POLICIES)), dtype=int)
    for number, day in enumerate(known):
        for place, policy in enumerate(POLICIES.values()):
            found = level_table(policy.wanted(day.loads), WIDTHS)
            wide = int(np.searchsorted(LEVEL_LIMITS, found.levels.shape[-1]))
            table[number, place], offset[number, place] = wide, sum(len(one.levels) for one in kept[wide])
            kept[wide].append(found)
    nights = np.array([len(day.loads) for day in known])
    return Bank(
        tables=tuple(map(stacked, kept)),
        table=table,
        offset=offset,
        first_row=np.cumsum(nights) - nights,
        nights=nights,
        means=np.concatenate([day.loads.mean(axis=1) for day in known]),
    )


def reaction_reserves(facts, late_limit):
    """Return the reserve of the reactive policy, shape (lags, all rows of all days); the first lag is one bin."""
    kept = facts.derived.setdefault("tidal reserves", {})
    if late_limit not in kept:
        # A sweep would keep every limit for ever; the last one is enough.
        kept.clear()
        loads = np.concatenate([day.loads for day in days(facts)])
        lags = range(1, LONGEST_SWITCH_MIN // day_curves.BIN_MIN + 2)
        kept[late_limit] = np.stack([reaction_reserve(loads, lag, late_limit) for lag in lags])
    return kept[late_limit]


def reaction_lag(switch_min):
    """Return the row of `reaction_reserves` for a time to return: whole bins, after the one that is observed."""
    return np.ceil(np.asarray(switch_min) / day_curves.BIN_MIN - 1e-9).astype(int)


def block_cards(facts):
    """Return how many cards move at once: block to cards."""
    cards = facts.table("accelerators")
    size = cards.loc[cards["name"] == SUPERNODE, "scaleup_domain_size"]
    if not len(size) or not size.iloc[0] >= NODE_CARDS:
        raise DataError(f"accelerators.csv: no scaleup_domain_size of {SUPERNODE!r}, the size of a supernode")
    return {"card": 1.0, "node": float(NODE_CARDS), "supernode": float(size.iloc[0])}


def _curves(facts):
    measured = (one.name for one in load_curves(facts))
    return ("all", *dict.fromkeys([*measured, *(one.name for one in day_ratios(facts))]))


SETTINGS = (
    Setting("curve", "all", "whose day; your own joins by its name", options=_curves),
    Setting("policy", "all", "who decides when cards move", options=lambda facts: ("all", *POLICIES)),
    Setting("block", "all", "what moves at once", options=lambda facts: ("all", *block_cards(facts))),
    Setting("cards", 3840, "cards of the pool, inference and training together", "cards", low=384, high=100000),
    Setting(
        "late_limit",
        0.01,
        "largest share of requests that find capacity short; sets the reserve",
        "fraction",
        low=0.0,
        high=0.1,
    ),
    Setting(
        "training_backlog",
        1.0,
        "waiting work over what the whole valley could train; 1 is endless",
        "fraction",
        low=0.0,
        high=1.0,
    ),
)
