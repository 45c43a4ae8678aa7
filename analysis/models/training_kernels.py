"""How much of its work each family of training kernels wastes, repeats or moves."""

from dataclasses import dataclass

import numpy as np

from analysis.facts.transformers import Transformer
from analysis.models.transformer_costs import attention_pairs, pair_flops

# Bytes of a 16-bit value.
HALF = 2
# A tile of the result that one multiprocessor computes at a time [nvidia2023matmulguide].
TILE_ROWS, TILE_COLUMNS = 256, 128
# Attention that goes through memory, forward and backward: products, bytes of a score in them, and bytes of a score in
# softmax, mask and dropout.
SCORE_PASSES = ((1, 4, 9), (2, 8, 13))
# The backward pass of fused attention has five products where the forward one has two [dao2022flashattention].
BACKWARD_PRODUCTS = 2.5
# Kernels of routing, of the exchange, and of one expert, in those of a dense layer (about 300, forward and backward);
# author's judgement from the order of calls.
ROUTING_LAUNCHES, EXCHANGE_LAUNCHES, LAUNCHES_AN_EXPERT = 0.7, 0.64, 0.02


def attention_widths(shape: Transformer):
    """Return the widths of all queries, keys, values and outputs of a layer, unfolded."""
    heads = shape.attention_heads
    if shape.latent_attention:
        keys = heads * (shape.qk_nope_head_dim + shape.qk_rope_head_dim)
        return keys, keys, heads * shape.v_head_dim, heads * shape.v_head_dim
    keys = shape.key_value_heads * shape.head_dim
    return heads * shape.head_dim, keys, keys, heads * shape.head_dim


def attention_matrices(shape: Transformer, tensor, *, up_projections_only=False):
    """Return the matrices of a layer's attention as one rank holds them: depth, width, how many."""
    queries, keys, values, out = attention_widths(shape)
    if not shape.latent_attention:
        whole = ((shape.hidden_size, (queries + keys + values) / tensor, 1), (out / tensor, shape.hidden_size, 1))
        return () if up_projections_only else whole
    unfolded = shape.attention_heads * (shape.qk_nope_head_dim + shape.v_head_dim)
    up = ((shape.q_lora_rank, queries / tensor, 1), (shape.kv_lora_rank, unfolded / tensor, 1))
    if up_projections_only:
        return up
    # Every rank of a tensor-parallel group computes the latent vectors.
    down = ((shape.hidden_size, shape.q_lora_rank + shape.kv_lora_rank + shape.qk_rope_head_dim, 1),)
    return (*down, *up, (out / tensor, shape.hidden_size, 1))


def products_flops(rows, matrices, multiprocessors):
    """Return the operations of products with given matrices, counted in whole waves of tiles.

    Parameters
    ----------
    rows : array_like
        Tokens that pass each matrix.
    matrices : sequence of (depth, width, count)
    multiprocessors : int
        Tiles that a card computes at once; with 1, only the edges of tiles are wasted.

    Returns
    -------
    forward, backward : ndarray
        The backward pass makes two products of each: gradients of the rows, and of the matrix.
        Source: [nvidia2023matmulguide], dimension quantisation.
    """
    forward, backward = np.zeros(()), np.zeros(())
    for depth, width, count in matrices:
        useful = 2.0 * count * rows * depth * width
        forward = forward + useful * wave_waste(rows, width, count, multiprocessors)
        waste = wave_waste(rows, depth, count, multiprocessors) + wave_waste(depth, width, count, multiprocessors)
        backward = backward + useful * waste
    return forward, backward


def wave_waste(rows, columns, count, multiprocessors):
    """Return how many times its own size a result takes when it is computed in whole waves of whole tiles.

    Parameters
    ----------
    rows, columns : array_like
        Of the result.
    count : array_like
        Results computed together.
    multiprocessors : int

    Returns
    -------
    ndarray
        1 or more.

    Examples
    --------
    >>> float(wave_waste(256, 128, 1, 1)), float(wave_waste(256, 128, 3, 2))
    (1.0, 1.3333333333333333)
    """
    tiles = count * np.ceil(np.asarray(rows) / TILE_ROWS) * np.ceil(np.asarray(columns) / TILE_COLUMNS)
    waves = np.ceil(tiles / multiprocessors) * multiprocessors
    return waves * TILE_ROWS * TILE_COLUMNS / (count * rows * columns)


def fused_attention_flops(shape: Transformer, layout, softmax_width):
    """Return the operations of fused attention of one layer and rank, forward and backward.

    Parameters
    ----------
    shape : Transformer
    layout : Layout
    softmax_width : array_like
        Width of a head at which the exponentials of a score take as long as its products; a narrower head is slower
        by that. Source: [shah2024flashattention3], section 3.

    Returns
    -------
    forward, backward : ndarray
        Causal, mean over the layers.
    """
    tokens = np.asarray(layout.sequence_tokens, dtype=float)
    pairs = attention_pairs(shape, tokens, 0) / shape.layers / tokens
    flops_a_pair = pair_flops(shape, latent=False)
    width = flops_a_pair / (4 * shape.attention_heads)
    forward = flops_a_pair * (1 + softmax_width / width) * pairs * layout.own_tokens
    return forward, BACKWARD_PRODUCTS * forward


def quantised_passes(bytes_per_value):
    """Return passes, in 16-bit values, that turn a value into a narrow format: read once, written along and across."""
    return np.where(np.asarray(bytes_per_value) < HALF, 2.0, 0.0)


def exchange_passes(tokens, copies, rank_copies, forwards):
    """Return passes over hidden vectors that sort tokens by expert and back, without the exchange itself.

    Parameters
    ----------
    tokens, copies : array_like
        Of one rank; copies for all experts.
    rank_copies : array_like
        Ranks that a token reaches.
    forwards : array_like of bool
        What arrives once a rank is spread to the experts there (one read and one write each way); else copies are
        sorted before and after the exchange.

    Returns
    -------
    ndarray
        Vectors read or written, in each direction of training.
    """
    return np.where(forwards, 2 * (copies + tokens * rank_copies), 7 * copies)


def bias_passes(shape: Transformer, graphs):
    """Return passes over the copies of hidden vectors that add the biases of experts, forward and backward.

    The bias is scaled by a single-precision weight, so sum, concatenation and casts run in single precision; the path
    of whole-step graphs stays in 16 bits.
    """
    narrow = np.where(np.asarray(graphs) >= 2, 0.5, 1.0) * (1.0 if shape.attention_bias else 0.0)
    return 14 * narrow, 22 * narrow


@dataclass(frozen=True)
class Launches:
    """Kernels that the host launches for one layer, in those of a whole dense layer, forward and backward."""

    attention: float
    dense: float
    experts: float


def launches(graphs, local_experts=0.0):
    """Return what the host launches itself.

    Parameters
    ----------
    graphs : array_like
        See `analysis.models.training_setup.Software`.
    local_experts : array_like
        Experts of one rank; each has products of its own.

    Returns
    -------
    Launches
        A layer with eight experts launches about twice as many kernels as a dense one; graphs of attention and routing
        leave the exchange and the experts.
    """
    level = np.asarray(graphs)
    none, partly = level == 0, level == 1
    half = np.where(none, 0.5, 0.0)
    own = LAUNCHES_AN_EXPERT * np.asarray(local_experts, dtype=float)
    experts = np.where(none, EXCHANGE_LAUNCHES + ROUTING_LAUNCHES + own, np.where(partly, EXCHANGE_LAUNCHES + own, 0.0))
    return Launches(half, half, experts)
