"""What a transformer costs: parameters, operations and bytes, from its shape alone.

Every count follows from the matrices of a layer [vaswani2017attention], latent attention from [deepseek2024v3report].
One multiplication with an addition counts as two operations. Arrays broadcast.
"""

import numpy as np

from analysis.facts.transformers import Transformer


def attention_parameters(shape: Transformer):
    """Return the parameters of one layer's attention: projections of queries, keys, values and output."""
    heads, hidden = shape.attention_heads, shape.hidden_size
    if shape.latent_attention:
        query = shape.q_lora_rank * (hidden + heads * (shape.qk_nope_head_dim + shape.qk_rope_head_dim))
        key_value = hidden * (shape.kv_lora_rank + shape.qk_rope_head_dim)
        key_value += shape.kv_lora_rank * heads * (shape.qk_nope_head_dim + shape.v_head_dim)
        return query + key_value + heads * shape.v_head_dim * hidden
    queries, keys = heads * shape.head_dim, shape.key_value_heads * shape.head_dim
    biases = (queries + 2 * keys + hidden) if shape.attention_bias else 0
    return 2 * hidden * queries + 2 * hidden * keys + biases


def output_parameters(shape: Transformer):
    """Return the parameters of the projection at the end of one layer's attention."""
    head = shape.v_head_dim if shape.latent_attention else shape.head_dim
    return shape.attention_heads * head * shape.hidden_size


def feed_forward_parameters(shape: Transformer, width):
    """Return the parameters of one feed-forward network of a given width."""
    return (3 if shape.gated else 2) * shape.hidden_size * width


def expert_parameters(shape: Transformer):
    """Return the parameters of one expert."""
    return feed_forward_parameters(shape, shape.expert_intermediate_size)


def layer_parameters(shape: Transformer, *, active=False):
    """Return the parameters of all layers, or of those that one token passes.

    Parameters
    ----------
    shape : Transformer
    active : bool
        Count the experts of one token instead of all.

    Returns
    -------
    int
        Without embeddings, output head and multi-token prediction.
    """
    norms = 2 * shape.hidden_size
    dense = shape.dense_layers * feed_forward_parameters(shape, shape.intermediate_size)
    experts = (shape.experts_per_token if active else shape.routed_experts) + shape.shared_experts
    router = shape.hidden_size * shape.routed_experts
    moe = shape.moe_layers * (router + experts * expert_parameters(shape))
    return shape.layers * (attention_parameters(shape) + norms) + dense + moe


def parameters(shape: Transformer, *, active=False):
    """Return all parameters with embeddings and output head, or those that one token passes."""
    embeddings = (1 if shape.tied_embeddings else 2) * shape.vocabulary * shape.hidden_size
    return layer_parameters(shape, active=active) + embeddings


def key_value_values(shape: Transformer):
    """Return how many values one layer caches for one token."""
    if shape.latent_attention:
        return shape.kv_lora_rank + shape.qk_rope_head_dim
    return 2 * shape.key_value_heads * shape.head_dim


def key_value_bytes(shape: Transformer, tokens, bytes_per_value):
    """Return the bytes that all layers cache for a sequence.

    Parameters
    ----------
    shape : Transformer
    tokens : array_like
        Length of the sequence; layers with a window keep no more than it.
    bytes_per_value : float

    Returns
    -------
    ndarray
    """
    full, windowed = layers_by_reach(shape)
    kept = full * np.asarray(tokens, dtype=float)
    if windowed:
        kept = kept + windowed * np.minimum(tokens, shape.sliding_window)
    return kept * key_value_values(shape) * bytes_per_value


def layers_by_reach(shape: Transformer):
    """Return the layers that see everything, and those that see a window."""
    windowed = shape.layers // 2 if shape.sliding_window else 0
    return shape.layers - windowed, windowed


