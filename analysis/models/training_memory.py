"""Memory that training takes on one card: parameters, gradients, optimiser and the activations that wait for backward.

After [korthikanti2022reducing] and, for the micro-batches in flight, [narayanan2021megatron].
"""

import numpy as np

from analysis.facts.transformers import Transformer
from analysis.models.training_kernels import HALF, attention_widths
from analysis.models.training_setup import Layout, Software
from analysis.models.transformer_costs import attention_parameters, expert_parameters, feed_forward_parameters

GIGA = 1e9
# Master copy and two moments of Adam in single precision.
OPTIMISER_BYTES = 12
# A logit in 16 bits and its gradient.
LOGIT_BYTES = 4
# A score, its softmax and the mask of the dropout between them, in bytes.
SCORE_BYTES = 5
# Context, communication buffers and workspaces.
FIXED_GB = 4.0


def parameters_of_rank(shape: Transformer, layout: Layout):
    """Return the parameters of a middle stage that a rank holds: of shared matrices, and of its experts.

    Embedding and head are taken as spread over the stages.
    """
    pipeline = np.asarray(layout.pipeline, dtype=float)
    attention = shape.layers * attention_parameters(shape)
    dense = shape.dense_layers * feed_forward_parameters(shape, shape.intermediate_size)
    both = 2 * shape.vocabulary * shape.hidden_size
    shared = (attention + dense + both) / layout.tensor
    if not shape.routed_experts:
        return shared / pipeline, np.zeros_like(pipeline)
    one = expert_parameters(shape)
    shared = shared + shape.moe_layers * (shape.shared_experts * one / layout.tensor)
    experts = shape.moe_layers * shape.routed_experts * one / np.asarray(layout.expert, dtype=float)
    return shared / pipeline, experts / pipeline


def activation_bytes(shape: Transformer, layout: Layout, software: Software):
    """Return the bytes that one layer keeps of one micro-batch until its backward pass."""
    recompute, operand = layout.recompute, np.asarray(software.bytes_per_value, dtype=float)
    hidden, inner = layout.hidden_tokens * shape.hidden_size, layout.own_tokens
    queries, keys, values, out = attention_widths(shape)
    kept_up = np.where(recompute.up_projection, 0.0, HALF) * (queries + keys + values)
    normed = HALF + np.where(recompute.norms, 0.0, operand)
    attention = hidden * normed + inner * (kept_up + out * (HALF + operand))
    scores = shape.attention_heads * layout.sequence_tokens * layout.own_tokens * SCORE_BYTES
    attention = attention + np.where(software.fused_attention | np.asarray(recompute.attention), 0.0, scores)
    gate = 2 if shape.gated else 1
    kept = gate * HALF + np.where(recompute.activation, 0.0, operand)
    if shape.routed_experts:
        copies = layout.own_tokens * shape.experts_per_token
        network = copies * (shape.hidden_size * operand + shape.expert_intermediate_size * kept)
        network = network + inner * shape.shared_experts * shape.expert_intermediate_size * kept
    else:
        network = inner * shape.intermediate_size * np.where(recompute.feed_forward, 0.0, kept)
    whole = attention + hidden * normed + network
    return np.where(recompute.full, HALF * hidden, whole)


def memory_gb(shape: Transformer, layout: Layout, software: Software):
    """Return the memory that a layout takes on its fullest card.

    Parameters
    ----------
    shape : Transformer
    layout : Layout
    software : Software

    Returns
    -------
    ndarray
        GB. The first stage keeps as many micro-batches as there are stages, and more where pieces interleave.
    """
    shared, expert = parameters_of_rank(shape, layout)
    copies = np.asarray(layout.data) * layout.context
    expert_copies = np.maximum(copies * layout.tensor / layout.expert, 1)
    split = np.where(layout.sharded, copies, 1.0)
    held = (shared / split + expert) * (HALF + software.gradient_bytes)
    held = held + OPTIMISER_BYTES * (shared / copies + expert / expert_copies)
    pipeline, virtual = np.asarray(layout.pipeline, dtype=float), np.asarray(layout.virtual, dtype=float)
    ahead = np.where(virtual > 1, (pipeline - 1) / virtual, 0.0)
    in_flight = np.minimum(pipeline + ahead, np.maximum(layout.micro_batches, 1))
    layers = shape.layers / pipeline - np.minimum(layout.offloaded_layers, shape.layers)
    kept = in_flight * np.maximum(layers, 0) * activation_bytes(shape, layout, software)
    logits = layout.own_tokens * shape.vocabulary * LOGIT_BYTES
    return FIXED_GB + (held + kept + np.where(pipeline > 1, 0.0, logits)) / GIGA


def fits(shape: Transformer, layout: Layout, software: Software, card_gb):
    """Return whether a layout fits into the memory of its cards."""
    return memory_gb(shape, layout, software) <= np.asarray(card_gb)
