"""Time of an operator: what its arithmetic or its memory traffic takes, whichever is longer.

The roofline is [williams2009roofline]. A peak is not reached: the share that a kernel family reaches is fitted, and a
matrix product with few rows reaches less of it, because tiles and waves of the device stay partly empty.
"""

import numpy as np

TERA, GIGA = 1e12, 1e9


def roofline_s(flops, bytes_moved, *, tflops, memory_GBps):
    """Return the time of an operator that reaches the given rates.

    Parameters
    ----------
    flops, bytes_moved : array_like
        Operations, and bytes read and written in the device's memory.
    tflops, memory_GBps : array_like
        Rates that the kernel reaches: the peak times the fitted share.

    Returns
    -------
    ndarray
        Seconds.

    Examples
    --------
    >>> float(roofline_s(2e12, 1e9, tflops=1.0, memory_GBps=1000.0))
    2.0
    """
    return np.maximum(np.asarray(flops) / (TERA * tflops), np.asarray(bytes_moved) / (GIGA * memory_GBps))


def filled_share(rows, half_rows):
    """Return the part of its best rate that a matrix product of so many rows reaches.

    Parameters
    ----------
    rows : array_like
        Rows of the activations: tokens that pass one matrix together.
    half_rows : array_like
        Rows at which half of the best rate is reached.

    Returns
    -------
    ndarray
        In (0, 1): ``rows / (rows + half_rows)``, the form of a pipeline that needs a constant time to fill.
        Source: [hockney1987parametrization].
    """
    rows = np.asarray(rows, dtype=float)
    return rows / (rows + half_rows)
