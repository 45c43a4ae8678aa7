"""Training runs: constants found again from what they produce, predictions from conditions alone, contrasts, limits."""

from types import SimpleNamespace

import numpy as np
import pytest

from analysis.errors import DataError
from analysis.evidence import training
from analysis.evidence.predict import conditions
from analysis.evidence.training import TRAINING, UNITS, predict_training, training_machine
from analysis.evidence.training_cases import case_of
from analysis.facts import open_facts
from analysis.models.training_memory import memory_gb

DENSE = {
    "quantity": "training_throughput",
    "accelerator": "GB200",
    "accelerators": "64",
    "scaleup_domain": "72",
    "model": "Llama-3 70B",
    "precision": "MXFP8",
    "sequence_tokens": "8192",
    "global_batch": "256",
    "micro_batch": "1",
    "tensor_parallel": "2",
    "pipeline_parallel": "4",
    "context_parallel": "1",
    "virtual_pipeline": "5",
    "software_release": "26.04.01",
    "recompute": "none",
    "cuda_graph": "none",
}
EXPERTS = DENSE | {
    "model": "GPT-OSS 120B",
    "precision": "BF16",
    "sequence_tokens": "4096",
    "global_batch": "1280",
    "micro_batch": "4",
    "tensor_parallel": "1",
    "pipeline_parallel": "1",
    "virtual_pipeline": "",
    "ep_degree": "64",
    "recompute": "layernorm+moe_act",
    "dispatcher": "alltoall",
    "alltoall_overlap": "no",
}
OLDER = {
    "quantity": "iteration_time",
    "accelerator": "A100-80GB",
    "accelerators": "64",
    "model": "gpt3-175B",
    "layers": "96",
    "hidden_size": "12288",
    "attention_heads": "96",
    "sequence_tokens": "2048",
    "tensor_parallel": "8",
    "pipeline_parallel": "8",
    "data_parallel": "1",
    "global_batch": "64",
    "micro_batch": "1",
    "pipeline_interleaving": "3",
    "recompute": "full",
}


@pytest.fixture(scope="module")
def facts():
    return open_facts()


@pytest.fixture(scope="module")
def rows(facts):
    return TRAINING.rows(facts)


@pytest.fixture(scope="module")
def fitted(rows):
    links = {training.SCALEUP: rows["scaleup_share"].iloc[0], training.SCALEOUT: rows["scaleout_share"].iloc[0]}
    return TRAINING.solve(rows) | links


@pytest.fixture(autouse=True)
def constants(fitted, monkeypatch):
    """What these rows give, whatever the committed file holds."""
    found = {name: SimpleNamespace(value=value) for name, value in fitted.items()}
    monkeypatch.setattr(training, "constants", lambda facts, left_out="": found)


def predicted(facts, row, **changes):
    value, note = predict_training(row | {name: str(cell) for name, cell in changes.items()}, facts)
    assert value is not None, note
    return value


def measured(facts, role):
    """Rows of both tables: conditions as text, and what was measured."""
    for name in training.TABLES:
        table = facts.table(name)
        for row in table[table["role"] == role].to_dict("records"):
            cells = {column: "" if cell != cell else str(cell) for column, cell in row.items()}
            finer = cells.get("value_from_tflops", "")
            yield cells, float(finer or cells["value"])


def errors(facts, role, quantity):
    found = [
        predict_training(conditions(cells), facts)[0] / value - 1
        for cells, value in measured(facts, role)
        if cells["quantity"] == quantity
    ]
    return 100 * np.abs(found)


def test_constants_are_found_again_from_what_they_produce(rows, fitted):
    truth = {
        name: fitted[name] * factor for name, factor in zip(UNITS, (0.9, 1.1, 1.05, 0.95, 0.8, 1.3, 1.2), strict=True)
    }
    synthetic = rows.assign(value=rows["value"] * (1 + TRAINING.errors(rows, truth)))
    found = TRAINING.solve(synthetic)
    assert {name: found[name] for name in UNITS} == pytest.approx(truth, rel=1e-4)


def test_every_constant_is_informed_by_several_rows_and_there_are_few_of_them(rows):
    informed = TRAINING.informs(rows)
    assert set(informed) == set(UNITS) and min(int(mask.sum()) for mask in informed.values()) >= 3
    assert 2 * len(UNITS) < len(rows)


def test_what_is_not_fitted_is_predicted_as_well_as_the_issue_asks_where_it_is(facts):
    iteration = errors(facts, "validate", "iteration_time")
    assert iteration.mean() <= 2.5 and iteration.max() <= 5
    assert np.percentile(errors(facts, "validate", "training_throughput"), 90) <= 18


