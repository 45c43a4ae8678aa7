"""Published gains of systems that offload, predicted with the same model on their own cards and hosts."""

import numpy as np
import pandas as pd

from analysis.evidence.calibrate import constants
from analysis.evidence.serving import Layout, formats_of, rank_of
from analysis.evidence.serving_kernels import kernels_of, published_shares
from analysis.facts.assumptions import assumptions
from analysis.facts.devices import Device
from analysis.facts.hardware import FORMATS, accelerators
from analysis.facts.transformers import transformer
from analysis.facts.units import PER_CENT
from analysis.models.offload import Remote
from analysis.subjects.ems_throughput.layouts import one_reached, rank_costs
from analysis.subjects.ems_throughput.steps import Question, own_step_s, ratio, sequence_of, with_pool, without_pool

CONTEXTS, HOSTS = 9, 3
# The sources state no limit on a step: throughput is that of a loaded system, whose latency is queueing.
NO_LIMIT_S = 1e3
ASSUMED = ("cache_memory_share", "working_memory_gb", "cpu_tflops", "remote_layer_us")
# On which the working memory was found.
LARGE_CARD = "H100 SXM"
PRECISION = "BF16"
# Part of the peak that reading reaches: between 0.56 [lemire2024instances] and what HBM reaches.
REACHED = 0.75


def _device(facts, name, link_GBps):
    """A card alone, or a few: links that the tables do not have count as the link to the pool."""
    card = next(one for one in accelerators(facts) if one.name == name)

    def figure(column, otherwise=None):
        cell = card.cells.get(column)
        return (cell.low + cell.high) / 2 if cell else otherwise

    peaks = {name: figure(column) for name, column in FORMATS.items() if column in card.cells}
    scaleup = figure("scaleup_GBps_bidirectional", 2 * link_GBps) / 2
    domain = round(figure("scaleup_domain_size", 1))
    return Device(name, peaks, figure("hbm_gb"), figure("hbm_GBps"), scaleup, link_GBps, domain)


def rank_of_row(facts, row):
    """Return the rank of one row of ``offload_systems.csv`` with its costs."""
    key = ("ems throughput published rank", row["id"])
    if key not in facts.derived:
        shape, card = transformer(facts, row["model"]), _device(facts, row["accelerator"], row["link_GBps"])
        cards = round(row["cards"])
        layout, formats = Layout(1, cards, 1), formats_of(facts, row["model"], PRECISION)
        values = {name: one.value for name, one in constants(facts).items()}
        rank = rank_of(facts, shape, card, formats, layout, values)
        kernels, _ = kernels_of(card, formats, layout, rank.handover, balanced=False)
        rates = one_reached(kernels, values, published_shares(facts))
        facts.derived[key] = rank_costs(shape, card, rank, rates, cards, 1, cards), card
    return facts.derived[key]


def predicted(facts, row):
    """Return the gain of one published system over contexts and hosts.

    Parameters
    ----------
    facts : Facts
    row : dict
        Of ``offload_systems.csv``.

    Returns
    -------
    pandas.DataFrame
        context, remote_GBps (of the host or of the other card), sequences (without offloading), gain (per cent).
    """
    modes = {one.name: one.mode for one in assumptions(facts, ASSUMED)}
    one, card = rank_of_row(facts, row)
    contexts = np.geomspace(row["context_low"], row["context_high"], CONTEXTS)
    hosts = np.geomspace(row["remote_GBps_low"], row["remote_GBps_high"], HOSTS)
    context, host = (cells.ravel() for cells in np.meshgrid(contexts, hosts, indexing="ij"))
    cards = row["cards"]
    tflops = row["remote_tflops"] if row["remote_tflops"] == row["remote_tflops"] else modes["cpu_tflops"]
    filled = np.ones((len(context), 1))
    remote = Remote(
        REACHED * host[:, None] / cards,
        tflops / cards * filled,
        row["link_GBps"] / cards * filled,
        modes["remote_layer_us"] * filled,
    )
    large = _device(facts, LARGE_CARD, row["link_GBps"])
    working = modes["working_memory_gb"] * min(card.memory_gb / large.memory_gb, 1.0)
    sequence = sequence_of([one], np.zeros(len(context), dtype=int), context)
    free = one.free_bytes(modes["cache_memory_share"], working)
    question = Question(NO_LIMIT_S * filled, free / sequence.cache_bytes, sequence, remote)

    def own_s(sequences, cache_s):
        sequences, cache_s = np.broadcast_arrays(sequences, cache_s)
        return np.where(sequences > 0, own_step_s(one, np.maximum(sequences, 1.0), cache_s), 0.0)

    before, rate = without_pool(own_s, question)
    gain = PER_CENT * (ratio(with_pool(own_s, question, row["way"], before), rate) - 1)
    return pd.DataFrame({"context": context, "remote_GBps": host, "sequences": before, "gain": gain})


def predicted_gains(facts):
    """Return measured gains of offload systems beside predicted ones.

    Parameters
    ----------
    facts : Facts

    Returns
    -------
    pandas.DataFrame
        id, model, accelerator, cards, way, source, measured and predicted (per cent; the best context, at the middle of
        the hosts), low and high (the best context at the slowest and the fastest host), error (of the ratio behind the
        gain, predicted over measured less one). Contexts that not one sequence fits are left out.
    """
    if "ems throughput published" not in facts.derived:
        known = facts.table("kvcache").set_index("id")
        rows = [
            _compared(facts, row, known.loc[row["measured"]])
            for row in facts.table("offload_systems").to_dict("records")
        ]
        facts.derived["ems throughput published"] = pd.DataFrame(rows)
    return facts.derived["ems throughput published"]


def _compared(facts, row, published):
    found = predicted(facts, row)
    best = found[found["sequences"] >= 1].groupby("remote_GBps")["gain"].max().tolist()
    gain = published["value"] if published["unit"] == "%" else PER_CENT * (published["value"] - 1)
    middle = best[len(best) // 2]
    error = (PER_CENT + middle) / (PER_CENT + gain) - 1
    kept = {name: row[name] for name in ("id", "model", "accelerator", "cards", "way", "source")}
    return kept | {"measured": gain, "predicted": middle, "low": best[0], "high": best[-1], "error": error}
