"""The one rule: every comparator by hand, and what must hold for every input."""

import numpy as np
import pytest
from conftest import target
from hypothesis import given
from hypothesis import strategies as st

from analysis.judgement.case import ModelError, Target
from analysis.judgement.verdict import held, margins, shares, verdict

NUMBERS = st.floats(-1e6, 1e6)


def fractions(predictions, one):
    found = shares(np.array([predictions], dtype=float), np.full(len(predictions), 1 / len(predictions)), one)
    return found.holds, found.below, found.above


@pytest.mark.parametrize(
    ("comparator", "value", "holding", "below", "above"),
    [
        ("eq", 40, [30, 40, 50], [29.9], [50.1]),
        ("eq", -8, [-10, -6], [-10.1], [-5.9]),
        ("eq", 0, [0], [-0.1], [0.1]),
        ("at_least", 30, [30, 31], [29.999], []),
        ("at_most", 10, [10, 9], [], [10.001]),
        ("up_to", 80, [80, 95], [79.9], []),
        ("count", 19, [19], [18], []),
        ("fact", 300, [285, 315], [284.9], [315.1]),
        ("qualitative", 1, [1, 2], [0.99], []),
    ],
)
def test_each_comparator_holds_where_the_contract_says(comparator, value, holding, below, above):
    one = target(value, comparator)
    for predictions, expected in ((holding, (1, 0, 0)), (below, (0, 1, 0)), (above, (0, 0, 1))):
        if predictions:
            assert fractions(predictions, one) == expected


@given(st.lists(NUMBERS, min_size=1, max_size=20), NUMBERS, st.sampled_from(["eq", "at_least", "at_most", "fact"]))
def test_the_shares_of_a_simple_claim_add_up_to_one(predictions, value, comparator):
    assert sum(fractions(predictions, target(value, comparator))) == pytest.approx(1)


@given(st.lists(NUMBERS, min_size=1, max_size=20), NUMBERS, st.floats(0, 1), st.floats(0, 1))
def test_a_wider_tolerance_never_lowers_a_share(predictions, value, one, other):
    narrow, wide = sorted((one, other))
    narrow, wide = (fractions(predictions, target(value, "eq", width))[0] for width in (narrow, wide))
    assert wide >= narrow


def test_a_joint_claim_holds_only_where_all_parts_hold_in_the_same_sample():
    both = Target(("at_least", "at_least"), np.array([1.0, 1.0]), 0.25)
    prediction = np.array([[2.0, 2.0, 0.0, 0.0], [2.0, 0.0, 2.0, 0.0]])
    found = shares(prediction, np.full(4, 0.25), both)
    assert (found.holds, found.below, found.above) == (0.25, 0.75, 0.0)


def test_a_joint_claim_that_misses_on_both_sides_counts_on_neither():
    both = Target(("eq", "eq"), np.array([10.0, 10.0]), 0.25)
    prediction = np.array([[1.0, 1.0, 100.0], [100.0, 10.0, 10.0]])
    found = shares(prediction, np.full(3, 1 / 3), both)
    assert (found.holds, found.below, found.above) == pytest.approx((0, 1 / 3, 1 / 3))


@pytest.mark.parametrize(
    ("share", "region", "resolved", "comparator", "expected"),
    [
        (0.5, None, True, "eq", "reproduced"),
        (0.5, None, False, "eq", "conditional"),
        (0.499, object(), True, "eq", "conditional"),
        (0.499, None, True, "eq", "not reproduced"),
        (0.05, None, True, "up_to", "reproduced"),
        (0.049, None, True, "up_to", "not reproduced"),
    ],
)
def test_the_verdict_follows_from_share_region_and_resolution(share, region, resolved, comparator, expected):
    assert verdict(share, region, target(1, comparator), resolved) == expected


def test_a_model_error_moves_a_ratio_and_the_ratio_behind_a_gain():
    assert ModelError(-0.1, 0.25).moved(10.0, 0.25) == pytest.approx(8.0)
    # A gain of 20 % is a ratio of 1.2; a model that is 20 % too high leaves a ratio of one: no gain.
    assert ModelError(-0.1, 0.2, gain=True).moved(20.0, 0.2) == pytest.approx(0.0)


def test_a_margin_is_relative_to_the_claimed_number_and_absolute_at_nought():
    # At least -8, found -6: a quarter of 8 to spare. At most nought, found 3: three too many.
    assert margins(np.array([[-6.0]]), target(-8, "at_least")).tolist() == [[0.25]]
    assert margins(np.array([[3.0]]), target(0, "at_most")).tolist() == [[-3.0]]
    # eq 8 within a quarter: 9 is an eighth off, an eighth is left; on the edge nothing is left, and it holds.
    assert margins(np.array([[9.0, 10.0]]), target(8, "eq")).tolist() == [[0.125, 0.0]]
    assert held(np.array([0.0, -1e-13, -1e-9])).tolist() == [True, True, False]


@given(st.lists(NUMBERS, min_size=1, max_size=8), NUMBERS)
def test_a_claim_and_its_mirror_image_share_their_fate(predictions, value):
    """Turn every sign: what was at least is at most, what lay below lies above."""
    holds, below, above = fractions(predictions, target(value, "at_least"))
    mirrored = fractions([-one for one in predictions], target(-value, "at_most"))
    assert mirrored == (holds, above, below)


def test_shares_count_weights_and_not_points():
    found = shares(np.array([[1.0, 2.0, 3.0]]), np.array([2.0, 1.0, 1.0]), target(2, "eq", 0.0))
    assert (found.holds, found.below, found.above) == (0.25, 0.5, 0.25)


def test_up_to_needs_a_twentieth_and_everything_else_a_half():
    assert target(1, "up_to").share_needed == 1 / 20
    assert {target(1, word).share_needed for word in ("eq", "at_least", "at_most", "count", "fact", "qualitative")} == {
        1 / 2
    }
