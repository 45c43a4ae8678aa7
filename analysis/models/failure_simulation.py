"""Failures played through one after the other: an event simulation that uses none of the closed forms."""

from dataclasses import dataclass
from functools import cache

import numpy as np

PARTS = ("useful", "checkpoint", "detection", "localisation", "restart", "lost work")
BATCHES = 64


@dataclass(frozen=True)
class Played:
    """What a simulation found.

    Attributes
    ----------
    ettr : float
        Useful time over time on the clock.
    standard_error : float
        Of it, from batches.
    shares : dict of str to float
        Each of `PARTS` as a share of the time on the clock.
    failures : int
        Failures simulated.
    """

    ettr: float
    standard_error: float
    shares: dict
    failures: int


def simulate(between_min, shape, stages_min, interval_min, block_min, *, failures=1_000_000, seed=0):
    """Play a job through its failures.

    After each failure the clock runs through the three stages of the recovery, then through segments of training and
    a checkpoint, until the next failure strikes: during recovery, which then starts again, during training, whose
    work since the last checkpoint is lost, or during a checkpoint, which is lost with it.

    Parameters
    ----------
    between_min, shape : float
        Mean and Weibull shape of the time between failures.
    stages_min : sequence of three float
        Detection, localisation, restart.
    interval_min, block_min : float
        Training between checkpoints, and what one blocks.
    failures : int
        To play through; rounded up to whole batches.
    seed : int

    Returns
    -------
    Played
    """
    from analysis.models.failures import weibull_scale

    each = -(-failures // BATCHES)
    law = (float(weibull_scale(between_min, shape)), 1 / float(shape))
    minutes = [float(one) for one in (*stages_min, interval_min, block_min)]
    sums = np.zeros((BATCHES, len(PARTS)))
    for batch in range(BATCHES):
        sums[batch] = _kernel()(np.random.default_rng([seed, 5, batch]), each, *law, *minutes)
    clock = sums.sum(axis=1)
    ratio = float(sums[:, 0].sum() / clock.sum())
    # The error of a ratio of sums: the spread of what each batch lies off the common ratio.
    off = (sums[:, 0] - ratio * clock) / clock.mean()
    error = float(np.sqrt((off**2).sum() / (BATCHES * (BATCHES - 1))))
    shares = {part: float(share) for part, share in zip(PARTS, sums.sum(axis=0) / clock.sum(), strict=True)}
    return Played(ratio, error, shares, each * BATCHES)


@cache
def _kernel():
    # Compiled when first asked for, so that importing the package does not load the compiler.
    from analysis.models.failure_kernel import play

    return play