def pair_flops(shape: Transformer, *, latent):
    """Return the operations of one layer for one query and one key: the score, and the sum of values.

    Parameters
    ----------
    shape : Transformer
    latent : bool
        Whether latent attention works on the cached latent itself, as decoding does, or on unfolded keys and values,
        as prefill and training do.

    Returns
    -------
    int
    """
    if shape.latent_attention and latent:
        return 2 * shape.attention_heads * (2 * shape.kv_lora_rank + shape.qk_rope_head_dim)
    if shape.latent_attention:
        width = shape.qk_nope_head_dim + shape.qk_rope_head_dim + shape.v_head_dim
        return 2 * shape.attention_heads * width
    return 4 * shape.attention_heads * shape.head_dim


def attention_pairs(shape: Transformer, new_tokens, cached_tokens):
    """Return the query-key pairs of all layers when tokens are appended to a cached prefix, causally.

    Parameters
    ----------
    shape : Transformer
    new_tokens, cached_tokens : array_like
        Of one sequence.

    Returns
    -------
    ndarray
        Pairs summed over the layers; a window limits how far back every second layer looks.
    """
    full, windowed = layers_by_reach(shape)
    new, cached = np.asarray(new_tokens, dtype=float), np.asarray(cached_tokens, dtype=float)
    everything = new * cached + new * (new + 1) / 2
    if not windowed:
        return full * everything
    window = shape.sliding_window
    # The first tokens see less than a window, all later ones see exactly one.
    growing = np.clip(window - cached, 0, new)
    inside = growing * cached + growing * (growing + 1) / 2 + (new - growing) * window
    return full * everything + windowed * inside


def matrix_flops_per_token(shape: Transformer):
    """Return the operations of one token in the matrices of all layers, forward, without attention and output head."""
    return 2 * layer_parameters(shape, active=True)


def head_flops_per_token(shape: Transformer):
    """Return the operations of one token in the output head, forward."""
    return 2 * shape.vocabulary * shape.hidden_size


def forward_flops(shape: Transformer, new_tokens, cached_tokens=0, *, latent=False, heads=1):
    """Return the operations of a forward pass over one sequence.

    Parameters
    ----------
    shape : Transformer
    new_tokens, cached_tokens : array_like
    latent : bool
        See `pair_flops`.
    heads : array_like
        Tokens that pass the output head: 1 in prefill, all in training.

    Returns
    -------
    ndarray
    """
    matrices = np.asarray(new_tokens, dtype=float) * matrix_flops_per_token(shape)
    attention = pair_flops(shape, latent=latent) * attention_pairs(shape, new_tokens, cached_tokens)
    return matrices + attention + np.asarray(heads, dtype=float) * head_flops_per_token(shape)


def training_flops_per_token(shape: Transformer, sequence_tokens):
    """Return the operations of one token in training: forward once, backward twice, no recomputation."""
    tokens = np.asarray(sequence_tokens, dtype=float)
    return 3 * forward_flops(shape, tokens, heads=tokens) / tokens


def moved_values(shape: Transformer):
    """Return the activations that one token reads and writes around the matrices of all layers.

    Parameters
    ----------
    shape : Transformer

    Returns
    -------
    dict of str to int
        Rows in and rows out of every matrix, by kind: attention, output (of attention), dense, shared, experts.
    """
    hidden, heads = shape.hidden_size, shape.attention_heads
    if shape.latent_attention:
        queries = heads * (shape.qk_nope_head_dim + shape.qk_rope_head_dim)
        keys = heads * (shape.qk_nope_head_dim + shape.v_head_dim)
        latents = 2 * (shape.q_lora_rank + shape.kv_lora_rank) + shape.qk_rope_head_dim
        attention, values = 2 * hidden + latents + queries + keys, heads * shape.v_head_dim
    else:
        values = heads * shape.head_dim
        attention = hidden + values + 2 * shape.key_value_heads * shape.head_dim
    expert = 2 * hidden + 3 * shape.expert_intermediate_size
    return {
        "attention": shape.layers * attention,
        "output": shape.layers * (values + hidden),
        "dense": shape.dense_layers * (2 * hidden + 3 * shape.intermediate_size),
        "shared": shape.moe_layers * shape.shared_experts * expert,
        "experts": shape.moe_layers * shape.experts_per_token * expert,
    }
