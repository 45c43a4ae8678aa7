"""Figures of the time to first token: cuts by baseline, the bound, hit rates, queueing, and the link to the pool."""

import numpy as np

from analysis.figures.style import CLAIM, COLOURS, WIDTH_IN, house_style

CURVE_COLOURS = ("blue", "orange", "green", "sky", "vermilion")
LEFT = {"x": 0.01, "ha": "left", "fontsize": 11, "fontweight": "bold"}
# Longest name that stays on one line, in characters.
LINE = 20


def cuts_by_baseline(tables, *, claimed, title):
    """Draw cuts by workload, one panel a baseline.

    Parameters
    ----------
    tables : dict of str to pandas.DataFrame
        Name of a panel to workload, low, middle, high: per cent.
    claimed : float
        The reference line.
    title : str
        The finding.

    Returns
    -------
    figure : matplotlib.figure.Figure
    panels : list of matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt

    counts = [len(table) for table in tables.values()]
    heights = [max(counts[row : row + 2]) for row in range(0, len(counts), 2)]
    with house_style():
        size = (WIDTH_IN, 0.9 + 0.62 * len(heights) + 0.24 * sum(heights))
        figure, grid = plt.subplots(len(heights), 2, figsize=size, sharex=True, height_ratios=heights, squeeze=False)
        figure.set_layout_engine("constrained")
        panels = list(grid.flat)
        for axes, (name, table) in zip(panels, tables.items(), strict=False):
            _intervals(axes, table, claimed)
            axes.set_title(name, fontsize=9, fontweight="normal")
        for axes in panels[len(tables) :]:
            axes.set_visible(False)
        shown = panels[: len(tables)]
        least = min(table["low"].min() for table in tables.values())
        shown[0].set_xlim(min(-5, 1.05 * least), 104)
        # Panels that share an axis show its labels in the last row alone, which may have no panel on the right.
        for axes in shown[-2:]:
            axes.xaxis.set_tick_params(labelbottom=True)
        figure.supxlabel("cut of the mean time to first token, % (median, 5th to 95th percentile)", fontsize=9)
        figure.suptitle(title, **LEFT)
    return figure, shown


def _intervals(axes, table, claimed):
    places = np.arange(len(table))
    colour = COLOURS["blue"]
    axes.hlines(places, table["low"], table["high"], color=colour, lw=2.5, alpha=0.45)
    axes.plot(table["middle"], places, "o", color=colour, ms=4.5)
    axes.axvline(claimed, color=CLAIM, lw=1.5, zorder=1)
    axes.axvline(0, color=COLOURS["grey"], lw=0.8, zorder=1)
    axes.set_yticks(places, [wrapped(name) for name in table["workload"]], fontsize=7)
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")


def wrapped(name):
    """Return a name in two lines where it is too long for one."""
    if len(name) <= LINE:
        return name
    words, lines = name.split(), [""]
    for word in words:
        if len(lines) == 1 and len(lines[0]) + len(word) > LINE:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


def bound(curves, measured, *, claimed, title):
    """Draw the cut over the cached fraction: the bound, curves below and above it, and published points.

    Parameters
    ----------
    curves : dict of str to (array_like, array_like, bool)
        Name to cached fraction, cut in per cent, and whether requests queue.
    measured : pandas.DataFrame
        fraction, cut (per cent): published, hardly any requests in flight.
    claimed : float
        The reference line.
    title : str
        The finding.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt

    with house_style():
        figure, axes = plt.subplots(figsize=(WIDTH_IN, 4.0), layout="constrained")
        axes.fill_between([0, 100], [0, 100], [-100, -100], color=COLOURS["grey"], alpha=0.12, lw=0, zorder=0)
        axes.plot([0, 100], [0, 100], color=COLOURS["black"], lw=1.2, label="bound: the cached fraction")
        for (name, (fraction, cut, queued)), colour in zip(curves.items(), CURVE_COLOURS, strict=False):
            style, shown = ("--", COLOURS["black"]) if queued else ("-", COLOURS[colour])
            axes.plot(100 * np.asarray(fraction), cut, style, color=shown, lw=1.6, label=name)
        axes.plot(
            100 * measured["fraction"],
            measured["cut"],
            "o",
            color=COLOURS["vermilion"],
            ms=3.5,
            alpha=0.5,
            mec="none",
            label="published, up to 2 requests in flight",
        )
        axes.axhline(claimed, color=CLAIM, lw=1.5, zorder=1)
        axes.annotate("claimed", (1, claimed), xytext=(0, 3), textcoords="offset points", color=CLAIM, fontsize=8)
        axes.axhline(0, color=COLOURS["grey"], lw=0.8, zorder=1)
        axes.set_xlim(0, 100)
        axes.set_ylim(min(-20.0, measured["cut"].min() - 5) if len(measured) else -20.0, 103)
        axes.set_xlabel("cached part of the prompt, %")
        axes.set_ylabel("cut against recomputation, %")
        figure.legend(loc="outside lower center", ncols=2, fontsize=8)
        figure.suptitle(title, **LEFT)
    return figure, axes


