"""Rows of published training runs as the model sees them: shape, layout, software and card."""

import re
from dataclasses import dataclass, replace

from analysis.errors import DataError
from analysis.evidence.rows import number, text
from analysis.facts.architectures import Architecture, architecture
from analysis.facts.devices import Device, bytes_per_value, device
from analysis.facts.names import resolved
from analysis.facts.transformers import Transformer, transformer
from analysis.models.training_memory import fits, memory_gb
from analysis.models.training_setup import Chip, Layout, Recompute, Software

ITERATION = "iteration_time"
RECOMPUTED = {
    "full": "full",
    "selective": "attention",
    "core_attn": "attention",
    "mla_up_proj": "up_projection",
    "mlp": "feed_forward",
    "moe_act": "activation",
    "layernorm": "norms",
}
GRAPHS = {"none": 0, "transformer_engine": 1, "full_iteration": 2}
# Libraries that send one copy of a token to each rank, or server, concerned.
FORWARDING = ("hybridep", "deepep")
RELEASES = ("26.02", "26.04.01", "26.06")
# Who has that much room neither recomputes nor goes without graphs, which keep buffers of their own.
ROOMY_PART = 0.7
# Head width at which exponentials weigh as much as products, where the tables do not tell it.
TYPICAL_SOFTMAX_WIDTH = 64.0
FULL_PRECISION_BYTES = 4


@dataclass(frozen=True)
class Case:
    """One training run.

    Attributes
    ----------
    shape : Transformer
    layout : Layout
    software : Software
    card : Device
    architecture : Architecture or None
    chip : Chip
    ranks_per_domain : int
    host_GBps : float
        To the host's memory, one way.
    """

    shape: Transformer
    layout: Layout
    software: Software
    card: Device
    architecture: Architecture | None
    chip: Chip
    ranks_per_domain: int
    host_GBps: float


def case_of(row, facts):
    """Return one row as a case, with what was assumed.

    Parameters
    ----------
    row : dict of str to str
        Condition columns of `iteration_time` or `training_throughput`.
    facts : Facts

    Returns
    -------
    Case
    note : str

    Raises
    ------
    DataError
        A name that nobody knows, a blank cell that is needed, or a layout that cannot be.
    """
    notes = []
    card, _ = resolved(facts, "accelerator", _needed(row, "accelerator"))
    model, aliased = resolved(facts, "model", _needed(row, "model"))
    shape = _shape(row, transformer(facts, model))
    # A recipe of scaling may follow the format: FP8-CS.
    precision = re.split(r"[-_ ]", text(row, "precision"))[0] or aliased or _assumed(notes, "precision", "BF16")
    layout = _layout(row, shape, notes)
    found, known = device(facts, card), architecture(facts, card)
    domain = int(number(row, "scaleup_domain", found.scaleup_domain))
    if shape.routed_experts:
        layout = replace(layout, expert=_expert_parallel(row, shape, layout, domain, notes))
    _check(shape, layout)
    software = _software(row, shape, layout, bytes_per_value(precision), notes)
    layout, software = _filled(row, shape, layout, software, found, notes)
    if known is None:
        notes.append(f"{card}: typical rates of other accelerators")
    release = text(row, "software_release")
    if release and release not in RELEASES:
        notes.append(f"release {release}: as {RELEASES[-1]}")
    case = Case(
        shape=shape,
        layout=layout,
        software=software,
        card=found,
        architecture=known,
        chip=chip_of(known),
        ranks_per_domain=domain,
        host_GBps=_host_GBps(facts, card),
    )
    return case, "; ".join(notes)


def chip_of(known):
    """Return what of an architecture decides how much work is wasted; typical where it is not known."""
    return Chip(known.multiprocessors, known.softmax_width) if known else Chip(1, TYPICAL_SOFTMAX_WIDTH)


def _needed(row, column):
    cell = text(row, column)
    if not cell:
        raise DataError(f"column {column}: blank; it is needed")
    return cell


def _assumed(notes, column, value):
    notes.append(f"assumed {column} {value}")
    return value


def _count(row, column, default=None):
    found = number(row, column, default)
    if found is None:
        raise DataError(f"column {column}: blank; it is needed")
    if found < 1 or found != int(found):
        raise DataError(f"column {column}: {text(row, column)}; expected a whole number of 1 or more")
    return int(found)


def _shape(row, shape):
    """The shape of the model, with what the row states otherwise."""
    given = {name: number(row, name) for name in ("layers", "hidden_size", "attention_heads")}
    stated = {name: int(value) for name, value in given.items() if value and int(value) != getattr(shape, name)}
    if "layers" in stated and not shape.routed_experts:
        stated["dense_layers"] = stated["layers"]
    return replace(shape, **stated)


