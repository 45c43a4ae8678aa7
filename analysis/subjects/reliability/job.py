"""One job as the notebook looks at it: the typical failure rate, the spread of the clusters, its checkpoints."""

from dataclasses import dataclass

import numpy as np

from analysis.evidence.calibrate import constants
from analysis.evidence.ettr import RATE
from analysis.facts.assumptions import assumptions
from analysis.facts.failure_rates import published_failure_rates
from analysis.models.checkpointing import SECONDS_A_MINUTE, best_interval_min
from analysis.models.failures import exponential_ettr, time_between_failures_min


@dataclass(frozen=True)
class Job:
    """What does not depend on the number of cards.

    Attributes
    ----------
    rate, rate_low, rate_high : float
        Failures per 1000 node-days: typical, and the ends over the published clusters.
    cards_per_node : int
    block_min : float
        What one checkpoint blocks.
    interval_min : float
        Between checkpoints; 0 takes the best one.
    """

    rate: float
    rate_low: float
    rate_high: float
    cards_per_node: int
    block_min: float
    interval_min: float

    def between_min(self, cards, rate=None):
        """Mean time between failures of a number of cards."""
        return time_between_failures_min(self.rate if rate is None else rate, cards, self.cards_per_node)

    def checkpoint_interval_min(self, cards, rate=None):
        """Time between checkpoints."""
        best = best_interval_min(self.between_min(cards, rate), self.block_min)
        return np.full_like(best, self.interval_min) if self.interval_min else best

    def ettr(self, cards, recovery_min, rate=None):
        """Effective training time ratio with failures at a constant rate."""
        interval = self.checkpoint_interval_min(cards, rate)
        return exponential_ettr(self.between_min(cards, rate), recovery_min, interval, self.block_min)


def typical_job(facts, parameters):
    """Return the job that the parameters of a record describe.

    Parameters
    ----------
    facts : Facts
    parameters : dict
        Settings and pinned assumptions, as in `Record.parameters`; other assumptions are at their mode.

    Returns
    -------
    Job
        With the fitted typical failure rate, or the one that was set.
    """
    names = ("relative_failure_rate", "checkpoint_block_s")
    values = {one.name: parameters.get(one.name, one.mode) for one in assumptions(facts, names)}
    published = published_failure_rates(facts)[RATE]
    set_rate = parameters[RATE]
    rates = (set_rate,) * 3 if set_rate else (constants(facts)[RATE].value, published.min(), published.max())
    return Job(
        *(float(values["relative_failure_rate"] * rate) for rate in rates),
        parameters["accelerators_per_node"],
        values["checkpoint_block_s"] / SECONDS_A_MINUTE,
        parameters["checkpoint_interval_min"],
    )
