"""Independent lines of evidence: one silicon measured in small and large domains; and the model's own error."""

import math

import numpy as np
import pandas as pd

from analysis.evidence.errors import ratio_errors, scored, spread
from analysis.evidence.training import predict_training
from analysis.facts.units import PER_CENT
from analysis.judgement.case import ModelError

TRAINING = "training_throughput"
SERVING = ("prefill_throughput", "decode_throughput")
# The same silicon in servers of 8 and in racks of 72.
SAME_SILICON = {"GB200": "B200", "GB300": "B300"}
GROUP = ["model", "precision", "software_release", "accelerators"]
# Published effects of the exchange alone: before and after in one row or in two.
DISPATCH = ("CM221", "CM222")
# Of those two, as their note has it; what it does not say is as in the framework's recipe of the time.
DISPATCH_RUN = {
    "quantity": TRAINING,
    "accelerator": "GB200",
    "accelerators": "256",
    "model": "DeepSeek-V3",
    "precision": "MXFP8",
    "sequence_tokens": "4096",
    "global_batch": "2048",
    "micro_batch": "1",
    "pipeline_parallel": "8",
    "virtual_pipeline": "4",
    "ep_degree": "32",
    "mtp_layers": "1",
    "recompute": "mla_up_proj",
    "alltoall_overlap": "no",
    "cuda_graph": "none",
}
LIBRARY = "CM165"
EXCHANGES = ("dispatch_latency", "combine_latency")
# Experts over 32 cards against 8, within racks of 72.
WIDER = "ep32_over_ep8_throughput"
NETWORK_LIBRARY, FAST_LIBRARY = "DeepEP", "DeepEP-Ascend"


def quantities(reading):
    """Return the measured quantities on which a reading leans."""
    wanted = () if reading == "inference" else (TRAINING,)
    return wanted if reading == "training" else (*wanted, *SERVING)


def model_error(facts, reading):
    """Return the model's own error on a ratio, as a gain is one: the widest of the quantities that a reading needs.

    Parameters
    ----------
    facts : Facts
    reading : str

    Returns
    -------
    ModelError or None
        Over pairs of measurements of one group of which one at least was not fitted, each pair in both directions.
    """
    key = ("matrixlink error", quantities(reading))
    if key not in facts.derived:
        bands = []
        for name in quantities(reading):
            off = 1 + ratio_errors(scored(facts, (name,)))["error"].to_numpy(dtype=float)
            if len(off):
                bands.append(spread(np.concatenate([off, 1 / off]) - 1))
        found = ModelError(min(one[0] for one in bands), max(one[1] for one in bands), gain=True) if bands else None
        facts.derived[key] = found
    return facts.derived[key]


def measured_sources(facts, reading, role):
    """Return the citation keys of the measurements of one role behind a reading, sorted."""
    found = set()
    for name in quantities(reading):
        table = facts.table(name.removesuffix("_throughput") if name in SERVING else name)
        rows = table[(table["quantity"] == name) & (table["role"] == role)]
        found |= {key for cell in rows["source"] for key in cell.split(";")}
    return tuple(sorted(found))


def same_silicon(facts):
    """Return measured pairs of one silicon in domains of 8 and of 72, with what the model predicts of them.

    Parameters
    ----------
    facts : Facts

    Returns
    -------
    pandas.DataFrame
        large, small (accelerators), model, precision, software_release, accelerators, ep_large, ep_small, measured and
        predicted (gain in per cent), roles, source.
    """
    table = facts.table(TRAINING)
    known = scored(facts, (TRAINING,)).set_index("id")[["measured", "predicted"]]
    table = table[table["id"].isin(known.index)].join(known, on="id")
    rows = []
    for large, small in SAME_SILICON.items():
        ends = (table[table["accelerator"] == name] for name in (large, small))
        for row in pd.merge(*ends, on=GROUP, suffixes=("", "_small")).itertuples():
            measured, predicted = row.measured / row.measured_small, row.predicted / row.predicted_small
            told = {name: getattr(row, name) for name in GROUP} | {"large": large, "small": small}
            told |= {"ep_large": row.ep_degree, "ep_small": row.ep_degree_small, "source": row.source}
            told |= {"measured": PER_CENT * (measured - 1), "predicted": PER_CENT * (predicted - 1)}
            rows.append(told | {"roles": f"{row.role}, {row.role_small}", "ids": f"{row.id}, {row.id_small}"})
    return pd.DataFrame(rows)


