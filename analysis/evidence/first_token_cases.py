"""Steps of an engine behind a published time to first token, in seconds at unit constants."""

from dataclasses import dataclass, replace

import numpy as np

from analysis.evidence.first_token_setup import (
    EXPOSED,
    FILL,
    HANDOVER,
    LARGE_SUM_BYTES,
    LAUNCH,
    MULTIPLY,
    NAMES,
    NETWORK_LARGE_SUM,
    NETWORK_SUM,
    OTHER_LAYER,
    OTHER_MATRIX,
    PLACE,
    REQUEST,
    START,
    START_LATENT,
    STEP_LAYER,
    SUM_SHARE,
    UNITS,
    load_rate,
)
from analysis.evidence.serving import arithmetic, stored_bytes
from analysis.models.collectives import GIGA, MICRO, Fabrics, all_reduce_s
from analysis.models.first_token import attention_s, matrix_s
from analysis.models.inference import ACTIVATION_BYTES, MILLI, SUMS_A_LAYER
from analysis.models.prefill_queue import schedule
from analysis.models.transformer_costs import parameters


@dataclass(frozen=True, eq=False)
class Counted:
    """Seconds at unit constants.

    Attributes
    ----------
    waiting : ndarray, shape (steps,)
        Part of the requests that wait for each step.
    forms : ndarray, shape (3, steps, len(NAMES))
        A step takes the longest of them: by its work, by its launches, by a load that hides neither.
    request : ndarray, shape (len(NAMES),)
        Besides steps.
    """

    waiting: np.ndarray
    forms: np.ndarray
    request: np.ndarray


def counted(setup, budget):
    """Return a setup's steps under a token budget.

    Parameters
    ----------
    setup : Setup
    budget : int

    Returns
    -------
    tuple of Counted
        Alternatives, the longest of which counts. SGLang asks a store for prefixes one after the other, fetches them
        one after the other, and computes what has arrived, each beside the others [sglang2026hicache]: so the slowest
        of the three sets the pace. vLLM does all of it between its steps.
    """
    loads = setup.cached_tokens > 0 and setup.tier not in ("hbm", "none")
    if not loads or setup.engine != "SGLang":
        return (_counted(setup, budget, loads),)
    asked, fetched = np.zeros((2, len(NAMES)))
    asked[PLACE[START["SGLang"]]] = MILLI
    asked[PLACE[START_LATENT]] = MILLI * setup.model.latent_attention
    fetched[PLACE[load_rate(setup)]] = setup.cached_tokens * setup.cache_bytes / GIGA
    alone, before = replace(setup, concurrency=1, requests=1), (setup.concurrency - 1) / 2
    by_cards = _counted(setup, budget, False, asked + fetched)
    return by_cards, *(_counted(alone, budget, False, asked + fetched + before * pace) for pace in (asked, fetched))


def _counted(setup, budget, loads, besides=0.0):
    plan = schedule(
        setup.prompt_tokens,
        setup.cached_tokens,
        setup.concurrency,
        setup.requests,
        budget,
        setup.output_tokens,
        chunked=setup.chunked,
    )
    forms = _computed(setup, plan)
    if loads:
        forms += _loaded(setup, plan.loads)
    request = np.zeros(len(NAMES)) + besides
    request[PLACE[REQUEST]] += MILLI * (setup.engine == "SGLang")
    request[PLACE[HANDOVER]] += MILLI * setup.handover
    return Counted(plan.waiting, forms, request)


