"""Independent lines of evidence, and how far off the model is on ratios that it was not fitted on."""

import numpy as np

from analysis.evidence.errors import scored, spread
from analysis.judgement.case import ModelError
from analysis.judgement.uncertainty import option_weights, weighted_quantile
from analysis.models.collectives import GIGA
from analysis.models.expert_load import experts_touched
from analysis.subjects.moe_affinity.layouts import placed
from analysis.subjects.moe_affinity.steps import CONTEXT, LIMIT, MEMORY, MILLI

# Runs with experts spread over ranks, and the exchange alone.
RUNS, EXCHANGE = ("decode_throughput", "prefill_throughput"), ("dispatch_latency", "combine_latency")
COMMUNICATION, COMPUTE, THROUGHPUT = "communication-efficiency", "compute-efficiency", "throughput-at-tpot"
# Published effects of spreading experts wider: quantity, and the reading that it bears on.
EFFECTS = {
    "moe_kernel_slowdown_9_vs_18_nodes": (COMPUTE, "kernel of the experts on 18 nodes over that on 9"),
    "ep32_over_ep8_throughput": (THROUGHPUT, "throughput of a GPU in groups of 32 over groups of 8, at most"),
}
SIDES = ("one", "many")
HUNDREDTHS = 0.01
HALVINGS = 60


def model_error(facts, reading):
    """Return the model's own error on a ratio of two figures, over pairs of measurements that were not fitted.

    Parameters
    ----------
    facts : Facts
    reading : str

    Returns
    -------
    ModelError or None
        Of decoding and of prefill, pairs of one quantity; of the latency of an exchange where communication is judged.
    """
    quantities = EXCHANGE if reading == COMMUNICATION else RUNS
    key = ("moe affinity error", quantities)
    if key not in facts.derived:
        rows = scored(facts, quantities, roles=("validate",))
        rows = rows[rows["predicted"].notna()]
        off = np.concatenate([_pairwise(group["error"]) for _, group in rows.groupby("quantity", sort=False)])
        facts.derived[key] = ModelError(*spread(off)) if len(off) else None
    return facts.derived[key]


def _pairwise(errors):
    """Errors of the ratios of all ordered pairs."""
    factor = 1 + errors.to_numpy(dtype=float)
    return (factor[:, None] / factor[None, :] - 1)[~np.eye(len(factor), dtype=bool)]


def told_error(facts, reading):
    """Name the measurements behind the model's own error: how many of which quantity."""
    quantities = EXCHANGE if reading == COMMUNICATION else RUNS
    rows = scored(facts, quantities, roles=("validate",))
    counts = rows[rows["predicted"].notna()].groupby("quantity", sort=False).size()
    return ", ".join(f"{count} of {name}" for name, count in counts.items())


def measured_sources(facts, role):
    """Return the citation keys of the measurements of one role behind the model, sorted."""
    wanted = {*RUNS, *EXCHANGE, "decode_layer_latency"}
    tables = (facts.table(name) for name in ("decode", "prefill", "expert_parallel"))
    rows = [row for table in tables for row in table.to_dict("records")]
    found = [row["source"] for row in rows if row["role"] == role and row["quantity"] in wanted]
    return tuple(sorted({key for cell in found for key in cell.split(";")}))


def sources(facts):
    """Return the citation keys behind the lines."""
    rows = [*_effects(facts), *(row for pair in _latencies(facts).values() for row in pair)]
    return {key for row in rows for key in row["source"].split(";")}


def _effects(facts):
    table = facts.table("decode")
    return table[table["quantity"].isin(EFFECTS)].to_dict("records")


def _latencies(facts):
    """Measured latencies with the fewest and the most ranks, by library and direction."""
    table = facts.table("expert_parallel")
    table = table[table["quantity"].isin(EXCHANGE) & table["role"].isin(("calibrate", "validate"))]
    found = {}
    for (system, quantity), group in table.groupby(["system", "quantity"], sort=False):
        rows = group.assign(ranks=group["ep_degree"].astype(float)).sort_values("ranks")
        ends = rows.iloc[[0, -1]].to_dict("records")
        if ends[0]["ranks"] < ends[1]["ranks"]:
            found[system, quantity] = ends
    return found


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
    found = {}
    for row in _effects(facts):
        bears_on, told = EFFECTS[row["quantity"]]
        if bears_on == reading:
            found[f"measured, {row['system']}"] = _effect(row, told)
    if reading == COMMUNICATION:
        found |= _measured_exchange(facts)
    else:
        values = {one.name: one.mode for one in assumptions}
        found |= _bytes_alone(facts, reading, listed, options, values)
    return found


def _effect(row, told):
    """A published slowdown of the narrow side, or gain of the wide one."""
    ratio = 1 + HUNDREDTHS * row["value"] if row["unit"] == "%" else row["value"]
    note = f"{told} [{row['source']}]; shares nothing with the model, nor reaches one expert a card"
    return {"estimate": [ratio], "interval": None, "note": note}


def _measured_exchange(facts):
    """Latency of dispatch and combine together with few ranks over that with many, 128 tokens a rank on both."""
    found = {}
    for system in dict.fromkeys(name for name, _ in _latencies(facts)):
        both = [pair for (name, _), pair in _latencies(facts).items() if name == system]
        few, many = (sum(pair[end]["value"] for pair in both) for end in (0, 1))
        first, last = both[0]
        note = (
            f"{few:g} us on {first['ranks']:g} ranks, {many:g} us on {last['ranks']:g}, same tokens a rank "
            f"[{first['source']}]; measured, no constant"
        )
        found[f"latencies of {system}"] = {"estimate": [few / many], "interval": None, "note": note}
    return found


def _bytes_alone(facts, reading, listed, options, values):
    """Memory at its peak rate and no exchange: weights that are touched, and the cache."""
    ends = ([_by_bytes(placed(facts, listed[at]), reading, values) for at in options.columns[name]] for name in SIDES)
    one, many = (np.array(end) for end in ends)
    kept = (one > 0) & (many > 0)
    estimate = weighted_quantile(one[kept] / many[kept], option_weights(options)[kept], [0.5]).tolist()
    note = "bytes of weights and cache at the peak of memory, equal popularity, no exchange; no fitted constant"
    return {"bytes alone": {"estimate": estimate, "interval": None, "note": note}}


def _by_bytes(side, reading, values):
    """Tokens a second, or tokens for each expert that is read: their ratio is that of operations per byte."""
    rank = side.rank
    fits = float(side.sequences(values[CONTEXT], **{name: values[name] for name in MEMORY}))

    def touched(batch):
        tokens = batch * rank.pooled_ranks
        return float(experts_touched(tokens, rank.expert_slots, rank.experts_per_token)) / rank.expert_slots

    def step(batch):
        experts = rank.experts.parameters * rank.experts.stored_bytes
        weights = rank.weight_bytes - experts * (1 - touched(batch))
        cache = batch * values[CONTEXT] * side.cached_token_bytes
        return (weights + cache) / (GIGA * rank.memory_GBps)

    low, high = 0.0, fits
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if step(middle) <= MILLI * values[LIMIT] else (low, middle)
    if reading == THROUGHPUT:
        return low / step(low)
    return low * rank.pooled_ranks / (touched(low) * rank.expert_slots) if low else 0.0
