"""Time of the pieces of a training step: work over the rates that a card reaches, messages over those of its links."""

from dataclasses import dataclass, field

import numpy as np

from analysis.facts.transformers import Transformer
from analysis.models.collectives import GIGA, Fabrics, all_gather_s, point_to_point_s, transfer_s
from analysis.models.expert_exchange import Kernel, direct_s, forwarded_s
from analysis.models.training_memory import activation_bytes, parameters_of_rank
from analysis.models.training_setup import Chip, Layout, Software
from analysis.models.training_work import Block, Load

TERA = 1e12
# A product and the collective that feeds it are cut into so many pieces, so that only one piece waits.
OVERLAP_PIECES = 4
# Mixed-precision Adam with gradient clipping: what is read and written for one parameter in one step.
OPTIMISER_BYTES = 56


@dataclass(frozen=True)
class Machine:
    """What a card and its links reach; numbers or arrays.

    Attributes
    ----------
    matrix_tflops, wide_tflops, attention_tflops : array_like
        Products in the low precision and in 16 bits, and fused attention.
    memory_GBps, expert_GBps : array_like
        Of plain passes over memory, and of kernels that sort tokens by expert.
    launch_s : array_like
        What the kernels of one dense layer, forward and backward, wait for the host.
    fabrics : Fabrics
    ranks_per_domain : array_like
        Cards that the scale-up fabric joins.
    memory_gb : array_like
    host_GBps : array_like
        To the host's memory, one way.
    chip : Chip
    """

    matrix_tflops: float
    wide_tflops: float
    attention_tflops: float
    memory_GBps: float
    expert_GBps: float
    launch_s: float
    fabrics: Fabrics
    ranks_per_domain: float
    memory_gb: float = np.inf
    host_GBps: float = np.inf
    chip: Chip = field(default_factory=Chip)


@dataclass(frozen=True)
class Times:
    """Seconds of one half of a layer: forward, and backward with what is computed again."""

    forward: float
    backward: float

    @property
    def both(self):
        """Forward and backward."""
        return self.forward + self.backward


@dataclass(frozen=True)
class Segments:
    """Seconds of the pieces from which a step is composed, for one micro-batch and one layer.

    Attributes
    ----------
    attention, dense, experts, head : Times
        Computation, and the collectives of tensor parallelism that it waits for.
    exchange_s : array_like
        One dispatch or one combine.
    hop_s : array_like
        One hand-over to the next stage.
    gather_s, scatter_s : array_like
        All parameters of a stage gathered; all gradients reduced.
    optimiser_s : array_like
    offload_s : array_like
        Activations of one layer to the host.
    """

    attention: Times
    dense: Times
    experts: Times
    head: Times
    exchange_s: float
    hop_s: float
    gather_s: float
    scatter_s: float
    optimiser_s: float
    offload_s: float


def load_s(load: Load, machine: Machine):
    """Return the time of a load: its parts one after the other, products by the roofline [williams2009roofline]."""
    memory = GIGA * machine.memory_GBps
    products = np.maximum(load.matrix_flops / (TERA * machine.matrix_tflops), load.weight_bytes / memory)
    scores = np.maximum(load.score_flops / (TERA * machine.matrix_tflops), load.score_bytes / memory)
    wide = load.wide_flops / (TERA * machine.wide_tflops) + load.attention_flops / (TERA * machine.attention_tflops)
    moved = load.memory_bytes / memory + load.expert_bytes / (GIGA * machine.expert_GBps)
    return products + scores + wide + moved + load.launches * machine.launch_s


def block_times(block: Block, machine: Machine, waits=(0.0, 0.0, 0.0)):
    """Return the time of half a layer; `waits` for collectives forward, backward, and while computing again."""
    forward = load_s(block.forward, machine) + waits[0]
    return Times(forward, load_s(block.backward, machine) + load_s(block.again, machine) + waits[1] + waits[2])


