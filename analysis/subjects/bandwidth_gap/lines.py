"""Independent lines of evidence on growth: regressions over all cards, and published trend studies."""

import math

import numpy as np

from analysis.errors import DataError
from analysis.facts.hardware import MONTHS_A_YEAR, accelerators
from analysis.models.growth import fit_trend, growth_from_doubling
from analysis.subjects.bandwidth_gap.conventions import BUS, COMPUTE, NETWORK, READINGS, conventions, latest_month

LEAST_CARDS = 4
# A trend over less than half of the span that it is carried to is no trend.
LEAST_SPAN_FRACTION = 0.5
GROWTH_OF = {
    COMPUTE: ("compute",),
    BUS: ("scale-up", "host-bus"),
    NETWORK: ("scale-out",),
}
GENERATION_UNITS = ("GB/s", "Gbit/s")


def lines_of(facts, settings, claim_id, reading):
    """Return the lines of evidence for one ratio.

    Parameters
    ----------
    facts : Facts
    settings : dict
    claim_id, reading : str

    Returns
    -------
    dict
        Name to ``{estimate, interval, note}``.
    """
    found = {}
    cards = accelerators(facts)
    for number, (label, convention) in enumerate(conventions(cards, reading, settings).items()):
        # One line a vendor, under the first convention, is enough to show how vendors differ.
        vendors = dict.fromkeys(card.vendor for card in cards) if number == 0 else ()
        for vendor in ("all", *vendors):
            points = trend_points(cards, convention, settings, vendor)
            if is_trend(points, settings):
                whose = "all vendors" if vendor == "all" else vendor
                found[f"regression, {whose}, {label}"] = _line(points, settings["years"])
    return found | study_lines(facts, settings, GROWTH_OF[claim_id])


def _line(points, years):
    trend = fit_trend(*points)
    note = f"log-linear fit over {trend.points} cards, bootstrap interval; shares the card table with the model"
    return {"estimate": [trend.factor(years)], "interval": [trend.interval(years)], "note": note}


def trend_points(cards, convention, settings, vendor="all"):
    """Return calendar years and confirmed figures of the cards of the span, by the earliest date known.

    Parameters
    ----------
    cards : sequence of Accelerator
    convention : tuple
        As of `card_pairs.compute_conventions`.
    settings : dict
    vendor : str

    Returns
    -------
    years, values : list of float
    """
    last = latest_month(settings)
    first = last - (settings["years"] + settings["window_years"]) * MONTHS_A_YEAR
    years, values = [], []
    for card, cell in zip(cards, convention[0], strict=True):
        month = min((date for date, _ in card.dates.values()), default=-1)
        if (
            cell is None
            or not cell.confirmed
            or not card.has_scaleup
            or vendor not in ("all", card.vendor)
            or not first <= month <= last
        ):
            continue
        years.append(month / MONTHS_A_YEAR)
        values.append((cell.low + cell.high) / 2)
    return years, values


def is_trend(points, settings):
    """Return whether points are enough of them, and far enough apart, to carry a trend."""
    years = points[0]
    return len(years) >= LEAST_CARDS and np.ptp(years) >= LEAST_SPAN_FRACTION * settings["years"]


def vendor_trends(facts, settings, readings):
    """Return the growth factor of each vendor's trend line: ``{(vendor, convention): factor}``."""
    cards = accelerators(facts)
    found = {}
    chosen = settings["vendor"]
    for reading in readings:
        for label, convention in conventions(cards, reading, settings).items():
            for vendor in dict.fromkeys(card.vendor for card in cards if chosen in ("all", card.vendor)):
                points = trend_points(cards, convention, settings, vendor)
                if is_trend(points, settings):
                    found[vendor, label] = fit_trend(*points, replicates=0).factor(settings["years"])
    return found


def vendor_sources(facts, vendor):
    """Return the citation keys behind the cards of a vendor."""
    return frozenset().union(*(card.sources for card in accelerators(facts) if card.vendor == vendor))


def study_lines(facts, settings, subjects):
    """Return published trend studies carried to the span asked for; rows of role `claim` are left out."""
    table = facts.table("trend_studies")
    table = table[table["growth_of"].isin(subjects) & (table["role"] != "claim")]
    found = {}
    for position, row in table[~table["unit"].isin(GENERATION_UNITS)].iterrows():
        factor = _published_growth(facts, position, row, settings["years"])
        published = f"{row['value']:g} {row['unit']} [{row['source']}]"
        note = f"{published}, carried to {settings['years']:g} years; no interval published"
        found[f"{row['study']}: {row['quantity']} ({row['id']})"] = {
            "estimate": [factor],
            "interval": None,
            "note": note,
        }
    last = int(settings["latest"][:4])
    for study, rows in table[table["unit"].isin(GENERATION_UNITS) & (table["year"] <= last)].groupby(
        "study", sort=False
    ):
        if len(rows) >= LEAST_CARDS:
            trend = fit_trend(rows["year"], rows["value"])
            note = f"log-linear fit over {len(rows)} generations, {rows['year'].min():g} to {rows['year'].max():g}"
            years = settings["years"]
            found[f"{study} generations"] = {
                "estimate": [trend.factor(years)],
                "interval": [trend.interval(years)],
                "note": note,
            }
    return found


def _published_growth(facts, position, row, years):
    if row["unit"] == "x per 2 years":
        return row["value"] ** (years / 2)
    if row["unit"] == "years":
        return growth_from_doubling(row["value"], years)
    where = facts.where("trend_studies", position)
    raise DataError(f"{where}, column unit: {row['unit']!r} is no growth; accepted: x per 2 years, years, GB/s, Gbit/s")


def joint_lines(facts, settings):
    """Return the lines that speak about all three ratios at once: one vendor's trends, and the studies' medians."""
    separate = {claim_id: lines_of(facts, settings, claim_id, READINGS[claim_id][0]) for claim_id in GROWTH_OF}
    found = {}
    whose = [name.split(", ")[1] for name in separate[COMPUTE] if name.startswith("regression")]
    for owner in dict.fromkeys(whose):
        groups = [_named(lines, f"regression, {owner},") for lines in separate.values()]
        if all(groups):
            found[f"regression, {owner}"] = _together(groups, "medians and envelope of the regressions of each ratio")
    studies = [
        [line for name, line in lines.items() if not name.startswith("regression")] for lines in separate.values()
    ]
    found["published trend studies"] = _together(studies, "medians and envelope of the studies of each ratio")
    return found


def _named(lines, start):
    return [line for name, line in lines.items() if name.startswith(start)]


def _together(groups, note):
    estimates = [float(np.median([line["estimate"][0] for line in group])) if group else math.nan for group in groups]
    ends = [[end for line in group for end in (line["interval"] or [line["estimate"]])[0]] for group in groups]
    return {"estimate": estimates, "interval": [[min(end), max(end)] for end in ends], "note": note}
