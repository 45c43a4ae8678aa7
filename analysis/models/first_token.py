"""Time to first token of one request that nothing else delays; numbers, or arrays that broadcast.

A prompt is cut at the end of its cached prefix. The suffix passes all layers, its attention looking back on the whole
prompt; keys and values of the prefix are read from where they lie, partly while layers are computed.
"""

from dataclasses import dataclass

import numpy as np

from analysis.models.collectives import GIGA
from analysis.models.roofline import TERA, roofline_s
from analysis.models.transformer_costs import (
    attention_pairs,
    head_flops_per_token,
    key_value_bytes,
    matrix_flops_per_token,
    pair_flops,
)

KV_BYTES_PER_VALUE = 2.0


@dataclass(frozen=True)
class Prefiller:
    """What one instance of an engine does with a prompt.

    Attributes
    ----------
    peak_tflops : array_like
        Of all its cards, in the format of the matrix products.
    utilisation : array_like
        Of that peak, by products of matrices with many rows.
    fixed_s : array_like
        Of a request, whatever its length: scheduling, launches, the way to the client.
    step_s : array_like
        Of each step of the engine besides.
    attention_tflops : array_like or None
        That attention's own products reach; None where they reach what matrices do.
    communication_s : array_like
        Of one token: sums over the cards that share the matrices.
    launch_s : array_like
        That a step takes at least, to launch its kernels one after the other.
    weight_bytes, memory_GBps : array_like
        Weights of one card, read once a step, and the peak rate of its memory; `utilisation` counts for it too.
    """

    peak_tflops: float
    utilisation: float
    fixed_s: float = 0.0
    step_s: float = 0.0
    attention_tflops: float | None = None
    communication_s: float = 0.0
    launch_s: float = 0.0
    weight_bytes: float = 0.0
    memory_GBps: float = 1.0


def prefill_s(model, prefiller, suffix_tokens, prompt_tokens):
    """Return the time that a suffix takes, alone in one step.

    Parameters
    ----------
    model : Transformer
    prefiller : Prefiller
    suffix_tokens : array_like
        Tokens that are computed, at least one.
    prompt_tokens : array_like
        Tokens that they look back on, themselves included.

    Returns
    -------
    ndarray
        Seconds: `fixed_s`, one step, and its work.
    """
    suffix, prompt = np.asarray(suffix_tokens, dtype=float), np.asarray(prompt_tokens, dtype=float)
    pairs = attention_pairs(model, suffix, prompt - suffix)
    return prefiller.fixed_s + step_s(model, prefiller, suffix, pairs, prompt - suffix)


def step_s(model, prefiller, tokens, pairs, looked_back=0.0, prompts=1.0):
    """Return the time of one step that prefills.

    Parameters
    ----------
    model : Transformer
    prefiller : Prefiller
    tokens, pairs, looked_back : array_like
        Tokens of all prompts in the step, their query-key pairs over all layers, and earlier tokens of those prompts.
    prompts : array_like
        Prompts that end in the step and so pass the output head.

    Returns
    -------
    ndarray
        Seconds.
    """
    peak = np.asarray(prefiller.peak_tflops, dtype=float)
    attention_tflops = prefiller.attention_tflops
    reached = peak * prefiller.utilisation if attention_tflops is None else np.asarray(attention_tflops)
    memory = (prefiller.weight_bytes, prefiller.memory_GBps)
    matrices = matrix_s(model, tokens, prompts, peak, *memory) / prefiller.utilisation
    attention = attention_s(model, pairs, looked_back, reached)
    computed = matrices + attention + np.asarray(tokens) * prefiller.communication_s
    return prefiller.step_s + np.maximum(computed, prefiller.launch_s)


def matrix_s(model, tokens, ends, tflops, weight_bytes, memory_GBps):
    """Return the time of a step's products of matrices at given rates.

    Parameters
    ----------
    model : Transformer
    tokens, ends : array_like
        Tokens of the step, and those that pass the output head.
    tflops : array_like
        Of the whole instance.
    weight_bytes, memory_GBps : array_like
        Of one card.

    Returns
    -------
    ndarray
        Seconds.
    """
    flops = np.asarray(tokens) * matrix_flops_per_token(model) + np.asarray(ends) * head_flops_per_token(model)
    return roofline_s(flops, weight_bytes, tflops=tflops, memory_GBps=memory_GBps)


def unfolding_flops_per_token(model):
    """Return the operations that turn one token's latents into keys and values in all layers; 0 without latents."""
    if not model.latent_attention:
        return 0
    return 2 * model.layers * model.kv_lora_rank * model.attention_heads * (model.qk_nope_head_dim + model.v_head_dim)


def attention_s(model, pairs, looked_back, tflops):
    """Return the time of attention's own products.

    Parameters
    ----------
    model : Transformer
    pairs : array_like
        Query-key pairs over all layers.
    looked_back : array_like
        Earlier tokens of the prompts, whose latents are unfolded into keys and values once more.
    tflops : array_like
        Of the whole instance.

    Returns
    -------
    ndarray
        Seconds.
    """
    flops = pair_flops(model, latent=False) * np.asarray(pairs, dtype=float)
    return (flops + unfolding_flops_per_token(model) * np.asarray(looked_back)) / (TERA * tflops)


def load_s(model, cached_tokens, load_GBps, kv_bytes_per_value=KV_BYTES_PER_VALUE, lookup_s=0.0):
    """Return the time in which keys and values of a prefix arrive.

    Parameters
    ----------
    model : Transformer
    cached_tokens : array_like
    load_GBps : array_like
        Into the whole instance; infinite where they lie in the memory of the accelerators already.
    kv_bytes_per_value : array_like
    lookup_s : array_like
        To find out where they lie; nothing where nothing is loaded.

    Returns
    -------
    ndarray
        Seconds.
    """
    cached = np.asarray(cached_tokens, dtype=float)
    size = key_value_bytes(model, cached, kv_bytes_per_value)
    return np.where((cached > 0) & np.isfinite(load_GBps), lookup_s, 0.0) + size / (GIGA * np.asarray(load_GBps))


def first_token_s(
    model,
    prefiller,
    prompt_tokens,
    cached_fraction,
    load_GBps,
    hidden=0.0,
    kv_bytes_per_value=KV_BYTES_PER_VALUE,
    lookup_s=0.0,
):
    """Return the time to first token of one request on an idle instance.

    Parameters
    ----------
    model : Transformer
    prefiller : Prefiller
    prompt_tokens, cached_fraction : array_like
        The last token is computed always.
    load_GBps : array_like
        See `load_s`.
    hidden : array_like
        Part of the load that can hide behind the computation, which begins with the first layer's keys and values
        where they come layer by layer; no more than the computation takes.
    kv_bytes_per_value, lookup_s : array_like

    Returns
    -------
    ndarray
        Seconds.
    """
    prompt = np.asarray(prompt_tokens, dtype=float)
    cached = np.minimum(np.asarray(cached_fraction, dtype=float) * prompt, prompt - 1)
    computed = prefill_s(model, prefiller, prompt - cached, prompt)
    load = load_s(model, cached, load_GBps, kv_bytes_per_value, lookup_s)
    return computed + load - np.minimum(hidden * load, computed - prefiller.fixed_s)
