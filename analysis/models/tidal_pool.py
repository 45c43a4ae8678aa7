r"""One pool for inference and training: what lending cards by the time of day adds, in closed form.

A pool of C cards; a share s of them is sized for inference at the peak. Load l(t) is a fraction of its peak, with mean
m. Inference that is busy to 1/(1 + h) at the peak needs s C l(t) cards for the same quality at any other load. Before,
the rest trains, busy to u; after, every card that inference does not hold trains too:

    before = s m / (1 + h) + (1 - s) u,    gained = s u (1 - held),

where `held` is the mean share of the inference cards that are kept from training: for the load, for the reserve, for
whole blocks, and for blocks on their way. With a perfect forecast and free switching it is m.
"""

from dataclasses import dataclass

import numpy as np

from analysis.models.day_curves import BIN_MIN, window_maxima

# Rounding must not ask for one block more.
SLACK = 1e-9
# Samples at a time: their levels stay in the processor's cache.
CHUNK = 512


@dataclass(frozen=True)
class Levels:
    """The largest load in windows of each width, as a distribution over the day.

    Attributes
    ----------
    levels, weights : ndarray of shape (rows, widths, K)
        Distinct levels and the share of the day at each; windows of 1, 2, ... bins. Unused places weigh nought.
    """

    levels: np.ndarray
    weights: np.ndarray


def level_table(days, widths):
    """Return the distribution of window maxima of several days.

    Parameters
    ----------
    days : ndarray of shape (rows, bins)
        Loads to hold for, fractions of the peak; infinite where all is held.
    widths : int
        Largest window, in bins.

    Returns
    -------
    Levels
    """
    ordered = np.sort(window_maxima(days, widths), axis=-1)
    place = np.zeros(ordered.shape, dtype=int)
    place[..., 1:] = np.cumsum(ordered[..., 1:] > ordered[..., :-1], axis=-1)
    kinds = int(place.max()) + 1
    flat = place.reshape(-1, place.shape[-1]) + kinds * np.arange(place[..., 0].size)[:, None]
    shape = (*place.shape[:-1], kinds)
    weights = np.bincount(flat.ravel(), minlength=int(np.prod(shape))).reshape(shape) / place.shape[-1]
    levels = np.zeros(shape)
    np.put_along_axis(levels, place, ordered, axis=-1)
    return Levels(levels, weights)


def stacked(tables):
    """Return several tables as one, row below row; the narrower ones are filled up with levels that weigh nought."""
    most = max((one.levels.shape[-1] for one in tables), default=0)

    def together(arrays):
        filled = [np.pad(one, ((0, 0), (0, 0), (0, most - one.shape[-1]))) for one in arrays]
        return np.concatenate(filled) if filled else np.zeros((0, 0, 0))

    return Levels(together([one.levels for one in tables]), together([one.weights for one in tables]))


def held_blocks(level, blocks):
    """Return the share of the inference cards that whole blocks for a level take.

    Parameters
    ----------
    level : ndarray
        Cards wanted, as a fraction of the inference cards.
    blocks : array_like
        How many blocks the inference cards make; the last may be a part of one.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> held_blocks(np.array([0.2, 0.3, 0.9, 3.0]), 4.5).round(3).tolist()
    [0.222, 0.444, 1.0, 1.0]
    """
    taken = np.minimum(level, 1.0) * blocks
    # In place: this is where the time of a prediction goes.
    taken -= SLACK
    np.ceil(taken, out=taken)
    np.minimum(taken, blocks, out=taken)
    taken /= blocks
    return taken


def mean_held(table, rows, window_min, factors, blocks):
    """Return the mean share of inference cards kept from training.

    A block trains while no moment within the window after it needs it; so what is kept is the window's maximum, and a
    window of k bins and a fraction f covers k + 1 bins for 1 - f of the time and k + 2 for the rest.

    Parameters
    ----------
    table : Levels
    rows : ndarray of shape (N,)
        Row of the table for each sample.
    window_min : ndarray of shape (N,)
        Minutes of a free spell that do not train.
    factors : ndarray of shape (N, E)
        What the level is multiplied with, reserve and error, for each point of the error.
    blocks : ndarray of shape (N,)

    Returns
    -------
    ndarray of shape (N, E)
    """
    held = np.empty(factors.shape)
    for start in range(0, len(rows), CHUNK):
        some = slice(start, start + CHUNK)
        held[some] = _mean_held(table, rows[some], window_min[some], factors[some], blocks[some])
    return held


def _mean_held(table, rows, window_min, factors, blocks):
    whole, part = np.divmod(window_min / BIN_MIN, 1.0)
    width = whole.astype(int)
    held = np.zeros(factors.shape)
    for extra, weight in ((0, 1 - part), (1, part)):
        levels, weights = (values[rows, width + extra] for values in (table.levels, table.weights))
        for point in range(factors.shape[1]):
            taken = held_blocks(levels * factors[:, point, None], blocks[:, None])
            held[:, point] += weight * np.einsum("nk,nk->n", weights, taken)
    return held


def utilisation_before(share, mean_to_peak, headroom, training_utilisation):
    """Return the busy share of all card-time with two fixed pools.

    Examples
    --------
    >>> round(utilisation_before(0.5, 0.5, 0.25, 0.8), 6)
    0.6
    """
    return share * mean_to_peak / (1 + headroom) + (1 - share) * training_utilisation


def gained(share, held, training_utilisation, *, mean_to_peak, backlog=1.0):
    """Return what lending adds to the busy share of all card-time.

    Parameters
    ----------
    share : array_like
        Inference cards over all cards.
    held : array_like
        Mean share of the inference cards kept from training.
    training_utilisation : array_like
        How busy cards are that train.
    mean_to_peak : array_like
    backlog : float
        Work that waits, as a fraction of what the whole valley could train.

    Returns
    -------
    ndarray or float
    """
    return share * training_utilisation * np.minimum(1 - held, backlog * (1 - mean_to_peak))


def relative_bound(share, mean_to_peak, headroom, training_utilisation):
    """Return the relative gain with a perfect forecast and free switching.

    Examples
    --------
    >>> round(float(relative_bound(0.5, 0.5, 0.25, 0.8)), 6)
    0.333333
    """
    most = gained(share, mean_to_peak, training_utilisation, mean_to_peak=mean_to_peak)
    return most / utilisation_before(share, mean_to_peak, headroom, training_utilisation)


def share_for_bound(gain, mean_to_peak, headroom, training_utilisation):
    """Return the share of cards in inference from which the bound reaches a relative gain; above 1 where none does.

    Solves ``s u (1 - m) = gain (s m / (1 + h) + (1 - s) u)`` for s.

    Examples
    --------
    >>> round(share_for_bound(1 / 3, 0.5, 0.25, 0.8), 6)
    0.5
    """
    lent = training_utilisation * (1 - mean_to_peak)
    return gain * training_utilisation / (lent + gain * (training_utilisation - mean_to_peak / (1 + headroom)))


def mean_for_bound(gain, share, headroom, training_utilisation):
    """Return the mean over peak up to which the bound reaches a relative gain; below 0 where no day does.

    Solves the same equation as `share_for_bound` for m.

    Examples
    --------
    >>> round(mean_for_bound(1 / 3, 0.5, 0.25, 0.8), 6)
    0.5
    """
    spare = share - gain * (1 - share)
    return training_utilisation * spare / (share * (training_utilisation + gain / (1 + headroom)))