def hit_rates(curves, rooms, *, title):
    """Draw hit rates over the capacity of one cache, one panel a trace.

    Parameters
    ----------
    curves : dict of str to dict of str to pandas.DataFrame
        Trace to name of a curve to blocks and hit (fraction).
    rooms : (float, float)
        Between which capacities what weights leave of the accelerators' memory of one instance lies, in blocks.
    title : str
        The finding.

    Returns
    -------
    figure : matplotlib.figure.Figure
    panels : ndarray of matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt

    with house_style():
        figure, panels = plt.subplots(1, len(curves), figsize=(WIDTH_IN, 3.3), sharey=True, layout="constrained")
        for axes, (trace, lines) in zip(panels, curves.items(), strict=True):
            axes.axvspan(*rooms, color=COLOURS["grey"], alpha=0.15, lw=0)
            for (name, table), colour in zip(lines.items(), CURVE_COLOURS, strict=False):
                axes.plot(table["blocks"], 100 * table["hit"], color=COLOURS[colour], lw=1.6)
                end = table.iloc[-1]
                told = {"xytext": (-2, 4), "textcoords": "offset points", "ha": "right", "fontsize": 8}
                axes.annotate(name, (end["blocks"], 100 * end["hit"]), color=COLOURS[colour], **told)
            axes.set_xscale("log")
            axes.set_title(trace, fontsize=9)
        panels[0].set_ylim(bottom=0)
        panels[0].set_ylabel("prompt tokens found, %")
        figure.supxlabel("capacity of each cache, blocks of 512 tokens (grey: NPU memory left by weights)", fontsize=9)
        figure.suptitle(title, **LEFT)
    return figure, panels


def queueing(table, *, claimed, title):
    """Draw how far a queue carries each workload's cut, one panel a baseline.

    Parameters
    ----------
    table : pandas.DataFrame
        baseline, workload, idle, cut: per cent without and with a queue.
    claimed : float
        The reference line.
    title : str
        The finding.

    Returns
    -------
    figure : matplotlib.figure.Figure
    panels : ndarray of matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt

    groups = dict(list(table.groupby("baseline", sort=False)))
    with house_style():
        size = (WIDTH_IN, 1.4 + 0.27 * max(map(len, groups.values())))
        figure, panels = plt.subplots(1, len(groups), figsize=size, sharex=True, layout="constrained", squeeze=False)
        for axes, (name, rows) in zip(panels[0], groups.items(), strict=True):
            places = np.arange(len(rows))
            axes.hlines(places, rows["idle"], rows["cut"], color=COLOURS["grey"], lw=2)
            axes.plot(rows["idle"], places, "o", color=COLOURS["blue"], ms=5, label="idle instance")
            axes.plot(rows["cut"], places, "o", color=COLOURS["vermilion"], ms=5, label="with the queue")
            axes.axvline(claimed, color=CLAIM, lw=1.5, zorder=1)
            axes.set_yticks(places, [wrapped(one) for one in rows["workload"]], fontsize=7)
            axes.set_ylim(len(rows) - 0.4, -0.6)
            axes.grid(visible=False, axis="y")
            axes.set_title(name, fontsize=9, fontweight="normal")
            axes.set_xlabel("cut of the mean time to first token, %", fontsize=8)
        panels[0, 0].set_xlim(min(0.0, 1.05 * table["idle"].min()), 103)
        figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
        figure.suptitle(title, **LEFT)
    return figure, panels[0]


def over_link(curves, links, *, title):
    """Draw the cut over the rate at which a card is filled from the pool, and the rates of real links.

    Parameters
    ----------
    curves : dict of str to (array_like, array_like, array_like)
        Name to GB/s into each card, and cut in per cent: against recomputation, and against data that lies in the
        memory of the accelerators.
    links : dict of str to float
        Name to its rate.
    title : str
        The finding.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt

    with house_style():
        figure, axes = plt.subplots(figsize=(WIDTH_IN, 3.8), layout="constrained")
        for (name, (rates, cuts, resident)), colour in zip(curves.items(), CURVE_COLOURS, strict=False):
            axes.plot(rates, cuts, color=COLOURS[colour], lw=1.6, label=f"{name}, against recomputation")
            axes.plot(rates, resident, "--", color=COLOURS[colour], lw=1.2, label=f"{name}, against NPU memory")
        axes.axhline(0, color=COLOURS["black"], lw=1)
        axes.axhspan(-100, 0, color=COLOURS["vermilion"], alpha=0.06, lw=0)
        told = {"color": COLOURS["vermilion"], "fontsize": 8, "ha": "left", "va": "bottom"}
        axes.text(0.01, -98, "the pool loses", transform=axes.get_yaxis_transform(), **told)
        for name, rate in links.items():
            axes.axvline(rate, color=COLOURS["grey"], lw=0.8, ls=":")
            axes.text(rate, 3, name, color=COLOURS["grey"], fontsize=7, rotation=90, ha="right", va="bottom")
        axes.set_xscale("log")
        axes.set_ylim(-100, 103)
        rates = np.concatenate([np.asarray(one) for one, *_ in curves.values()])
        axes.set_xlim(rates.min(), rates.max())
        axes.set_xlabel("rate at which keys and values reach each card, GB/s")
        axes.set_ylabel("cut of the time to first token, %")
        figure.legend(loc="outside lower center", ncols=2, fontsize=8)
        figure.suptitle(title, **LEFT)
    return figure, axes