def layer_segments(shape: Transformer, work, layout: Layout, software: Software, machine: Machine):
    """Return the pieces of a step.

    Parameters
    ----------
    shape : Transformer
    work : Work
        Of `micro_batch_work` for the same shape, layout and software.
    layout : Layout
    software : Software
    machine : Machine

    Returns
    -------
    Segments
    """
    context = _context_wait_s(work, layout, machine)
    waits = _tensor_waits(work.attention, work, layout, software, machine)
    attention_waits = (waits[0] + context, waits[1] + 2 * context, waits[2])
    same_domain = np.asarray(layout.cards) / layout.pipeline < machine.ranks_per_domain
    gather, scatter, optimiser = _once_a_step_s(shape, layout, software, machine)
    return Segments(
        attention=block_times(work.attention, machine, attention_waits),
        dense=block_times(work.dense, machine, _tensor_waits(work.dense, work, layout, software, machine)),
        experts=block_times(work.experts, machine),
        head=block_times(work.head, machine),
        exchange_s=_exchange_s(work, software, machine),
        hop_s=np.where(
            np.asarray(layout.pipeline) > 1,
            point_to_point_s(work.hop_bytes, machine.fabrics, same_domain=same_domain),
            0.0,
        ),
        gather_s=gather,
        scatter_s=scatter,
        optimiser_s=optimiser,
        offload_s=transfer_s(activation_bytes(shape, layout, software), machine.host_GBps),
    )


def _tensor_waits(block, work, layout, software, machine):
    """Waiting for tensor parallelism in half a layer: forward, backward, computing again."""
    domain = machine.ranks_per_domain
    one = all_gather_s(work.gathered_bytes, np.asarray(layout.tensor, dtype=float), domain, machine.fabrics)
    exposed = np.where(software.tensor_overlap, one / OVERLAP_PIECES, one)
    # A gradient is summed beside the product that makes another one; what is gathered before a product is not hidden.
    beside = load_s(Load(matrix_flops=block.backward.matrix_flops), machine) / 2
    hidden = np.maximum(2 * one - beside, 0)
    backward = np.where(layout.sequence_parallel, exposed, 0.0) + np.where(software.tensor_overlap, 0.0, hidden)
    return 2 * exposed, backward, 2 * exposed * np.asarray(layout.recompute.full)


def _context_wait_s(work, layout, machine):
    """Keys and values of the other parts of a sequence, gathered once forward and twice backward."""
    context = np.asarray(layout.context, dtype=float)
    inside = np.maximum(np.floor(np.asarray(machine.ranks_per_domain) / layout.tensor), 1)
    return all_gather_s(work.key_value_bytes, context, inside, machine.fabrics)


def _exchange_s(work, software, machine):
    kernel = Kernel(machine.fabrics, machine.ranks_per_domain, fixed_us=0.0)
    time = np.where(software.forwards, forwarded_s(work.exchange, kernel), direct_s(work.exchange, kernel))
    return np.where(np.asarray(work.exchange.ranks) > 1, time, 0.0)


def _once_a_step_s(shape, layout, software, machine):
    """Gathering parameters, summing gradients, and the optimiser on a rank's part of both."""
    shared, expert = parameters_of_rank(shape, layout)
    copies = np.asarray(layout.data) * layout.context
    expert_copies = np.maximum(copies * layout.tensor / layout.expert, 1)
    inside = np.maximum(np.floor(np.asarray(machine.ranks_per_domain) / layout.tensor), 1)
    expert_inside = np.maximum(np.floor(np.asarray(machine.ranks_per_domain) / layout.expert), 1)

    def once(bytes_per_value):
        near = all_gather_s(shared * bytes_per_value, copies, inside, machine.fabrics)
        return near + all_gather_s(expert * bytes_per_value, expert_copies, expert_inside, machine.fabrics)

    updated = (shared / copies + expert / expert_copies) * OPTIMISER_BYTES
    return once(2.0), once(software.gradient_bytes), updated / (GIGA * machine.memory_GBps)
