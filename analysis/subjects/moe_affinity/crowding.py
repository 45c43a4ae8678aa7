"""How much more the busiest rank gets than the mean one, by skew of the experts' popularity and by batch."""

import numpy as np

from analysis.facts.assumptions import assumptions
from analysis.judgement.uncertainty import stretched
from analysis.models.expert_load import inclusion, peak_over_mean, placement, rank_shares, skewed_popularity

SKEW = "expert_popularity_exponent"
SKEWS = 7
DOUBLED = 2.0
# Copies that a rank receives in a step: between these the spread is taken as linear in the root of their inverse.
COPIES = (8.0, 128.0, 8192.0)


def skews(facts):
    """Return the exponents at which loads are prepared: the declared range, doubled, in equal steps."""
    return declared_grid(facts, SKEW, np.linspace, SKEWS)


def declared_grid(facts, name, spaced, count):
    """Return points over the declared range of one assumption, doubled as robustness asks; kept with the facts."""
    key = ("moe affinity grid", name)
    if key not in facts.derived:
        doubled = stretched(*assumptions(facts, (name,)), DOUBLED)
        facts.derived[key] = spaced(doubled.low, doubled.high, count)
    return facts.derived[key]


def shares(shape, ranks, slots, exponent):
    """Return the share of all copies that each rank receives, popular experts being spread as evenly as can be.

    Parameters
    ----------
    shape : Transformer
    ranks, slots : int
    exponent : float
        Of the power law of popularity.

    Returns
    -------
    ndarray
        Shape (ranks,), sum 1.
    """
    popular = inclusion(skewed_popularity(shape.routed_experts, exponent), shape.experts_per_token)
    return rank_shares(popular, placement(popular, ranks, slots))


def peaks(facts, shape, ranks, slots, copies):
    """Return the load of the busiest rank over the mean, by exponent and by copies that a rank receives.

    Parameters
    ----------
    facts : Facts
    shape : Transformer
    ranks, slots : int
    copies : ndarray
        Shape (B,), of one rank on average.

    Returns
    -------
    ndarray
        Shape (SKEWS, B).
    """
    key = ("moe affinity peaks", shape.name, ranks, slots)
    if key not in facts.derived:
        rows = []
        for exponent in skews(facts):
            part = shares(shape, ranks, slots, exponent)
            rows.append([peak_over_mean(part, ranks * each) for each in COPIES])
        facts.derived[key] = np.array(rows)
    roots = -(np.array(COPIES) ** -0.5)
    return np.array([np.interp(-(copies**-0.5), roots, row) for row in facts.derived[key]])