def _computed(setup, plan):
    model, card, ranks = setup.model, setup.card, setup.sum_ranks
    work, launched, always = np.zeros((3, len(plan.tokens), len(NAMES)))
    weight_bytes = parameters(model) * stored_bytes(setup.precision) / ranks
    tflops = card.tflops(arithmetic(setup.precision, card)) * ranks
    work[:, PLACE[setup.matrix_share]] += matrix_s(
        model, plan.tokens, plan.ends, tflops, weight_bytes, card.memory_GBps
    )
    work[:, PLACE[FILL]] += matrix_s(model, 1.0, 0.0, tflops, 0.0, card.memory_GBps)
    pairs, in_16_bit = model.layers * plan.pairs, card.tflops("bf16") * ranks
    work[:, PLACE[setup.attention_share]] += attention_s(model, pairs, plan.looked_back, in_16_bit)
    summed = SUMS_A_LAYER * model.layers * plan.tokens * model.hidden_size * ACTIVATION_BYTES
    if ranks > card.scaleup_domain:
        large = plan.tokens * model.hidden_size * ACTIVATION_BYTES > LARGE_SUM_BYTES
        ring = 2 * (ranks - 1) / ranks * summed / GIGA
        work[:, PLACE[NETWORK_SUM]] += np.where(large, 0.0, ring)
        work[:, PLACE[NETWORK_LARGE_SUM]] += np.where(large, ring, 0.0)
    else:
        at_peak = Fabrics(card.scaleup_GBps, card.scaleout_GBps)
        work[:, PLACE[SUM_SHARE]] += all_reduce_s(summed, ranks, card.scaleup_domain, at_peak)
    launched[:, PLACE[LAUNCH]] += MILLI * model.moe_layers * (model.routed_experts > 0)
    always[:, PLACE[STEP_LAYER]] += MILLI * model.layers * (setup.engine == "vLLM")
    if setup.matrix_share == OTHER_MATRIX:
        work[:, PLACE[OTHER_LAYER]] += MICRO * model.layers
    return np.stack([work, launched, np.zeros_like(work)]) + always


def _loaded(setup, loads):
    """Loads of the requests that begin in a step, before it; layer by layer, most of them beside it."""
    found = np.zeros((3, len(loads), len(NAMES)))
    if setup.tier == "dram_then_ssd" and not setup.layerwise:
        found[:, :, PLACE[START["vLLM"]]] += MILLI * (loads > 0)
    found[:, :, PLACE[START_LATENT]] += MILLI * (loads > 0) * setup.model.latent_attention
    size = loads * setup.cached_tokens * setup.cache_bytes / GIGA
    rate = load_rate(setup)
    if setup.layerwise:
        found[:2, :, PLACE[EXPOSED]] += size
        found[2, :, PLACE[rate]] += size
    else:
        found[:, :, PLACE[rate]] += size
    return found


class Stacked:
    """Counted rows side by side, so that constants can be tried quickly.

    Parameters
    ----------
    rows : sequence of tuple of Counted
        Alternatives of each.
    """

    def __init__(self, rows):
        every = [one for row in rows for one in row]
        self.waiting = np.concatenate([one.waiting for one in every])
        self.forms = np.concatenate([one.forms for one in every], axis=1)
        self.request = np.array([one.request for one in every])
        self.starts = np.cumsum([0, *(len(one.waiting) for one in every[:-1])])
        counts = np.array([len(row) for row in rows])
        last = np.cumsum(counts) - 1
        # Those with fewer alternatives repeat their last one.
        self.places = np.minimum((last - counts + 1)[:, None] + np.arange(counts.max()), last[:, None])

    def features(self, factors):
        """Return seconds at unit constants of the longest alternative, shape (rows, len(NAMES))."""
        longest = np.argmax(self.forms @ factors, axis=0)
        chosen = self.forms[longest, np.arange(len(longest))]
        found = np.add.reduceat(self.waiting[:, None] * chosen, self.starts, axis=0) + self.request
        slowest = np.argmax((found @ factors)[self.places], axis=1)
        return found[self.places[np.arange(len(self.places)), slowest]]


def factors_of(values, others=(1.0, 1.0, 0.0)):
    """Return what seconds at unit constants are multiplied by: times as they are, one over shares and rates.

    Parameters
    ----------
    values : dict of str to float
    others : tuple of float
        Shares of matrices and of attention, and microseconds a layer, of a card without constants of its own here.

    Returns
    -------
    ndarray, shape (len(NAMES),)
    """
    own = [values[name] if unit in MULTIPLY else 1 / values[name] for name, unit in UNITS.items()]
    return np.array([*own, 1 / others[0], 1 / others[1], others[2]])
