"""Figures of reliability: effective training time over cluster size, where an hour goes, published times of stages."""

from analysis.figures.style import CLAIM, COLOURS, WIDTH_IN, house_style

CURVE_COLOURS = ("green", "blue", "sky", "orange", "vermilion", "purple", "grey", "black")
PARTS = {
    "useful": "green",
    "checkpoint": "sky",
    "detection": "yellow",
    "localisation": "orange",
    "restart": "vermilion",
    "lost work": "black",
}
FAULT_MARKS = {"explicit": "o", "all": "s", "implicit": "D"}
MEANS_COLOURS = {"automatic": COLOURS["blue"], "by hand or timeout": COLOURS["vermilion"]}
LEAST_MINUTES = 0.02


def ettr_over_size(sizes, curves, points, *, threshold, title):
    """Draw the effective training time of each recovery regime over the number of cards, with what was measured.

    Parameters
    ----------
    sizes : ndarray
        Numbers of cards.
    curves : dict of str to dict
        Regime to `typical`, `low` and `high`, in per cent.
    points : pandas.DataFrame
        system, accelerators, value, low, high, bound.
    threshold : float
        What the claim asks, in per cent.
    title : str
        The finding.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt

    with house_style():
        figure, axes = plt.subplots(figsize=(WIDTH_IN, 4.4), layout="constrained")
        colours = [COLOURS[name] for name in CURVE_COLOURS]
        for number, (regime, curve) in enumerate(curves.items()):
            colour = colours[number % len(colours)]
            axes.fill_between(sizes, curve["low"], curve["high"], color=colour, alpha=0.12, lw=0)
            axes.plot(sizes, curve["typical"], color=colour, lw=1.4, label=regime)
        axes.axhline(threshold, color=CLAIM, lw=1.2, ls=(0, (4, 2)))
        axes.text(sizes[0] * 1.03, threshold - 1.0, "asked for", color=CLAIM, fontsize=8, va="top")
        _measured(axes, points, edge=sizes[-1])
        axes.set_xscale("log")
        axes.set_xlim(sizes[0], sizes[-1])
        axes.set_ylim(0, 101)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.set_xlabel("cards of one job that stops as a whole")
        axes.set_ylabel("effective training time (%)")
        axes.set_title(title)
        legend = axes.legend(title="from fault to training again", fontsize=8, loc="lower left")
        legend.get_title().set_fontsize(8)
    return figure, axes


# Where the labels of points that lie close together go, in turn: points from the mark, and the side that touches it.
PLACES = ((-8, 10, "right"), (8, 6, "left"), (-8, -13, "right"), (8, -13, "left"))
LEFT_ALONE = ((-8, 0, "right"),)
ARROW = 5.0


def _measured(axes, points, edge):
    """Points; a bound is an arrow from the bound to the side that it leaves open."""
    from matplotlib.patheffects import withStroke

    ordered = points.sort_values(["accelerators", "value"]).reset_index(drop=True)
    for place, row in ordered.iterrows():
        x, y = row["accelerators"], row["value"]
        axes.plot([x], [y], "o", ms=4.5, color=COLOURS["black"], zorder=5)
        if row["low"] != row["high"]:
            open_end = min(y + ARROW, row["high"]) if row["low"] == y else max(y - ARROW, row["low"])
            axes.annotate("", (x, open_end), (x, y), arrowprops={"arrowstyle": "->", "lw": 1.0}, zorder=5)
        # A label at the right edge would leave the figure.
        places = LEFT_ALONE if x > edge / 4 else PLACES
        right, up, align = places[place % len(places)]
        halo = [withStroke(linewidth=2.5, foreground="white")]
        axes.annotate(
            row["system"],
            (x, y),
            (right, up),
            textcoords="offset points",
            ha=align,
            va="center",
            fontsize=7.5,
            zorder=6,
            path_effects=halo,
        )


def hour_of_training(table, *, title):
    """Draw where an hour goes under each regime, as stacked bars.

    Parameters
    ----------
    table : pandas.DataFrame
        One regime a row; the columns of `PARTS`, in minutes.
    title : str
        The finding.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt

    with house_style():
        figure, axes = plt.subplots(figsize=(WIDTH_IN, 0.36 * len(table) + 1.4), layout="constrained")
        left = 0.0
        for part, colour in PARTS.items():
            minutes = table[part].to_numpy()
            axes.barh(table.index, minutes, left=left, color=COLOURS[colour], label=part, height=0.7)
            left = left + minutes
        for place, minutes in enumerate(table["useful"]):
            axes.text(0.5, place, f"{minutes:.1f} min useful", va="center", fontsize=8, color="white")
        axes.set_xlim(0, 60)
        axes.xaxis.set_major_locator(plt.MultipleLocator(10))
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("minutes of an hour")
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=8)
    return figure, axes


def stage_times(times, claimed, *, title):
    """Draw every published time of each stage, with the claimed number as a line.

    Parameters
    ----------
    times : pandas.DataFrame
        id, system, stage, faults, means, low_min, high_min.
    claimed : dict of str to float
        Stage to the claimed minutes, in the order of the panels.
    title : str
        The finding.

    Returns
    -------
    figure : matplotlib.figure.Figure
    panels : dict of str to axes
    """
    import matplotlib.pyplot as plt

    counts = [int((times["stage"] == stage).sum()) for stage in claimed]
    with house_style():
        figure, axes = plt.subplots(
            len(claimed),
            1,
            figsize=(WIDTH_IN, 0.19 * sum(counts) + 1.7),
            sharex=True,
            layout="constrained",
            height_ratios=[max(count, 1) for count in counts],
        )
        panels = dict(zip(claimed, axes, strict=True))
        for stage, panel in panels.items():
            rows = times[times["stage"] == stage].sort_values(["high_min", "low_min"], ascending=False)
            _stage_panel(panel, rows.reset_index(drop=True), claimed[stage])
            panel.set_title(f"{stage}: {claimed[stage]:g} min claimed", fontsize=9, fontweight="normal")
        axes[-1].set_xscale("log")
        axes[-1].xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes[-1].set_xlabel("minutes, as published by others")
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        figure.legend(handles=_marks(), loc="outside lower center", ncols=5, fontsize=8)
    return figure, panels


def _stage_panel(panel, rows, claimed):
    panel.axvline(claimed, color=CLAIM, lw=1.5)
    for place, row in rows.iterrows():
        colour = MEANS_COLOURS[row["means"]]
        low = max(row["low_min"], LEAST_MINUTES)
        panel.plot([low, row["high_min"]], [place, place], color=colour, lw=2.2, alpha=0.6, solid_capstyle="butt")
        # The mark of an upper bound stands at the bound, of a range in its middle.
        mark = row["high_min"] if row["low_min"] == 0 else (low * row["high_min"]) ** 0.5
        panel.plot([mark], [place], FAULT_MARKS[row["faults"]], ms=4.5, color=colour)
    panel.set_yticks(rows.index, rows["system"] + "  " + rows["id"], fontsize=7)
    panel.set_ylim(-0.7, max(len(rows), 1) - 0.3)


def _marks():
    from matplotlib.lines import Line2D

    faults = [
        Line2D([], [], marker=mark, ls="", ms=5, color=COLOURS["grey"], label=f"{kind} faults")
        for kind, mark in FAULT_MARKS.items()
    ]
    return faults + [Line2D([], [], lw=2.2, color=colour, label=means) for means, colour in MEANS_COLOURS.items()]
