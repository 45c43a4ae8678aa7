"""What follows from the gap: from which year on communication no longer hides behind compute."""

import numpy as np
import pandas as pd

from analysis.errors import DataError
from analysis.facts.hardware import MONTHS_A_YEAR, accelerators
from analysis.models.card_pairs import best_figure
from analysis.models.communication import all_reduce_bytes_per_flop, all_to_all_bytes_per_flop
from analysis.models.growth import bytes_per_flop, fit_trend
from analysis.subjects.bandwidth_gap.conventions import latest_month

BILLION = 1e9
BITS_A_BYTE = 8
DIRECTIONS = 2
SIXTEEN_BIT = ("fp16", "bf16")
# Dispatch in FP8 and combine in BF16, as DeepSeek-V3 trains; activations of a dense model in BF16.
DISPATCH_AND_COMBINE_BYTES = 1 + 2
ACTIVATION_BYTES = 2
TENSOR_PARALLEL = 8
LINKS = ("scale-up", "scale-out")


def link_balance(facts, settings):
    """Return bytes per FLOP of every card on its scale-up and its scale-out link, at dense 16-bit rates.

    Parameters
    ----------
    facts : Facts
    settings : dict
        Of the bandwidth gap; `vendor` and `latest` are used.

    Returns
    -------
    pandas.DataFrame
        card, vendor, year (of the earliest date known), link, bytes_per_flop (one way), confirmed.
    """
    rows = []
    for card in accelerators(facts):
        month = min((date for date, _ in card.dates.values()), default=None)
        compute = best_figure(card, SIXTEEN_BIT, 16, sparse=False)
        if month is None or compute is None or month > latest_month(settings):
            continue
        if not card.has_scaleup or settings["vendor"] not in ("all", card.vendor):
            continue
        for link, cell, to_GBps in _links(card):
            if cell is not None:
                balance = bytes_per_flop(_middle(cell) * to_GBps, _middle(compute))
                known = cell.confirmed and compute.confirmed
                rows.append((card.name, card.vendor, month / MONTHS_A_YEAR, link, balance, known))
    return pd.DataFrame(rows, columns=["card", "vendor", "year", "link", "bytes_per_flop", "confirmed"])


def _links(card):
    yield "scale-up", card.cells.get("scaleup_GBps_bidirectional"), 1 / DIRECTIONS
    yield "scale-out", card.cells.get("scaleout_gbps_per_accelerator"), 1 / BITS_A_BYTE


def _middle(cell):
    return (cell.low + cell.high) / 2


def demands(facts):
    """Return the bytes per FLOP that training asks of a link: ``{what: bytes per FLOP}``, from the models' shapes."""
    moe, dense = _shape(facts, "DeepSeek-V3"), _shape(facts, "Llama-3.1 405B")
    return {
        f"all-to-all, {moe['name']}": all_to_all_bytes_per_flop(
            moe_layers=moe["layers"] - moe["dense_layers"],
            hidden_size=moe["hidden_size"],
            experts_per_token=moe["experts_per_token"],
            active_parameters=moe["active_parameters_billion_published"] * BILLION,
            bytes_per_value=DISPATCH_AND_COMBINE_BYTES,
        ),
        f"all-reduce over {TENSOR_PARALLEL}, {dense['name']}": all_reduce_bytes_per_flop(
            layers=dense["layers"],
            hidden_size=dense["hidden_size"],
            parameters=dense["parameters_billion_published"] * BILLION,
            tensor_parallel=TENSOR_PARALLEL,
            bytes_per_value=ACTIVATION_BYTES,
        ),
    }


def _shape(facts, name):
    table = facts.table("transformers")
    found = table[table["name"] == name]
    if found.empty:
        raise DataError(f"transformers.csv: no row {name!r}, from whose shape the demand on links is derived")
    return found.iloc[0]


def link_trends(balance):
    """Return the trend of each link over its confirmed cards; a link with a single year has none.

    Parameters
    ----------
    balance : pandas.DataFrame
        From `link_balance`.

    Returns
    -------
    dict of str to Trend
    """
    found = {}
    for link in LINKS:
        points = balance[(balance["link"] == link) & balance["confirmed"]]
        if points["year"].nunique() > 1:
            found[link] = fit_trend(points["year"], points["bytes_per_flop"], replicates=0)
    return found


def trend_lines(balance):
    """Return the trends as lines to draw: link to the years and values at both ends of the table."""
    years = np.array([balance["year"].min(), balance["year"].max()])
    return {link: (years, trend.at(years)) for link, trend in link_trends(balance).items()}


def exposed_since(balance, wanted):
    """Return from which year on a demand exceeds what a link offers, by the trend of confirmed cards.

    Parameters
    ----------
    balance : pandas.DataFrame
        From `link_balance`.
    wanted : dict of str to float
        From `demands`.

    Returns
    -------
    pandas.DataFrame
        demand, link, bytes_per_flop (wanted), year (of the crossing; NaN where the link's balance does not fall),
        cards (fitted).
    """
    rows = []
    for what, needed in wanted.items():
        for link, trend in link_trends(balance).items():
            year = trend.year_of(needed) if trend.yearly_log < 0 else np.nan
            rows.append((what, link, needed, year, trend.points))
    return pd.DataFrame(rows, columns=["demand", "link", "bytes_per_flop", "year", "cards"])
