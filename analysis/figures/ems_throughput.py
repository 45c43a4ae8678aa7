"""Figures of EMS and throughput: where offloading gains, published and predicted gains, and reuse by workload."""

from analysis.figures.style import CLAIM, COLOURS, WIDTH_IN, house_style

LEVELS = (0, 5, 10, 25, 50, 100, 200, 400)


def gain_maps(maps, *, shares, contexts, claimed, title):
    """Draw the gain of decoding over the memory left and the context, one panel a map.

    Parameters
    ----------
    maps : list of dict
        title, gains (per cent, shape (contexts, shares)), marks (memory left by real layouts, as shares).
    shares, contexts : ndarray
    claimed : float
        Per cent; its contour is drawn.
    title : str
        The finding.

    Returns
    -------
    figure : matplotlib.figure.Figure
    panels : ndarray of matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt
    from matplotlib.colors import BoundaryNorm

    with house_style():
        figure, panels = plt.subplots(
            1, len(maps), figsize=(WIDTH_IN, 3.7), sharex=True, sharey=True, squeeze=False, layout="constrained"
        )
        colours = plt.get_cmap("Blues")
        norm = BoundaryNorm(LEVELS, colours.N, extend="max")
        for axes, one in zip(panels[0], maps, strict=True):
            drawn = axes.pcolormesh(100 * shares, contexts, one["gains"], cmap=colours, norm=norm, shading="nearest")
            if one["gains"].max() >= claimed:
                axes.contour(100 * shares, contexts, one["gains"], levels=[claimed], colors=[CLAIM], linewidths=1.8)
            for mark in one["marks"]:
                axes.axvline(100 * mark, color=COLOURS["orange"], lw=1.4, ls=(0, (4, 2)))
            axes.set_title(one["title"], fontsize=9)
            _map_axes(axes)
        panels[0, 0].set_ylabel("context of each sequence, tokens")
        figure.supxlabel("part of the card's memory that is left for caches, % (dashed: real layouts)", fontsize=9)
        bar = figure.colorbar(drawn, ax=panels, extend="max", pad=0.01)
        bar.set_label("gain of decoding, %")
        bar.ax.axhline(claimed, color=CLAIM, lw=2)
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure, panels[0]


def _map_axes(axes):
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axes.set_xscale("log")
    axes.set_yscale("log", base=2)
    axes.grid(visible=False)
    axes.set_xticks([0.5, 1, 2, 5, 10, 20, 50], ["0.5", "1", "2", "5", "10", "20", "50"])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks([1000 * 2**one for one in range(8)])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1000:g}k"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def measured_and_predicted(table, *, title):
    """Draw published gains of offload systems beside predicted ones.

    Parameters
    ----------
    table : pandas.DataFrame
        label, measured, predicted, low, high (per cent).
    title : str
        The finding.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt

    with house_style():
        figure, axes = plt.subplots(figsize=(WIDTH_IN, 1.5 + 0.42 * len(table)), layout="constrained")
        places = range(len(table))
        factor = {name: 1 + table[name] / 100 for name in ("measured", "predicted", "low", "high")}
        axes.hlines(places, factor["low"], factor["high"], color=COLOURS["blue"], lw=6, alpha=0.25, zorder=1)
        axes.plot(
            factor["predicted"], places, "o", color=COLOURS["blue"], ms=6, label="predicted (band: host)", zorder=3
        )
        axes.plot(factor["measured"], places, "D", color=COLOURS["vermilion"], ms=6, label="measured", zorder=2)
        axes.set_xscale("log")
        axes.set_xlim(0.9, 1.35 * max(factor[name].max() for name in factor))
        axes.set_xticks([1, 1.5, 2, 3, 5, 7.5], ["1", "1.5", "2", "3", "5", "7.5"])
        axes.xaxis.set_minor_formatter("")
        axes.set_yticks(places, table["label"], fontsize=8)
        axes.set_ylim(len(table) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("throughput with offloading over without (log scale)")
        figure.legend(loc="outside lower center", ncols=2, fontsize=8)
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure, axes


def reuse_by_workload(table, *, claimed, tolerance, title):
    """Draw the gain from reuse by workload.

    Parameters
    ----------
    table : pandas.DataFrame
        workload, hit, low, median, high (per cent).
    claimed, tolerance : float
        Per cent, and the part of it by which a gain may differ and still count as equal.
    title : str
        The finding.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt

    with house_style():
        figure, axes = plt.subplots(figsize=(WIDTH_IN, 1.4 + 0.42 * len(table)), layout="constrained")
        places = range(len(table))
        factor = {name: 1 + table[name] / 100 for name in ("low", "median", "high")}
        band = [1 + claimed * (1 + end * tolerance) / 100 for end in (-1, 1)]
        axes.axvspan(*band, color=CLAIM, alpha=0.15, lw=0, zorder=0)
        axes.axvline(1 + claimed / 100, color=CLAIM, lw=1.5, zorder=1)
        axes.hlines(places, factor["low"], factor["high"], color=COLOURS["blue"], lw=6, alpha=0.3, zorder=2)
        axes.plot(factor["median"], places, "o", color=COLOURS["blue"], ms=6, zorder=3)
        axes.annotate(
            "claimed", (1 + claimed / 100, -0.55), color=CLAIM, fontsize=8, xytext=(4, 0), textcoords="offset points"
        )
        axes.set_xscale("log")
        axes.set_xlim(0.95, 1.15 * max(factor["high"].max(), band[1]))
        axes.set_xticks([1, 1.5, 2, 3, 5, 8], ["1", "1.5", "2", "3", "5", "8"])
        axes.xaxis.set_minor_formatter("")
        labels = [f"{row.workload} ({100 * row.hit:.0f} % cached)" for row in table.itertuples()]
        axes.set_yticks(places, labels, fontsize=8)
        axes.set_ylim(len(table) - 0.4, -0.8)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("throughput with reuse over without (log scale; band: 90 % of the declared set)")
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure, axes
