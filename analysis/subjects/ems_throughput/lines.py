"""Independent lines of evidence, and how far off the model is on published gains that it was not fitted on."""

import numpy as np

from analysis.evidence.errors import scored, spread
from analysis.facts.units import PER_CENT
from analysis.judgement.case import ModelError
from analysis.judgement.uncertainty import option_weights, weighted_quantile
from analysis.models.collectives import GIGA
from analysis.models.inference import MILLI
from analysis.models.offload import STREAMED, reuse_bound, system_gain
from analysis.subjects.ems_throughput.layouts import placed
from analysis.subjects.ems_throughput.pool import remote_of
from analysis.subjects.ems_throughput.published import predicted_gains
from analysis.subjects.ems_throughput.reuse import workloads

OFFLOADING, REUSE, BOTH = ("offload", "at-least-100"), "reuse", "both"
# Rows of kvcache.csv: gains of whole systems that offload attention, and that reuse prefixes, as published.
MEASURED_OFFLOAD = ("KV022", "KV024", "KV025", "KV026", "KV027")
MEASURED_REUSE = ("KV036", "KV037", "KV039", "KV040", "KV066", "KV069", "KV103")
UNCONFIRMED_OFFLOAD = ("KV028", "KV029", "KV030", "KV031")
RUNS = ("decode_throughput", "prefill_throughput")
SERVICE = "deepseek2025inference"
# Rates of a node, in thousand tokens a second: of operations.csv and of kvcache.csv.
DECODE_ROW, PREFILL_ROW = "OP005", "KS001"


def gain_of(row):
    """Return a published gain in per cent, whether printed as a gain or as a factor."""
    return row["value"] if row["unit"] == "%" else PER_CENT * (row["value"] - 1)


def published_rows(facts, ids):
    """Return rows of ``kvcache.csv`` by id, as dictionaries."""
    table = facts.table("kvcache").set_index("id")
    return [table.loc[one].to_dict() | {"id": one} for one in ids]


def model_error(facts, reading):
    """Return the model's own error on the ratio of two throughputs.

    Parameters
    ----------
    facts : Facts
    reading : str

    Returns
    -------
    ModelError or None
        Of published gains from offloading; of pairs of prefill and decoding rates that were not fitted, where prefixes
        are reused.
    """
    key = ("ems throughput error", reading in OFFLOADING)
    if key not in facts.derived:
        if reading in OFFLOADING:
            off = predicted_gains(facts)["error"].to_numpy()
        else:
            rows = scored(facts, RUNS, roles=("validate",))
            rows = rows[rows["predicted"].notna()]
            parts = [1 + group["error"].to_numpy(dtype=float) for _, group in rows.groupby("quantity", sort=False)]
            off = np.concatenate([(one[:, None] / one - 1)[~np.eye(len(one), dtype=bool)] for one in parts])
        facts.derived[key] = ModelError(*spread(off), gain=True) if len(off) else None
    return facts.derived[key]


def measured_sources(facts, role):
    """Return the citation keys of the measurements of one role behind the accelerator's own step, sorted."""
    wanted = {*RUNS, "decode_layer_latency", "offline_throughput"}
    tables = (facts.table(name) for name in ("decode", "prefill", "offline_throughput"))
    rows = [row for table in tables for row in table.to_dict("records")]
    found = [row["source"] for row in rows if row["role"] == role and row["quantity"] in wanted]
    return tuple(sorted({key for cell in found for key in cell.split(";")}))


def sources(facts, reading):
    """Return the citation keys behind the lines of a reading."""
    ids = MEASURED_OFFLOAD if reading in OFFLOADING else MEASURED_REUSE
    cells = [row["source"] for row in published_rows(facts, ids)]
    cells += list(facts.table("offload_systems")["source"]) if reading in OFFLOADING else [SERVICE]
    return {key for cell in cells for key in cell.split(";")}


