"""The roofline and the share of a peak that few rows reach."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.models.roofline import filled_share, roofline_s

positive = st.floats(1e-3, 1e6)


@given(positive, positive, positive, positive)
def test_an_operator_takes_the_longer_of_its_two_times(flops, moved, tflops, bandwidth):
    found = roofline_s(flops, moved, tflops=tflops, memory_GBps=bandwidth)
    assert found == pytest.approx(max(flops / tflops / 1e12, moved / bandwidth / 1e9))


def test_at_the_ridge_both_limits_bind():
    # 100 operations a byte on a device of 100 operations for each byte that its memory moves.
    assert roofline_s(1e14, 1e12, tflops=100, memory_GBps=1000) == pytest.approx(1.0)


@given(st.floats(1, 1e6), st.floats(1, 1e5))
def test_time_of_a_product_is_a_constant_plus_its_rows(rows, half):
    """n-half: rows / share grows by one for each row, from `half` at none."""
    assert rows / filled_share(rows, half) == pytest.approx(rows + half)


def test_the_share_grows_to_one_and_is_a_half_at_half_rows():
    shares = filled_share(np.array([64.0, 128, 1e9]), 128)
    assert shares[1] == 0.5 and np.all(np.diff(shares) > 0) and shares[2] == pytest.approx(1)
