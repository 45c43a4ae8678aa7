"""How a training step is set up: its layout over cards, what is recomputed, and how the software works."""

from dataclasses import dataclass

import numpy as np

from analysis.models.training_kernels import HALF


@dataclass(frozen=True)
class Recompute:
    """Which intermediate results the backward pass computes again; each a bool or an array of bool."""

    full: bool = False
    attention: bool = False
    up_projection: bool = False
    feed_forward: bool = False
    activation: bool = False
    norms: bool = False


@dataclass(frozen=True)
class Layout:
    """How one training step is spread over cards; numbers or arrays that broadcast.

    Attributes
    ----------
    cards, sequence_tokens, global_batch, micro_batch : array_like
        Batches in sequences.
    tensor, pipeline, context, expert, virtual : array_like
        Degrees of parallelism, and pieces of the model that one pipeline stage holds in turns.
    sharded : array_like of bool
        Parameters are gathered layer by layer when needed (fully sharded data parallelism).
    sequence_parallel : array_like of bool
    mtp_layers : array_like
        Layers of multi-token prediction on top.
    offloaded_layers : array_like
        Layers whose activations go to the host's memory and come back.
    recompute : Recompute
    """

    cards: int
    sequence_tokens: int
    global_batch: int
    micro_batch: int
    tensor: int = 1
    pipeline: int = 1
    context: int = 1
    expert: int = 1
    virtual: int = 1
    sharded: bool = False
    sequence_parallel: bool = True
    mtp_layers: int = 0
    offloaded_layers: int = 0
    recompute: Recompute = Recompute()

    @property
    def data(self):
        """Copies of the model."""
        return np.asarray(self.cards, dtype=float) / (self.tensor * self.pipeline * self.context)

    @property
    def micro_batches(self):
        """Micro-batches of one copy in one step."""
        return self.global_batch / (self.data * self.micro_batch)

    @property
    def tokens(self):
        """Tokens of a micro-batch that pass a rank's part of a matrix."""
        return np.asarray(self.micro_batch, dtype=float) * self.sequence_tokens / self.context

    @property
    def own_tokens(self):
        """Tokens of a micro-batch that belong to one rank alone."""
        return self.tokens / self.tensor

    @property
    def hidden_tokens(self):
        """Tokens whose hidden vectors a rank normalises and adds up."""
        return np.where(self.sequence_parallel, self.own_tokens, self.tokens)


@dataclass(frozen=True)
class Software:
    """How the framework and its kernels work; each a value or an array.

    Attributes
    ----------
    bytes_per_value : array_like
        Of the operands of matrix products; 2 is not quantised.
    fused_attention : array_like of bool
        Scores stay on the chip; else they go through memory.
    forwards : array_like of bool
        The exchange of tokens sends one copy to each rank concerned; else one for each expert.
    exchange_overlap, tensor_overlap, pipeline_overlap : array_like of bool
        Communication runs beside computation: that of another micro-batch, of the same product in pieces, of the next
        piece of the pipeline.
    graphs : array_like
        0: the host launches every kernel; 1: attention and routing are replayed as graphs; 2: the whole step is.
    gradient_bytes : array_like
    """

    bytes_per_value: float = HALF
    fused_attention: bool = True
    forwards: bool = False
    exchange_overlap: bool = False
    tensor_overlap: bool = False
    pipeline_overlap: bool = True
    graphs: int = 0
    gradient_bytes: float = HALF


@dataclass(frozen=True)
class Chip:
    """What of a card decides how much of a count is wasted: its multiprocessors, and how costly exponentials are."""

    multiprocessors: int = 1
    softmax_width: float = 0.0
