"""The compute of the supernode: 384 cards are said to offer so many PFLOPS.

The article names no number format and does not say what a card is: a package or one of its two dies. Every printed
peak of one package is an option; cards times peak is the prediction. Nothing is fitted and nothing is sampled.
"""

import numpy as np

from analysis.facts.systems import package_peaks, printed_figures, supernode
from analysis.judgement.case import Case, Options
from analysis.judgement.uncertainty import option_weights, weighted_quantile
from analysis.models.peaks import bottom_up_tflops, system_pflops
from analysis.subjects.model import ClaimModel, Setting

CLAIM = "supernode.compute"
PACKAGE, DIE = "package", "die"
# Reading to what a card is, the number format and whether zeros are skipped.
READINGS = {
    "package-16-bit-dense": (PACKAGE, "16-bit", "dense"),
    "die-16-bit-dense": (DIE, "16-bit", "dense"),
    "package-16-bit-sparse": (PACKAGE, "16-bit", "sparse"),
    "package-8-bit": (PACKAGE, "8-bit", "dense"),
}
CARDS = Setting("cards", 384, "cards of the supernode, the condition of the sentence", "cards", 1, 16384)
SETTINGS = (CARDS,)
BOTTOM_UP = ("cube_cores", "products_per_clock", "cube_clock")
TABLES = ["data/systems.csv", "data/measurements/system_figures.csv"]


def peak_options(facts, reading):
    """Return the printed peaks that one reading lets count, as options.

    Parameters
    ----------
    facts : Facts
    reading : str

    Returns
    -------
    Options
        Columns peak_source, card_tflops; no rows where nobody prints such a peak.
    """
    counted, number_format, density = READINGS[reading]
    system = supernode(facts)
    peaks = package_peaks(facts, system, number_format, density)
    parts = system.devices if counted == DIE else 1
    columns = {
        "peak_source": np.array([row["source"] for row in peaks], dtype=object),
        "card_tflops": np.array([row["package_tflops"] / parts for row in peaks], dtype=float),
    }
    sources = tuple((frozenset(row["source"].split(";")),) for row in peaks)
    return Options(columns, choices=("peak_source",), rows=("peak_source",), sources=sources)


def bottom_up(facts):
    """Return what one card does by its cores and clock, with the figures behind it.

    Parameters
    ----------
    facts : Facts

    Returns
    -------
    package_tflops : float or None
        None where a figure is missing.
    figures : dict of str to dict
        Quantity to its row.
    """
    system = supernode(facts)
    figures = {name: (printed_figures(facts, name, system.name) or [None])[0] for name in BOTTOM_UP}
    if None in figures.values():
        return None, figures
    return float(bottom_up_tflops(*(figures[name]["value"] for name in BOTTOM_UP), system.devices)), figures


def looped_pflops(facts, settings, reading):
    """Return the median over the printed peaks of the sum over nodes, packages and dies, in plain Python."""
    counted, number_format, density = READINGS[reading]
    (row,) = [one for one in facts.table("systems").to_dict("records") if one["kind"] == "supernode"][:1]
    dies, each = int(row["devices_per_accelerator"]), int(row["accelerators"] // row["nodes"])
    totals = []
    for peak in facts.table("system_figures").to_dict("records"):
        asked = (peak["quantity"], peak["system"], peak["number_format"], peak["density"], peak["repeats"])
        if asked != ("peak", row["name"], number_format, density, "") or peak["role"] == "claim":
            continue
        die_tflops = peak["value"] if peak["counted"] == DIE else peak["value"] / dies
        left, total = settings["cards"], 0.0
        while left > 0:
            in_node = min(each, left)
            total += sum(die_tflops for _ in range(in_node) for _ in range(1 if counted == DIE else dies))
            left -= in_node
        totals.append(total)
    totals.sort()
    middle = (totals[(len(totals) - 1) // 2] + totals[len(totals) // 2]) / 2
    return middle / 1000


def _case(facts, settings, reading, assumptions):
    options = peak_options(facts, reading)

    def predict(options, rows, values):
        return system_pflops(settings["cards"], options.columns["card_tflops"][rows])

    def methods(options, values):
        pflops = predict(options, np.arange(len(options)), {})
        median = weighted_quantile(pflops, option_weights(options), [0.5]).tolist()
        looped = looped_pflops(facts, settings, reading)
        return {
            "cards times peak": {"estimate": median, "standard_error": 0.0, "shares": TABLES},
            "dies added up node by node": {"estimate": [looped], "standard_error": 0.0, "shares": TABLES},
        }

    def lines():
        return lines_of(facts, settings)

    keys = [key for (source,) in options.sources for key in source]
    evidence = tuple(sorted({*keys, *supernode(facts).sources, *_line_sources(facts)}))
    return Case(assumptions, options, predict, methods, lines, evidence)


def lines_of(facts, settings):
    """Return what else speaks for a total: printed totals, and cores times clock.

    Parameters
    ----------
    facts : Facts
    settings : dict

    Returns
    -------
    dict
        Name to ``{estimate, interval, note}`` in PFLOPS; printed totals are scaled to the cards asked for.
    """
    system, found = supernode(facts), {}
    scale = settings["cards"] / system.accelerators
    tflops, figures = bottom_up(facts)
    if tflops is not None:
        clock, cores, products = (figures[name]["value"] for name in ("cube_clock", "cube_cores", "products_per_clock"))
        note = (
            f"{system.devices} dies x {cores:g} cores x {products:,.0f} products a clock x {clock:,.0f} MHz "
            f"[{figures['cube_clock']['source']}]; shares no printed peak"
        )
        pflops = float(system_pflops(settings["cards"], tflops))
        found["cores times clock"] = {"estimate": [pflops], "interval": None, "note": note}
    for row in printed_figures(facts, "system_peak", system.name):
        note = f"printed total, {row['note']} [{row['source']}]"
        found[f"total of {row['source']}"] = {"estimate": [scale * row["value"]], "interval": None, "note": note}
    return found


def _line_sources(facts):
    rows = [row for name in (*BOTTOM_UP, "system_peak") for row in printed_figures(facts, name, supernode(facts).name)]
    return {key for row in rows for key in row["source"].split(";")}


CLAIMS = (ClaimModel(CLAIM, "02_supernode", (), SETTINGS, tuple(READINGS), _case),)
