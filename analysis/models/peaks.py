"""Peak rates: of an accelerator from its cores and clock, and of many of them."""

import numpy as np

FLOPS_A_PRODUCT = 2
MEGA, TERA = 1e6, 1e12
TFLOPS_A_PFLOPS = 1000


def bottom_up_tflops(cores, products_per_clock, clock_mhz, dies=1):
    """Return the peak of an accelerator: every core finishes its products at every clock.

    Parameters
    ----------
    cores, products_per_clock : array_like
        Matrix units of one die, and the multiplications (with their additions) that each finishes in a clock.
    clock_mhz : array_like
    dies : array_like

    Returns
    -------
    ndarray
        TFLOPS.

    Examples
    --------
    >>> float(bottom_up_tflops(32, 4096, 1000))
    262.144
    """
    per_second = np.asarray(cores) * products_per_clock * (np.asarray(clock_mhz) * MEGA)
    return dies * FLOPS_A_PRODUCT * per_second / TERA


def clock_needed_mhz(tflops, cores, products_per_clock, dies=1):
    """Return the clock at which an accelerator reaches a peak; the reverse of `bottom_up_tflops`."""
    return np.asarray(tflops) * TERA / (FLOPS_A_PRODUCT * MEGA * cores * products_per_clock * dies)


def system_pflops(cards, card_tflops):
    """Return the peak of many accelerators, in PFLOPS.

    Examples
    --------
    >>> float(system_pflops(8, 989.4))
    7.9152
    """
    return np.asarray(cards) * np.asarray(card_tflops, dtype=float) / TFLOPS_A_PFLOPS
