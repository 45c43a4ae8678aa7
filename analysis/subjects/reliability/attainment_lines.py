"""Independent lines on how fast faults are handled: each operator alone, and what effective training time leaves."""

import numpy as np

from analysis.facts.recovery_times import STAGES
from analysis.facts.units import PER_CENT

SPEAK_FOR = {"explicit-faults": ("explicit", "all"), "all-faults": ("explicit", "implicit", "all")}


def stage_lines(facts, times, stage, reading):
    """Return the lines of evidence for one stage.

    Parameters
    ----------
    facts : Facts
    times : pandas.DataFrame
        As of `attainment.counted_times`.
    stage, reading : str

    Returns
    -------
    dict
        Name to ``{estimate, interval, note}``, in minutes.
    """
    rows = times[(times["stage"] == stage) & times["faults"].isin(SPEAK_FOR[reading])]
    found = {}
    if len(rows):
        middle = (rows["low_min"] + rows["high_min"]) / 2
        medians = middle.groupby(rows["operator"]).median()
        found["medians of the operators"] = {
            "estimate": [float(medians.median())],
            "interval": [[float(rows["low_min"].min()), float(rows["high_min"].max())]],
            "note": f"each of {len(medians)} operators counts once; the envelope of all figures; shares the table",
        }
    for system, lost in lost_minutes(facts).items():
        found[f"what the effective time of {system} leaves"] = {
            "estimate": [lost["high"]],
            "interval": [[0.0, lost["high"]]],
            "note": f"all stages, lost work and checkpoints of one failure together: {lost['told']} [{lost['source']}]",
        }
    return found


def joint_lines(facts, times, reading):
    """Return the lines of evidence for the three stages together, one entry a stage in each."""
    parts = [stage_lines(facts, times, stage, reading) for stage in STAGES]
    shared = [name for name in parts[0] if all(name in part for part in parts)]
    return {
        name: {
            "estimate": [part[name]["estimate"][0] for part in parts],
            "interval": [part[name]["interval"][0] for part in parts],
            "note": parts[0][name]["note"],
        }
        for name in shared
    }


def lost_minutes(facts):
    """Return how much time of each failure is lost in all, where both effective time and failure interval are known.

    Parameters
    ----------
    facts : Facts

    Returns
    -------
    dict
        System to ``{high, told, source}``: the most that one failure can cost in minutes, how that follows, and the
        citation key.
    """
    found = {}
    for row in facts.table("ettr").to_dict("records"):
        if np.isnan(row["failure_interval_min"]) or row["role"] == "claim":
            continue
        high = (1 - row["value"] / PER_CENT) * row["failure_interval_min"]
        sign = "at least " if row["bound"] == "at_least" else ""
        told = f"{sign}{row['value']:g} % with a failure every {row['failure_interval_min']:g} min"
        found[row["system"] + (f" ({row['restart_unit']})" if row["restart_unit"] else "")] = {
            "high": float(high),
            "told": told,
            "source": row["source"],
        }
    return found
