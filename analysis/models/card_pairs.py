"""Pairs of accelerators of one vendor, some years apart, and their figures under every convention."""

import numpy as np
import pandas as pd

from analysis.facts.hardware import FORMATS, MONTHS_A_YEAR, Cell

BASES = ("announced", "available")
WIDTHS = {"fp32": 32, "fp16": 16, "bf16": 16, "fp8": 8, "int8": 8, "fp4": 4}
# 16-bit or wider is one class: FP32 is what cards without a 16-bit unit offer.
WIDEST = 16
DENSE = Cell(1.0, 1.0, True)


def card_pairs(cards, *, years, window_years, latest_month, vendor="all"):
    """Enumerate pairs of cards of one vendor about `years` apart.

    Parameters
    ----------
    cards : sequence of Accelerator
        Only those with a published scale-up bandwidth are paired: the sentences speak of a card inside a node.
    years, window_years : float
        The two dates, as printed, lie ``years - window_years`` to ``years + window_years`` apart.
    latest_month : int
        Month index after which no end card may be dated.
    vendor : str
        One vendor, or "all".

    Returns
    -------
    pandas.DataFrame
        start, end (positions in `cards`), start_card, end_card, vendor, segment (of the end card), date_basis,
        span_years, start_unconfirmed, end_unconfirmed (1.0 where a date is not confirmed).
    """
    rows = []
    for basis in BASES:
        dated = [number for number, card in enumerate(cards) if card.has_scaleup and basis in card.dates]
        month = np.array([cards[number].dates[basis][0] for number in dated])
        vendors = np.array([cards[number].vendor for number in dated])
        span = (month[None, :] - month[:, None]) / MONTHS_A_YEAR
        eligible = (np.abs(span - years) <= window_years + 1e-9) & (vendors[:, None] == vendors[None, :])
        eligible &= (month <= latest_month)[None, :]
        if vendor != "all":
            eligible &= (vendors == vendor)[:, None]
        for start, end in zip(*np.nonzero(eligible), strict=True):
            rows.append(_pair(cards, dated[start], dated[end], basis, float(span[start, end])))
    numbers = dict.fromkeys(("span_years", "start_unconfirmed", "end_unconfirmed"), float)
    return pd.DataFrame(rows, columns=PAIR_COLUMNS).astype(numbers)


PAIR_COLUMNS = (
    "start",
    "end",
    "start_card",
    "end_card",
    "vendor",
    "segment",
    "date_basis",
    "span_years",
    "start_unconfirmed",
    "end_unconfirmed",
)


def _pair(cards, start, end, basis, span_years):
    first, last = cards[start], cards[end]
    unconfirmed = [float(not card.dates[basis][1]) for card in (first, last)]
    return (start, end, first.name, last.name, first.vendor, last.segment, basis, span_years, *unconfirmed)


def best_figure(card, formats, width, *, sparse):
    """Return the highest throughput of a card among formats of at least `width` bits.

    Parameters
    ----------
    card : Accelerator
    formats : sequence of str
        Formats that count.
    width : int
        Narrowest format, in bits.
    sparse : bool
        Count the structured-sparsity rate where the card has one.

    Returns
    -------
    Cell or None
        None where no figure is known. It is confirmed where the highest figure is: a lower one that happens to be
        confirmed is not the best of the card.
    """
    found = []
    for name in formats:
        cell = card.cells.get(FORMATS[name]) if WIDTHS[name] >= width else None
        if cell is not None:
            factor = card.cells["sparsity_factor"] if sparse and name in card.sparse_formats else DENSE
            confirmed = cell.confirmed and factor.confirmed
            found.append(Cell(cell.low * factor.low, cell.high * factor.high, confirmed))
    return max(found, key=lambda cell: (cell.high, cell.low, cell.confirmed), default=None)


def compute_conventions(cards, reading, formats):
    """Return what "compute of a card" can mean under one reading.

    Parameters
    ----------
    cards : sequence of Accelerator
    reading : str
        best-format, like-for-like or with-sparsity.
    formats : sequence of str
        Formats that count.

    Returns
    -------
    dict of str to (figures, own)
        A label to the `Cell` of each card (None where unknown), and whether the card has something of its own under
        the label; where neither card of a pair has, the label would only repeat a wider one.
    """
    if reading == "like-for-like":
        return {name: link_convention(cards, FORMATS[name]) for name in formats}
    sparse = reading == "with-sparsity"
    found = {}
    for width in sorted({min(WIDTHS[name], WIDEST) for name in formats}, reverse=True):
        label = f"{width}-bit or wider{', sparse' if sparse else ''}"
        figures = [best_figure(card, formats, width, sparse=sparse) for card in cards]
        found[label] = (figures, [_has_own(card, formats, width, sparse) for card in cards])
    return found


def _has_own(card, formats, width, sparse):
    own = [name for name in formats if min(WIDTHS[name], WIDEST) == width and FORMATS[name] in card.cells]
    return bool(own) and (not sparse or any(name in card.sparse_formats for name in own))


def link_convention(cards, column):
    """Return one column in the form of `compute_conventions`."""
    figures = [card.cells.get(column) for card in cards]
    return figures, [cell is not None for cell in figures]


def growth_rows(pairs, label, convention):
    """Join pairs with the figures of both cards under one convention.

    Parameters
    ----------
    pairs : pandas.DataFrame
        From `card_pairs`.
    label : str
        Name of the convention.
    convention : tuple
        Figures, and whether a card has something of its own, as of `compute_conventions`.

    Returns
    -------
    pandas.DataFrame
        `pairs` with convention, confirmed, start_low, start_high, end_low, end_high. A row is confirmed where both
        figures are; pairs without a figure, or without one of the label's own, are dropped.
    """
    figures, own = convention
    rows = []
    for position, (start, end) in enumerate(zip(pairs["start"], pairs["end"], strict=True)):
        first, last = figures[start], figures[end]
        if first is None or last is None or not (own[start] or own[end]):
            continue
        rows.append((position, first.confirmed and last.confirmed, first.low, first.high, last.low, last.high))
    columns = ["position", "confirmed", "start_low", "start_high", "end_low", "end_high"]
    found = pd.DataFrame(rows, columns=columns).astype({"confirmed": bool} | dict.fromkeys(columns[2:], float))
    joined = pairs.iloc[found.pop("position").to_numpy(dtype=int)].reset_index(drop=True)
    joined.insert(len(joined.columns), "convention", label)
    return pd.concat([joined, found], axis=1)
