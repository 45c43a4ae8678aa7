"""What kernels depend on: rows joined to their accelerators, peaks that follow from clocks and units."""

import pytest

from analysis.facts import open_facts
from analysis.facts.architectures import architecture, architectures
from analysis.facts.devices import device


@pytest.fixture(scope="module")
def facts():
    return open_facts()


def test_every_row_is_an_accelerator_of_the_tables_with_a_board_power(facts):
    named = set(facts.table("architectures")["name"])
    assert named <= set(facts.table("accelerators")["name"])
    assert set(architectures(facts)) == named


def test_peaks_follow_from_a_credible_clock(facts):
    """Multiprocessors times operations a clock times 1.3 to 2.1 GHz."""
    for row in facts.table("architectures").itertuples():
        per_clock = row.multiprocessors * row.matrix_flops_per_clock
        assert 1.3e9 < 1e12 * device(facts, row.name).tflops("bf16") / per_clock < 2.15e9, row.name


def test_the_exponentials_of_h100_take_half_the_time_of_products_at_width_128(facts):
    """Source: shah2024flashattention3, section 3.2."""
    assert architecture(facts, "H100 SXM").softmax_width / 128 == 0.5


def test_an_accelerator_without_a_row_has_no_architecture(facts):
    assert architecture(facts, "Ascend 910C") is None


def test_an_overlay_adds_one(overlay):
    folder = overlay(
        architectures="name,family,multiprocessors,matrix_flops_per_clock,exponentials_per_clock,source,locator,confidence\n"
        "H20,hopper,78,4096,16,shah2024flashattention3,as H100,secondhand\n"
    )
    found = architecture(open_facts(folder), "H20")
    assert found.multiprocessors == 78 and found.softmax_width == 64
