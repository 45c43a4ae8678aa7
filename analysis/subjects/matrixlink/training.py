"""Training on one side: the best layout of each, searched once, and its step over what is assumed."""

from dataclasses import dataclass

import numpy as np

from analysis.errors import ParameterError
from analysis.facts.assumptions import assumptions
from analysis.facts.transformers import transformer
from analysis.models.training import composed, training_step
from analysis.models.training_layouts import candidate_layouts, taken
from analysis.models.training_memory import fits
from analysis.models.training_setup import Layout, Software
from analysis.models.training_times import layer_segments
from analysis.models.training_work import micro_batch_work
from analysis.subjects.matrixlink.sides import HIDDEN, machine

SEQUENCE = 4096
BATCH, PEAK, NETWORK = ASSUMPTIONS = ("training_batch_mtokens", "training_peak_share", "network_share")
# Sequences of a step at which layouts are searched: factors of 2 and 3, so that all sizes of a cluster divide them.
BATCHES = (1536, 4608, 18432)
MEGA = 1e6
# Shares at which steps are prepared, and layouts kept of each search: the fastest at the modes.
NODES, KEPT = 3, 48
# Micro-batches for each stage of a pipeline from which on the closed form is within a tenth of the played schedule.
FILLED = 4
# Parts of a sequence: no measured run of sequences of a few thousand tokens splits them further.
MOST_CONTEXT = 2


@dataclass(frozen=True, eq=False)
class Trained:
    """One side training one model.

    Attributes
    ----------
    token_s : ndarray
        Card-seconds of one token by batch, peak share and network share; the fastest of the kept layouts at each.
    layouts : tuple of Layout
        The kept ones by batch, as arrays.
    """

    token_s: np.ndarray
    layouts: tuple


def software(exchange):
    """Return how the framework works on both sides: one copy of a token a rank, its exchange hidden or not."""
    return Software(forwards=True, exchange_overlap=exchange == HIDDEN)


def nodes(facts, name):
    """Return the values of an assumption at which steps are prepared: its declared range in equal steps."""
    key = ("matrixlink nodes", name)
    if key not in facts.derived:
        (declared,) = assumptions(facts, (name,))
        facts.derived[key] = np.linspace(declared.low, declared.high, NODES)
    return facts.derived[key]


def batch_nodes():
    """Return the millions of tokens of a step at which layouts are searched."""
    return np.array(BATCHES) * SEQUENCE / MEGA


def trained(facts, model, side, cards, exchange):
    """Return one side with its steps.

    Parameters
    ----------
    facts : Facts
    model : str
    side : Side
    cards : int
    exchange : str

    Returns
    -------
    Trained

    Raises
    ------
    ParameterError
        Where no layout fits.
    """
    # A model without experts exchanges no tokens.
    shape = transformer(facts, model)
    key = ("matrixlink training", model, side, cards, exchange if shape.routed_experts else "")
    if key not in facts.derived:
        found = [_at_batch(facts, shape, side, int(cards), exchange, batch) for batch in BATCHES]
        facts.derived[key] = Trained(np.stack([one for one, _ in found]), tuple(layout for _, layout in found))
    return facts.derived[key]


def fitting_layouts(facts, shape, cards, batch, card_gb):
    """Return every layout that fits into the memory of a card and fills its pipeline; the same on all sides."""
    key = ("matrixlink layouts", shape.name, cards, batch)
    if key not in facts.derived:
        tried = candidate_layouts(shape, cards=cards, sequence_tokens=SEQUENCE, global_batch=batch)
        tried = taken(tried, np.flatnonzero(tried.context <= MOST_CONTEXT))
        tried = taken(tried, np.flatnonzero(fits(shape, tried, software(HIDDEN), card_gb)))
        if not len(tried.micro_batch):
            raise ParameterError(f"{shape.name} does not fit on {cards} cards with a batch of {batch}")
        filled = np.flatnonzero((tried.pipeline == 1) | (tried.micro_batches >= FILLED * tried.pipeline))
        facts.derived[key] = taken(tried, filled) if len(filled) else tried
    return facts.derived[key]


