"""How evenly tokens spread over experts and ranks, and how many experts a batch touches.

Popularity is the chance that one pick of a token falls on an expert. Expected values are closed forms; routing that is
drawn token by token stands beside them.
"""

import numpy as np

ROOT_STEPS = 60
GRID_POINTS = 513
# Standard deviations on each side that an integral over the largest of many loads covers.
REACH = 8.0


def distinct_groups(groups, picks, experts=None):
    """Return how many groups of experts one token reaches, on average.

    Parameters
    ----------
    groups : array_like
        Equal parts into which the experts fall: ranks, or servers.
    picks : array_like
        Different experts that a token chooses, all equally likely.
    experts : array_like, optional
        How many there are; without it each pick falls on any group, as if there were infinitely many.

    Returns
    -------
    ndarray
        Between 1 and the smaller of groups and picks.

    Examples
    --------
    >>> float(distinct_groups(2, 2)), float(distinct_groups(2, 2, experts=2))
    (1.5, 2.0)
    """
    from scipy.special import gammaln

    groups, picks = np.asarray(groups, dtype=float), np.asarray(picks, dtype=float)
    if experts is None:
        return groups * (1 - (1 - 1 / groups) ** picks)
    outside = experts - np.asarray(experts) / groups
    left = np.maximum(outside - picks, 0)
    missed = gammaln(outside + 1) - gammaln(left + 1) - gammaln(experts + 1.0) + gammaln(experts - picks + 1)
    return groups * (1 - np.where(outside >= picks, np.exp(missed), 0))


def balanced_peak(ranks, copies_per_rank):
    """Return the load of the busiest rank over the mean, when every pick is equally likely to fall on any rank.

    Parameters
    ----------
    ranks, copies_per_rank : array_like
        Ranks, and copies that each of them receives on average.

    Returns
    -------
    ndarray
        1 for one rank. The loads are taken as normal, and their largest at its median rank position.
        Source: [blom1958order].
    """
    from scipy.stats import norm

    ranks = np.asarray(ranks, dtype=float)
    position = norm.ppf((ranks - 0.375) / (ranks + 0.25))
    return 1 + position * np.sqrt((1 - 1 / ranks) / copies_per_rank)


def skewed_popularity(experts, exponent):
    """Return the popularity of experts whose ranking follows a power law.

    Parameters
    ----------
    experts : int
    exponent : float
        0 for equal popularity.

    Returns
    -------
    ndarray
        Shape (experts,), falling, with sum 1.
    """
    weights = np.arange(1, experts + 1, dtype=float) ** -exponent
    return weights / weights.sum()


def inclusion(popularity, top_k):
    """Return the chance that a token chooses each expert, when it takes the first few different ones of a race.

    Parameters
    ----------
    popularity : array_like
        Shape (..., experts), sum 1.
    top_k : int
        Different experts a token.

    Returns
    -------
    ndarray
        Shape (..., experts), sum `top_k`: ``1 - exp(-time * popularity)`` at the time when `top_k` have arrived on
        average. Source: [rosen1997sampling].
    """
    popularity = np.asarray(popularity, dtype=float)
    if top_k >= popularity.shape[-1]:
        return np.ones_like(popularity)
    # By then even the least popular has its part of `top_k`; the expected count grows with time, so halving finds it.
    high = -np.log1p(-top_k / popularity.shape[-1]) / popularity.min(axis=-1, keepdims=True)
    low = np.zeros_like(high)
    for _ in range(ROOT_STEPS):
        middle = (low + high) / 2
        enough = (1 - np.exp(-middle * popularity)).sum(axis=-1, keepdims=True) >= top_k
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return 1 - np.exp(-high * popularity)


def experts_touched(tokens, experts, top_k, chosen=None):
    """Return how many different experts a batch of tokens needs: their weights are read in a step.

    Parameters
    ----------
    tokens : array_like
        Tokens of the whole group of ranks, routed independently.
    experts : int
        Experts among which a token chooses.
    top_k : int
    chosen : array_like, optional
        Chance that a token chooses each of the experts concerned, shape (some,): those of one rank, or all. Without
        it all experts are equally likely and all are counted.

    Returns
    -------
    ndarray
        Expected count: an expert is idle when no token chooses it.

    Examples
    --------
    >>> float(experts_touched(1, experts=256, top_k=8))
    8.0
    """
    tokens = np.asarray(tokens, dtype=float)
    if chosen is None:
        return experts * (1 - (1 - top_k / experts) ** tokens)
    return (1 - (1 - np.asarray(chosen)) ** tokens[..., None]).sum(axis=-1)


