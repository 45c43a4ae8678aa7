"""Time to first token: predictions, and what the fitted constants say of one engine and of one tier."""

from dataclasses import replace

import numpy as np

from analysis.errors import DataError, nearest
from analysis.evidence.calibrate import constants
from analysis.evidence.first_token_cases import Stacked, counted, factors_of
from analysis.evidence.first_token_setup import (
    DEFAULT_BUDGET,
    FILL,
    HANDOVER,
    LAUNCH,
    NETWORK_LARGE_SUM,
    OTHER_MATRIX,
    PLACE,
    RATES,
    REQUEST,
    STEP_LAYER,
    SUM_SHARE,
    budget_name,
    load_rate,
    setup_of,
    shares_of,
)
from analysis.evidence.serving import arithmetic, card_of, stored_bytes
from analysis.evidence.serving_kernels import BLOCK_SCALED, FAMILIES, LAYER_OVERHEAD, MATRIX_SHARES, published_shares
from analysis.facts.names import resolved
from analysis.facts.transformers import transformer
from analysis.models.collectives import GIGA, MICRO, Fabrics, all_reduce_s
from analysis.models.first_token import Prefiller, matrix_s
from analysis.models.inference import ACTIVATION_BYTES, MILLI, SUMS_A_LAYER
from analysis.models.transformer_costs import parameters


def predict_first_token(row, facts, left_out=""):
    """Predict the mean time to first token of a run.

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
        Milliseconds.
    note : str
        What was assumed, or why there is no value.
    """
    values = {name: one.value for name, one in constants(facts, left_out).items()}
    try:
        setup, note = setup_of(row, facts)
        others = other_shares(facts, setup.card.name, setup.precision, values)
    except DataError as error:
        return None, str(error)
    budget = setup.stated_budget or round(values.get(budget_name(setup.deployment), DEFAULT_BUDGET))
    factors = factors_of(values, others)
    # Cards that read from one storage share what it gives.
    rate = PLACE[load_rate(setup)]
    factors[rate] = max(factors[rate], setup.sum_ranks / setup.storage_GBps)
    steps = Stacked([counted(setup, budget)])
    return float(steps.features(factors)[0] @ factors) / MILLI, note


def other_shares(facts, card, precision, values):
    """Return the performance core's constants of a card: shares of matrices and attention, microseconds a layer."""
    family = next((name for name, cards in FAMILIES.items() if card in cards), "")
    typical = float(np.exp(np.mean([np.log(values[name]) for name in MATRIX_SHARES.values()])))
    name = BLOCK_SCALED if family == "hopper" and precision == "fp8" else MATRIX_SHARES.get(family, "")
    overhead = values[LAYER_OVERHEAD] if family == "ascend" else 0.0
    return values.get(name, typical), published_shares(facts)[1], overhead


def prefiller(facts, accelerator, cards, model, precision="", engine="vLLM", *, disaggregated=False):
    """Return what one instance does with a prompt, by the fitted constants.

    Parameters
    ----------
    facts : Facts
    accelerator, model : str
        Any known spelling.
    cards : int
        That share the matrices.
    precision : str
        Of the weights; as the model's spelling says, or 16 bits, where blank.
    engine : str
        "vLLM" or "SGLang".
    disaggregated : bool
        Other cards decode: the cache is handed over before the first token.

    Returns
    -------
    Prefiller

    Raises
    ------
    DataError
        For a name that nobody knows.
    """
    values = {name: one.value for name, one in constants(facts).items()}
    fixed = MILLI * (values[REQUEST] * (engine == "SGLang") + values[HANDOVER] * disaggregated)
    one = prefiller_of(facts, accelerator, cards, model, precision, values)
    own = MILLI * values[STEP_LAYER] * _shape(facts, model).layers if engine == "vLLM" else 0.0
    return replace(one, fixed_s=fixed, step_s=one.step_s + own)


def prefiller_of(facts, accelerator, cards, model, precision, values):
    """Return what cards do with a prompt by given constants, without an engine's own time.

    Parameters
    ----------
    facts, accelerator, cards, model, precision
        As in `prefiller`.
    values : dict of str to float
        Constants; those of the performance core count where this fit has none of a card.

    Returns
    -------
    Prefiller
    """
    name, alias = resolved(facts, "model", model)
    (card, dies), shape = card_of(facts, resolved(facts, "accelerator", accelerator)[0]), transformer(facts, name)
    precision, ranks = (precision or alias or "bf16").lower(), cards * dies
    matrix, attention = shares_of(card.name, precision)
    others = other_shares(facts, card.name, precision, values)
    peak_tflops = card.tflops(arithmetic(precision, card)) * ranks
    fill_s = float(matrix_s(shape, values.get(FILL, 0.0), 0.0, peak_tflops, 0.0, 1.0))
    layer_s = MICRO * others[2] if matrix == OTHER_MATRIX else 0.0
    return Prefiller(
        peak_tflops=peak_tflops,
        utilisation=values.get(matrix, others[0]),
        step_s=layer_s * shape.layers + fill_s,
        attention_tflops=card.tflops("bf16") * ranks * values.get(attention, others[1]),
        communication_s=_sum_s(card, shape, ranks, values),
        launch_s=MILLI * values.get(LAUNCH, 0.0) * shape.moe_layers if shape.routed_experts else 0.0,
        weight_bytes=parameters(shape) * stored_bytes(precision) / ranks,
        memory_GBps=card.memory_GBps,
    )


def _sum_s(card, shape, ranks, values):
    """Sums over the ranks for one token of a long prompt; nothing where nothing was fitted."""
    if ranks < 2 or SUM_SHARE not in values:
        return 0.0
    summed = SUMS_A_LAYER * shape.layers * shape.hidden_size * ACTIVATION_BYTES
    if ranks > card.scaleup_domain:
        return 2 * (ranks - 1) / ranks * summed / (GIGA * values[NETWORK_LARGE_SUM])
    within = Fabrics(values[SUM_SHARE] * card.scaleup_GBps, card.scaleout_GBps)
    return float(all_reduce_s(summed, ranks, card.scaleup_domain, within))


def _shape(facts, model):
    return transformer(facts, resolved(facts, "model", model)[0])


def tier_GBps(facts, tier, engine="vLLM"):
    """Return the rate at which one card is filled from a tier, as fitted.

    Parameters
    ----------
    facts : Facts
    tier : str
        Of ``ttft.csv``: "local_dram", "nfs_ssd", "3fs_nvme", "dram_then_ssd" or "file".
    engine : str

    Returns
    -------
    float

    Raises
    ------
    DataError
        For a tier without a fitted rate.
    """
    if (engine, tier) not in RATES:
        known = [name for one, name in RATES if one == engine]
        raise DataError(f"no fitted rate of tier {tier!r} under {engine}. {nearest(tier, known)}")
    return constants(facts)[RATES[engine, tier]].value
