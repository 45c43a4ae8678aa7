"""Second method: the comparison as a plain loop over the CSV rows, without NumPy or pandas arithmetic."""

import statistics

from analysis.facts.systems import systems
from analysis.subjects.supernode import jobs
from analysis.subjects.supernode.metrics import METRICS, chosen_metrics


def median_ratio(facts, settings, reading, values):
    """Return the median of supernode over opponent, over all metrics and opponents.

    Parameters
    ----------
    facts : Facts
    settings : dict
    reading : str
    values : dict of str to float
        The assumptions.

    Returns
    -------
    float
    """
    rows = facts.table("systems").to_dict("records")
    ours = next(row for row in rows if row["kind"] == "supernode")
    found = []
    for metric in chosen_metrics(settings, reading):
        for theirs in rows:
            if theirs["kind"] != "rack" or settings["opponent"] not in ("all", theirs["name"]):
                continue
            sides = [
                _figure(facts, settings, reading, metric, system, values, side)
                for side, system in (("supernode", ours), ("opponent", theirs))
            ]
            if None not in sides:
                found.append(sides[0] / sides[1])
    return statistics.median(found)


def _figure(facts, settings, reading, metric, system, values, side):
    (card,) = [row for row in facts.table("accelerators").to_dict("records") if row["name"] == system["accelerator"]]
    cards = settings["cards"] if system["kind"] == "supernode" else system["accelerators"]
    if METRICS[metric].job:
        one, _ = jobs.job_rate(facts, settings, metric, systems(facts)[system["name"]])
    elif not METRICS[metric].columns:
        return min(cards, card["scaleup_domain_size"])
    else:
        one = _card_figure(facts, METRICS[metric].columns, card, values[f"{side}_peak_position"])
    if one is None or reading == "per-card":
        return one
    if reading == "per-system":
        return cards * one
    return one * system["accelerators"] / _power_kw(facts, system["name"], values[f"{side}_power_position"])


def _card_figure(facts, columns, card, position):
    disputed = {(row["name"], row["column"]): row for row in facts.table("disputed").to_dict("records")}
    best = None
    for column in columns:
        row = disputed.get((card["name"], column), {"low": card[column], "high": card[column]})
        if card[column] > 0 and (best is None or row["high"] > best[1]):
            best = row["low"], row["high"]
    return None if best is None else best[0] + position * (best[1] - best[0])


def _power_kw(facts, name, position):
    rows = facts.table("system_figures").to_dict("records")
    found = [row["value"] for row in rows if row["system"] == name and row["quantity"] == "power"]
    return min(found) + position * (max(found) - min(found))
