"""Independent lines of evidence on lending cards by the time of day, and other mechanisms that stay apart."""

from dataclasses import dataclass

import pandas as pd

from analysis.errors import DataError
from analysis.facts.load_curves import day_ratios
from analysis.facts.units import PER_CENT
from analysis.models.tidal_pool import relative_bound

# Published gains of lending whole cards by the time of day; each of them is an upper end.
LENDING = {"OP006": "Lyra", "OP010": "Aryl"}
SAVING = "OP013"
# Sharing a card in space, or CPU cores, or quota between research queues, is not lending cards by the time of day.
OTHER_MECHANISMS = ("OP112", "OP113", "OP116", "OP016", "OP017", "OP020")


@dataclass(frozen=True)
class Lines:
    """Lines of evidence as a record holds them, and the citation keys behind them."""

    told: dict
    evidence: tuple[str, ...]


def _operation(facts, row):
    table = facts.table("operations")
    match = table.index[table["id"] == row]
    if not len(match):
        raise DataError(f"operations.csv: no row {row!r}, a line of evidence on tidal scheduling")
    return table.loc[match[0]]


def lines_of(facts, assumptions):
    """Return the lines of evidence for the relative gain.

    Parameters
    ----------
    facts : Facts
    assumptions : sequence of Assumption

    Returns
    -------
    Lines
    """
    told, keys = {}, []
    for row, name in LENDING.items():
        published = _operation(facts, row)
        note = f"published: up to {published['value']:g} %, with elastic jobs; shares nothing with the model"
        told[f"{name}, cards lent by the time of day"] = _line(published["value"], None, note)
        keys.append(published["source"])
    saving = _operation(facts, SAVING)
    note = f"up to {saving['value']:g} % of GPU hours saved by forecast; bound of the gain if all of it trained"
    told["SageServe, hours saved"] = _bound(1 - saving["value"] / PER_CENT, assumptions, note)
    keys.append(saving["source"])
    for day in day_ratios(facts):
        if day.mean_to_peak is not None:
            note = f"bound without any loss, over the shares of cards in inference; {day.note}"
            told[f"{day.name}, its own day"] = _bound(day.mean_to_peak, assumptions, note)
            keys.append(day.source)
    return Lines(told, tuple(keys))


def _line(estimate, interval, note):
    return {"estimate": [float(estimate)], "interval": None if interval is None else [interval], "note": note}


def _bound(mean_to_peak, assumptions, note):
    """The relative bound at the modes, and at both ends of the share of cards in inference."""
    declared = {one.name: one for one in assumptions}
    share, headroom, busy = (declared[name] for name in ("inference_share", "headroom", "training_utilisation"))
    low, middle, high = (
        PER_CENT * float(relative_bound(at, mean_to_peak, headroom.mode, busy.mode))
        for at in (share.low, share.mode, share.high)
    )
    return _line(middle, [low, high], note)


def other_mechanisms(facts):
    """Return published gains of other mechanisms, which speak neither for nor against the claim.

    Parameters
    ----------
    facts : Facts

    Returns
    -------
    pandas.DataFrame
        system, quantity, before, after (blank where not published), unit, conditions, source.
    """
    rows = [_operation(facts, row) for row in OTHER_MECHANISMS]
    names = {"value_before": "before", "value": "after"}
    columns = ["system", "quantity", "value_before", "value", "unit", "conditions", "source"]
    return pd.DataFrame(rows)[columns].rename(columns=names).reset_index(drop=True)
