"""Figures of the supernode: totals by reading and source, and supernode over NVL72 by what is compared."""

from analysis.figures.style import CLAIM, COLOURS, WIDTH_IN, house_style

READING_COLOURS = {"per-system": COLOURS["blue"], "per-card": COLOURS["orange"], "per-watt": COLOURS["green"]}
MARKERS = ("o", "D", "s", "^", "v")
LEADERS = "cards x printed peak, PFLOPS"


def totals_by_reading(totals, others, *, claimed, tolerance, title):
    """Draw the total of every printed peak as a bar, grouped by reading, with the claim and its band.

    Parameters
    ----------
    totals : dict of str to list of (str, float)
        Reading to the sources of its peaks and the totals in PFLOPS; an empty list is shown as a reading without a
        figure.
    others : dict of str to float
        Totals that rest on no printed peak of a card, in PFLOPS.
    claimed, tolerance : float
        The claimed total, and the width of "equal" as a fraction of it.
    title : str
        The finding.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt

    with house_style():
        count = sum(max(len(rows), 1) + 1 for rows in totals.values()) + len(others) + 1
        figure, axes = plt.subplots(figsize=(WIDTH_IN, 1.3 + 0.24 * count), layout="constrained")
        axes.axvspan(claimed * (1 - tolerance), claimed * (1 + tolerance), color=CLAIM, alpha=0.18, lw=0)
        axes.axvline(claimed, color=CLAIM, lw=1.5)
        names = [source for rows in totals.values() for source, _ in rows]
        colours = dict(zip(dict.fromkeys(names), _cycled(len(set(names))), strict=True))
        ticks, labels, place = [], [], 0
        for reading, rows in totals.items():
            heading = reading if rows else f"{reading}: nobody prints such a peak"
            axes.text(0, place, heading, fontsize=9, fontweight="bold", va="center", transform=_margin(axes))
            place += 1
            for source, value in rows:
                _bar(axes, place, value, colours[source])
                ticks.append(place)
                labels.append(source)
                place += 1
        if others:
            axes.text(0, place, "from elsewhere", fontsize=9, fontweight="bold", va="center", transform=_margin(axes))
            place += 1
        for name, value in others.items():
            _bar(axes, place, value, COLOURS["grey"])
            ticks.append(place)
            labels.append(name)
            place += 1
        axes.set_yticks(ticks, labels, fontsize=8)
        axes.set_ylim(place - 0.3, -0.7)
        axes.grid(visible=False, axis="y")
        axes.set_xlim(
            0, 1.12 * max([claimed, *others.values(), *(value for rows in totals.values() for _, value in rows)])
        )
        axes.set_xlabel(LEADERS)
        told = f"claimed: {claimed:g}, band ±{100 * tolerance:g} %"
        axes.text(claimed, 1.0, told, color=CLAIM, fontsize=8, ha="center", va="bottom", transform=_top(axes))
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure, axes


def _cycled(count):
    palette = [COLOURS[name] for name in ("blue", "orange", "green", "sky", "vermilion", "yellow")]
    return [palette[place % len(palette)] for place in range(count)]


def _margin(axes):
    """Along the axes in fractions, across them in data: for a heading that starts at the left edge."""
    from matplotlib.transforms import offset_copy

    return offset_copy(axes.get_yaxis_transform(), fig=axes.figure, x=4, units="points")


def _top(axes):
    """Across the axes in data, up in fractions of the axes."""
    return axes.get_xaxis_transform()


def _bar(axes, place, value, colour):
    axes.barh(place, value, height=0.72, color=colour, alpha=0.85)
    told = axes.annotate(f"{value:,.0f}", (value, place), xytext=(4, 0), textcoords="offset points", fontsize=8)
    told.set(va="center", bbox={"facecolor": axes.get_facecolor(), "lw": 0, "pad": 0.8}, zorder=5)


def ratios_by_metric(table, readings, *, threshold, title, opponents=None):
    """Draw supernode over opponent for every metric, one dot a reading, on a logarithmic axis.

    Parameters
    ----------
    table : pandas.DataFrame
        title, opponent, modelled, and for every reading its ratio, "READING low" and "READING high"; NaN is left out.
    readings : sequence of str
    threshold : float
        The ratio from which a side is ahead.
    title : str
        The finding.
    opponents : sequence of str, optional
        In the order of their markers; that of the table where not given.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D
    from matplotlib.ticker import LogLocator, NullFormatter

    metrics = list(dict.fromkeys(table["title"]))
    opponents = list(opponents or dict.fromkeys(table["opponent"]))
    markers = {name: MARKERS[place % len(MARKERS)] for place, name in enumerate(opponents)}
    modelled = {row.title for row in table.itertuples() if row.modelled}
    with house_style():
        figure, axes = plt.subplots(figsize=(WIDTH_IN, 1.5 + 0.36 * len(metrics)), layout="constrained")
        axes.axvline(threshold, color=CLAIM, lw=1.5)
        for row in table.to_dict("records"):
            shift = 0.14 * (opponents.index(row["opponent"]) - (len(opponents) - 1) / 2)
            place = metrics.index(row["title"]) + shift
            for reading in readings:
                if row[reading] == row[reading]:
                    colour = READING_COLOURS.get(reading, COLOURS["grey"])
                    axes.hlines(place, row[f"{reading} low"], row[f"{reading} high"], color=colour, lw=1.2)
                    face = "none" if row["modelled"] else colour
                    axes.plot(row[reading], place, markers[row["opponent"]], ms=5, color=colour, mfc=face)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}x")
        axes.set_yticks(range(len(metrics)), [f"{name} (modelled)" if name in modelled else name for name in metrics])
        axes.set_ylim(len(metrics) - 0.4, -0.6)
        axes.set_xlabel("supernode over NVL72 (x)")
        axes.text(threshold, 1.0, "as much", color=CLAIM, ha="center", va="bottom", fontsize=8, transform=_top(axes))
        marks = [Line2D([], [], marker="o", ls="", color=READING_COLOURS.get(one), label=one) for one in readings]
        marks += [
            Line2D([], [], marker=shape, ls="", color=COLOURS["black"], mfc="none", label=f"over {name}")
            for name, shape in markers.items()
        ]
        figure.legend(handles=marks, loc="outside lower center", ncols=len(marks), fontsize=8)
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure, axes
