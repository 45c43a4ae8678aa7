"""What a real job gets: tokens a second and card of DeepSeek, from the performance models that are at hand."""

import math

import numpy as np

from analysis.evidence.errors import scored, spread
from analysis.evidence.quantities import QUANTITIES
from analysis.facts.assumptions import assumptions
from analysis.facts.systems import SERVER
from analysis.facts.transformers import transformer
from analysis.judgement.case import ModelError
from analysis.models.transformer_costs import expert_parameters, key_value_bytes, parameters
from analysis.subjects.supernode.metrics import METRICS, cards_of, domain_size

SERVED, TRAINED = "DeepSeek-R1", "DeepSeek-V3"
# Both sides alike: as the published sweep of the supernode has it [zuo2025cloudmatrix384].
DRAFTS, ACCEPTANCE = 1, 0.7
PREFILL_TOKENS, PREFILL_RANKS, MOST_RANKS, SERVER_RANKS = 16384, 32, 320, 72
MILLI, GIGA = 1e-3, 1e9
EIGHT_BIT_BYTES, CACHE_BYTES = 1, 2
# A layout that fits on every card of the comparison, of a published run [nvidia2026bridgeperformance].
TRAINING = {
    "accelerators": 256,
    "sequence_tokens": 4096,
    "global_batch": 4096,
    "micro_batch": 1,
    "tensor_parallel": 1,
    "pipeline_parallel": 8,
    "context_parallel": 1,
    "virtual_pipeline": 4,
    "ep_degree": 32,
    "mtp_layers": 1,
    "routing": "balanced",
    "recompute": "mla_up_proj",
    "dispatcher": "hybridep",
    "alltoall_overlap": "yes",
}


def modelled(name):
    """Return the metric's predict function, or None while no model covers it."""
    quantity = QUANTITIES.get(METRICS[name].job)
    return quantity.predict if quantity else None


def job_rate(facts, settings, name, system, left_out=""):
    """Return the tokens a second and card that a job gets on a system.

    Parameters
    ----------
    facts : Facts
    settings : dict
        `cards`, `tpot_limit_ms` and `context_tokens` are used.
    name : str
        A metric with a job.
    system : System
    left_out : str
        A source whose measurements the fitted constants do without.

    Returns
    -------
    rate : float or None
        None where no model covers the job, or the job does not fit.
    note : str
        What was assumed, or why there is no rate.
    """
    used = tuple(settings[one] for one in ("cards", "tpot_limit_ms", "context_tokens"))
    key = ("supernode job", name, system.name, left_out, *used)
    if key not in facts.derived:
        predict = modelled(name)
        if predict is None:
            facts.derived[key] = None, f"no model covers {METRICS[name].job} yet"
        else:
            extra = (left_out,) if left_out else ()
            ask = {"prefill": _prefill, "decode": _decode, "training": _training}[name]
            facts.derived[key] = ask(facts, settings, system, lambda row: predict(_cells(row), facts, *extra))
    return facts.derived[key]


def _cells(row):
    return {name: str(value) for name, value in row.items()}


def _prefill(facts, settings, system, predict):
    ranks = min(PREFILL_RANKS, expert_ranks(settings, system))
    if not memory_batch(facts, settings, system, ranks):
        return None, f"{SERVED} does not fit into {ranks} devices of {system.name}"
    row = _serving(system, "prefill_throughput", ranks)
    tokens = max(PREFILL_TOKENS, settings["context_tokens"])
    return predict(row | {"batch_tokens": tokens, "input_tokens": settings["context_tokens"]})


def _serving(system, quantity, ranks):
    return {
        "quantity": quantity,
        "accelerator": system.card.name,
        "model": SERVED,
        "precision": "FP8" if "fp8_dense_tflops" in system.card.cells else "INT8",
        "ep_degree": ranks,
        "accelerators": math.ceil(ranks / system.devices),
        "routing": "default",
    }


def expert_ranks(settings, system):
    """Return over how many devices experts are spread for decoding: the scale-up domain, up to one expert each.

    Servers of eight spread them over several by InfiniBand, as published runs do [lmsys2025largescaleep].
    """
    if system.kind == SERVER:
        return SERVER_RANKS
    return int(min(domain_size(system, cards_of(settings, system)) * system.devices, MOST_RANKS))


