"""What the notebook shows of the supernode: printed peaks, systems side by side, clusters, what is left out."""

import math

import numpy as np
import pandas as pd

from analysis.facts.systems import PEAK, SERVER, printed_figures, supernode, systems
from analysis.models.peaks import clock_needed_mhz, system_pflops
from analysis.subjects.supernode import jobs, rivals
from analysis.subjects.supernode.compute import READINGS, bottom_up, peak_options
from analysis.subjects.supernode.metrics import METRICS, PER_SYSTEM, cards_of, chosen_metrics

SIXTEEN = "16-bit"


def printed_peaks(facts, settings):
    """Return every printed peak, counted or only repeated, with the total that it gives.

    Parameters
    ----------
    facts : Facts
    settings : dict
        `cards` is used.

    Returns
    -------
    pandas.DataFrame
        source, number_format, density, counted, value, unit, pflops (of so many packages), repeats (a row's id), note.
    """
    system, rows = supernode(facts), []
    for row in printed_figures(facts, PEAK, system.name):
        each = row["value"] * (system.devices if row["counted"] == "die" else 1)
        rows.append(row | {"pflops": float(system_pflops(settings["cards"], each))})
    return pd.DataFrame(rows)[
        ["source", "number_format", "density", "counted", "value", "unit", "pflops", "repeats", "note"]
    ]


def totals_by_reading(facts, settings):
    """Return the total of every option of every reading: reading to a list of (source, PFLOPS)."""
    found = {}
    for reading in READINGS:
        options = peak_options(facts, reading)
        totals = system_pflops(settings["cards"], options.columns["card_tflops"])
        found[reading] = list(zip(options.columns["peak_source"], map(float, totals), strict=True))
    return found


def clock_check(facts):
    """Return what cores and clock say of the printed peaks, or None where a figure is missing.

    Returns
    -------
    dict or None
        package_tflops, clock_mhz (of the platform file), needed_mhz (peak in TFLOPS to the clock that it takes).
    """
    tflops, figures = bottom_up(facts)
    if tflops is None:
        return None
    system = supernode(facts)
    peaks = sorted({float(one) for one in peak_options(facts, next(iter(READINGS))).columns["card_tflops"]})
    cores, products = figures["cube_cores"]["value"], figures["products_per_clock"]["value"]
    needed = {peak: float(clock_needed_mhz(peak, cores, products, system.devices)) for peak in peaks}
    return {"package_tflops": tflops, "clock_mhz": figures["cube_clock"]["value"], "needed_mhz": needed}


def comparison_table(facts, settings, values):
    """Return supernode over NVL72 for every metric, opponent and reading.

    Parameters
    ----------
    facts : Facts
    settings : dict
    values : dict of str to dict
        "low", "mode" and "high" to the values of the assumptions.

    Returns
    -------
    pandas.DataFrame
        metric, title, opponent, modelled, and for every reading its ratio (`per-system` and so on) with the least and
        the most that the assumptions allow (`per-system low`, `per-system high`); NaN where the reading has no meaning.
    """
    found = None
    for reading in rivals.READINGS:
        table, _ = rivals.comparisons(facts, settings, reading)
        columns = {name: table[name].to_numpy() for name in table.columns}
        rows = np.arange(len(table))
        corners = [_ratios(columns, rows, corner, reading) for corner in _corners(values)]
        part = table[["metric", "opponent"]].assign(
            **{
                reading: _ratios(columns, rows, values["mode"], reading),
                f"{reading} low": np.min(corners, axis=0),
                f"{reading} high": np.max(corners, axis=0),
            }
        )
        found = part if found is None else found.merge(part, on=["metric", "opponent"], how="left")
    chosen = [METRICS[name] for name in found["metric"]]
    return found.assign(title=[one.title for one in chosen], modelled=[bool(one.job) for one in chosen])


def _ratios(columns, rows, values, reading):
    return rivals.ratios(columns, rows, {name: np.full(len(rows), one) for name, one in values.items()}, reading)


def _corners(values):
    """Ours at one end and theirs at the other; more of a figure and less power raise a side."""
    low, high = values["low"], values["high"]
    for ours, theirs in ((low, high), (high, low)):
        more, less = "peak_position", "power_position"
        yield {
            f"supernode_{more}": ours[f"supernode_{more}"],
            f"opponent_{more}": theirs[f"opponent_{more}"],
            f"supernode_{less}": theirs[f"supernode_{less}"],
            f"opponent_{less}": ours[f"opponent_{less}"],
        }


def system_table(facts, settings, position):
    """Return what each system has in all, with its power and cards.

    Parameters
    ----------
    facts : Facts
    settings : dict
    position : float
        Where in a printed range a figure lies, from 0 to 1.

    Returns
    -------
    pandas.DataFrame
        system, cards, power_low_kw, power_high_kw, announced, available, and one column for every metric asked for: the
        whole system's figure in the metric's unit; NaN where nobody prints it and no model covers it.
    """
    rows = []
    for name, system in systems(facts).items():
        cards = cards_of(settings, system)
        low, high = (cards / system.accelerators * one for one in system.power_kw or (np.nan, np.nan))
        row = {"system": name, "cards": cards, "power_low_kw": low, "power_high_kw": high}
        row |= {basis: _month(system.card.dates.get(basis)) for basis in ("announced", "available")}
        row |= {one: _total(facts, settings, one, system, position) for one in chosen_metrics(settings, PER_SYSTEM)}
        rows.append(row)
    return pd.DataFrame(rows)


