"""Inference engines: one rank's part of a model, from names, number formats and layouts."""

from dataclasses import dataclass

from analysis.errors import DataError
from analysis.evidence.exchange_kernels import (
    DIES_A_PACKAGE,
    LIBRARIES,
    exchange_kernel,
    is_ub_card,
    links_of,
)
from analysis.facts.assumptions import assumptions
from analysis.facts.devices import bytes_per_value, device
from analysis.models.collectives import Fabrics
from analysis.models.expert_exchange import Exchange
from analysis.models.rank import Handover, Matrices, Rank
from analysis.models.transformer_costs import (
    attention_parameters,
    expert_parameters,
    feed_forward_parameters,
    key_value_values,
    layers_by_reach,
    moved_values,
    output_parameters,
    pair_flops,
)

# Scales included: one byte for 16 values, or for 32.
STORED = {"fp4": 9 / 16, "nvfp4": 9 / 16, "mxfp4": 17 / 32, "awq": 0.5, "w4a8": 0.5}
# Experts that are held twice, of all: 32 of 256 in the deployments that say so [deepseek2025inference].
REDUNDANT = 1 / 8
REDUNDANT_FROM_RANKS = 32


@dataclass(frozen=True)
class Formats:
    """Number formats of a set of weights and of the cache, and how runs with them are set up.

    Attributes
    ----------
    other, attention, attention_output, experts, cache : str
    block_scaled : bool
        A scale for every block of weights; its own kernels.
    aligned : bool
        Ranks that serve sequences of their own wait for one another before they prefill.
    """

    other: str
    attention: str
    attention_output: str
    experts: str
    cache: str
    block_scaled: bool = False
    aligned: bool = False


@dataclass(frozen=True)
class Layout:
    """How a model is spread over ranks.

    Attributes
    ----------
    expert_ranks, sum_ranks, data_ranks : int
        Over which experts are spread, which share all other matrices, and which serve sequences of their own.
    library, fabric : str
        That hand tokens to experts.
    normal : bool
        By the kernels for many tokens; else by those for low latency.
    """

    expert_ranks: int = 1
    sum_ranks: int = 1
    data_ranks: int = 1
    library: str = "DeepEP"
    fabric: str = ""
    normal: bool = True


def assumed(facts, name):
    """Return the most likely value of one assumption."""
    return assumptions(facts, [name])[0].mode


def card_of(facts, name):
    """Return one rank of an accelerator, a die where a package holds two, and how many of them it has."""
    dies = DIES_A_PACKAGE if is_ub_card(name) else 1
    return device(facts, name, dies=dies), dies


def formats_of(facts, model, precision, cache=""):
    """Return the number formats of a model's weights under a label.

    Parameters
    ----------
    facts : Facts
    model, precision : str
    cache : str
        As a measurement states it; blank where nothing states it.

    Returns
    -------
    Formats
        The label's own format where ``checkpoints.csv`` has no row, and a 16-bit cache where nothing is known.
    """
    label = precision.lower()
    table = facts.table("checkpoints")
    rows = table[(table["model"] == model) & table["precision"].str.lower().isin((label, "any"))]
    if not len(rows):
        return Formats(label, label, label, label, (cache or "bf16").lower())
    row = rows.iloc[0]
    parts = [row[name] for name in ("attention", "attention_output", "experts")]
    return Formats(
        label, *parts, (cache or row["cache"] or "bf16").lower(), row["block_scaled"] == "yes", row["aligned"] == "yes"
    )


def stored_bytes(name):
    """Return the bytes of one weight, scales included."""
    return STORED[name] if name in STORED else bytes_per_value(name)


def arithmetic(name, card):
    """Return the format in which a card multiplies weights of a format."""
    if name not in ("fp4", "nvfp4", "mxfp4"):
        return name
    if "fp4" not in card.peak_tflops:
        return "bf16"
    # Activations of MXFP4 experts are kept in 8 bits, and the product runs at their rate.
    return "fp8" if name == "mxfp4" else "fp4"