def exchange_effects(facts):
    """Return published gains of a whole training run from a faster exchange alone.

    Parameters
    ----------
    facts : Facts

    Returns
    -------
    pandas.DataFrame
        name, gain and predicted (per cent; NaN where no layout is published), told, source.
    """
    table = facts.table("training").set_index("id")
    rows = []
    if LIBRARY in table.index:
        row = table.loc[LIBRARY]
        rows.append((row["system"], row["value"], math.nan, f"{row['quantity']}: {row['note']}", row["source"]))
    if set(DISPATCH) <= set(table.index):
        before, after = (table.loc[one] for one in DISPATCH)
        gain = PER_CENT * (after["value"] / before["value"] - 1)
        slow, fast = (predict_training(DISPATCH_RUN | {"dispatcher": one}, facts)[0] for one in ("alltoall", "deepep"))
        predicted = PER_CENT * (fast / slow - 1)
        told = f"one step of a series: {after['note']}"
        rows.append((after["system"], gain, predicted, told, after["source"]))
    return pd.DataFrame(rows, columns=["name", "gain", "predicted", "told", "source"])


def latency_ratio(facts):
    """Return how much longer an exchange over a network takes than over UB, at the largest degree that both measure.

    Parameters
    ----------
    facts : Facts

    Returns
    -------
    dict of str to (float, int, set)
        Direction to ratio, degree, citation keys.
    """
    table, found = facts.table("expert_parallel"), {}
    for quantity in EXCHANGES:
        rows = table[(table["quantity"] == quantity) & table["role"].isin(("calibrate", "validate"))]
        ends = [rows[rows["library"] == name].set_index("ep_degree") for name in (NETWORK_LIBRARY, FAST_LIBRARY)]
        common = sorted({float(one) for one in ends[0].index} & {float(one) for one in ends[1].index})
        if common:
            far, near = (one[one.index.astype(float) == common[-1]].iloc[0] for one in ends)
            found[quantity] = far["value"] / near["value"], int(common[-1]), {far["source"], near["source"]}
    return found


def _wider(facts):
    table = facts.table("decode")
    return table[table["quantity"] == WIDER].to_dict("records")


def lines_of(facts, reading):
    """Return the lines of evidence for one reading: gains in per cent, none of which uses a fitted constant.

    Parameters
    ----------
    facts : Facts
    reading : str

    Returns
    -------
    dict
        Name to ``{estimate, interval, note}``.
    """
    found = {}
    for row in same_silicon(facts).itertuples():
        told = f"measured, {row.accelerators} cards, EP {row.ep_large} and {row.ep_small}, release"
        note = f"{told} {row.software_release} [{row.source}]; training; no fitted constant"
        name = f"{row.large} over {row.small}, {row.model}, {row.software_release}"
        found[name] = {"estimate": [float(row.measured)], "interval": None, "note": note}
    for row in exchange_effects(facts).itertuples():
        note = f"training, a faster exchange alone: {row.told} [{row.source}]"
        found[row.name] = {"estimate": [float(row.gain)], "interval": None, "note": note}
    if reading != "training":
        for quantity, (ratio, degree, keys) in latency_ratio(facts).items():
            note = f"measured time of one exchange over InfiniBand against UB at EP {degree} [{';'.join(sorted(keys))}]"
            gain = PER_CENT * (ratio - 1)
            told = f"{note}; bound on what inference can gain: all of its time in this exchange"
            found[f"{quantity.removesuffix('_latency')} alone"] = {"estimate": [gain], "interval": None, "note": told}
        for row in _wider(facts):
            note = f"measured, at most: experts over 32 cards of a rack against 8 [{row['source']}]; inference"
            gain = PER_CENT * (row["value"] - 1)
            found[f"wider groups, {row['system']}"] = {"estimate": [gain], "interval": None, "note": note}
    return found


def sources(facts, reading):
    """Return the citation keys behind the lines and the figures of the sides."""
    keys = [*same_silicon(facts).get("source", ()), *exchange_effects(facts)["source"]]
    if reading != "training":
        keys += [key for _, _, found in latency_ratio(facts).values() for key in found]
        keys += [row["source"] for row in _wider(facts)]
    return {key for cell in keys for key in cell.split(";")}
