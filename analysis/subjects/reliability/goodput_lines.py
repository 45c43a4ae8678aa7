"""Independent lines on effective training time: what was measured at such sizes, and simpler formulas of others."""

import numpy as np

from analysis.evidence.ettr import allowed, validation
from analysis.facts.units import PER_CENT
from analysis.models.checkpointing import SECONDS_A_MINUTE, young_interval_min
from analysis.models.failures import time_between_failures_min

# A measurement speaks for a cluster of up to three times its size, and down to a third of it.
NEAR = 3.0
BLOCK_S = 60.0


def lines_of(facts, rates, cards, recovery_min, settings):
    """Return the lines of evidence for a job.

    Parameters
    ----------
    facts : Facts
    rates : ndarray
        The published failure rates, per 1000 node-days.
    cards, recovery_min : float
        Of the job, and of one failure.
    settings : dict

    Returns
    -------
    dict
        Name to ``{estimate, interval, note}``, in per cent.
    """
    found = _formulas(time_between_failures_min(rates, cards, settings["accelerators_per_node"]), recovery_min)
    for row in measured_near(facts, cards).to_dict("records"):
        low, high = allowed(row)
        found[f"measured: {row['system']} ({row['id']})"] = {
            "estimate": [row["value"]],
            "interval": [[low, high]],
            "note": f"{row['accelerators']:,.0f} cards, {_told(row['bound'])}{row['value']:g} % [{row['source']}]",
        }
    return found


def _told(bound):
    return {"at_least": "at least ", "up_to": "up to ", "range": "about "}.get(bound, "")


def measured_near(facts, cards):
    """Return the measurements of effective training time whose number of cards is near a given one."""
    table = facts.table("ettr")
    near = table["accelerators"].between(cards / NEAR, cards * NEAR)
    return table[near & (table["role"] != "claim")]


def _formulas(between, recovery):
    """Two formulas without renewal theory: availability, and the first-order loss with a slow checkpoint."""
    block = BLOCK_S / SECONDS_A_MINUTE
    interval = young_interval_min(between, block)
    first_order = 1 - (recovery + interval / 2) / between - block / interval
    availability = between / (between + recovery)
    notes = {
        "availability, no work lost": (availability, "time between failures over itself and the recovery"),
        "first-order loss, checkpoints of a minute": (
            np.maximum(first_order, 0.0),
            "loss of half an interval each failure, interval by Young; form of [kokolis2024reliability]",
        ),
    }
    return {
        name: {
            "estimate": [float(PER_CENT * np.median(values))],
            "interval": [[float(PER_CENT * values.min()), float(PER_CENT * values.max())]],
            "note": f"{told}; envelope over the published failure rates",
        }
        for name, (values, told) in notes.items()
    }


def validation_sources(facts):
    """Return the citation keys of the measurements that test the model, sorted."""
    return tuple(sorted({key for text in validation(facts)["source"] for key in text.split(";")}))