def rank_of(facts, shape, card, formats, layout, exchange_values):
    """Return one rank's part of a model.

    Parameters
    ----------
    facts : Facts
    shape : Transformer
    card : Device
        One rank.
    formats : Formats
    layout : Layout
    exchange_values : dict of str to float
        Fitted constants of the libraries that exchange tokens.

    Returns
    -------
    Rank

    Raises
    ------
    DataError
        For a number format that the card cannot multiply.
    """
    sums, widths = layout.sum_ranks, moved_values(shape)
    output = output_parameters(shape)
    slots = expert_slots(shape, layout.expert_ranks) if shape.routed_experts else 0
    expert = expert_parameters(shape) if slots else 0
    # With more ranks than experts, shared experts have ranks of their own where the library sends tokens there too.
    apart = LIBRARIES[layout.library].extra_copies > 0 and layout.expert_ranks > shape.routed_experts
    shared = 0 if apart else shape.shared_experts
    holders = max(layout.expert_ranks, sums) if slots else 1

    def matrices(part, parameters, name, ranks=sums):
        moved = widths.get(part, 0) / ranks
        return Matrices(parameters / ranks, stored_bytes(name), card.tflops(arithmetic(name, card)), moved)

    experts = matrices("experts", shape.moe_layers * slots * expert, formats.experts, holders)
    full, windowed = layers_by_reach(shape)
    cache_ranks = 1 if shape.latent_attention else min(sums, shape.key_value_heads)
    dense = shape.dense_layers * feed_forward_parameters(shape, shape.intermediate_size)
    attention = attention_parameters(shape) - output
    return Rank(
        attention=matrices("attention", shape.layers * attention, formats.attention),
        output=matrices("output", shape.layers * output, formats.attention_output),
        dense=matrices("dense", dense, formats.other),
        shared=matrices("shared", shape.moe_layers * shared * expert, formats.other),
        experts=Matrices(experts.parameters, experts.stored_bytes, experts.tflops, widths["experts"] / sums),
        head=matrices("head", shape.vocabulary * shape.hidden_size, "bf16"),
        layers=shape.layers,
        moe_layers=shape.moe_layers if slots else 0,
        hidden_size=shape.hidden_size,
        expert_slots=slots,
        experts_per_token=shape.experts_per_token,
        pooled_ranks=layout.data_ranks,
        full_layers=full,
        windowed_layers=windowed,
        window=shape.sliding_window,
        cached_bytes=key_value_values(shape) * bytes_per_value(formats.cache) / cache_ranks,
        pair_flops=pair_flops(shape, latent=False) / sums,
        cached_pair_flops=pair_flops(shape, latent=True) / sums,
        # A prompt's latents are unfolded into keys and values of 16 bits; others are multiplied as they are cached.
        prompt_tflops=card.tflops("bf16" if shape.latent_attention else formats.cache),
        cached_tflops=card.tflops(formats.cache),
        memory_GBps=card.memory_GBps,
        handover=_handover(facts, shape, card, formats, layout, exchange_values) if slots else None,
        sum_ranks=sums,
        ranks_per_domain=card.scaleup_domain,
        fabrics=Fabrics(exchange_values["deepep_scaleup_share"] * card.scaleup_GBps, card.scaleout_GBps),
    )


def expert_slots(shape, ranks):
    """Return how many experts all ranks hold, copies of popular ones included."""
    if ranks < REDUNDANT_FROM_RANKS or ranks == shape.routed_experts:
        return shape.routed_experts
    return round(shape.routed_experts * (1 + REDUNDANT))


def _handover(facts, shape, card, formats, layout, values):
    """Dispatch and combine, where experts lie on other ranks than the tokens."""
    if layout.expert_ranks < 2 or layout.data_ranks < 2:
        return None
    library = LIBRARIES[layout.library]
    links = links_of(facts, card, layout.fabric)
    server = links.domain if library.forwards else links.ranks_per_server
    sent = bytes_per_value(arithmetic(formats.experts, card))
    servers = layout.expert_ranks / min(layout.expert_ranks, server)
    # The groups of a token may all lie on different servers, as long as there are as many servers.
    chosen = min(servers, shape.groups_per_token) if shape.groups_per_token else servers
    parts = []
    for combine in (False, True):
        per_value = 2.0 if combine else sent
        scales = library.scale_bytes_per_value if per_value <= 1 else 0.0
        exchange = Exchange(
            tokens=0.0,
            copies=shape.experts_per_token + library.extra_copies,
            bytes_per_copy=shape.hidden_size * (per_value + scales),
            ranks=layout.expert_ranks,
            ranks_per_server=server,
            chosen_servers=chosen,
        )
        how = {"normal": layout.normal, "combine": combine, "quantised": per_value <= 1}
        parts += [exchange, exchange_kernel(library, links, values, **how)]
    return Handover(*parts, forwards=library.forwards and layout.normal)


def needed(row, column, value):
    """Return a number that a prediction needs.

    Raises
    ------
    DataError
        Where it is blank or not above 0.
    """
    if value is None:
        raise DataError(f"column {column}: blank; expected a number above 0")
    if value <= 0:
        raise DataError(f"column {column}: {row[column]}; expected a number above 0")
    return value


def noted(notes, column, value):
    """Return a default, having noted that it was assumed."""
    notes.append(f"{column} {value:g}" if isinstance(value, float | int) else f"{column} {value}")
    return value
