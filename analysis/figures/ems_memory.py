"""Figures of memory without more cards: cards over the hits asked for, and the price from which a pool pays."""

from analysis.figures.style import CLAIM, COLOURS, WIDTH_IN, house_style

LINE_COLOURS = ("blue", "vermilion", "green", "orange", "sky", "black")
MARKERS = {"conversation": "o", "synthetic": "D"}


def cards_over_target(table, *, title):
    """Draw cards without and with a pool over the hits that are asked for, one panel a trace.

    Parameters
    ----------
    table : pandas.DataFrame
        model, trace, target, without, pooled.
    title : str
        The finding.

    Returns
    -------
    figure : matplotlib.figure.Figure
    panels : dict of str to matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt
    from matplotlib.ticker import PercentFormatter

    with house_style():
        traces = list(dict.fromkeys(table["trace"]))
        figure, panels = plt.subplots(
            1, len(traces), figsize=(WIDTH_IN, 3.8), sharex=True, sharey=True, squeeze=False, layout="constrained"
        )
        colours = dict(zip(dict.fromkeys(table["model"]), LINE_COLOURS, strict=False))
        for axes, trace in zip(panels[0], traces, strict=True):
            for model, rows in table[table["trace"] == trace].groupby("model", sort=False):
                colour = COLOURS[colours[model]]
                axes.plot(rows["target"], rows["without"], "-", color=colour, lw=1.8, label=model)
                axes.plot(rows["target"], rows["pooled"], "--", color=colour, lw=1.4)
            axes.set_title(f"{trace} trace", fontsize=9)
            axes.set_yscale("log")
            axes.set_xlabel("hits asked for, of those without limit")
            axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        panels[0, 0].set_ylabel("cards")
        handles, labels = panels[0, 0].get_legend_handles_labels()
        kinds = [plt.Line2D([], [], color=COLOURS["grey"], ls=style) for style in ("-", "--")]
        figure.legend(
            [*handles, *kinds],
            [*labels, "without a pool", "with a pool"],
            loc="outside lower center",
            ncols=4,
            fontsize=8,
        )
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure, dict(zip(traces, panels[0], strict=True))


def price_break_even(table, *, declared, printed, title):
    """Draw from which price ratio on a pool is cheaper than the cards it saves.

    Parameters
    ----------
    table : pandas.DataFrame
        way, model, trace, price_ratio (NaN where no card is saved: no dot).
    declared : tuple of float
        Ends of the declared range of price ratios: the band.
    printed : dict of str to float
        Ratios from printed prices, by name: the reference lines.
    title : str
        The finding.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt

    with house_style():
        ways, models = (list(dict.fromkeys(table[name])) for name in ("way", "model"))
        figure, axes = plt.subplots(figsize=(WIDTH_IN, 1.9 + 0.62 * len(ways)), layout="constrained")
        axes.axvspan(*declared, color=CLAIM, alpha=0.13, lw=0)
        for name, value in printed.items():
            axes.axvline(value, color=CLAIM, lw=1.3)
            told = {"color": CLAIM, "fontsize": 8, "rotation": 90, "ha": "right", "va": "top"}
            axes.text(0.97 * value, 0.98, name, transform=axes.get_xaxis_transform(), **told)
        colours = dict(zip(models, LINE_COLOURS, strict=False))
        for (way, model, trace), rows in table.groupby(["way", "model", "trace"], sort=False):
            place = ways.index(way) + 0.6 * ((models.index(model) + 0.5) / len(models) - 0.5)
            marker = MARKERS.get(trace, "s")
            axes.plot(rows["price_ratio"], [place] * len(rows), marker, color=COLOURS[colours[model]], ms=5)
        for place, way in enumerate(ways):
            if table.loc[table["way"] == way, "price_ratio"].isna().all():
                axes.text(
                    0.02, place, "no card is saved", transform=axes.get_yaxis_transform(), fontsize=8, va="center"
                )
        axes.set_xscale("log")
        axes.set_ylim(len(ways) - 0.5, -0.9)
        axes.set_yticks(range(len(ways)), ways, fontsize=8)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("price of a gigabyte on a card over one in the pool, from which the pool pays (x)")
        _price_legend(figure, colours, dict.fromkeys(table["trace"]))
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure, axes


def _price_legend(figure, colours, traces):
    """Colours tell models, markers tell traces."""
    import matplotlib.pyplot as plt

    handles = [plt.Line2D([], [], color=COLOURS[colour], marker="o", ls="") for colour in colours.values()]
    handles += [plt.Line2D([], [], color=COLOURS["grey"], marker=MARKERS.get(one, "s"), ls="") for one in traces]
    labels = [*colours, *(f"{one} trace" for one in traces)]
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8)
