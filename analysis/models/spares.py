"""Spare nodes: how many are in repair at a time, and what a job does when the spares run out."""

import numpy as np

THOUSAND_NODES = 1000


def nodes_in_repair(nodes, failures_per_1000_node_days, repair_days):
    """Return how many nodes are in repair on average.

    Parameters
    ----------
    nodes : array_like
        In use.
    failures_per_1000_node_days, repair_days : array_like
        How often a node leaves, and how long it stays away.

    Returns
    -------
    ndarray or float

    Examples
    --------
    >>> nodes_in_repair(1000, 5.0, 2.0)
    10.0
    """
    return nodes * failures_per_1000_node_days / THOUSAND_NODES * repair_days


def spares_needed(in_repair, probability):
    """Return the number of spare nodes that suffices at a random moment with a given probability.

    Parameters
    ----------
    in_repair : array_like
        Mean number in repair; the number is Poisson whatever the distribution of repair times (an M/G/inf queue).
    probability : float

    Returns
    -------
    ndarray of int
    """
    from scipy.stats import poisson

    return poisson.ppf(probability, in_repair).astype(int)


def waiting_ratio(in_repair, spares):
    """Return the share of time in which a job of fixed size has all its nodes."""
    from scipy.stats import poisson

    return poisson.cdf(spares, in_repair)


def elastic_ratio(nodes, in_repair, spares):
    """Return the mean throughput of a job that goes on with fewer nodes when the spares run out.

    Parameters
    ----------
    nodes : int
        That the job would like to have.
    in_repair : float
        Mean number of nodes in repair.
    spares : int

    Returns
    -------
    float
        Relative to all nodes; throughput is taken as proportional to nodes.

    Examples
    --------
    >>> float(elastic_ratio(100, 0.0, 0))
    1.0
    """
    from scipy.stats import poisson

    count = np.arange(int(poisson.ppf(1 - 1e-12, in_repair)) + 1)
    missing = np.clip(count - spares, 0, nodes)
    return 1 - float(poisson.pmf(count, in_repair) @ missing) / nodes
