"""Effective training time of a job that fails, recovers and starts again from its last checkpoint.

Symbols: M mean time between failures, R time from a failure to training again, tau training between two checkpoints,
delta what a checkpoint blocks. A failure during recovery starts the recovery again. The share of time that ends up in
a checkpoint is

    ETTR = (tau / M) * sum over j >= 1 of S(R + j (tau + delta)),

with S(t) the probability that the time between failures exceeds t: of each stretch between two failures, every whole
segment that fits behind the recovery counts, the rest is lost. For exponential times the sum is Daly's closed form.
"""

import numpy as np

MINUTES_A_DAY = 24 * 60
THOUSAND_NODES = 1000
# Terms of the sum that are added one by one; behind them the formula for the rest is exact to seven digits.
TERMS = 8


def time_between_failures_min(failures_per_1000_node_days, cards, cards_per_node):
    """Return the mean time between failures of a job that stops when any of its nodes fails.

    Parameters
    ----------
    failures_per_1000_node_days : array_like
        Per node and time on the clock; 0 gives infinity.
    cards, cards_per_node : array_like
        Of the job, and of one node.

    Returns
    -------
    ndarray or float
        Minutes.

    Examples
    --------
    >>> round(float(time_between_failures_min(6.5, 16384, 8) / 60), 2)  # hours, as the cluster's operator projects
    1.8
    """
    nodes = np.asarray(cards, dtype=float) / cards_per_node
    with np.errstate(divide="ignore"):
        return THOUSAND_NODES * MINUTES_A_DAY / (np.asarray(failures_per_1000_node_days, dtype=float) * nodes)


def exponential_ettr(between_min, recovery_min, interval_min, block_min):
    """Return the effective training time ratio when failures come at a constant rate.

    Parameters
    ----------
    between_min : array_like
        M; infinity for a job that never fails.
    recovery_min : array_like
        R, counted from the failure.
    interval_min : array_like
        tau, above 0.
    block_min : array_like
        delta.

    Returns
    -------
    ndarray or float
        Between 0 and 1: ``tau / (M e^(R/M) (e^((tau + delta)/M) - 1))``.
        Source: [daly2006optimum], the completion time of section 2, inverted.

    Examples
    --------
    >>> float(exponential_ettr(np.inf, 10.0, 9.9, 0.1))  # no failures: only the checkpoints cost
    0.99
    """
    from scipy.special import exprel

    segment = np.asarray(interval_min, dtype=float) + block_min
    rate = 1 / np.asarray(between_min, dtype=float)
    # (e^x - 1)/x tends to 1 as failures vanish, so the limit needs no case of its own.
    return interval_min / segment * np.exp(-rate * recovery_min) / exprel(rate * segment)


def weibull_scale(between_min, shape):
    """Return the scale of a Weibull distribution with a given mean.

    Parameters
    ----------
    between_min, shape : array_like
        Mean, and shape: 1 is exponential; below 1 failures come in bursts, as times between failures of large
        computers do. Source: [schroeder2006failures].

    Returns
    -------
    ndarray or float
    """
    from scipy.special import gamma

    return between_min / gamma(1 + 1 / np.asarray(shape, dtype=float))


def weibull_ettr(between_min, shape, recovery_min, interval_min, block_min):
    """Return the effective training time ratio for Weibull times between failures.

    The first terms of the sum are added up; the rest is taken by the Euler-Maclaurin formula, as the integral, half a
    term and the slope. `renewal_ettr` adds all terms up one by one.

    Parameters
    ----------
    between_min, shape : array_like
        M and the shape.
    recovery_min, interval_min, block_min : array_like
        R, tau and delta.

    Returns
    -------
    ndarray or float
        Between 0 and 1.
    """
    shape = np.asarray(shape, dtype=float)
    scale = weibull_scale(between_min, shape)
    segment = np.asarray(interval_min, dtype=float) + block_min
    ends = [recovery_min + term * segment for term in range(1, TERMS + 1)]
    segments = sum(np.exp(-((end / scale) ** shape)) for end in ends)
    segments += _further_terms(ends[-1] / scale, between_min, shape, scale, segment)
    return interval_min / between_min * segments