def lines_of(facts, reading, listed, options, assumptions):
    """Return the lines of evidence for one reading.

    Parameters
    ----------
    facts : Facts
    reading : str
    listed : list of Side
    options : Options
    assumptions : sequence of Assumption

    Returns
    -------
    dict
        Name to ``{estimate, interval, note}``.
    """
    modes = {one.name: one.mode for one in assumptions}
    if reading in OFFLOADING:
        note = "gains of systems that offload attention, on other cards; shares nothing with the model"
        return {
            "measured, offloading": _published(facts, MEASURED_OFFLOAD, note),
            "bytes alone": _bytes_alone(facts, listed, options, modes),
        }
    note = "gains of systems that reuse prefixes, some against an overloaded baseline; shares nothing with the model"
    found = {"measured, reuse": _published(facts, MEASURED_REUSE, note), "bound of a service": service_bound(facts)}
    if reading == BOTH:
        offloading = _published(facts, MEASURED_OFFLOAD, "")["estimate"][0]
        reuse = found["measured, reuse"]["estimate"][0]
        product = PER_CENT * ((1 + offloading / PER_CENT) * (1 + reuse / PER_CENT) - 1)
        told = "median measured gain of offloading on top of that of reuse, as if one did not take from the other"
        found["measured, both"] = {"estimate": [product], "interval": None, "note": told}
    return found


def _published(facts, ids, note):
    gains = [gain_of(row) for row in published_rows(facts, ids)]
    return {"estimate": [float(np.median(gains))], "interval": [[min(gains), max(gains)]], "note": note}


def service_bound(facts):
    """Return the line from the figures that one service publishes of itself: nodes' rates, lengths and hit rate.

    Parameters
    ----------
    facts : Facts

    Returns
    -------
    dict
        estimate (per cent), interval, note.
    """
    asked = next(one for one in workloads(facts) if SERVICE in one.sources)
    decode_rate = facts.table("operations").set_index("id").loc[DECODE_ROW, "value"]
    prefill_rate = facts.table("kvcache").set_index("id").loc[PREFILL_ROW, "value"]
    share = prefill_share(asked, decode_rate, prefill_rate)
    bound = PER_CENT * (reuse_bound(share, asked.hit) - 1)
    note = (
        f"1/(1 - f h) with f = {share:.2f} from the service's own rates of prefill and decoding, and h = "
        f"{asked.hit:.2f} [{SERVICE}]; no constant"
    )
    return {"estimate": [float(bound)], "interval": None, "note": note}


def prefill_share(workload, decode_rate, prefill_rate):
    """Return the share of the work that prefill would be without reuse.

    Parameters
    ----------
    workload : Workload
    decode_rate, prefill_rate : float
        Tokens a second of a node; that of prefill counts cached tokens as done.
    """
    computed = workload.prompt_tokens / (prefill_rate * (1 - workload.hit))
    return computed / (computed + workload.output_tokens / decode_rate)


def _bytes_alone(facts, listed, options, values):
    """Memory, link and pool at their peak rates, nothing else; weighted median over the options."""
    found = np.empty(len(options))
    rows = zip(options.columns["side"], options.columns["fabric"], options.columns["way"], strict=True)
    for place, (side, fabric, way) in enumerate(rows):
        found[place] = _bytes_ratio(facts, placed(facts, listed[side]), fabric, way, values)
    share = np.where(options.columns["counted"] == "all cards", values["prefill_work_share"], 0.0)
    gains = PER_CENT * (system_gain(found, share) - 1)
    weight = option_weights(options)
    middle, high = weighted_quantile(gains, weight, [0.5, 0.95]).tolist()
    note = "bytes of weights and cache at the peaks of HBM, pool and link; interval to the 95th percentile; no constant"
    return {"estimate": [middle], "interval": [[float(gains.min()), high]], "note": note}


def _bytes_ratio(facts, one, fabric, way, values):
    """Tokens a second with a pool over without, when only bytes count."""
    peaks = values | {"pool_link_share": 1.0}
    remote = remote_of(
        facts,
        np.array([fabric], dtype=object),
        {name: np.array([cell]) for name, cell in peaks.items()},
        one.ranks_a_card,
    )
    sequence = one.token_bytes * values["decode_context_tokens"]
    own = GIGA * one.rank.memory_GBps
    pool = GIGA * float(
        (np.minimum(remote.memory_GBps, remote.link_GBps) if way == STREAMED else remote.memory_GBps)[0, 0]
    )
    limit, weights = MILLI * values["token_time_limit_ms"], one.rank.weight_bytes / own
    fits = float(one.free_bytes(values["cache_memory_share"], values["working_memory_gb"])) / sequence
    room = max(limit - weights, 0.0) * own / sequence
    before = min(fits, room)
    if before < 1:
        return 1.0
    rate = before / (weights + before * sequence / own)
    added = limit * pool / sequence
    if way == STREAMED:
        return max(min(room, fits + added) / limit / rate, 1.0)
    return max((before + added) / limit / rate, 1.0) if fits < room else (before + added) / before
