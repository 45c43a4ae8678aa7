"""What a sceptic asks: faults that take longer, checkpoints that block, and the vendor's own figures together."""

import math

import numpy as np
import pandas as pd

from analysis.errors import DataError
from analysis.evidence.ettr import RATE, validation
from analysis.facts.failure_rates import published_failure_rates
from analysis.facts.hardware import accelerators
from analysis.facts.recovery_times import recovery_regime
from analysis.facts.units import PER_CENT
from analysis.models.checkpointing import (
    SECONDS_A_MINUTE,
    best_interval_min,
    checkpoint_s,
    young_interval_min,
)
from analysis.models.failures import MINUTES_A_DAY, THOUSAND_NODES, exponential_ettr
from analysis.subjects.reliability.tables import SENTENCE, counted_regimes

CARD, HOST_CARD = "Ascend 910C", "H100 SXM"
MODELS = ("Llama-3.1 405B", "DeepSeek-V3")
HOUR_MIN = 60


def published_value(facts, quantity, role="context"):
    """Return the value of the one row of ``operations.csv`` with a quantity and a role."""
    table = facts.table("operations")
    rows = table[(table["quantity"] == quantity) & (table["role"] == role) & (table["topic"] == "reliability")]
    if len(rows) != 1:
        raise DataError(f"operations.csv: {len(rows)} rows of quantity {quantity!r} and role {role!r}; one is needed")
    return float(rows["value"].iloc[0])


def rate_rows(facts, job):
    """Return each published cluster, then the typical one, with its failures in 1000 node-days."""
    table = published_failure_rates(facts)
    return [
        *zip(table["cluster"], map(float, table[RATE]), strict=True),
        ("typical (fitted), for this cluster", job.rate),
    ]


def validation_rows(facts):
    """Return the measurements kept for testing, as cells: name, cards, allowed, predicted, error, note."""
    rows = []
    for row in validation(facts).to_dict("records"):
        cards = "" if math.isnan(row["accelerators"]) else f"{row['accelerators']:,.0f}"
        allowed = f"{row['low']:g}" if row["low"] == row["high"] else f"{row['low']:g} to {row['high']:g}"
        known = not math.isnan(row["predicted"])
        found = [f"{row['predicted']:.1f}", f"{PER_CENT * row['error']:+.1f} %"] if known else ["", ""]
        rows.append([f"{row['system']} ({row['id']})", cards, allowed, *found, row["note"]])
    return rows


def implicit_share(facts):
    """Return the share of incidents that do not announce themselves."""
    implicit, explicit = (published_value(facts, f"incidents_{kind}") for kind in ("implicit", "explicit"))
    return implicit / (implicit + explicit)


def slow_faults(facts, job, cards):
    """Return the effective training time when implicit faults follow a slower regime than the sentence.

    A stretch between two failures begins with its own recovery, so ratios of a mixture are the mixture of ratios.

    Parameters
    ----------
    facts : Facts
    job : Job
    cards : int

    Returns
    -------
    pandas.DataFrame
        regime (of the implicit faults), minutes, ettr (per cent).
    """
    share = implicit_share(facts)
    fast = float(job.ettr(cards, recovery_regime(facts, SENTENCE)["recovery"]))
    rows = []
    for regime, stages in counted_regimes(facts).items():
        minutes = sum(stages.values())
        slow = float(job.ettr(cards, minutes))
        rows.append({"regime": regime, "minutes": minutes, "ettr": PER_CENT * ((1 - share) * fast + share * slow)})
    return pd.DataFrame(rows)


def checkpoints(facts, job, cards):
    """Return how long a checkpoint takes to storage and to the hosts' memory, and what it costs.

    Parameters
    ----------
    facts : Facts
    job : Job
    cards : int
        That write together.

    Returns
    -------
    pandas.DataFrame
        model, target, seconds, interval_min by Young, interval_min best, cost_percent of the best (lost work and
        checkpoints together, no recovery counted).
    """
    table = facts.table("transformers").set_index("name")
    state = published_value(facts, "checkpoint_bytes_per_parameter")
    (host,) = (one.cells["host_bus_GBps_bidirectional"] for one in accelerators(facts) if one.name == HOST_CARD)
    bandwidths = {
        "shared storage": published_value(facts, "storage_bandwidth"),
        "memory of the hosts": cards * host.low / 2,
    }
    between = float(job.between_min(cards))
    rows = []
    for model in MODELS:
        for target, bandwidth in bandwidths.items():
            seconds = float(checkpoint_s(table.loc[model, "parameters_billion_published"], state, bandwidth))
            block = seconds / SECONDS_A_MINUTE
            best = float(best_interval_min(between, block))
            kept = float(exponential_ettr(between, 0.0, best, block))
            intervals = {"young_min": float(young_interval_min(between, block)), "best_min": best}
            rows.append(
                {
                    "model": model,
                    "target": target,
                    "seconds": seconds,
                    **intervals,
                    "cost_percent": PER_CENT * (1 - kept),
                }
            )
    return pd.DataFrame(rows)


def vendor_consistency(facts, job, cards):
    """Return what the vendor's availability and time between failures say about each other; claims, never inputs.

    Parameters
    ----------
    facts : Facts
    job : Job
    cards : int
        Of the cluster that the availability is stated for.

    Returns
    -------
    pandas.DataFrame
        reading (what the time between failures belongs to), failure_interval_min of the cluster, rate per 1000
        node-days, ettr with the recovery of the sentence (per cent), recovery_min at which the stated availability
        would follow.
    """
    stated = published_value(facts, "training_availability_10k", "claim") / PER_CENT
    between = HOUR_MIN * published_value(facts, "MTBF", "claim")
    recovery = recovery_regime(facts, SENTENCE)["recovery"]
    (domain,) = (one.cells["scaleup_domain_size"].low for one in accelerators(facts) if one.name == CARD)
    readings = {
        "of the whole cluster": between,
        "of each supernode": between * domain / cards,
        "published clusters instead": float(job.between_min(cards)),
    }
    rows = []
    for reading, interval in readings.items():
        rate = THOUSAND_NODES * MINUTES_A_DAY * job.cards_per_node / (interval * cards)
        checkpoint = best_interval_min(interval, job.block_min)
        ettr = float(exponential_ettr(interval, recovery, checkpoint, job.block_min))
        working = float(exponential_ettr(interval, 0.0, checkpoint, job.block_min))
        allowed = interval * math.log(working / stated) if working > stated else 0.0
        rows.append(
            {
                "reading": reading,
                "failure_interval_min": interval,
                RATE: rate,
                "ettr": PER_CENT * ettr,
                "recovery_min": allowed,
            }
        )
    return pd.DataFrame(rows)


def best_interval_by_search(between_min, block_min):
    """Return the best interval between checkpoints by a numerical search, without Lambert's function."""
    from scipy.optimize import minimize_scalar

    def lost(log_interval):
        return -float(exponential_ettr(between_min, 0.0, np.exp(log_interval), block_min))

    return float(np.exp(minimize_scalar(lost, bounds=(-12.0, float(np.log(10 * between_min))), method="bounded").x))
