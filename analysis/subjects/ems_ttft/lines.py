"""Independent lines of evidence, and how far off the model is on cuts that it was not fitted on."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from analysis.evidence.errors import spread
from analysis.evidence.first_token_errors import reuse_errors
from analysis.facts.units import PER_CENT
from analysis.judgement.case import ModelError
from analysis.judgement.uncertainty import option_weights, weighted_quantile
from analysis.models.first_token import Prefiller
from analysis.subjects.ems_ttft.answers import (
    INSTEAD,
    OVERLOADED,
    RECOMPUTED,
    RESIDING,
    both_s,
    cut,
)
from analysis.subjects.ems_ttft.sides import LINK, LOOKUP, SPEED

NONE, HBM = "none", "hbm"
# Requests in flight up to which nothing queues, and from which most of a time to first token is waiting.
FEW, MANY = 2, 16
ALIKE = ("deployment", "input_tokens", "concurrency", "output_tokens", "requests", "max_batched_tokens")
# Published gains, each with the reading on which it bears, how its value becomes a ratio of times, and what it is.
SPEEDUP, LONGER, SHORTER = (lambda x: 1 / x), (lambda x: 1 + x / PER_CENT), (lambda x: 1 - x / PER_CENT)
GAINS = {
    "prefill_gpu_time_ratio_hbm_cache_over_pool": (INSTEAD, SPEEDUP, "time of prefill, cache in GPU memory over pool"),
    "ttft_speedup_p50": (OVERLOADED, SPEEDUP, "median under overload, from nearly no hit to nearly all"),
    "ttft_increase": (RESIDING, LONGER, "the pool on top of a cache in NPU memory"),
}
ABLATION = "ttft_reduction"


@dataclass(frozen=True)
class CutError(ModelError):
    """Error of a ratio of two times, moved through the cut that follows from it."""

    def moved(self, prediction, error):
        """Return where the truth would lie if the model's ratio were off by `error`."""
        return cut((1 - prediction / PER_CENT) / (1 + error))


def pairs(facts, base, few=None):
    """Return published pairs of times under equal conditions, without and with a pool.

    Parameters
    ----------
    facts : Facts
    base : str
        Where prefixes lie in the first of a pair: `NONE`, `HBM`.
    few : bool or None
        Only with up to `FEW` requests in flight, only with `MANY` or more, or all.

    Returns
    -------
    list of (dict, dict)
        Rows of ``ttft.csv``.
    """
    rows = facts.table("ttft").to_dict("records")
    groups = {}
    for row in rows:
        groups.setdefault(tuple(str(row[name]) for name in ALIKE), []).append(row)
    found = []
    for group in groups.values():
        # Some pages print one and the same run beside each of those that it is compared with.
        first = {row["value"]: row for row in group if row["tier"] == base}.values()
        second = {row["value"]: row for row in group if row["tier"] not in (NONE, HBM)}.values()
        wanted = few is None or _in_flight(group[0], few)
        found += [pair for pair in product(first, second) if wanted]
    return found


def _in_flight(row, few):
    count = float(row["concurrency"] or 1)
    return count <= FEW if few else count >= MANY


def measured(chosen):
    """Return the median cut of pairs in per cent, and between which ends they lie."""
    cuts = np.array([cut(second["value"] / first["value"]) for first, second in chosen])
    return float(np.median(cuts)), (float(cuts.min()), float(cuts.max()))


def model_error(facts):
    """Return the model's error on ratios of two times to first token, of which at least one was not fitted.

    Parameters
    ----------
    facts : Facts

    Returns
    -------
    CutError or None
        Over pairs that differ in the cached prefix and where it lies.
    """
    if "ems ttft error" not in facts.derived:
        errors = reuse_errors(facts)["error"]
        facts.derived["ems ttft error"] = CutError(*spread(errors)) if len(errors) else None
    return facts.derived["ems ttft error"]


def measured_sources(facts, role):
    """Return the citation keys of the times to first token of one role, sorted."""
    table = facts.table("ttft")
    return tuple(sorted({key for cell in table.loc[table["role"] == role, "source"] for key in cell.split(";")}))


