"""Parameters against published counts, operations against plain loops, limits and identities."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.facts import open_facts
from analysis.facts.transformers import transformer
from analysis.models import transformer_costs as costs

FACTS = open_facts()
MODELS = list(FACTS.table("transformers")["name"])
# Kimi-K2 is published as a round trillion.
ROUND = {"Kimi-K2": 0.03}


@pytest.mark.parametrize("name", MODELS)
def test_parameters_computed_from_the_shape_are_the_published_ones(name):
    published = FACTS.table("transformers").set_index("name").loc[name, "parameters_billion_published"]
    assert costs.parameters(transformer(FACTS, name)) / 1e9 == pytest.approx(published, rel=ROUND.get(name, 0.01))


@pytest.mark.parametrize("name", [name for name in MODELS if "GLM" not in name])
def test_active_parameters_lie_between_the_layers_alone_and_all_embeddings(name):
    """Publishers count embeddings and head or not; the published figure, as rounded, lies between."""
    published = FACTS.table("transformers").set_index("name").loc[name, "active_parameters_billion_published"]
    shape = transformer(FACTS, name)
    low, high = costs.layer_parameters(shape, active=True) / 1e9, costs.parameters(shape, active=True) / 1e9
    assert 0.98 * low <= published <= 1.02 * high


def test_the_latent_cache_of_deepseek_is_that_of_its_report():
    """The report: 512 of the latent and 64 of the rotated key a layer and token, against 128 heads otherwise."""
    shape = transformer(FACTS, "DeepSeek-V3")
    assert costs.key_value_bytes(shape, 1, 2) == 61 * (512 + 64) * 2


def test_grouped_queries_cache_as_many_times_less_as_heads_share_a_key():
    shape = transformer(FACTS, "Llama-3 70B")
    every_head = replace(shape, key_value_heads=shape.attention_heads)
    assert costs.key_value_bytes(every_head, 100, 2) / costs.key_value_bytes(shape, 100, 2) == 64 / 8


def test_a_dense_model_is_a_model_with_one_expert():
    dense = transformer(FACTS, "Qwen3-8B")
    one = replace(
        dense,
        dense_layers=0,
        routed_experts=1,
        experts_per_token=1,
        expert_intermediate_size=dense.intermediate_size,
    )
    router = one.layers * one.hidden_size
    assert costs.parameters(one) - costs.parameters(dense) == router
    assert costs.parameters(one, active=True) == costs.parameters(one)


def looped_pairs(shape, new, cached):
    """Every query with every key that it sees, layer by layer."""
    total = 0
    for layer in range(shape.layers):
        window = shape.sliding_window if shape.sliding_window and layer % 2 else 10**9
        total += sum(min(cached + query + 1, window) for query in range(new))
    return total


@pytest.mark.parametrize("cached", [0, 1, 100, 127, 128, 500])
@pytest.mark.parametrize("new", [1, 2, 130, 300])
def test_pairs_of_causal_and_windowed_attention_equal_a_loop(new, cached):
    for name in ("GPT-OSS 120B", "Qwen3-8B"):
        shape = transformer(FACTS, name)
        assert costs.attention_pairs(shape, new, cached) == looped_pairs(shape, new, cached)


@given(st.integers(1, 4000), st.integers(0, 4000), st.integers(1, 4000))
def test_a_prompt_in_two_pieces_sees_the_pairs_of_the_whole(first, cached, second):
    shape = transformer(FACTS, "GPT-OSS 120B")
    whole = costs.attention_pairs(shape, first + second, cached)
    pieces = costs.attention_pairs(shape, first, cached) + costs.attention_pairs(shape, second, cached + first)
    assert pieces == pytest.approx(whole, rel=1e-12)


def test_training_costs_six_operations_a_parameter_where_attention_is_negligible():
    """The rule of thumb 6 N [per token] holds for the parameters that multiply: layers and output head."""
    for name in ("Llama-3.1 405B", "DeepSeek-V3", "GPT-3 175B"):
        shape = transformer(FACTS, name)
        multiplied = costs.layer_parameters(shape, active=True) + shape.vocabulary * shape.hidden_size
        assert costs.training_flops_per_token(shape, 1) == pytest.approx(6 * multiplied, rel=1e-3)


def test_attention_grows_with_the_square_of_the_prompt():
    shape = transformer(FACTS, "Llama-3 70B")
    without = [costs.forward_flops(shape, n) - n * costs.matrix_flops_per_token(shape) for n in (20_000, 40_000)]
    head = costs.head_flops_per_token(shape)
    assert (without[1] - head) / (without[0] - head) == pytest.approx(4, rel=1e-3)


def test_costs_broadcast():
    shape = transformer(FACTS, "DeepSeek-V3")
    lengths = np.array([10, 1000])
    together = costs.forward_flops(shape, lengths, 50, latent=True)
    assert together.tolist() == [float(costs.forward_flops(shape, n, 50, latent=True)) for n in lengths]
