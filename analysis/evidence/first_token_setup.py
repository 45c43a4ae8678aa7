"""What a published time to first token was measured on, and the names of the constants that describe it."""

import math
from dataclasses import dataclass

from analysis.errors import DataError
from analysis.evidence.rows import number, text
from analysis.evidence.serving import card_of, needed, noted
from analysis.evidence.serving_kernels import FAMILIES
from analysis.facts.devices import Device, bytes_per_value
from analysis.facts.names import resolved
from analysis.facts.transformers import Transformer, transformer
from analysis.models.transformer_costs import key_value_values

# Constants of this fit: shares of a peak, rates, and times.
HOPPER, H20, AWQ = (f"prefill_{name}_matrix_share" for name in ("hopper", "h20", "awq"))
ATTENTION = {family: f"prefill_{family}_attention_share" for family in ("hopper", "h20")}
SUM_SHARE = "prefill_sum_share"
SHARES = (HOPPER, H20, AWQ, *ATTENTION.values(), SUM_SHARE)
# What a tier gives to one card, and what a load takes before its first byte, by engine.
RATES = {
    ("vLLM", "nfs_ssd"): "load_nfs_ssd",
    ("vLLM", "local_dram"): "load_local_dram",
    ("vLLM", "dram_then_ssd"): "load_dram_then_ssd",
    ("vLLM", "3fs_nvme"): "load_3fs_nvme",
    ("SGLang", "file"): "load_file",
    ("SGLang", "dram_then_ssd"): "load_sglang_dram_then_ssd",
}
# Tokens of a block, of which stores keep whole ones [vllmascend2026docs; sglang2026hicache].
BLOCKS = {"vLLM": 128, "SGLang": 64}
TYPICAL_TIER = {"vLLM": "nfs_ssd", "SGLang": "file"}
NETWORK_SUM, NETWORK_LARGE_SUM = "prefill_network_sum", "prefill_network_large_sum"
NETWORK_LOAD, EXPOSED = "load_between_servers", "load_exposed_layerwise"
# vLLM schedules between steps; SGLang schedules beside them, so that a request waits but the cards do not.
STEP_LAYER, REQUEST = "vllm_prefill_layer", "sglang_request"
# Of each load: SGLang's engine looks up and prefetches, a store of two stages asks both, and ranks share latents.
START = {"vLLM": "load_start_two_stages", "SGLang": "load_start_sglang"}
# Work of so many tokens at the peak, which a step takes while its matrix products fill and drain the cards.
FILL = "prefill_fill"
START_LATENT, HANDOVER, LAUNCH = "load_start_latent", "prefill_handover", "prefill_expert_layer_launch"
UNITS = {
    **dict.fromkeys(SHARES, "fraction"),
    **dict.fromkeys((NETWORK_SUM, NETWORK_LARGE_SUM, *RATES.values(), NETWORK_LOAD, EXPOSED), "GB/s"),
    **dict.fromkeys((STEP_LAYER, REQUEST, *START.values(), START_LATENT, HANDOVER, LAUNCH), "ms"),
    FILL: "tokens",
}
# Units of constants that multiply; shares and rates divide.
MULTIPLY = ("ms", "tokens")
# A sum between servers of more bytes than that goes by another algorithm.
LARGE_SUM_BYTES = 2**25
# Of cards without rows of their own here: constants of the performance core.
OTHER_MATRIX, OTHER_ATTENTION, OTHER_LAYER = "other_matrix_share", "other_attention_share", "other_layer_overhead"
NAMES = (*UNITS, OTHER_MATRIX, OTHER_ATTENTION, OTHER_LAYER)
PLACE = {name: place for place, name in enumerate(NAMES)}
DEFAULT_BUDGET = 8192
# Part of a prompt that most published runs repeat, where a run with a cache does not say.
TYPICAL_HIT = 0.8
# Deployments of which one loaded measurement says what no source states: tokens of a step.
OPEN_BUDGETS = (
    "ucm-nfs-h20-2-qwq32b",
    "ucm-nfs-h20-16-dsv3",
    "ucm-pipeline-h100-4-qwq32b",
    "ucm-pipeline-h100-8-dsr1awq",
    "ucm-3fs-h100-2-qwq32b",
    "ucm-3fs-h100-8-dsr1awq",
    "ucm-sglang-h100-4-qwq32b",
    "ucm-layerwise-h20-4-qwq32b",
)


def budget_name(deployment):
    """Return the name of a deployment's fitted token budget."""
    return f"token_budget_{deployment.replace('-', '_')}"


@dataclass(frozen=True)
class Setup:
    """What one measurement ran on, and what it asked for.

    Attributes
    ----------
    model : Transformer
    card : Device
        One rank; a die where a package holds two.
    matrix_share, attention_share : str
        Names of constants.
    precision : str
        Of the weights.
    sum_ranks : int
        That share the matrices of one instance.
    engine, tier, deployment : str
    layerwise : bool
        The prefix is loaded layer by layer, beside the computation.
    handover : bool
        Other cards decode and receive the cache first.
    cache_bytes : float
        Of one cached token, on one rank.
    prompt_tokens, cached_tokens : int
        Of one request.
    concurrency, requests, output_tokens : int
        Of one instance; 0 output tokens where other cards decode, or where nobody waits for them.
    chunked : bool
    storage_GBps : float
        Of all cards together; infinite where nothing is stated.
    stated_budget : int
        Tokens of a step; 0 where nothing is stated.
    """

    model: Transformer
    card: Device
    matrix_share: str
    attention_share: str
    precision: str
    sum_ranks: int
    engine: str
    tier: str
    layerwise: bool
    handover: bool
    cache_bytes: float
    prompt_tokens: int
    cached_tokens: int
    concurrency: int
    requests: int
    output_tokens: int
    chunked: bool
    storage_GBps: float
    deployment: str
    stated_budget: int