def replicas(popularity, slots):
    """Return how many copies of each expert fill the slots when the busiest copy always gets the next one.

    Parameters
    ----------
    popularity : array_like
        Shape (experts,).
    slots : int
        Places for experts on all ranks together; at least one for each.

    Returns
    -------
    ndarray of int
        Shape (experts,), sum `slots`.
    """
    counts = np.ones(len(popularity), dtype=int)
    for _ in range(slots - len(counts)):
        counts[np.argmax(popularity / counts)] += 1
    return counts


def placement(popularity, ranks, slots):
    """Return which expert sits in each slot of each rank: heavy copies first, each on the rank with least load so far.

    Parameters
    ----------
    popularity : array_like
        Shape (experts,).
    ranks : int
    slots : int
        A multiple of `ranks`; more than experts means redundant ones.

    Returns
    -------
    ndarray of int
        Shape (ranks, slots / ranks). Source: [graham1969bounds], with a limit of places a rank.
    """
    counts = replicas(popularity, slots)
    copies = np.repeat(np.arange(len(counts)), counts)
    loads = (np.asarray(popularity) / counts)[copies]
    placed, carried = [[] for _ in range(ranks)], np.zeros(ranks)
    for copy in np.argsort(-loads, kind="stable"):
        rank = int(np.argmin(carried))
        placed[rank].append(copies[copy])
        carried[rank] += loads[copy]
        if len(placed[rank]) == slots // ranks:
            carried[rank] = np.inf
    return np.array(placed)


def rank_shares(chosen, placed):
    """Return the share of all copies that each rank receives, replicas of an expert taking equal parts.

    Parameters
    ----------
    chosen : array_like
        Chance that a token chooses each expert, or its popularity; shape (experts,).
    placed : ndarray of int
        See `placement`.

    Returns
    -------
    ndarray
        Shape (ranks,), sum 1.
    """
    chosen = np.asarray(chosen, dtype=float)
    counts = np.bincount(placed.ravel(), minlength=len(chosen))
    return (chosen / np.maximum(counts, 1))[placed].sum(axis=1) / chosen.sum()


def peak_over_mean(shares, copies):
    """Return the load of the busiest rank over the mean, from the share of each.

    Parameters
    ----------
    shares : array_like
        Expected share of each rank, shape (ranks,).
    copies : float
        Copies of all ranks together.

    Returns
    -------
    float
        Expected largest of independent normal loads, by integrating over the product of their distributions.
    """
    from scipy.stats import norm

    means = np.asarray(shares, dtype=float) * copies
    spreads = np.sqrt(np.maximum(means * (1 - np.asarray(shares)), 1e-12))
    grid = np.linspace((means - REACH * spreads).max(), (means + REACH * spreads).max(), GRID_POINTS)
    below = norm.cdf((grid[:, None] - means) / spreads).prod(axis=1)
    return float((grid[0] + np.trapezoid(1 - below, grid)) * len(means) / copies)


def routed_peak(popularity, placed, tokens, top_k, *, rounds=32, seed=0):
    """Return the load of the busiest rank over the mean, drawn token by token.

    Parameters
    ----------
    popularity : array_like
        Shape (experts,).
    placed : ndarray of int
        See `placement`; a token takes any replica of an expert.
    tokens, top_k : int
        Tokens of all ranks together, and different experts of each.
    rounds, seed : int
        Independent batches.

    Returns
    -------
    mean, standard_error : float
    """
    generator = np.random.default_rng(seed)
    ranks_of, counts = _homes(placed, len(popularity))
    peaks = np.empty(rounds)
    for batch in range(rounds):
        arrivals = generator.exponential(size=(tokens, len(popularity))) / popularity
        experts = np.argpartition(arrivals, top_k - 1, axis=1)[:, :top_k]
        replica = (generator.random(experts.shape) * counts[experts]).astype(int)
        load = np.bincount(ranks_of[experts, replica].ravel(), minlength=len(placed))
        peaks[batch] = load.max() / load.mean()
    return float(peaks.mean()), float(peaks.std(ddof=1) / np.sqrt(rounds))


def _homes(placed, experts):
    """Ranks of each expert's replicas, padded, and how many there are."""
    flat = placed.ravel()
    counts = np.bincount(flat, minlength=experts)
    homes = np.zeros((experts, counts.max()), dtype=int)
    order = np.argsort(flat, kind="stable")
    first = np.cumsum(counts) - counts
    homes[flat[order], np.arange(len(flat)) - first[flat[order]]] = order // placed.shape[1]
    return homes, counts