def memory_batch(facts, settings, system, ranks):
    """Return how many sequences of one card the memory left by the weights can cache.

    Parameters
    ----------
    facts : Facts
    settings : dict
    system : System
    ranks : int
        Devices over which experts are spread.

    Returns
    -------
    int
        Experts are spread over the ranks, everything else is held by each device.
    """
    shape = transformer(facts, SERVED)
    (share,) = assumptions(facts, ("cache_memory_share",))
    experts = shape.moe_layers * shape.routed_experts * expert_parameters(shape)
    held = parameters(shape) - experts + experts / ranks
    room = system.card.cells["hbm_gb"].low * GIGA - system.devices * held * EIGHT_BIT_BYTES
    return max(int(share.mode * room // float(key_value_bytes(shape, settings["context_tokens"], CACHE_BYTES))), 0)


def _decode(facts, settings, system, predict):
    ranks = expert_ranks(settings, system)
    row = _serving(system, "decode_throughput", ranks)
    row |= {"kv_tokens": settings["context_tokens"], "speculative_tokens": DRAFTS, "acceptance": ACCEPTANCE}
    row |= {"micro_batches": 2}

    def answer(batch):
        return predict(row | {"batch_per_accelerator": batch})

    def in_time(batch):
        rate, _ = answer(batch)
        return rate is not None and batch / rate <= MILLI * settings["tpot_limit_ms"]

    least, most = system.devices, memory_batch(facts, settings, system, ranks)
    if most < least:
        return None, f"the weights of {SERVED} leave no room for a cache on {system.name}"
    if not in_time(least):
        rate, note = answer(least)
        told = f"not even {least} sequences keep {settings['tpot_limit_ms']:g} ms a token on {system.name}"
        return None, note if rate is None else told
    while least < most:
        middle = (least + most + 1) // 2
        least, most = (middle, most) if in_time(middle) else (least, middle - 1)
    rate, note = answer(least)
    return rate, "; ".join(filter(None, (f"{least} sequences a card", note)))


def _training(facts, settings, system, predict):
    card = system.card
    precision = "FP8" if "fp8_dense_tflops" in card.cells else "BF16"
    return predict(
        {"quantity": "training_throughput", "accelerator": card.name, "model": TRAINED, "precision": precision}
        | TRAINING
    )


def job_sources(facts, names, role):
    """Return the citation keys of the measurements of one role behind some jobs, sorted."""
    wanted = {METRICS[name].job for name in names}
    tables = ("prefill", "decode", "training_throughput")
    rows = [row for table in tables for row in facts.table(table).to_dict("records")]
    found = [row["source"] for row in rows if row["quantity"] in wanted and row["role"] == role]
    return tuple(sorted({key for cell in found for key in cell.split(";")}))


def ratio_error(facts, names):
    """Return the models' own error on a ratio of two rates of one job, from rows that were not fitted.

    Parameters
    ----------
    facts : Facts
    names : sequence of str
        Metrics with a job that a model covers.

    Returns
    -------
    ModelError or None
        Of each job over all ordered pairs of predicted `validate` rows, and of the jobs the widest; None where there
        is no pair.
    """
    wanted = tuple(METRICS[name].job for name in names)
    key = ("supernode job errors", wanted)
    if key not in facts.derived:
        bands = [band for band in job_errors(facts, names).values() if band]
        widest = (min(band[0] for band in bands), max(band[1] for band in bands)) if bands else None
        facts.derived[key] = ModelError(*widest) if widest else None
    return facts.derived[key]


def job_errors(facts, names):
    """Return the error of a ratio of two rates, by job.

    Parameters
    ----------
    facts : Facts
    names : sequence of str

    Returns
    -------
    dict of str to tuple or None
        5th and 95th percentile, and how many runs stand behind them; None where fewer than two runs that were not
        fitted are predicted.
    """
    found = {}
    for name in names:
        rows = scored(facts, (METRICS[name].job,), roles=("validate",))
        factor = 1 + rows.loc[rows["predicted"].notna(), "error"].to_numpy(dtype=float)
        ratios = (factor[:, None] / factor[None, :] - 1)[~np.eye(len(factor), dtype=bool)]
        found[name] = (*spread(ratios), len(factor)) if len(ratios) else None
    return found
