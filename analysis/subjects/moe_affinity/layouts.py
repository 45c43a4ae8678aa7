"""What is compared: experts of one model spread over few ranks or over as many ranks as there are experts."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from analysis.evidence.calibrate import constants
from analysis.evidence.serving import REDUNDANT, Layout, card_of, formats_of, rank_of
from analysis.evidence.serving_kernels import kernels_of, published_shares, reached
from analysis.facts.hardware import accelerators
from analysis.facts.transformers import transformer
from analysis.judgement.case import Options
from analysis.models.batching import GIB
from analysis.models.collectives import GIGA
from analysis.models.rank import Rank
from analysis.models.transformer_costs import expert_parameters

MODELS = ("DeepSeek-R1", "Kimi-K2", "Pangu Ultra MoE 718B", "Qwen3-235B-A22B")
WITH, WITHOUT = SPARES = ("with", "without")
MANY_RANKS = (8, 16, 32, 64, 128)
LEAST_EXPERTS = 2


@dataclass(frozen=True)
class System:
    """Cards, and what joins the servers that hold eight of them.

    Attributes
    ----------
    card : str
        A name of ``accelerators.csv``.
    fabric : str
        UB joins servers as it joins the cards inside; the others are networks.
    library : str
        Whose constants the exchange of tokens has.
    precision : str
    """

    card: str
    fabric: str
    library: str
    precision: str


SYSTEMS = {
    "910C UB": System("Ascend 910C", "UB", "CANN EP", "INT8"),
    # No exchange over the RoCE network of these cards is published: the kernels of UB with the bandwidth of RoCE.
    "910C RoCE": System("Ascend 910C", "RoCE", "CANN EP", "INT8"),
    "H800 InfiniBand": System("H800 SXM", "InfiniBand", "DeepEP", "FP8"),
    "H200 InfiniBand": System("H200 SXM", "InfiniBand", "DeepEP", "FP8"),
}


@dataclass(frozen=True)
class Side:
    """One way to spread a model.

    Attributes
    ----------
    model, system, spares : str
        `spares`: with or without copies of popular experts.
    ranks : int
        Degree of expert parallelism.
    """

    model: str
    system: str
    spares: str
    ranks: int

    def slots(self, shape):
        """Return the places for experts on all ranks together, as many on each."""
        wanted = shape.routed_experts * (1 + REDUNDANT) if self.spares == WITH else shape.routed_experts
        return self.ranks * int(np.ceil(wanted / self.ranks))


@dataclass(frozen=True, eq=False)
class Placed:
    """A side with its costs.

    Attributes
    ----------
    side : Side
    shape : Transformer
    rank : Rank
    rates : Reached
        With the loads of ranks as uneven as in measured deployments.
    memory_bytes, cached_token_bytes : float
        Of one rank; and what one token takes of it.
    working_part : float
        Part of a card's working memory that falls on one rank.
    ranks_a_card : int
    """

    side: Side
    shape: object
    rank: Rank
    rates: object
    memory_bytes: float
    cached_token_bytes: float
    working_part: float
    ranks_a_card: int

    def sequences(self, cached_tokens, cache_memory_share, working_memory_gb):
        """Return how many sequences of a length the memory left by the weights holds."""
        left = self.memory_bytes - self.rank.weight_bytes - self.working_part * GIGA * working_memory_gb
        return np.maximum(left, 0) * cache_memory_share / (self.cached_token_bytes * cached_tokens)


def one_expert_ranks(shape, spares):
    """Return the degree at which every rank holds one expert, or one copy."""
    return round(shape.routed_experts * (1 + REDUNDANT)) if spares == WITH else shape.routed_experts


def placed(facts, side):
    """Return a side with its costs.

    Parameters
    ----------
    facts : Facts
    side : Side

    Returns
    -------
    Placed
        Each rank serves sequences of its own and holds the shared expert, if there is one.
    """
    key = ("moe affinity placed", side)
    if key not in facts.derived:
        system, shape = SYSTEMS[side.system], transformer(facts, side.model)
        card, dies = card_of(facts, system.card)
        values = {name: one.value for name, one in constants(facts).items()}
        formats = formats_of(facts, side.model, system.precision)

        def part(ranks):
            layout = Layout(ranks, 1, ranks, system.library, system.fabric, normal=False)
            return layout, rank_of(facts, shape, card, formats, layout, values)

        layout, rank = part(side.ranks)
        slots = side.slots(shape)
        held = shape.moe_layers * slots * expert_parameters(shape) / side.ranks
        rank = replace(
            rank,
            expert_slots=slots,
            experts=replace(rank.experts, parameters=held),
            shared=part(min(side.ranks, shape.routed_experts))[1].shared,
        )
        kernels, _ = kernels_of(card, formats, layout, rank.handover, balanced=False)
        facts.derived[key] = Placed(
            side,
            shape,
            rank,
            reached([kernels], values, published_shares(facts)),
            card.memory_gb * GIB,
            shape.layers * rank.cached_bytes,
            1 / dies,
            dies,
        )
    return facts.derived[key]


def chosen(settings, name, accepted):
    """Return the words of a comma-separated setting, or all of them."""
    words = [word.strip() for word in settings[name].split(",")]
    return tuple(word for word in accepted if "all" in words or str(word) in words)


def pairs(facts, settings, least_sequences):
    """Return every comparison: many experts a rank, and one.

    Parameters
    ----------
    facts : Facts
    settings : dict
        `model`, `system`, `spares` and `many_ranks` are used.
    least_sequences : callable
        ``least_sequences(placed)`` gives the sequences that fit on a rank at worst.

    Returns
    -------
    list of (Side, Side)
        Without those whose weights leave no room for a sequence.
    """
    found = []
    names = (("model", MODELS), ("system", SYSTEMS), ("spares", SPARES), ("many_ranks", MANY_RANKS))
    for model, system, spares, ranks in product(*(chosen(settings, *one) for one in names)):
        shape = transformer(facts, model)
        one = Side(model, system, spares, one_expert_ranks(shape, spares))
        many = replace(one, ranks=ranks)
        enough = shape.routed_experts >= LEAST_EXPERTS * ranks
        if enough and all(least_sequences(placed(facts, side)) >= 1 for side in (many, one)):
            found.append((many, one))
    return found


def options_of(facts, compared):
    """Return comparisons as options.

    Parameters
    ----------
    facts : Facts
    compared : list of (Side, Side)

    Returns
    -------
    Options
        Columns many and one hold positions in ``sides(compared)``.
    """
    listed, cards = sides(compared), {one.name: one for one in accelerators(facts)}
    place = {side: number for number, side in enumerate(listed)}
    words = {
        "model": [many.model for many, _ in compared],
        "system": [many.system for many, _ in compared],
        "fabric": [SYSTEMS[many.system].fabric for many, _ in compared],
        "spares": [many.spares for many, _ in compared],
    }
    numbers = {
        "many_ranks": [many.ranks for many, _ in compared],
        "many": [place[many] for many, _ in compared],
        "one": [place[one] for _, one in compared],
    }
    columns = {name: np.array(cells, dtype=object) for name, cells in words.items()}
    return Options(
        columns | {name: np.array(cells, dtype=int) for name, cells in numbers.items()},
        choices=("model", "system", "spares", "many_ranks"),
        categories=("fabric", "spares"),
        ordered={"many_ranks": (float(min(MANY_RANKS)), float(max(MANY_RANKS)), "ranks")},
        rows=("model",),
        sources=tuple(
            (transformer(facts, many.model).sources, cards[SYSTEMS[many.system].card].sources) for many, _ in compared
        ),
    )


def sides(compared):
    """Return every side of some comparisons once, in order of appearance."""
    return list(dict.fromkeys(side for pair in compared for side in pair))
