"""Peak rates: printed figures of other cards, the reverse, and sums."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.models.peaks import bottom_up_tflops, clock_needed_mhz, system_pflops

POSITIVE = st.floats(1e-3, 1e6)


def test_the_first_ascend_follows_from_its_cores_at_one_gigahertz():
    # 32 cores of 4,096 products; printed as 256 TFLOPS, which is a thousand cycles for 1,024.
    assert float(bottom_up_tflops(32, 4096, 1000)) == pytest.approx(256 * 1.024)


def test_h100_follows_from_its_cores_and_boost_clock():
    # 132 multiprocessors of 2,048 dense 16-bit products, 1,830 MHz; printed as 989.4 TFLOPS.
    assert float(bottom_up_tflops(132, 2048, 1830)) == pytest.approx(989.4, rel=1e-3)


@given(cores=POSITIVE, products=POSITIVE, clock=POSITIVE, dies=st.integers(1, 8))
def test_the_clock_needed_for_a_peak_is_the_one_that_gives_it(cores, products, clock, dies):
    peak = bottom_up_tflops(cores, products, clock, dies)
    assert float(clock_needed_mhz(peak, cores, products, dies)) == pytest.approx(clock)


def test_two_dies_do_twice_as_much():
    assert bottom_up_tflops(24, 4096, 1800, 2) == 2 * bottom_up_tflops(24, 4096, 1800)


@given(cards=st.integers(1, 10_000), peaks=st.lists(POSITIVE, min_size=1, max_size=5))
def test_a_system_is_the_sum_of_its_cards(cards, peaks):
    totals = system_pflops(cards, np.array(peaks))
    assert totals == pytest.approx([cards * peak / 1000 for peak in peaks])
