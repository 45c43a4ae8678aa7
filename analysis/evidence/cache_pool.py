"""What a pool of cached prefixes gave to prefill on the supernode: throughput, and time to first token."""

from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.errors import DataError, nearest
from analysis.evidence.calibrate import Fit, constants
from analysis.evidence.first_token import prefiller_of
from analysis.evidence.inference_fit import INFERENCE
from analysis.evidence.rows import number, text
from analysis.evidence.serving import needed, noted
from analysis.facts.names import resolved
from analysis.facts.transformers import transformer
from analysis.facts.units import PER_CENT
from analysis.models.collectives import GIGA
from analysis.models.first_token import load_s, prefill_s

TABLE, GAIN = "cache_pool", "prefill_throughput_gain"
SHOWN = "load_shown_ub_pool"
# What joins a package to the pool; the rate that a row shows is less, as software and waiting count.
LINKS = {"ub_pool": "UB plane, share of the CPU ports", "vpc_pool": "VPC plane"}
DEFAULT_PROMPT = 4096
BOUND_GBps = 0.01


def sides_s(row, facts, values):
    """Return the time of a prompt without and with the cached part computed, and the bytes that are loaded.

    Parameters
    ----------
    row : dict of str to str
        Condition columns.
    facts : Facts
    values : dict of str to float
        Constants of the performance core.

    Returns
    -------
    recomputed_s, computed_s, loaded_GB, link_GBps : float
        Of one package.
    note : str

    Raises
    ------
    DataError
        For a name that nobody knows, or a blank cell that is needed.
    """
    notes = []
    accelerator, _ = resolved(facts, "accelerator", text(row, "accelerator"))
    name, alias = resolved(facts, "model", text(row, "model"))
    model, precision = transformer(facts, name), text(row, "precision") or alias
    prompt = number(row, "input_tokens") or noted(notes, "input_tokens", DEFAULT_PROMPT)
    hit = number(row, "prefix_hit_fraction")
    cached = min(needed(row, "prefix_hit_fraction", hit) * prompt, prompt - 1)
    tier = text(row, "tier") or noted(notes, "tier", "ub_pool")
    if tier not in LINKS:
        raise DataError(f"no link to tier {tier!r}. {nearest(tier, LINKS)}")
    # Each die computes prompts of its own, and one step takes many of them, so that nothing else counts.
    one = replace(prefiller_of(facts, accelerator, 1, name, precision, values), communication_s=0, weight_bytes=0)
    one = replace(one, fixed_s=0, step_s=0, launch_s=0)
    whole, part = prefill_s(model, one, np.array([prompt, prompt - cached]), prompt)
    fabrics = facts.table("fabrics").set_index("name")
    link = float(fabrics.loc[LINKS[tier], "bandwidth_GBps_one_way_per_accelerator"])
    loaded = float(load_s(model, cached, 1.0))
    return float(whole), float(part), loaded, link, "assumed: " + ", ".join(notes) if notes else ""


def _core(facts):
    """Constants of the performance core, fitted first; this one builds on them."""
    if "inference_values" not in facts.derived:
        facts.derived["inference_values"] = INFERENCE.solve(INFERENCE.rows(facts))
    return facts.derived["inference_values"]


def _rows(facts):
    table = facts.table(TABLE)
    table = table[(table["role"] == "calibrate") & (table["quantity"] == GAIN)]
    found = []
    for row in table.to_dict("records"):
        *sides, _ = sides_s({name: str(cell) for name, cell in row.items()}, facts, _core(facts))
        found.append({"source": row["source"], "value": row["value"], "sides": tuple(sides)})
    return pd.DataFrame(found, columns=["source", "value", "sides"])


def _shown_GBps(sides, gain):
    """The rate beside that of the link at which the load explains a gain; no more than physics allows."""
    whole, part, loaded, link = sides
    shown_s = max(whole / gain - part - loaded / link, 0.0)
    return max(loaded / shown_s, BOUND_GBps) if shown_s else GIGA


def _solve(rows):
    rates = [_shown_GBps(sides, gain) for sides, gain in zip(rows["sides"], rows["value"], strict=True)]
    return {SHOWN: float(np.exp(np.mean(np.log(rates))))}


def _gain(sides, rate):
    whole, part, loaded, link = sides
    return whole / (part + loaded / rate + loaded / link)


def _errors(rows, values):
    return np.array([_gain(sides, values[SHOWN]) for sides in rows["sides"]]) / rows["value"].to_numpy() - 1


CACHE_POOL = Fit(
    tables=(TABLE,),
    units={SHOWN: "GB/s"},
    rows=_rows,
    solve=_solve,
    errors=_errors,
    informs=lambda rows: {SHOWN: np.ones(len(rows), dtype=bool)},
)


def predict_cache_pool(row, facts, left_out=""):
    """Predict how many times the prefill throughput, or how many per cent less time to first token, a pool gives.

    Parameters
    ----------
    row : dict of str to str
        Condition columns.
    facts : Facts
    left_out : str
        A source whose measurements the constants do without.

    Returns
    -------
    value : float or None
    note : str
        What was assumed, or why there is no value.
    """
    values = {name: one.value for name, one in constants(facts, left_out).items()}
    try:
        *sides, note = sides_s(row, facts, values)
    except DataError as error:
        return None, str(error)
    gain = _gain(sides, values[SHOWN])
    return (gain, note) if row["quantity"] == GAIN else (PER_CENT * (1 - 1 / gain), note)
