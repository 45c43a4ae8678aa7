"""What one micro-batch of training asks of one rank: operations, bytes and messages of each kind of layer.

Counted from the matrices of the model and from the passes that the kernels of current frameworks make over their data;
recomputation and sequence parallelism as in [korthikanti2022reducing]. Nothing here depends on a fitted constant.
Layouts may be arrays, so that one call covers a whole search.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from analysis.facts.transformers import Transformer
from analysis.models.expert_exchange import Exchange
from analysis.models.training_kernels import (
    HALF,
    SCORE_PASSES,
    attention_matrices,
    attention_widths,
    bias_passes,
    exchange_passes,
    fused_attention_flops,
    launches,
    products_flops,
    quantised_passes,
)
from analysis.models.training_setup import Chip, Layout, Software
from analysis.models.transformer_costs import attention_parameters, feed_forward_parameters, pair_flops

# Passes over a hidden vector in one half of a layer: norm, residual sum; then their gradients.
FORWARD_HIDDEN, BACKWARD_HIDDEN = 5, 7
# Reads and writes of one logit in a fused loss, forward and backward, in bytes.
LOSS_BYTES = (6, 4)


@dataclass(frozen=True)
class Load:
    """Work of one kind of layer in one direction.

    Attributes
    ----------
    matrix_flops, weight_bytes : array_like
        Of products in the low precision, counted in whole waves of tiles; and the weights and gradients they move.
    wide_flops : array_like
        Of products that stay in 16 bits.
    attention_flops : array_like
        Of fused attention, exponentials counted as the products that they displace.
    score_flops, score_bytes : array_like
        Of the products of unfused attention.
    memory_bytes, expert_bytes : array_like
        Moved by all other kernels, and by those that sort tokens by expert and work on the copies.
    launches : array_like
        Kernels that the host starts one by one, in those of a dense layer, forward and backward.
    """

    matrix_flops: float = 0.0
    weight_bytes: float = 0.0
    wide_flops: float = 0.0
    attention_flops: float = 0.0
    score_flops: float = 0.0
    score_bytes: float = 0.0
    memory_bytes: float = 0.0
    expert_bytes: float = 0.0
    launches: float = 0.0

    def __add__(self, other):
        return Load(**{one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(self)})

    def times(self, factor):
        """Return the load so many times, or nothing where the factor is False."""
        return Load(**{one.name: getattr(self, one.name) * np.asarray(factor) for one in fields(self)})


@dataclass(frozen=True)
class Block:
    """One half of a layer: forward, backward, and what the backward pass computes again."""

    forward: Load = Load()
    backward: Load = Load()
    again: Load = Load()


@dataclass(frozen=True)
class Work:
    """What a micro-batch asks of a rank, a layer.

    Attributes
    ----------
    attention, dense, experts, head : Block
    exchange : Exchange
        Of the tokens with the ranks of their experts; one rank where the model has none.
    gathered_bytes : array_like
        Hidden vectors that a rank of a tensor-parallel group has after gathering those of the others.
    key_value_bytes : array_like
        That a rank needs of all tokens of a sequence.
    hop_bytes : array_like
        Sent to the next stage of the pipeline.
    """

    attention: Block
    dense: Block
    experts: Block
    head: Block
    exchange: Exchange
    gathered_bytes: float
    key_value_bytes: float
    hop_bytes: float


def micro_batch_work(shape: Transformer, layout: Layout, software: Software, chip: Chip, ranks_per_domain):
    """Return what one micro-batch asks of one rank.

    Parameters
    ----------
    shape : Transformer
    layout : Layout
    software : Software
    chip : Chip
    ranks_per_domain : array_like
        Cards that the scale-up fabric joins.

    Returns
    -------
    Work
    """
    _, keys, values, _ = attention_widths(shape)
    hidden = HALF * shape.hidden_size
    exchange = Exchange(
        tokens=layout.own_tokens,
        copies=max(shape.experts_per_token, 1),
        bytes_per_copy=hidden,
        ranks=np.asarray(layout.expert, dtype=float),
        ranks_per_server=np.asarray(ranks_per_domain, dtype=float),
    )
    cached = HALF * (shape.kv_lora_rank + shape.qk_rope_head_dim if shape.latent_attention else keys + values)
    return Work(
        attention=_attention(shape, layout, software, chip),
        dense=_dense(shape, layout, software, chip) if shape.dense_layers else Block(),
        experts=_experts(shape, layout, software, chip, exchange) if shape.routed_experts else Block(),
        head=_head(shape, layout),
        exchange=exchange,
        gathered_bytes=layout.tokens * hidden,
        key_value_bytes=layout.tokens * layout.context * cached / np.minimum(layout.tensor, shape.key_value_heads or 1),
        hop_bytes=layout.own_tokens * hidden,
    )


def _attention(shape, layout, software, chip):
    queries, keys, values, out = attention_widths(shape)
    tensor, tokens = layout.tensor, layout.tokens
    forward, backward = products_flops(tokens, attention_matrices(shape, tensor), chip.multiprocessors)
    passes = quantised_passes(software.bytes_per_value)
    hidden, inner = layout.hidden_tokens * shape.hidden_size, tokens / tensor
    rotated, gradients = inner * 2 * (queries + keys), inner * (queries + keys + values)
    weights = attention_parameters(shape) / tensor
    moved = HALF * (FORWARD_HIDDEN * hidden + rotated + passes * (inner * out + hidden))
    ahead = Load(
        matrix_flops=forward,
        weight_bytes=weights * software.bytes_per_value,
        memory_bytes=moved,
        launches=launches(software.graphs).attention / 3,
    )
    behind = Load(
        matrix_flops=backward,
        weight_bytes=weights * (software.bytes_per_value + 2 * software.gradient_bytes),
        memory_bytes=HALF * (BACKWARD_HIDDEN * hidden + rotated + passes * (gradients + hidden)),
        launches=launches(software.graphs).attention * 2 / 3,
    )
    core, core_behind = _core(shape, layout, software, chip)
    up_projections = attention_matrices(shape, tensor, up_projections_only=True)
    up = Load(matrix_flops=products_flops(tokens, up_projections, chip.multiprocessors)[0], memory_bytes=HALF * rotated)
    again = replace(ahead + core, launches=0.0).times(layout.recompute.full)
    again = again + core.times(layout.recompute.attention & ~np.asarray(layout.recompute.full))
    again = again + up.times(layout.recompute.up_projection) + _norms(hidden, layout)
    return Block(ahead + core, behind + core_behind, again)


def _core(shape, layout, software, chip):
    """Scores, softmax and the sum of values: fused, or through memory."""
    flops, backward = fused_attention_flops(shape, layout, chip.softmax_width)
    fused = np.asarray(software.fused_attention)
    scores = np.where(fused, 0.0, shape.attention_heads * layout.sequence_tokens * layout.own_tokens)
    products = scores * pair_flops(shape, latent=False) / shape.attention_heads
    ahead, behind = (
        Load(score_flops=count * products, score_bytes=scores * moved, memory_bytes=scores * passes)
        for count, moved, passes in SCORE_PASSES
    )
    fused_ahead, fused_behind = (Load(attention_flops=np.where(fused, one, 0.0)) for one in (flops, backward))
    return ahead + fused_ahead, behind + fused_behind


def _norms(hidden, layout):
    return Load(memory_bytes=HALF * 2 * hidden).times(layout.recompute.norms)


def _feed_forward(shape, width, tokens, software, chip, groups=1.0, tensor=1.0):
    """Products and activation of a feed-forward network; tokens in all, over so many networks."""
    up = (2 if shape.gated else 1) * width / tensor
    matrices = ((shape.hidden_size, up, groups), (width / tensor, shape.hidden_size, groups))
    forward, backward = products_flops(tokens / groups, matrices, chip.multiprocessors)
    passes, gate = quantised_passes(software.bytes_per_value), 3 if shape.gated else 2
    inner = HALF * tokens * width / tensor
    weights = groups * feed_forward_parameters(shape, width) / tensor
    ahead = Load(matrix_flops=forward, weight_bytes=weights * software.bytes_per_value)
    behind = Load(
        matrix_flops=backward, weight_bytes=weights * (software.bytes_per_value + 2 * software.gradient_bytes)
    )
    return ahead, behind, inner * (gate + passes), inner * (2 * gate - 1 + passes * (gate - 1))


def _dense(shape, layout, software, chip):
    network = _feed_forward(shape, shape.intermediate_size, layout.tokens, software, chip, tensor=layout.tensor)
    ahead, behind, activated, gradients = network
    hidden = layout.hidden_tokens * shape.hidden_size
    passes, count = quantised_passes(software.bytes_per_value), launches(software.graphs).dense
    moved = activated + HALF * hidden * (FORWARD_HIDDEN + passes)
    ahead = ahead + Load(memory_bytes=moved)
    behind = behind + Load(memory_bytes=gradients + HALF * hidden * (BACKWARD_HIDDEN + passes), launches=count * 2 / 3)
    whole = layout.recompute.full | np.asarray(layout.recompute.feed_forward)
    return Block(ahead + Load(launches=count / 3), behind, ahead.times(whole) + _norms(hidden, layout))


def _experts(shape, layout, software, chip, exchange):
    local = shape.routed_experts / np.asarray(layout.expert, dtype=float)
    copies, width = layout.own_tokens * shape.experts_per_token, shape.expert_intermediate_size
    network = _feed_forward(shape, width, copies, software, chip, groups=local)
    ahead, behind, activated, gradients = network
    passes, count = quantised_passes(software.bytes_per_value), launches(software.graphs, local).experts
    sorting = exchange_passes(layout.own_tokens, copies, exchange.rank_copies, software.forwards)
    vectors = HALF * shape.hidden_size * (sorting + passes * copies)
    bias_ahead, bias_behind = (HALF * shape.hidden_size * copies * one for one in bias_passes(shape, software.graphs))
    hidden = layout.hidden_tokens * shape.hidden_size
    ahead = ahead + Load(expert_bytes=activated + vectors + bias_ahead, memory_bytes=HALF * FORWARD_HIDDEN * hidden)
    behind = behind + Load(expert_bytes=gradients + vectors + bias_behind, memory_bytes=HALF * BACKWARD_HIDDEN * hidden)
    if shape.shared_experts:
        ahead, behind = _with_shared(shape, layout, software, chip, ahead, behind)
    gate = 3 if shape.gated else 2
    again = Load(expert_bytes=HALF * copies * width * gate).times(layout.recompute.activation) + _norms(hidden, layout)
    again = again + ahead.times(layout.recompute.full)
    return Block(ahead + Load(launches=count / 3), behind + Load(launches=count * 2 / 3), again)


def _with_shared(shape, layout, software, chip, ahead, behind):
    width = shape.shared_experts * shape.expert_intermediate_size
    network = _feed_forward(shape, width, layout.tokens, software, chip, tensor=layout.tensor)
    more, less, activated, gradients = network
    vectors = HALF * layout.hidden_tokens * shape.hidden_size * quantised_passes(software.bytes_per_value)
    more = more + Load(memory_bytes=activated + vectors)
    return ahead + more, behind + less + Load(memory_bytes=gradients + vectors)


def _head(shape, layout):
    logits = layout.tokens * shape.vocabulary / layout.tensor
    flops = 2 * logits * shape.hidden_size
    ahead, behind = (logits * one for one in LOSS_BYTES)
    return Block(Load(wide_flops=flops, memory_bytes=ahead), Load(wide_flops=2 * flops, memory_bytes=behind))
