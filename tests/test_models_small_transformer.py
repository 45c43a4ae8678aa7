"""The small decoder against a plain one, its causality, its cache, and its size against the counts of the model."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.models import small_transformer as small
from analysis.models import transformer_costs as costs

SHAPE = small.decoder_shape(layers=2, width=32, heads=4, key_value_heads=2, vocabulary=61)
WEIGHTS = small.random_weights(SHAPE, seed=1)
TOKENS = np.random.default_rng(2).integers(SHAPE.vocabulary, size=150)  # more than two steps
CLOSE = {"rtol": 1e-4, "atol": 1e-4}


def whole(tokens, shape=SHAPE, weights=WEIGHTS):
    cache = small.empty_cache(shape, len(tokens))
    return small.prefill(shape, weights, tokens, cache), cache


def plain_logits(shape, weights, tokens):
    """Token by token in double precision, heads and positions written out, no cache and no mask."""

    def norm(row):
        return row / np.sqrt(np.mean(row**2) + small.SMALLEST_MEAN_SQUARE)

    def turn(head, position):
        half = len(head) // 2
        # A pair of values is a complex number, a position an angle.
        pairs = head[:half] + 1j * head[half:]
        pairs = pairs * np.exp(1j * position * small.ROTARY_BASE ** (-np.arange(half) / half))
        return np.concatenate((pairs.real, pairs.imag))

    size, group = shape.head_dim, shape.attention_heads // shape.key_value_heads
    rows = weights.embedding[tokens].astype(float)
    for layer in weights.layers:
        normed = np.array([norm(row) for row in rows])
        after = np.zeros_like(rows)
        for place in range(len(rows)):
            heads = []
            for head in range(shape.attention_heads):
                shared = slice(head // group * size, (head // group + 1) * size)
                query = turn((normed[place] @ layer.query)[head * size : (head + 1) * size], place)
                keys = [turn((normed[past] @ layer.key)[shared], past) for past in range(place + 1)]
                scores = np.exp([query @ key / np.sqrt(size) for key in keys])
                heads.append(
                    scores / scores.sum() @ np.array([row @ layer.value for row in normed[: place + 1]])[:, shared]
                )
            after[place] = rows[place] + np.concatenate(heads) @ layer.output
        normed = np.array([norm(row) for row in after])
        gate = normed @ layer.gate
        rows = after + (gate / (1 + np.exp(-gate)) * (normed @ layer.up)) @ layer.down
    return weights.embedding @ norm(rows[-1])


def test_logits_are_those_of_a_plain_decoder():
    tokens = TOKENS[:9]
    np.testing.assert_allclose(whole(tokens)[0], plain_logits(SHAPE, WEIGHTS, tokens), **CLOSE)


@given(st.integers(2, len(TOKENS)), st.data())
def test_a_cached_prefix_leaves_the_logits_as_they_are(prompt, data):
    cached = data.draw(st.integers(1, prompt - 1))
    logits, known = whole(TOKENS[:prompt])
    cache = np.full_like(known, np.nan)
    cache[:, :, :, :cached] = known[:, :, :, :cached]
    np.testing.assert_allclose(small.prefill(SHAPE, WEIGHTS, TOKENS[:prompt], cache, cached), logits, **CLOSE)
    np.testing.assert_allclose(cache, known, **CLOSE)


def test_steps_of_any_size_give_the_same(monkeypatch):
    logits, _ = whole(TOKENS)
    for step in (1, 7, len(TOKENS)):
        monkeypatch.setattr(small, "STEP_TOKENS", step)
        np.testing.assert_allclose(whole(TOKENS)[0], logits, **CLOSE)


def test_a_token_changes_nothing_before_it():
    other = TOKENS.copy()
    other[100] = (other[100] + 1) % SHAPE.vocabulary
    (first, known), (second, changed) = whole(TOKENS), whole(other)
    np.testing.assert_array_equal(known[:, :, :, :100], changed[:, :, :, :100])
    assert np.abs(first - second).max() > 1e-2 and not np.allclose(known[:, :, :, 100], changed[:, :, :, 100])


def test_a_wrong_prefix_changes_the_logits():
    """The cached values are used: a decoder that computed everything anew would not notice."""
    logits, known = whole(TOKENS)
    known[:, :, :, :50] = known[:, :, :, 50:100]
    assert np.abs(small.prefill(SHAPE, WEIGHTS, TOKENS, known, 100) - logits).max() > 1e-2


def test_shared_keys_are_those_of_heads_that_hold_the_same_ones():
    """Grouped queries equal full attention whose key-value heads are copied for every head of a group."""

    def copied(matrix):
        heads = matrix.reshape(len(matrix), SHAPE.key_value_heads, 1, SHAPE.head_dim)
        return np.repeat(heads, SHAPE.attention_heads // SHAPE.key_value_heads, axis=2).reshape(len(matrix), -1)

    layers = tuple(replace(layer, key=copied(layer.key), value=copied(layer.value)) for layer in WEIGHTS.layers)
    full = replace(SHAPE, key_value_heads=SHAPE.attention_heads)
    np.testing.assert_allclose(whole(TOKENS)[0], whole(TOKENS, full, replace(WEIGHTS, layers=layers))[0], **CLOSE)


def test_weights_and_cache_are_as_many_values_as_the_model_counts():
    layers = sum(getattr(layer, field.name).size for layer in WEIGHTS.layers for field in fields(layer))
    assert layers + WEIGHTS.embedding.size == costs.parameters(SHAPE)
    assert small.empty_cache(SHAPE, 10).nbytes == costs.key_value_bytes(SHAPE, 10, 4)


@pytest.mark.parametrize(("cached", "room"), [(5, 5), (-1, 5), (0, 4)])
def test_nothing_to_compute_or_no_room_is_refused(cached, room):
    with pytest.raises(ValueError, match=f"{cached} cached of 5 tokens, with room for {room}"):
        small.prefill(SHAPE, WEIGHTS, TOKENS[:5], small.empty_cache(SHAPE, room), cached)