def load_rate(setup):
    """Return the constant that says how fast a card is filled from the setup's tier."""
    if setup.sum_ranks > setup.card.scaleup_domain:
        return NETWORK_LOAD
    return RATES.get((setup.engine, setup.tier), RATES[setup.engine, TYPICAL_TIER[setup.engine]])


def setup_of(row, facts):
    """Return what one row describes, with a note on what was assumed.

    Parameters
    ----------
    row : dict of str to str
        Condition columns.
    facts : Facts

    Returns
    -------
    Setup
    note : str

    Raises
    ------
    DataError
        A name that nobody knows, a blank cell that is needed, or a layout that cannot be.
    """
    notes = []
    if not text(row, "accelerator"):
        raise DataError("column accelerator: blank; no model without it")
    name, _ = resolved(facts, "accelerator", text(row, "accelerator"))
    model_name, alias_precision = resolved(facts, "model", text(row, "model"))
    (card, dies), model = card_of(facts, name), transformer(facts, model_name)
    precision = text(row, "precision").lower().replace("unquantized", "bf16") or alias_precision.lower()
    precision = precision or noted(notes, "precision", _published_precision(facts, model_name))
    ranks, shares = _ranks(row, dies, notes)
    prompt = round(needed(row, "input_tokens", number(row, "input_tokens")))
    hit = number(row, "prefix_hit_fraction")
    tier = text(row, "tier", "none")
    hit = hit if hit is not None else noted(notes, "prefix_hit_fraction", 0.0 if tier == "none" else TYPICAL_HIT)
    concurrency = max(1, math.ceil(number(row, "concurrency", 1) / shares))
    closed = text(row, "arrival") == "closed"
    requests = math.ceil(number(row, "requests", concurrency * shares) / shares) if closed else concurrency
    handover = "PD " in text(row, "system") or "disaggregat" in text(row, "system")
    matrix_share, attention_share = shares_of(card.name, precision)
    if matrix_share == OTHER_MATRIX:
        notes.append(f"{card.name}: shares of the performance core")
    engine = text(row, "engine", "vLLM")
    if engine not in START:
        engine = noted(notes, "engine", "vLLM")
    if tier not in ("hbm", "none") and (engine, tier) not in RATES:
        notes.append(f"tier {tier}: rate typical of other tiers")
    setup = Setup(
        model=model,
        card=card,
        matrix_share=matrix_share,
        attention_share=attention_share,
        precision=precision,
        sum_ranks=ranks,
        engine=engine,
        tier=tier,
        layerwise="layerwise" in text(row, "system").lower(),
        handover=handover,
        cache_bytes=_cache_bytes(model, text(row, "kv_precision", "bf16"), ranks),
        prompt_tokens=prompt,
        cached_tokens=_found_tokens(prompt, hit, BLOCKS[engine] if tier != "hbm" else 1),
        concurrency=concurrency,
        requests=max(requests, concurrency),
        output_tokens=round(number(row, "output_tokens", 0)) if closed and not handover else 0,
        chunked=text(row, "chunked_prefill", "on") != "off",
        storage_GBps=number(row, "storage_GBps", math.inf),
        deployment=text(row, "deployment"),
        stated_budget=round(number(row, "max_batched_tokens", 0)),
    )
    return setup, "assumed: " + ", ".join(notes) if notes else ""


def _found_tokens(prompt, hit, block):
    """Tokens of whole blocks that a cache can give, where at least one token must be computed."""
    return math.floor(min(round(hit * prompt), prompt - 1) / block) * block


def _published_precision(facts, model):
    """The format of the published weights: 8 bits where a checkpoint says so, 16 otherwise."""
    table = facts.table("checkpoints")
    return "fp8" if ((table["model"] == model) & (table["precision"] == "FP8")).any() else "bf16"


def _ranks(row, dies, notes):
    """Ranks of one instance, which share the matrices, and instances that share the requests."""
    data, sums = number(row, "data_parallel", 1), number(row, "tensor_parallel")
    cards = needed(row, "accelerators", number(row, "accelerators", sums and sums * data / dies))
    ranks = cards * dies
    if sums is None:
        sums = noted(notes, "tensor_parallel", ranks / data)
    if sums * data > ranks:
        raise DataError(f"tensor_parallel {sums:g} x data_parallel {data:g}: more than {ranks:g} ranks")
    return round(sums), round(data)


def shares_of(card, precision):
    """Return the constants of matrices and of attention on a card with weights in a format.

    Parameters
    ----------
    card : str
        A name of ``accelerators.csv``.
    precision : str

    Returns
    -------
    matrix, attention : str
        Names of constants; those of other cards where this fit has none of its own.
    """
    family = next((one for one, cards in FAMILIES.items() if card in cards), "")
    attention = ATTENTION.get(family, OTHER_ATTENTION)
    if family == "h20":
        return H20, attention
    if family == "hopper" and precision in ("awq", "w4a16", "int4"):
        return AWQ, attention
    if family == "hopper" and precision in ("bf16", "fp16"):
        return HOPPER, attention
    return OTHER_MATRIX, attention


def _cache_bytes(model, precision, ranks):
    """Bytes of one cached token on one rank; latents are held by all ranks, and heads by as many as there are."""
    sharing = 1 if model.latent_attention else min(ranks, model.key_value_heads)
    return model.layers * key_value_values(model) * bytes_per_value(precision) / sharing
