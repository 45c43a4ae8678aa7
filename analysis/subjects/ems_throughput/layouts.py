"""What is served: models on dies of the supernode, spread thinly or widely, so that much or little memory is left."""

from dataclasses import dataclass
from itertools import product

import numpy as np

from analysis.errors import DataError
from analysis.evidence.calibrate import constants
from analysis.evidence.serving import Layout, card_of, formats_of, rank_of
from analysis.evidence.serving_kernels import kernels_of, published_shares, reached
from analysis.facts.assumptions import assumptions
from analysis.facts.hardware import accelerators
from analysis.facts.transformers import transformer
from analysis.models.batching import GIB
from analysis.models.collectives import GIGA
from analysis.models.inference import ACTIVATION_BYTES, Reached, step_work
from analysis.models.rank import Batch, Rank

MODELS = ("DeepSeek-R1", "Pangu Ultra MoE 718B", "Qwen3-235B-A22B", "Llama-3 70B", "Llama-3.1 405B")
CARD, PRECISION, LIBRARY, FABRIC = "Ascend 910C", "INT8", "CANN EP", "UB"
SPREADS = (1, 2, 4)
MEMORY = ("cache_memory_share", "working_memory_gb")
MOST_RANKS = 512


@dataclass(frozen=True)
class Side:
    """A model on so many ranks, as a multiple of the fewest (a power of two) that hold its weights."""

    model: str
    spread: int


@dataclass(frozen=True, eq=False)
class Placed:
    """One rank of a model with its costs.

    Attributes
    ----------
    shape : Transformer
    rank : Rank
    rates : Reached
    ranks : int
    ranks_a_card : int
    memory_bytes, working_part : float
        Of one rank; and the part of a card's working memory that falls on it.
    token_bytes, token_s, token_flops : float
        Of one cached token in all layers: its bytes, the time to attend to it, and the operations.
    exchanged_bytes : float
        Of one sequence and step, where attention runs elsewhere.
    """

    shape: object
    rank: Rank
    rates: Reached
    ranks: int
    ranks_a_card: int
    memory_bytes: float
    working_part: float
    token_bytes: float
    token_s: float
    token_flops: float
    exchanged_bytes: float

    def free_bytes(self, cache_memory_share, working_memory_gb):
        """Return what weights and working memory leave for the cache."""
        left = self.memory_bytes - self.rank.weight_bytes - self.working_part * GIGA * working_memory_gb
        return np.maximum(left, 0) * cache_memory_share


def exchanged_values(shape):
    """Return the values that go out and come back for one sequence when attention runs elsewhere, in all layers.

    Parameters
    ----------
    shape : Transformer

    Returns
    -------
    int
        Queries, the new key and value (or latent), and the result; of latent attention all in the latent's space.
    """
    heads = shape.attention_heads
    if shape.latent_attention:
        latent = shape.kv_lora_rank + shape.qk_rope_head_dim
        return shape.layers * (heads * latent + latent + heads * shape.kv_lora_rank)
    return shape.layers * 2 * (heads + shape.key_value_heads) * shape.head_dim


def one_reached(kernels, values, published):
    """Return what one set of kernels reaches, in numbers; see `analysis.evidence.serving_kernels.reached`."""
    rates = reached([kernels], values, published)
    return Reached(**{name: float(np.squeeze(getattr(rates, name))) for name in Reached.__dataclass_fields__})


def rank_costs(shape, card, rank, rates, ranks, dies, sums):
    """Return a rank with its costs; `sums` ranks share the matrices."""
    one = step_work(rank, Batch(sequences=1.0, cached_tokens=1.0))
    token_s = np.maximum(one.cache_read_s / rates.memory_share, one.cache_compute_s / rates.attention_share)
    return Placed(
        shape,
        rank,
        rates,
        ranks,
        dies,
        card.memory_gb * GIB,
        1 / dies,
        shape.layers * rank.cached_bytes,
        float(np.squeeze(token_s)),
        shape.layers * rank.cached_pair_flops,
        ACTIVATION_BYTES * exchanged_values(shape) / sums,
    )


def layout_of(shape, ranks):
    """Return how a model is spread: experts over all ranks, or matrices where there are none."""
    if shape.routed_experts:
        return Layout(ranks, 1, ranks, LIBRARY, FABRIC, normal=False)
    return Layout(1, ranks, 1, LIBRARY, FABRIC, normal=False)


def made(facts, model, ranks):
    """Return one rank of a model on so many dies."""
    key = ("ems throughput made", model, ranks)
    if key not in facts.derived:
        shape, (card, dies) = transformer(facts, model), card_of(facts, CARD)
        values = {name: one.value for name, one in constants(facts).items()}
        formats, layout = formats_of(facts, model, PRECISION), layout_of(shape, ranks)
        rank = rank_of(facts, shape, card, formats, layout, values)
        kernels, _ = kernels_of(card, formats, layout, rank.handover, balanced=False)
        rates = one_reached(kernels, values, published_shares(facts))
        facts.derived[key] = rank_costs(shape, card, rank, rates, ranks, dies, layout.sum_ranks)
    return facts.derived[key]


def fewest_ranks(facts, model):
    """Return the smallest power of two of dies that holds a model's weights and the engine's working memory.

    Raises
    ------
    DataError
        Where no number of dies up to `MOST_RANKS` does.
    """
    modes = [one.mode for one in assumptions(facts, MEMORY)]
    ranks = 1
    while ranks <= MOST_RANKS:
        if made(facts, model, ranks).free_bytes(*modes) > 0:
            return ranks
        ranks *= 2
    raise DataError(f"{model}: its weights do not fit on {MOST_RANKS} dies of {CARD}")


def placed(facts, side):
    """Return one rank of a side with its costs."""
    key = ("ems throughput placed", side)
    if key not in facts.derived:
        facts.derived[key] = made(facts, side.model, side.spread * fewest_ranks(facts, side.model))
    return facts.derived[key]


def chosen(settings, name, accepted):
    """Return the words of a comma-separated setting, or all of them."""
    words = [word.strip() for word in settings[name].split(",")]
    return tuple(word for word in accepted if "all" in words or str(word) in words)


def sides(facts, settings):
    """Return every side of the settings; a model is never spread over more ranks than it has experts."""
    listed = [Side(*one) for one in product(chosen(settings, "served", MODELS), SPREADS)]
    return [
        one for one in listed if placed(facts, one).ranks <= (placed(facts, one).shape.routed_experts or MOST_RANKS)
    ]


def free_share(facts, side):
    """Return the share of a rank's memory that is left for the cache, at the modes."""
    modes = [one.mode for one in assumptions(facts, MEMORY)]
    one = placed(facts, side)
    return float(one.free_bytes(*modes) / one.memory_bytes)


def card_sources(facts):
    """Return the citation keys of the card."""
    return next(one.sources for one in accelerators(facts) if one.name == CARD)