def _at_batch(facts, shape, side, cards, exchange, batch):
    """Card-seconds of a token over both shares, and the fastest layouts at the modes."""
    how = software(exchange)
    modes = {one.name: one.mode for one in assumptions(facts, (PEAK, NETWORK))}
    typical = machine(facts, side, modes[PEAK], modes[NETWORK])
    tried = fitting_layouts(facts, shape, cards, batch, typical.memory_gb)
    total_s = training_step(shape, tried, how, typical).total_s
    kept = np.argsort(total_s, kind="stable")[:KEPT]
    peak, network = np.meshgrid(nodes(facts, PEAK), nodes(facts, NETWORK), indexing="ij")
    over = machine(facts, side, peak.reshape(-1, 1), network.reshape(-1, 1))
    kept_layouts = taken(tried, kept)
    steps = training_step(shape, kept_layouts, how, over).total_s
    fastest = np.broadcast_to(steps, (peak.size, len(kept))).min(axis=1).reshape(peak.shape)
    return fastest * cards / (batch * SEQUENCE), kept_layouts


def bracket(grid, wanted):
    """Return the prepared point below each value, and how far towards the next one it lies."""
    low = np.clip(np.searchsorted(grid, wanted, side="right") - 1, 0, len(grid) - 2)
    return low, (wanted - grid[low]) / (grid[low + 1] - grid[low])


def interpolated(table, which, axes):
    """Return a table's values between its prepared points, on straight lines.

    Parameters
    ----------
    table : ndarray
        Shape (sides, ...), an axis for each of `axes`.
    which : ndarray of int
        Shape (N,), positions of the first axis.
    axes : sequence of (ndarray, ndarray)
        Prepared points, rising, and the values wanted, shape (N,).

    Returns
    -------
    ndarray
        Shape (N,).
    """
    corners = [(1.0, (which,))]
    for grid, wanted in axes:
        low, part = bracket(grid, wanted)
        corners = [
            (weight * (part if step else 1 - part), (*at, low + step)) for weight, at in corners for step in (0, 1)
        ]
    return sum(weight * table[at] for weight, at in corners)


def token_s(facts, table, which, values):
    """Return the card-seconds of one token, shape (N,); `table` as of `Trained`, one side a row.

    Time is a sum of parts that go as 1 / batch, 1 / share and so on: straight in the inverse of each assumption.
    """
    axes = [(-1 / batch_nodes(), -1 / values[BATCH])]
    axes += [(-1 / nodes(facts, name), -1 / values[name]) for name in (PEAK, NETWORK)]
    return interpolated(table, which, axes)


def step_and_segments(facts, model, side, layout: Layout, exchange, values):
    """Return the step of one layout, by its parts, and the pieces that it is composed of.

    Parameters
    ----------
    facts : Facts
    model : str
    side : Side
    layout : Layout
        Of numbers.
    exchange : str
    values : dict of str to float

    Returns
    -------
    Step, Segments
    """
    shape, how = transformer(facts, model), software(exchange)
    reached = machine(facts, side, values[PEAK], values[NETWORK])
    work = micro_batch_work(shape, layout, how, reached.chip, reached.ranks_per_domain)
    segments = layer_segments(shape, work, layout, how, reached)
    return composed(shape, layout, how, segments), segments


def fastest_at(facts, model, side, cards, exchange, values, place, count):
    """Return the layouts that are fastest at given values, at one of the `BATCHES`.

    Parameters
    ----------
    facts, model, side, cards, exchange
        As of `trained`.
    values : dict of str to float
    place : int
        Position in `BATCHES`.
    count : int

    Returns
    -------
    list of Layout
        Of numbers, the fastest first.
    """
    tried = trained(facts, model, side, cards, exchange).layouts[place]
    reached = machine(facts, side, values[PEAK], values[NETWORK])
    total_s = training_step(transformer(facts, model), tried, software(exchange), reached).total_s
    return [taken(tried, int(one)) for one in np.argsort(total_s, kind="stable")[:count]]