def _further_terms(reduced, between_min, shape, scale, segment):
    """Sum of the survival function behind a point, given in units of the scale, in steps of a segment."""
    from scipy.special import gammaincc

    hazard = reduced**shape
    survival = np.exp(-hazard)
    beyond = between_min * gammaincc(1 / shape, hazard)
    density = shape / scale * reduced ** (shape - 1) * survival
    return beyond / segment - survival / 2 + segment * density / 12


def renewal_ettr(survival, between_min, recovery_min, interval_min, block_min, tail=1e-12):
    """Return the effective training time ratio for any distribution of the time between failures, summed term by term.

    Parameters
    ----------
    survival : callable
        ``survival(t)`` gives the probability that the time between failures exceeds t, vectorised.
    between_min : float
        Its mean.
    recovery_min, interval_min, block_min : float
        R, tau and delta.
    tail : float
        Terms below it are left out.

    Returns
    -------
    float
    """
    segment = interval_min + block_min
    total, first, count = 0.0, 1, 1024
    while True:
        terms = survival(recovery_min + segment * np.arange(first, first + count))
        total += float(np.sum(terms))
        if terms[-1] < tail:
            return interval_min / between_min * total
        first, count = first + count, 2 * count


def interval_ettr(between_min, recovery_min, interval_min, block_min):
    """Return the effective training time ratio from a measured mean interval between failures, stalls included.

    A measured interval I is accounted for in full: the stall R, then training for I - R on average until the next
    failure. That is another statement than a failure rate: here no failure strikes during a stall, or its stall is
    part of R.

    Parameters
    ----------
    between_min : array_like
        I, from failure to failure on the clock.
    recovery_min : array_like
        Mean stall of one failure; where it reaches I nothing is left.
    interval_min, block_min : array_like
        tau and delta.

    Returns
    -------
    ndarray or float
        ``tau / (I (e^((tau + delta)/(I - R)) - 1))``, that is 1 - (R + lost work + checkpoints)/I.

    Examples
    --------
    >>> round(float(interval_ettr(18.0, 10.0, 1e-3, 0.0)), 3)  # a stall of 10 minutes every 18
    0.444
    """
    training = np.maximum(np.asarray(between_min, dtype=float) - recovery_min, 0.0)
    working = exponential_ettr(np.where(training > 0, training, 1.0), 0.0, interval_min, block_min)
    return working * training / between_min


def time_shares(between_min, stages_min, interval_min, block_min):
    """Return where the time of a job goes when failures come at a constant rate.

    Parameters
    ----------
    between_min : float
        M.
    stages_min : dict of str to float
        Stages of the recovery in their order, such as detection, localisation, restart.
    interval_min, block_min : float
        tau and delta.

    Returns
    -------
    dict of str to float
        useful, checkpoint, each stage, and lost work; they add up to one. A stage is running whenever the last
        failure lies as far back as the stage, which for a constant rate has probability e^(-start/M) - e^(-end/M).
    """
    shares, passed = {}, 0.0
    for stage, minutes in stages_min.items():
        shares[stage] = float(np.exp(-passed / between_min) - np.exp(-(passed + minutes) / between_min))
        passed += minutes
    useful = float(exponential_ettr(between_min, passed, interval_min, block_min))
    saved = float(useful * block_min / interval_min)
    lost = 1 - useful - saved - sum(shares.values())
    return {"useful": useful, "checkpoint": saved, **shares, "lost work": lost}


def partial_ettr(between_min, stall_min, *, stalls_included):
    """Return the effective training time ratio of a job of which only the part that failed starts again.

    The parts that go on hold the state of training, so no work is lost with the failed one; all wait for the stall.
    What the failed part misses afterwards is left out: it is one part of many.

    Parameters
    ----------
    between_min, stall_min : array_like
        Mean time between failures of any part, and how long the others wait.
    stalls_included : bool
        True where the time between failures is a measured interval on the clock, stalls accounted for one by one;
        False where it follows from a failure rate, and a failure during a stall starts the stall again.

    Returns
    -------
    ndarray or float

    Examples
    --------
    >>> round(float(partial_ettr(18.0, 3.0, stalls_included=True)), 3)
    0.833
    """
    stalled = np.asarray(stall_min, dtype=float) / between_min
    return np.maximum(1 - stalled, 0.0) if stalls_included else np.exp(-stalled)
