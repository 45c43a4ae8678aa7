"""Two micro-batches on one card: the closed form against the schedule played operator by operator."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.models.overlap import overlapped_s, scheduled_s

OPERATORS = st.tuples(*[st.floats(0.0, 10.0)] * 4)


@given(OPERATORS, st.sampled_from([1, 2]))
def test_the_closed_form_is_the_steady_state_of_the_schedule(operators, micro_batches):
    period = (scheduled_s(operators, 48, micro_batches) - scheduled_s(operators, 24, micro_batches)) / 24
    assert float(overlapped_s(*operators, micro_batches)) == pytest.approx(period, abs=1e-9)


@given(OPERATORS)
def test_two_micro_batches_hide_no_more_than_the_busier_resource_allows(operators):
    attention, dispatch, experts, combine = operators
    together = float(overlapped_s(*operators, 2))
    cores, network = attention + experts, dispatch + combine
    assert max(2 * cores, 2 * network, cores + network) - 1e-9 <= together <= 2 * (cores + network) + 1e-9


@given(OPERATORS)
def test_where_nothing_is_exchanged_nothing_is_gained(operators):
    attention, _, experts, _ = operators
    assert float(overlapped_s(attention, 0.0, experts, 0.0, 2)) == pytest.approx(2 * (attention + experts))


@given(OPERATORS, st.integers(0, 3), st.floats(0.0, 5.0))
def test_a_longer_operator_never_shortens_a_layer(operators, place, more):
    longer = [one + more * (at == place) for at, one in enumerate(operators)]
    for count in (1, 2):
        assert float(overlapped_s(*longer, count)) >= float(overlapped_s(*operators, count)) - 1e-12


def test_it_broadcasts():
    found = overlapped_s(np.ones((3, 1)), 1.0, np.ones(4), 1.0, np.array([1, 2, 1, 2]))
    assert found.shape == (3, 4) and found[0].tolist() == [4.0, 4.0, 4.0, 4.0]
