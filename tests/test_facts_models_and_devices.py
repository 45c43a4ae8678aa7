"""Shapes of models, devices of cards, and the spellings that lead to them."""

import pytest
from conftest import edited

from analysis.errors import DataError
from analysis.facts import open_facts
from analysis.facts.devices import bytes_per_value, device
from analysis.facts.names import resolved
from analysis.facts.transformers import transformer

FACTS = open_facts()


def test_every_alias_leads_to_a_row():
    for row in FACTS.table("aliases").itertuples(index=False):
        name, precision = resolved(FACTS, row.kind, row.alias)
        assert precision == row.precision
        assert transformer(FACTS, name) if row.kind == "model" else device(FACTS, name)


def test_an_unknown_spelling_names_the_nearest():
    with pytest.raises(DataError, match="Qwen3-8B"):
        resolved(FACTS, "model", "Qwen3-8b")
    with pytest.raises(DataError, match="H100"):
        resolved(FACTS, "accelerator", "H-100")


def test_every_measurement_names_a_model_and_an_accelerator_that_exist():
    for table in ("expert_parallel", "prefill", "decode", "training_iterations", "training_throughput"):
        rows = FACTS.table(table)
        for kind in ("accelerator", "model"):
            for text in rows.get(kind, ()):
                assert not text or resolved(FACTS, kind, text)


def test_a_die_is_half_a_package():
    package, die = device(FACTS, "Ascend 910C"), device(FACTS, "Ascend 910C", dies=2)
    for name in ("memory_gb", "memory_GBps", "scaleup_GBps", "scaleout_GBps"):
        assert getattr(die, name) == getattr(package, name) / 2
    assert die.tflops("INT8") == package.tflops("INT8") / 2
    # 384 packages of the supernode are 768 dies.
    assert (package.scaleup_domain, die.scaleup_domain) == (384, 768)


def test_links_are_one_way():
    """NVLink 4 is sold as 900 GB/s of both directions; a 400 Gbit/s port moves 50 GB/s each way."""
    card = device(FACTS, "H100 SXM")
    assert card.scaleup_GBps == 450 and card.scaleout_GBps == 50


def test_a_format_that_a_card_lacks_runs_at_the_rate_of_the_next_wider_one():
    a100, ascend = device(FACTS, "A100 SXM 80GB"), device(FACTS, "Ascend 910C")
    assert a100.tflops("MXFP8") == a100.peak_tflops["int8"]
    assert ascend.tflops("FP8") == ascend.peak_tflops["int8"]
    assert device(FACTS, "B200").tflops("NVFP4") == device(FACTS, "B200").peak_tflops["fp4"]
    with pytest.raises(DataError, match="fp64"):
        a100.tflops("fp64")


def test_bytes_of_a_value():
    assert [bytes_per_value(name) for name in ("FP4", "FP8", "INT8", "BF16", "NVFP4")] == [0.5, 1, 1, 2, 0.5]
    with pytest.raises(DataError, match="fp12"):
        bytes_per_value("fp12")


def test_an_unknown_model_or_card_is_an_error():
    with pytest.raises(DataError, match=r"transformers\.csv: no row 'GPT-9'"):
        transformer(FACTS, "GPT-9")
    with pytest.raises(DataError, match=r"accelerators\.csv: no row 'H9000'"):
        device(FACTS, "H9000")


@pytest.mark.parametrize(
    ("model", "column"),
    [("DeepSeek-V3", "kv_lora_rank"), ("Qwen3-8B", "head_dim"), ("Qwen3-30B-A3B", "routed_experts")],
)
def test_a_shape_without_a_size_that_it_needs_names_line_and_column(tmp_path, model, column):
    edited(tmp_path, "transformers", {model: {column: ""}})
    with pytest.raises(DataError, match=rf"transformers\.csv, line 2, column {column}"):
        transformer(open_facts(tmp_path), model)


def test_a_readers_own_model_is_found_by_its_name(tmp_path):
    edited(tmp_path, "transformers", {"Qwen3-8B": {"name": "Mine 8B"}})
    facts = open_facts(tmp_path)
    assert resolved(facts, "model", "Mine 8B") == ("Mine 8B", "")
    assert transformer(facts, "Mine 8B").layers == transformer(facts, "Qwen3-8B").layers