def test_predictions_rest_on_conditions_alone(facts):
    results = {"value": "1e9", "role": "claim", "id": "x", "note": "n", "resolution_percent": "7"}
    results |= {"value_from_tflops": "3", "published_tflops": "5"}
    for row in (DENSE, EXPERTS, OLDER):
        assert predict_training(conditions(row | results), facts) == predict_training(row, facts)


def test_the_size_of_the_domain_decides_where_experts_span_servers_and_little_where_they_fit_into_one(facts):
    """About twice for 64 ranks of experts, a few per cent for 8: the same silicon, one layout, one release."""
    rack, server = (
        predicted(facts, EXPERTS, accelerator=one, scaleup_domain=n) for one, n in (("GB200", 72), ("B200", 8))
    )
    assert 1.5 < rack / server < 3
    near, far = (predicted(facts, EXPERTS, scaleup_domain=domain) for domain in (72, 8))
    assert near > 1.5 * far
    small = EXPERTS | {"accelerators": "8", "model": "Qwen3-30B-A3B", "global_batch": "512", "ep_degree": "8"}
    small |= {"recompute": "none", "precision": "MXFP8"}
    assert predicted(facts, small, scaleup_domain=72) == predicted(facts, small, scaleup_domain=8)


def test_ratios_between_systems_of_one_release_are_within_ten_per_cent(facts):
    found = {
        cells["id"]: (predict_training(conditions(cells), facts)[0], value)
        for role in ("calibrate", "validate")
        for cells, value in measured(facts, role)
    }
    for one, other in (("TT209", "TT211"), ("TT208", "TT211"), ("TT208", "TT209")):
        ratio = found[one][0] / found[other][0]
        assert ratio == pytest.approx(found[one][1] / found[other][1], rel=0.10), (one, other)


def test_every_published_layout_fits_into_the_memory_of_its_cards(facts):
    for role in ("calibrate", "validate"):
        for cells, _ in measured(facts, role):
            case, _ = case_of(cells, facts)
            assert memory_gb(case.shape, case.layout, case.software) <= 1.01 * case.card.memory_gb, cells["id"]


def test_predictions_behave_outside_the_rows(facts):
    assert predicted(facts, DENSE, global_batch=2048) > predicted(facts, DENSE)
    assert predicted(facts, DENSE, sequence_tokens=32768) < predicted(facts, DENSE)
    across = [predicted(facts, EXPERTS, scaleup_domain=8, ep_degree=n) for n in (8, 16, 32, 64, 128)[:4]]
    assert across == sorted(across, reverse=True)
    # With the batch in proportion, a dense model hides its sums of gradients, whatever the size of the cluster.
    clusters = [predicted(facts, DENSE, accelerators=n, global_batch=4 * n) for n in (64, 256, 1024, 4096)]
    assert max(clusters) < 1.05 * min(clusters)
    times = [predicted(facts, OLDER, recompute=kind) for kind in ("none", "selective", "full")]
    assert times == sorted(times)
    assert predicted(facts, OLDER, recompute="selective, with sequence parallelism") < times[1]
    assert predicted(facts, OLDER, pipeline_interleaving=1) > predicted(facts, OLDER)


def test_more_power_and_narrower_formats_are_faster(facts):
    formats = [predicted(facts, DENSE, precision=one, tensor_parallel=1) for one in ("BF16", "MXFP8", "NVFP4")]
    assert formats == sorted(formats)
    cards = [predicted(facts, DENSE, accelerator=one) for one in ("H100", "B200", "GB200", "GB300")]
    assert cards == sorted(cards)


def test_blank_cells_take_defaults_and_say_so(facts):
    bare = {
        name: DENSE[name]
        for name in ("quantity", "accelerator", "accelerators", "model", "sequence_tokens", "global_batch")
    }
    value, note = predict_training(bare | {"tensor_parallel": "4", "pipeline_parallel": "4"}, facts)
    assert value > 0
    for word in ("precision BF16", "micro_batch 1", "recompute", "cuda_graph"):
        assert word in note
    _, note = predict_training(EXPERTS | {"ep_degree": "", "dispatcher": ""}, facts)
    assert "ep_degree 64" in note and "dispatcher alltoall" in note
    _, note = predict_training(DENSE | {"software_release": "27.02"}, facts)
    assert "27.02" in note


