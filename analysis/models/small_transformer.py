"""A small decoder with random weights that really computes, in NumPy: what a prefix cache saves can be timed on it.

The layers are those of today's language models [vaswani2017attention]: root-mean-square norms, rotary positions, causal
attention with grouped queries, gated feed-forward networks. Keys and values of all tokens stay in a cache.
"""

from dataclasses import dataclass

import numpy as np

from analysis.facts.transformers import Transformer

STEP_TOKENS = 64  # a prompt passes in steps, as in engines with chunked prefill: all of them are work of one size
ROTARY_BASE = 10000.0
SMALLEST_MEAN_SQUARE = 1e-6
LATENT = ("q_lora_rank", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")
EXPERTS = ("expert_intermediate_size", "routed_experts", "shared_experts", "experts_per_token", "expert_groups")
UNUSED = (*LATENT, *EXPERTS, "groups_per_token", "sliding_window", "mtp_layers")


@dataclass(frozen=True)
class Layer:
    """Matrices of one layer, applied to rows from the right.

    Attributes
    ----------
    norms : ndarray
        (2, width): scales before attention and before the feed-forward network.
    query, key, value, output : ndarray
        Projections of attention.
    gate, up, down : ndarray
        Of the feed-forward network.
    """

    norms: np.ndarray
    query: np.ndarray
    key: np.ndarray
    value: np.ndarray
    output: np.ndarray
    gate: np.ndarray
    up: np.ndarray
    down: np.ndarray


@dataclass(frozen=True)
class Weights:
    """All weights of a decoder.

    Attributes
    ----------
    embedding : ndarray
        (vocabulary, width); its transpose is the output head.
    layers : tuple of Layer
    """

    embedding: np.ndarray
    layers: tuple


def decoder_shape(layers, width, heads, key_value_heads, vocabulary=2048):
    """Return the shape of a small dense decoder.

    Parameters
    ----------
    layers, width, heads, key_value_heads : int
        The width is a multiple of twice the heads (rotary positions turn pairs of values), the heads are a multiple of
        the key-value heads.
    vocabulary : int

    Returns
    -------
    Transformer
        With a feed-forward network of about eight thirds of the width, in steps of 32.
    """
    return Transformer(
        name="small decoder",
        layers=layers,
        dense_layers=layers,
        hidden_size=width,
        vocabulary=vocabulary,
        latent_attention=False,
        attention_heads=heads,
        key_value_heads=key_value_heads,
        head_dim=width // heads,
        intermediate_size=32 * -(-width // 12),
        gated=True,
        tied_embeddings=True,
        attention_bias=False,
        sources=frozenset(),
        **dict.fromkeys(UNUSED, 0),
    )


def random_weights(shape, seed):
    """Return weights that keep the size of activations from layer to layer.

    Parameters
    ----------
    shape : Transformer
    seed : int

    Returns
    -------
    Weights
        In single precision.
    """
    random = np.random.default_rng(seed)
    width, inner = shape.hidden_size, shape.intermediate_size
    queries, keys = shape.attention_heads * shape.head_dim, shape.key_value_heads * shape.head_dim

    def matrix(rows, columns):
        return random.standard_normal((rows, columns), dtype=np.float32) / np.float32(np.sqrt(rows))

    def layer():
        attention = {"query": matrix(width, queries), "key": matrix(width, keys), "value": matrix(width, keys)}
        attention["output"] = matrix(queries, width)
        network = {"gate": matrix(width, inner), "up": matrix(width, inner), "down": matrix(inner, width)}
        return Layer(norms=np.ones((2, width), dtype=np.float32), **attention, **network)

    embedding = random.standard_normal((shape.vocabulary, width), dtype=np.float32)
    return Weights(embedding, tuple(layer() for _ in range(shape.layers)))


def cache_shape(shape, tokens):
    """Return the axes of a cache: layer, key or value, key-value head, token, value within the head."""
    return (shape.layers, 2, shape.key_value_heads, tokens, shape.head_dim)


def empty_cache(shape, tokens):
    """Return room for the keys and values of so many tokens, in single precision."""
    return np.zeros(cache_shape(shape, tokens), dtype=np.float32)


def prefill(shape, weights, tokens, cache, cached_tokens=0):
    """Compute a prompt from the end of its cached prefix on, and return what follows its last token.

    Parameters
    ----------
    shape : Transformer
    weights : Weights
    tokens : ndarray of int
        The whole prompt.
    cache : ndarray
        Axes as `cache_shape` names them, with room for the prompt; holds the prefix, and is filled up with the rest.
    cached_tokens : int
        Length of the prefix, less than the prompt.

    Returns
    -------
    ndarray
        (vocabulary,): logits.

    Raises
    ------
    ValueError
        No token is left to compute, or the cache is too short.
    """
    if not 0 <= cached_tokens < len(tokens) <= cache.shape[3]:
        raise ValueError(f"{cached_tokens} cached of {len(tokens)} tokens, with room for {cache.shape[3]}")
    for start in range(cached_tokens, len(tokens), STEP_TOKENS):
        end = min(start + STEP_TOKENS, len(tokens))
        rows, turns = weights.embedding[tokens[start:end]], rotary_turns(shape, np.arange(start, end))
        for layer, kept in zip(weights.layers, cache, strict=True):
            rows = rows + _attended(shape, layer, normalised(rows, layer.norms[0]), kept[:, :, :end], turns)
            rows = rows + fed_forward(layer, normalised(rows, layer.norms[1]))
    return normalised(rows[-1:], np.float32(1))[0] @ weights.embedding.T


def normalised(rows, scale):
    """Return rows divided by the root of their mean square, times a scale."""
    mean_square = np.einsum("ij,ij->i", rows, rows)[:, None] / np.float32(rows.shape[1])
    return rows / np.sqrt(mean_square + np.float32(SMALLEST_MEAN_SQUARE)) * scale


def fed_forward(layer, rows):
    """Return the gated feed-forward network of rows: ``(silu(x G) * (x U)) D``."""
    gate = rows @ layer.gate
    gate /= 1 + np.exp(-gate)
    gate *= rows @ layer.up
    return gate @ layer.down


def rotary_turns(shape, positions):
    """Return the cosine and the sine by which pairs of a head's values are turned, (tokens, half a head) each."""
    half = shape.head_dim // 2
    angles = np.outer(positions, ROTARY_BASE ** (-np.arange(half) / half))
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def turned(heads, turns):
    """Return queries or keys (head, token, value) with their position turned in."""
    cosine, sine = turns
    first, second = np.split(heads, 2, axis=-1)
    return np.concatenate((first * cosine - second * sine, first * sine + second * cosine), axis=-1)


def _attended(shape, layer, rows, kept, turns):
    """Attention of the last rows of a cache on all of it; their keys and values are put there."""

    def by_head(projected, heads):
        return projected.reshape(len(rows), heads, shape.head_dim).transpose(1, 0, 2)

    kept[0, :, -len(rows) :] = turned(by_head(rows @ layer.key, shape.key_value_heads), turns)
    kept[1, :, -len(rows) :] = by_head(rows @ layer.value, shape.key_value_heads)
    queries = turned(by_head(rows @ layer.query, shape.attention_heads), turns)
    found = looked_up(queries * np.float32(shape.head_dim**-0.5), kept[0], kept[1])
    return found.transpose(1, 0, 2).reshape(len(rows), -1) @ layer.output


def looked_up(queries, keys, values):
    """Return the values that queries find, causally: the queries belong to the last of the keys.

    Parameters
    ----------
    queries : ndarray
        (heads, queries, head dimension), scaled.
    keys, values : ndarray
        (key-value heads, keys, head dimension); neighbouring query heads share one of them.

    Returns
    -------
    ndarray
        As the queries.
    """
    new = queries.shape[1]
    groups = queries.reshape(len(keys), -1, queries.shape[2])
    scores = groups @ keys.transpose(0, 2, 1)
    own = scores.reshape(len(keys), -1, new, scores.shape[2])[..., -new:]
    own += np.triu(np.full((new, new), -np.inf, dtype=np.float32), 1)
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    found = scores @ values
    found /= scores.sum(axis=-1, keepdims=True)
    return found.reshape(queries.shape)