def _layout(row, shape, notes):
    tensor, pipeline = _count(row, "tensor_parallel", 1), _count(row, "pipeline_parallel", 1)
    context, old = _count(row, "context_parallel", 1), row.get("quantity") == ITERATION
    data = number(row, "data_parallel")
    cards = number(row, "accelerators") or (data and tensor * pipeline * context * data)
    if not cards:
        raise DataError("column accelerators: blank; it is needed")
    micro = number(row, "micro_batch") or _assumed(notes, "micro_batch", 1)
    return Layout(
        cards=int(cards),
        sequence_tokens=_count(row, "sequence_tokens"),
        global_batch=_count(row, "global_batch"),
        micro_batch=int(micro),
        tensor=tensor,
        pipeline=pipeline,
        context=context,
        virtual=_count(row, "pipeline_interleaving" if old else "virtual_pipeline", 1) if pipeline > 1 else 1,
        sharded=bool(number(row, "fsdp_shards", 0)),
        # The framework of the older table splits norms and sums over ranks only where it says so.
        sequence_parallel="sequence" in text(row, "recompute") if old else True,
        mtp_layers=int(number(row, "mtp_layers", 0)),
        offloaded_layers=int(number(row, "offloaded_layers", 0)),
    )


def _expert_parallel(row, shape, layout, domain, notes):
    given = number(row, "ep_degree")
    if given:
        return int(given)
    ranks = layout.cards // layout.pipeline
    whole = [n for n in range(1, min(ranks, domain) + 1) if ranks % n == 0 and shape.routed_experts % n == 0]
    return _assumed(notes, "ep_degree", max(whole, default=1))


def _check(shape, layout):
    group = layout.tensor * layout.pipeline * layout.context
    if layout.cards % group:
        raise DataError(f"{layout.cards} cards do not divide into groups of {group} (tensor, pipeline, context)")
    data, ranks = layout.cards // group, layout.cards // layout.pipeline
    if layout.global_batch % (data * layout.micro_batch):
        raise DataError(
            f"a global batch of {layout.global_batch} does not divide over {data} copies of {layout.micro_batch}"
        )
    if shape.attention_heads % layout.tensor:
        raise DataError(f"{shape.attention_heads} heads do not divide over {layout.tensor} ranks")
    if layout.pipeline * layout.virtual > shape.layers + layout.mtp_layers + 2:
        raise DataError(f"{layout.pipeline} x {layout.virtual} pieces of a pipeline for {shape.layers} layers")
    if ranks % layout.expert or shape.routed_experts % layout.expert:
        raise DataError(
            f"{shape.routed_experts} experts over {layout.expert} of {ranks} ranks: neither may leave a remainder"
        )


def _software(row, shape, layout, operand_bytes, notes):
    old = row.get("quantity") == ITERATION
    dispatcher = text(row, "dispatcher").lower()
    if shape.routed_experts and not dispatcher:
        dispatcher = _assumed(notes, "dispatcher", "alltoall")
    if old:
        return Software(
            operand_bytes, fused_attention=False, pipeline_overlap=False, gradient_bytes=FULL_PRECISION_BYTES
        )
    return Software(
        operand_bytes,
        forwards=dispatcher in FORWARDING,
        exchange_overlap=text(row, "alltoall_overlap").lower() == "yes",
        # Products in pieces beside their collectives: for dense models, and not in four bits.
        tensor_overlap=layout.tensor > 1 and not shape.routed_experts and operand_bytes >= 1,
    )


def _filled(row, shape, layout, software, card, notes):
    """Layout and software with what is recomputed and captured in graphs; where blank, by the room that is left."""
    words = [word for word in re.split(r"[+,;\s]+", text(row, "recompute").lower()) if word]
    asked = {RECOMPUTED[word]: True for word in words if word in RECOMPUTED}
    roomy = bool(memory_gb(shape, layout, software) <= ROOMY_PART * card.memory_gb)
    if words:
        layout = replace(layout, recompute=Recompute(**asked))
    else:
        layout = replace(layout, recompute=_least_recompute(shape, layout, software, card, roomy, notes))
    graphs = text(row, "cuda_graph").lower()
    if graphs not in GRAPHS and row.get("quantity") != ITERATION:
        graphs = "transformer_engine" if roomy and shape.routed_experts else "none"
        _assumed(notes, "cuda_graph", graphs)
    return layout, replace(software, graphs=GRAPHS.get(graphs, 0))


def _least_recompute(shape, layout, software, card, roomy, notes):
    light = Recompute(activation=True, norms=True) if shape.routed_experts else Recompute(norms=True)
    named = {"none": Recompute()} if roomy else {}
    named |= {"layernorm and activation" if shape.routed_experts else "layernorm": light, "full": Recompute(full=True)}
    for name, one in named.items():
        if name == "full" or fits(shape, replace(layout, recompute=one), software, card.memory_gb):
            _assumed(notes, "recompute", name)
            return one
    return light


def _host_GBps(facts, card):
    table = facts.table("accelerators").set_index("name")["host_bus_GBps_bidirectional"]
    both = float(table[card])
    return both / 2 if both == both else float("inf")