def test_where_the_recipe_is_blank_room_in_memory_decides(facts):
    blank = {"recompute": "", "cuda_graph": "", "software_release": "26.02"}
    _, tight = predict_training(EXPERTS | blank, facts)
    _, roomy = predict_training(EXPERTS | blank | {"accelerator": "GB300"}, facts)
    assert "layernorm and activation" in tight and "cuda_graph none" in tight
    assert "recompute none" in roomy and "cuda_graph transformer_engine" in roomy


def test_a_card_without_fitted_constants_takes_typical_ones(facts):
    value, note = predict_training(EXPERTS | {"accelerator": "Ascend 910C", "scaleup_domain": ""}, facts)
    assert value > 0 and "typical" in note
    assert predicted(facts, DENSE, accelerator="H800") < predicted(facts, DENSE, accelerator="GB200")


@pytest.mark.parametrize(
    ("row", "changes", "reason"),
    [
        (DENSE, {"accelerator": ""}, "column accelerator: blank"),
        (DENSE, {"model": ""}, "column model: blank"),
        (DENSE, {"accelerators": ""}, "column accelerators: blank"),
        (DENSE, {"sequence_tokens": ""}, "column sequence_tokens: blank"),
        (DENSE, {"global_batch": ""}, "column global_batch: blank"),
        (DENSE, {"tensor_parallel": "0"}, "expected a whole number"),
        (DENSE, {"tensor_parallel": "1.5"}, "expected a whole number"),
        (DENSE, {"model": "Llama 9"}, "no model 'Llama 9'"),
        (DENSE, {"accelerator": "Z9"}, "no accelerator 'Z9'"),
        (DENSE, {"precision": "FP3"}, "no number format"),
        (DENSE, {"accelerators": "60"}, "do not divide into groups"),
        (DENSE, {"global_batch": "100"}, "does not divide over"),
        (DENSE, {"tensor_parallel": "128", "accelerators": "512"}, "64 heads do not divide"),
        (DENSE, {"virtual_pipeline": "40"}, "pieces of a pipeline"),
        (EXPERTS, {"ep_degree": "48"}, "neither may leave a remainder"),
    ],
)
def test_what_cannot_be_predicted_has_a_reason(facts, row, changes, reason):
    value, note = predict_training(row | changes, facts)
    assert value is None and reason in note


def test_the_shape_of_a_row_wins_over_that_of_its_name(facts):
    assert predicted(facts, OLDER, layers=48) < predicted(facts, OLDER)
    named = {name: cell for name, cell in OLDER.items() if name not in ("layers", "hidden_size", "attention_heads")}
    assert predicted(facts, named) == predicted(facts, OLDER)
    assert predicted(facts, {**OLDER, "accelerators": ""}) == predicted(facts, OLDER)


def test_a_machine_of_the_tables_is_that_of_the_predictions(facts, fitted):
    machine = training_machine(facts, "GB200", "MXFP8", ranks_per_domain=8)
    case, _ = case_of(DENSE, facts)
    own = training.machine_of(case, fitted, 1.0, training.link_shares(facts, case.card, fitted))
    assert machine.matrix_tflops == own.matrix_tflops and machine.fabrics == own.fabrics and machine.chip == own.chip
    assert machine.ranks_per_domain == 8 and own.ranks_per_domain == 72
    supernode = training_machine(facts, "Ascend 910C", "BF16")
    assert supernode.ranks_per_domain == 384 and supernode.matrix_tflops < 752
    with pytest.raises(DataError):
        training_machine(facts, "Z9", "BF16")


def test_products_reach_no_more_than_the_peak(facts, fitted):
    generous = fitted | {name: 1e3 for name in UNITS if name.endswith("bit")}
    case, _ = case_of(DENSE, facts)
    machine = training.machine_of(case, generous, 1.0, (0.7, 0.9))
    assert machine.matrix_tflops == case.card.tflops("fp8")


def test_an_overlay_changes_what_it_says_and_nothing_else(facts, overlay):
    """A reader's link twice as fast helps the experts across cards, and leaves one card's dense layers alone."""
    table = facts.table("accelerators")
    row = table[table["name"] == "GB200"].astype(object).iloc[0].copy()
    row["scaleup_GBps_bidirectional"] *= 2
    cells = ["" if cell != cell else str(cell) for cell in row]
    text = ",".join(table.columns) + "\n" + ",".join(f'"{cell}"' for cell in cells) + "\n"
    theirs = open_facts(overlay(accelerators=text))
    assert predicted(theirs, EXPERTS) > 1.02 * predicted(facts, EXPERTS)
    alone = DENSE | {"tensor_parallel": "1", "pipeline_parallel": "1", "accelerators": "1", "virtual_pipeline": ""}
    assert predicted(theirs, alone) == predicted(facts, alone)