def _month(date):
    return "" if date is None else f"{date[0] // 12}-{date[0] % 12 + 1:02d}"


def _total(facts, settings, metric, system, position):
    figure, _ = rivals.card_range(facts, settings, metric, system)
    if figure is None:
        return math.nan
    return cards_of(settings, system) * (figure[0] + position * (figure[1] - figure[0]))


def cluster_table(facts, settings, position):
    """Return the supernode over clusters of servers, of equal cards and of equal power.

    Parameters
    ----------
    facts : Facts
    settings : dict
    position : float
        Where in a printed range a figure or a power lies.

    Returns
    -------
    pandas.DataFrame
        server, servers and cluster_cards, basis ("equal cards" or "equal power"), cluster_kw (the servers alone, no
        switches between them), and one column for every metric asked for: the supernode's figure over the cluster's.
    """
    totals = system_table(facts, settings, position).set_index("system")
    ours, rows = supernode(facts), []
    low, high = totals.loc[ours.name, ["power_low_kw", "power_high_kw"]]
    for name, system in systems(facts).items():
        if system.kind != SERVER or system.power_kw is None:
            continue
        server_kw = system.power_kw[0] + position * (system.power_kw[1] - system.power_kw[0])
        counts = {
            "equal cards": math.ceil(settings["cards"] / system.accelerators),
            "equal power": math.floor((low + position * (high - low)) / server_kw),
        }
        for basis, servers in counts.items():
            row = {"server": name, "basis": basis, "servers": servers, "cluster_kw": servers * server_kw}
            row["cluster_cards"] = servers * system.accelerators
            for metric in chosen_metrics(settings, PER_SYSTEM):
                # A link does not join more cards because there are more servers.
                times = 1 if METRICS[metric].intensive else servers
                row[metric] = totals.loc[ours.name, metric] / (times * totals.loc[name, metric]) if times else math.nan
            rows.append(row)
    return pd.DataFrame(rows)


def left_out(facts, settings, values):
    """Return what the sentence does not say: cards and power that stand behind the compute.

    Parameters
    ----------
    facts : Facts
    settings : dict
    values : dict of str to float
        The assumptions.

    Returns
    -------
    pandas.DataFrame
        opponent, cards_ratio, power_ratio, cards_to_match (of the supernode, for the 16-bit compute of one opponent),
        kw_to_match, their_kw,
        systems_for_compute and kw_for_compute (opponents for the compute of the supernode, and their power).
    """
    ours, rows = supernode(facts), []
    card = _position(rivals.card_range(facts, settings, SIXTEEN, ours)[0], values["supernode_peak_position"])
    kw = _position(ours.power_kw, values["supernode_power_position"]) / ours.accelerators
    for name, theirs in rivals.opponents(facts).items():
        figure, _ = rivals.card_range(facts, settings, SIXTEEN, theirs)
        if figure is None or theirs.power_kw is None:
            continue
        rack = theirs.accelerators * _position(figure, values["opponent_peak_position"])
        rack_kw = _position(theirs.power_kw, values["opponent_power_position"])
        needed, racks = math.ceil(rack / card), settings["cards"] * card / rack
        rows.append(
            {
                "opponent": name,
                "cards_ratio": settings["cards"] / theirs.accelerators,
                "power_ratio": settings["cards"] * kw / rack_kw,
                "cards_to_match": needed,
                "kw_to_match": needed * kw,
                "their_kw": rack_kw,
                "systems_for_compute": racks,
                "kw_for_compute": racks * rack_kw,
            }
        )
    return pd.DataFrame(rows)


def _position(ends, position):
    return ends[0] + position * (ends[1] - ends[0])


def job_table(facts, settings):
    """Return the modelled rates of every job on every system.

    Parameters
    ----------
    facts : Facts
    settings : dict

    Returns
    -------
    pandas.DataFrame
        system, metric, rate (tokens/s and card, NaN where there is none), note.
    """
    rows = []
    for name in (metric for metric in chosen_metrics(settings, PER_SYSTEM) if METRICS[metric].job):
        for system in systems(facts).values():
            rate, note = jobs.job_rate(facts, settings, name, system)
            rows.append((system.name, name, math.nan if rate is None else rate, note))
    return pd.DataFrame(rows, columns=["system", "metric", "rate", "note"])


def decode_over_limits(facts, settings, limits_ms):
    """Return the ratio of decoding, supernode over each opponent, at several limits.

    Parameters
    ----------
    facts : Facts
    settings : dict
    limits_ms : sequence of float

    Returns
    -------
    pandas.DataFrame
        limit_ms, opponent, ours and theirs (tokens/s and card), per_system, per_card; NaN where a limit cannot be kept.
    """
    rows, ours = [], supernode(facts)
    for limit in limits_ms:
        asked = settings | {"tpot_limit_ms": float(limit)}
        mine, _ = jobs.job_rate(facts, asked, "decode", ours)
        for name, system in rivals.opponents(facts).items():
            theirs, _ = jobs.job_rate(facts, asked, "decode", system)
            ratio = math.nan if None in (mine, theirs) else mine / theirs
            apart = settings["cards"] / system.accelerators
            rows.append((limit, name, mine or math.nan, theirs or math.nan, ratio * apart, ratio))
    return pd.DataFrame(rows, columns=["limit_ms", "opponent", "ours", "theirs", "per_system", "per_card"])
