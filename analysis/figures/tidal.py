"""Figures of tidal scheduling: a day before and after, the map of the bound, and what blocks and moves cost."""

from analysis.figures.style import CLAIM, COLOURS, WIDTH_IN, house_style

PARTS = {
    "busy with requests": COLOURS["blue"],
    "held, not busy": COLOURS["sky"],
    "on the move": COLOURS["vermilion"],
    "training in the valley": COLOURS["green"],
    "training pool": COLOURS["grey"],
}
DAY_H = 24
LINES = ("-", "--", ":")
# Days nearer than this on the axis of mean over peak have one label.
LABEL_HEIGHT = 0.03


def one_day(day, *, headroom, title, before, after):
    """Draw one day in two panels: two fixed pools, and one pool.

    Parameters
    ----------
    day : pandas.DataFrame
        hour, load, serving, moving, valley, pool: shares of all cards.
    headroom : float
        Cards above those that are busy, in proportion.
    title : str
        The finding.
    before, after : float
        Utilisation in per cent.

    Returns
    -------
    figure : matplotlib.figure.Figure
    panels : dict of str to axes
        "before" and "after".
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import Patch

    busy = day["load"] / (1 + headroom)
    share = 1 - day["pool"]
    stacks = {
        "before": (busy, share - busy, 0 * busy, 0 * busy, day["pool"]),
        "after": (busy.clip(upper=day["serving"]), None, day["moving"], day["valley"], day["pool"]),
    }
    told = {"before": f"two fixed pools: {before:.0f} % busy", "after": f"one pool: {after:.0f} % busy"}
    with house_style():
        figure, found = plt.subplots(1, 2, figsize=(WIDTH_IN, 3.6), sharey=True, layout="constrained")
        panels = dict(zip(stacks, found, strict=True))
        for name, axes in panels.items():
            parts = list(stacks[name])
            if parts[1] is None:
                parts[1] = day["serving"] - parts[0]
            heights = [100 * part for part in parts]
            axes.stackplot(day["hour"], *heights, colors=list(PARTS.values()), lw=0, labels=list(PARTS))
            axes.plot(day["hour"], 100 * day["load"], color=COLOURS["black"], lw=1)
            axes.set_title(told[name], fontsize=9, fontweight="normal")
            axes.set_xlabel("hour of the curve")
            axes.set_xticks(range(0, DAY_H + 1, 6))
            axes.set_xlim(0, DAY_H)
            axes.set_ylim(0, 100)
            axes.grid(visible=False)
        panels["before"].set_ylabel("% of all cards")
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        marks = [Patch(color=colour, label=part) for part, colour in PARTS.items()]
        marks += panels["after"].plot([], [], color=COLOURS["black"], lw=1, label="cards that the load takes")
        figure.legend(handles=marks, loc="outside lower center", ncols=3, fontsize=8)
    return figure, panels


def gain_map(shares, means, gain, marks, *, claimed, title):
    """Draw the bound of the gain over the share of cards in inference and the peakedness of the day.

    Parameters
    ----------
    shares, means : ndarray
        Axes of the map, fractions.
    gain : ndarray of shape (means, shares)
        Relative gain in per cent.
    marks : sequence of (str, float, float)
        Name of a published day, its mean over peak, and the share from which the claim is reached with all losses (NaN
        where it never is).
    claimed : float
        Per cent; drawn as a contour.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt

    levels = [0, 5, 10, 20, 30, 40, 60, 80, 120]
    with house_style():
        figure, axes = plt.subplots(figsize=(WIDTH_IN, 4.6), layout="constrained")
        filled = axes.contourf(100 * shares, means, gain, levels=levels, cmap="Blues", extend="max")
        contour = axes.contour(100 * shares, means, gain, levels=[claimed], colors=[CLAIM], linewidths=2)
        axes.clabel(contour, fmt=lambda value: f"claimed {value:g} %", fontsize=9)
        for name, mean, share in _apart(marks):
            axes.axhline(mean, color=COLOURS["black"], lw=0.8, ls=(0, (4, 2)))
            never = "" if share == share else " (never)"
            axes.annotate(
                f"{name}{never}",
                (1.005, mean),
                xycoords=axes.get_yaxis_transform(),
                annotation_clip=False,
                va="center",
                fontsize=8,
            )
            if share == share:
                axes.plot([100 * share], [mean], "D", color=COLOURS["orange"], mec=COLOURS["black"], ms=7, zorder=5)
        axes.plot([], [], "D", color=COLOURS["orange"], mec=COLOURS["black"], label="reached with all losses")
        axes.legend(loc="upper left", fontsize=8)
        axes.grid(visible=False)
        axes.set_xlabel("cards in inference (% of all cards)")
        axes.set_ylabel("mean over peak of the day's load")
        axes.invert_yaxis()
        axes.set_title(title)
        figure.colorbar(filled, ax=axes, label="gain without any loss (%)", location="bottom", aspect=40, pad=0.02)
    return figure, axes


def _apart(marks):
    """Days too close to be told apart share a line and a label."""
    groups = []
    for name, mean, share in sorted(marks, key=lambda mark: mark[1]):
        if not groups or mean - groups[-1][0][1] > LABEL_HEIGHT:
            groups.append([])
        groups[-1].append((name, mean, share))
    for group in groups:
        names, means, shares = zip(*group, strict=True)
        reached = [share for share in shares if share == share]
        yield ", ".join(names), sum(means) / len(means), min(reached, default=float("nan"))


def gain_by_block(table, *, claimed, blocks, title):
    """Draw the gain over the size of a block, a line for each time of a move, a panel for each curve.

    Parameters
    ----------
    table : pandas.DataFrame
        curve, switch_min, cards_per_block, relative (per cent).
    claimed : float
        Per cent.
    blocks : dict of str to float
        Sizes with a name, in cards.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure
    panels : dict of str to axes
    """
    import matplotlib.pyplot as plt

    curves = list(dict.fromkeys(table["curve"]))
    with house_style():
        figure, found = plt.subplots(
            1, len(curves), figsize=(WIDTH_IN, 3.4), sharey=True, sharex=True, squeeze=False, layout="constrained"
        )
        panels = dict(zip(curves, found[0], strict=True))
        for curve, axes in panels.items():
            for style, (switch, rows) in zip(LINES, table[table["curve"] == curve].groupby("switch_min"), strict=False):
                axes.plot(
                    rows["cards_per_block"], rows["relative"], ls=style, color=COLOURS["blue"], label=f"{switch:g} min"
                )
            axes.axhline(claimed, color=CLAIM, lw=1.5)
            axes.set_xscale("log")
            axes.set_xticks(list(blocks.values()), [f"{name}\n{cards:g}" for name, cards in blocks.items()], fontsize=7)
            axes.minorticks_off()
            axes.set_xlabel("cards a block", fontsize=8)
            axes.set_title(curve, fontsize=9, fontweight="normal")
            axes.set_ylim(bottom=0)
        first = panels[curves[0]]
        first.set_ylabel("gain in utilisation (%)")
        panels[curves[-1]].annotate(
            f"claimed\n{claimed:g} %",
            (1.02, claimed),
            xycoords=panels[curves[-1]].get_yaxis_transform(),
            annotation_clip=False,
            va="center",
            color=CLAIM,
            fontsize=8,
        )
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        handles, labels = first.get_legend_handles_labels()
        figure.legend(handles, labels, title="a move takes, each way", loc="outside lower center", ncols=3, fontsize=8)
    return figure, panels
