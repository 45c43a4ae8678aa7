"""Figures of one expert a card: rates over the degree of expert parallelism, and where the time of a layer goes."""

from analysis.figures.style import CLAIM, COLOURS, WIDTH_IN, house_style

LINE_COLOURS = ("blue", "orange", "green", "vermilion", "sky")
PART_COLOURS = {
    "attention": COLOURS["grey"],
    "experts": COLOURS["blue"],
    "dispatch": COLOURS["orange"],
    "combine": COLOURS["yellow"],
    "waiting": COLOURS["vermilion"],
}
PART_LABELS = {"attention": "attention, shared expert", "waiting": "waiting for the busiest rank"}


def rates_over_ranks(table, *, one_expert, title):
    """Draw tokens a second and card over the degree of expert parallelism, one panel a fabric.

    Parameters
    ----------
    table : pandas.DataFrame
        system, fabric, ranks, rate, low, high.
    one_expert : int
        Degree at which a rank holds one expert: the reference line.
    title : str
        The finding.

    Returns
    -------
    figure : matplotlib.figure.Figure
    panels : ndarray of matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt

    with house_style():
        fabrics, size = list(dict.fromkeys(table["fabric"])), (WIDTH_IN, 3.6)
        figure, panels = plt.subplots(
            1, len(fabrics), figsize=size, sharex=True, sharey=True, squeeze=False, layout="constrained"
        )
        colours = dict(zip(dict.fromkeys(table["system"]), LINE_COLOURS, strict=False))
        for axes, fabric in zip(panels[0], fabrics, strict=True):
            _rates(axes, table[table["fabric"] == fabric], colours)
            axes.axvline(one_expert, color=CLAIM, lw=1.5, zorder=1)
            axes.set_title(fabric, fontsize=9)
        told = {"color": CLAIM, "fontsize": 8, "ha": "right", "va": "top", "rotation": 90}
        panels[0, 0].text(0.94 * one_expert, 0.97, "one expert a rank", transform=_across(panels[0, 0]), **told)
        _axis_of_ranks(panels[0, 0], sorted({*table["ranks"], one_expert}))
        panels[0, 0].set_ylabel("tokens/s and card within the limit")
        figure.supxlabel("ranks that share the experts (degree of expert parallelism)", fontsize=9)
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure, panels[0]


def _rates(axes, table, colours):
    """One line a system, named at its highest point: the highest of all above it, the others below."""
    best = table["rate"].max()
    for system, rows in table.groupby("system", sort=False):
        colour = COLOURS[colours[system]]
        axes.fill_between(rows["ranks"], rows["low"], rows["high"], color=colour, alpha=0.13, lw=0)
        axes.plot(rows["ranks"], rows["rate"], "o-", color=colour, ms=3.5, lw=1.6)
        top = rows.loc[rows["rate"].idxmax()]
        above = top["rate"] == best
        place = {"xytext": (0, 6 if above else -7), "va": "bottom" if above else "top"}
        axes.annotate(
            system.split()[0],
            (top["ranks"], top["rate"]),
            color=colour,
            fontsize=8,
            ha="center",
            textcoords="offset points",
            **place,
        )


def _across(axes):
    """Across the axes in data, up in fractions of the axes."""
    return axes.get_xaxis_transform()


def _axis_of_ranks(axes, ranks):
    from matplotlib.ticker import NullFormatter, NullLocator

    axes.set_xscale("log", base=2)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    shown = [one for one in ranks if one & (one - 1) == 0]
    axes.set_xticks(shown, [f"{one:g}" for one in shown])
    axes.set_xlim(ranks[0] * 0.85, ranks[-1] * 1.2)
    axes.set_ylim(bottom=0)


def layer_bars(table, *, title):
    """Draw where the time of a layer goes for each sequence, one stacked bar a side.

    Parameters
    ----------
    table : pandas.DataFrame
        label, and microseconds by operator: the keys of `PART_COLOURS`.
    title : str
        The finding.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt

    with house_style():
        figure, axes = plt.subplots(figsize=(WIDTH_IN, 1.6 + 0.42 * len(table)), layout="constrained")
        left, places = 0.0 * table["attention"], range(len(table))
        for part, colour in PART_COLOURS.items():
            axes.barh(
                places, table[part], left=left, height=0.7, color=colour, label=PART_LABELS.get(part, part), zorder=2
            )
            left = left + table[part]
        for place, total in zip(places, left, strict=True):
            axes.annotate(
                f"{total:.1f}", (total, place), xytext=(4, 0), textcoords="offset points", fontsize=8, va="center"
            )
        axes.set_yticks(places, table["label"], fontsize=8)
        axes.set_ylim(len(table) - 0.4, -0.6)
        axes.set_xlim(0, 1.1 * left.max())
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("microseconds of one layer for each sequence, one operator after the other")
        figure.legend(loc="outside lower center", ncols=len(PART_COLOURS), fontsize=8)
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure, axes
