"""Days of inference load: measured curves, the reader's own, and days of which only a ratio is published."""

from dataclasses import dataclass

import numpy as np

from analysis.errors import DataError, nearest

MINUTES_A_DAY = 1440
COARSEST_STEP_MIN = 60
LOAD_UNITS = ("requests/s", "thousand tokens/s", "count", "nodes", "cards", "accelerators", "fraction")
DEEPSEEK_PEAK, DEEPSEEK_MEAN, RUNWAY_TROUGH = "OP001", "OP002", "OP115"


@dataclass(frozen=True)
class LoadCurve:
    """One measured day.

    Attributes
    ----------
    name, unit, source : str
    loads : ndarray of shape (steps,)
        Loads of equal steps that together make a day, as the source prints them.
    """

    name: str
    unit: str
    source: str
    loads: np.ndarray


@dataclass(frozen=True)
class DayRatio:
    """A day of which one ratio is published.

    Attributes
    ----------
    name, source : str
    mean_to_peak, trough_to_peak : float or None
        The one that is known.
    note : str
        What the source says.
    """

    name: str
    source: str
    mean_to_peak: float | None
    trough_to_peak: float | None
    note: str


def load_curves(facts):
    """Return every measured day of ``load_curves.csv``, the reader's own after the project's.

    Parameters
    ----------
    facts : Facts

    Returns
    -------
    tuple of LoadCurve

    Raises
    ------
    DataError
        For a curve that is no whole day in equal steps, a negative load, a curve without load, a mixed or unknown unit
        or several sources; file and line are named.
    """
    if "load_curves" not in facts.derived:
        table = facts.table("load_curves")
        facts.derived["load_curves"] = tuple(
            _curve(facts, name, rows.sort_values("minute", kind="stable"))
            for name, rows in table.groupby("curve", sort=False)
        )
    return facts.derived["load_curves"]


def _curve(facts, name, rows):
    def wrong(row, column, told):
        raise DataError(f"{facts.where('load_curves', row)}, column {column}: {told}")

    first = rows.index[0]
    for row, unit, source, load in zip(rows.index, rows["unit"], rows["source"], rows["load"], strict=True):
        if unit not in LOAD_UNITS:
            wrong(row, "unit", f"{unit!r} is no unit of load. {nearest(unit, LOAD_UNITS)}")
        if unit != rows["unit"][first]:
            wrong(row, "unit", f"{unit!r}, but curve {name!r} begins in {rows['unit'][first]!r}")
        if source != rows["source"][first]:
            wrong(row, "source", f"{source!r}, but curve {name!r} begins with {rows['source'][first]!r}")
        if load < 0:
            wrong(row, "load", f"{load:g} is negative")
    _check_whole_day(name, rows, wrong)
    if not rows["load"].any():
        wrong(first, "load", f"curve {name!r} has no load at all")
    return LoadCurve(name, rows["unit"][first], rows["source"][first], rows["load"].to_numpy())


def _check_whole_day(name, rows, wrong):
    """Equal steps of at most an hour from minute 0 to the end of the day."""
    minutes = rows["minute"].to_numpy()
    if minutes[0] != 0:
        wrong(rows.index[0], "minute", f"curve {name!r} begins at minute {minutes[0]:g}; a day begins at minute 0")
    steps = np.diff(minutes, append=MINUTES_A_DAY)
    step = steps[0]
    for row, minute, length in zip(rows.index[1:], minutes[1:], steps[:-1], strict=True):
        if length == 0:
            wrong(row, "minute", f"minute {minute:g} of curve {name!r} stands twice")
        if length != step:
            wrong(row, "minute", f"{length:g} minutes after the row before; curve {name!r} has steps of {step:g}")
    if steps[-1] != step:
        end = minutes[-1] + step
        wrong(
            rows.index[-1],
            "minute",
            f"curve {name!r} ends at minute {end:g}; a day has {MINUTES_A_DAY}, in equal steps",
        )
    if not 0 < step <= COARSEST_STEP_MIN:
        wrong(rows.index[0], "minute", f"steps of {step:g} minutes; at most {COARSEST_STEP_MIN}")


def day_ratios(facts):
    """Return the days of which one ratio is published, from ``operations.csv``.

    Parameters
    ----------
    facts : Facts

    Returns
    -------
    tuple of DayRatio

    Raises
    ------
    DataError
        If a row is missing, or a ratio is no fraction.
    """
    peak, mean, trough = (_operation(facts, row) for row in (DEEPSEEK_PEAK, DEEPSEEK_MEAN, RUNWAY_TROUGH))
    held = mean["value"] / peak["value"]
    found = (
        DayRatio(
            "deepseek", mean["source"], held, None, f"{mean['value']:g} nodes on average, {peak['value']:g} at most"
        ),
        DayRatio("runway", trough["source"], None, trough["value"], f"trough under {trough['value']:g} of the peak"),
    )
    for one, row in zip(found, (DEEPSEEK_MEAN, RUNWAY_TROUGH), strict=True):
        ratio = one.mean_to_peak if one.trough_to_peak is None else one.trough_to_peak
        if not 0 < ratio <= 1:
            raise DataError(f"operations.csv, {row}: a ratio of {ratio:g}; expected above 0 and at most 1")
    return found


def _operation(facts, row):
    table = facts.table("operations")
    match = table.index[table["id"] == row]
    if not len(match):
        raise DataError(f"operations.csv: no row {row!r}, from which a day's load is taken")
    return table.loc[match[0]]