def sources(facts, reading):
    """Return the citation keys behind the lines of a reading."""
    rows = [*_gains(facts, reading), *(row for _, chosen in _chosen(facts, reading) for pair in chosen for row in pair)]
    rows += [_ablation(facts)] if reading == RECOMPUTED else []
    return {key for row in rows for key in row["source"].split(";")}


def _gains(facts, reading):
    rows = facts.table("kvcache").to_dict("records")
    return [row for row in rows if row["role"] == "context" and GAINS.get(row["quantity"], ("",))[0] == reading]


def _ablation(facts):
    table = facts.table("cache_pool")
    return table[table["quantity"] == ABLATION].iloc[0].to_dict()


def _chosen(facts, reading):
    """Pairs that bear on a reading, each with its name."""
    unknown = [pair for pair in pairs(facts, HBM) if not pair[0]["prefix_hit_fraction"]]
    known = [pair for pair in pairs(facts, HBM) if pair[0]["prefix_hit_fraction"]]
    return {
        INSTEAD: [("NPU cache against pool, 910B", unknown)],
        RECOMPUTED: [(f"up to {FEW} in flight", pairs(facts, NONE, few=True))],
        RESIDING: [("GPU cache against lower tiers", known)],
        OVERLOADED: [(f"{MANY} or more in flight", pairs(facts, NONE, few=False))],
    }[reading]


def lines_of(facts, reading, listed, options, assumptions):
    """Return the lines of evidence for one reading.

    Parameters
    ----------
    facts : Facts
    reading : str
    listed : list of Instance
    options : Options
    assumptions : sequence of Assumption

    Returns
    -------
    dict
        Name to ``{estimate, interval, note}``.
    """
    found = {}
    for name, chosen in _chosen(facts, reading):
        middle, ends = measured(chosen)
        keys = sorted({key for pair in chosen for row in pair for key in row["source"].split(";")})
        note = f"{len(chosen)} published pairs under equal conditions [{', '.join(keys)}]; no constant of the model"
        found[f"measured: {name}"] = {"estimate": [middle], "interval": [list(ends)], "note": note}
    for row in _gains(facts, reading):
        _, ratio, told = GAINS[row["quantity"]]
        note = f"{told} [{row['source']}]: {row['conditions']}"
        found[f"published: {row['id']}, {row['system']}"] = {
            "estimate": [float(cut(ratio(row["value"])))],
            "interval": None,
            "note": note,
        }
    if reading == RECOMPUTED:
        row = _ablation(facts)
        note = f"{row['input_tokens']} tokens, half of them cached, load not stated [{row['source']}]; never an input"
        found["published: the supernode's own pool"] = {"estimate": [row["value"]], "interval": None, "note": note}
    return found | _operations(facts, listed, options, assumptions)


def _operations(facts, listed, options, assumptions):
    """The cut if time were nothing but operations: no queue, no overhead, no load."""
    values = {one.name: np.full(len(options), one.mode) for one in assumptions if one.name != "baseline_utilisation"}
    values |= {LINK: np.full(len(options), np.inf), LOOKUP: np.zeros(len(options)), SPEED: np.ones(len(options))}
    bare = [replace(one, layout="operations alone", prefiller=Prefiller(1.0, 1.0)) for one in listed]
    estimate = weighted_quantile(cut(_ratios(facts, bare, options, values)), option_weights(options), [0.5]).tolist()
    note = "operations of the suffix over those of the prompt, from the models' shapes; no constant, no load, no queue"
    return {"operations alone": {"estimate": estimate, "interval": None, "note": note}}


def _ratios(facts, listed, options, values):
    found = np.zeros(len(options))
    for kind in np.unique(options.columns["baseline"]):
        mine = np.flatnonzero(options.columns["baseline"] == kind)
        columns = {name: options.columns[name][mine] for name in ("baseline", "workload", "place", "instances")}
        base, pool = both_s(facts, kind, listed, columns, {name: cell[mine] for name, cell in values.items()})
        found[mine] = pool / base
    return found
