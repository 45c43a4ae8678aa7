"""The best layout of a training step: every feasible one at once, by the same step time as all predictions."""

from dataclasses import dataclass, fields, is_dataclass, replace

import numpy as np

from analysis.errors import ParameterError
from analysis.facts.transformers import Transformer
from analysis.models.training import Step, training_step
from analysis.models.training_memory import fits, memory_gb
from analysis.models.training_setup import Layout, Recompute, Software
from analysis.models.training_times import Machine

# What a search tries; every degree also has to divide what it splits.
TENSOR = (1, 2, 4, 8, 16)
CONTEXT = (1, 2, 4, 8)
VIRTUAL = (1, 2, 3, 4, 5, 6, 8, 12)
MICRO_BATCH = (1, 2, 4, 8)
# Nothing, the cheap part, everything: whether norms and activations, and whether whole layers are computed again.
RECOMPUTE = ((False, False), (True, False), (False, True))


@dataclass(frozen=True)
class Choice:
    """The fastest layout that fits.

    Attributes
    ----------
    layout : Layout
    step : Step
        Of numbers.
    memory_gb : float
        On its fullest card.
    candidates, feasible : int
        Layouts tried, and those among them that fit into memory.
    """

    layout: Layout
    step: Step
    memory_gb: float
    candidates: int
    feasible: int


def candidate_layouts(shape: Transformer, *, cards, sequence_tokens, global_batch, mtp_layers=0):
    """Return every layout that divides without remainder, as one `Layout` of arrays.

    Parameters
    ----------
    shape : Transformer
    cards, sequence_tokens, global_batch : int
    mtp_layers : int

    Returns
    -------
    Layout
        Of arrays of one length, each entry one layout.
    """
    degrees = [n for n in range(1, cards + 1) if cards % n == 0]
    experts = [n for n in degrees if shape.routed_experts % n == 0] if shape.routed_experts else [1]
    pipeline = [n for n in degrees if n <= shape.layers]
    micro = [n for n in MICRO_BATCH if global_batch % n == 0]
    tensor, pipeline, context, expert, virtual, micro = (
        grid.ravel() for grid in np.meshgrid(TENSOR, pipeline, CONTEXT, experts, VIRTUAL, micro, indexing="ij")
    )
    group = tensor * pipeline * context
    possible = (
        (cards % group == 0) & (shape.attention_heads % tensor == 0) & (sequence_tokens % (tensor * context) == 0)
    )
    data = np.maximum(cards // group, 1)
    possible &= (global_batch % (data * micro) == 0) & (cards // pipeline % expert == 0)
    rounds = global_batch // (data * micro)
    interleaved = (pipeline > 1) & (rounds % pipeline == 0)
    possible &= (virtual == 1) | (interleaved & (pipeline * virtual <= shape.layers + mtp_layers + 2))
    light, full = (np.array(one) for one in zip(*RECOMPUTE, strict=True))
    split = (tensor, pipeline, context, expert, virtual, micro)
    tensor, pipeline, context, expert, virtual, micro = (np.repeat(one[possible], len(RECOMPUTE)) for one in split)
    light, full = (np.tile(one, int(possible.sum())) for one in (light, full))
    return Layout(
        cards=np.full(len(micro), cards),
        sequence_tokens=np.full(len(micro), sequence_tokens),
        global_batch=np.full(len(micro), global_batch),
        micro_batch=micro,
        tensor=tensor,
        pipeline=pipeline,
        context=context,
        expert=expert,
        virtual=virtual,
        mtp_layers=mtp_layers,
        recompute=Recompute(full=full, activation=light, norms=light),
    )


def best_layout(
    shape: Transformer, machine: Machine, *, cards, sequence_tokens, global_batch, software=None, mtp_layers=0
):
    """Return the fastest layout that fits into memory.

    Parameters
    ----------
    shape : Transformer
    machine : Machine
        The system: what its cards and links reach, how many cards the scale-up fabric joins, and their memory.
    cards, sequence_tokens, global_batch : int
        Of the job; the batch in sequences.
    software : Software, optional
    mtp_layers : int

    Returns
    -------
    Choice

    Raises
    ------
    ParameterError
        Where no layout divides, or none fits.
    """
    software = software or Software()
    tried = candidate_layouts(
        shape, cards=cards, sequence_tokens=sequence_tokens, global_batch=global_batch, mtp_layers=mtp_layers
    )
    # Products in pieces beside their collectives exist for dense models, as in the measured runs.
    software = replace(software, tensor_overlap=software.tensor_overlap & (tried.tensor > 1))
    fitting = np.flatnonzero(fits(shape, tried, software, machine.memory_gb))
    if not len(fitting):
        raise ParameterError(
            f"{shape.name} on {cards} cards of {float(machine.memory_gb):g} GB with a batch of {global_batch}: none of "
            f"{len(tried.micro_batch)} layouts fits"
        )
    kept, with_kept = taken(tried, fitting), taken(software, fitting)
    place = int(np.argmin(training_step(shape, kept, with_kept, machine).total_s))
    layout, own = taken(kept, place), taken(with_kept, place)
    return Choice(
        layout=layout,
        step=training_step(shape, layout, own, machine),
        memory_gb=float(memory_gb(shape, layout, own)),
        candidates=len(tried.micro_batch),
        feasible=len(fitting),
    )


def taken(item, places):
    """Return a dataclass of arrays at some of their places, or at one; numbers in it stay as they are."""

    def one(cell):
        if is_dataclass(cell):
            return taken(cell, places)
        if np.ndim(cell) == 0:
            return cell
        return cell[places] if np.ndim(places) else cell[places].item()

    return type(item)(**{field.name: one(getattr(item, field.name)) for field in fields(item)})
