"""Figures of the bandwidth gap: specification curves, and bytes per FLOP over time."""

from analysis.figures.style import CLAIM, COLOURS, WIDTH_IN, house_style, vendor_colour

LINK_COLOURS = {"scale-up": COLOURS["blue"], "scale-out": COLOURS["vermilion"]}


def specification_curves(tables, *, claimed, tolerance, title, quantity):
    """Draw every combination of each reading as a point, sorted, with the claimed number as a line.

    Parameters
    ----------
    tables : dict of str to pandas.DataFrame
        Reading to its combinations: vendor, confirmed, ratio_scaled, ratio_low, ratio_high, ratio_as_is.
    claimed, tolerance : float
        The claimed ratio, and the width of "equal" as a fraction of it.
    title, quantity : str
        The finding, and what the ratio is of.

    Returns
    -------
    figure : matplotlib.figure.Figure
    drawn : dict of str to axes
        Reading to the axes of its panel.
    """
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator, NullFormatter

    with house_style():
        figure, panels = plt.subplots(
            1, len(tables), figsize=(WIDTH_IN, 3.4), sharey=True, squeeze=False, layout="constrained"
        )
        for axes, (reading, table) in zip(panels[0], tables.items(), strict=True):
            _panel(axes, table, claimed, tolerance)
            axes.set_title(reading, fontsize=9, fontweight="normal")
        beside = panels[0, -1].get_yaxis_transform()
        panels[0, -1].text(
            1.02, claimed, f"claimed\n{claimed:g}x", color=CLAIM, va="center", fontsize=8, transform=beside
        )
        panels[0, 0].set_ylabel(f"{quantity}, end over start (x)")
        panels[0, 0].set_yscale("log")
        low, high = panels[0, 0].get_ylim()
        # Less than two decades have room for 2 and 5 between the powers of ten.
        subdivided = (1, 2, 5) if high < 100 * low else (1,)
        panels[0, 0].yaxis.set_major_locator(LogLocator(subs=subdivided))
        panels[0, 0].yaxis.set_minor_formatter(NullFormatter())
        panels[0, 0].yaxis.set_major_formatter(lambda value, _: f"{value:g}x")
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        figure.legend(handles=_legend(tables), loc="outside lower center", ncols=5, fontsize=8)
    return figure, dict(zip(tables, panels[0], strict=True))


def _panel(axes, table, claimed, tolerance):
    axes.axhspan(claimed * (1 - tolerance), claimed * (1 + tolerance), color=CLAIM, alpha=0.15, lw=0)
    axes.axhline(claimed, color=CLAIM, lw=1.5)
    table = table.sort_values(["ratio_scaled", "start_card", "end_card", "date_basis"]).reset_index(drop=True)
    axes.plot(table.index, table["ratio_as_is"], "_", color=COLOURS["grey"], ms=3, alpha=0.7)
    for (vendor, confirmed), rows in table.groupby(["vendor", "confirmed"]):
        colour = vendor_colour(vendor)
        axes.vlines(rows.index, rows["ratio_low"], rows["ratio_high"], color=colour, lw=0.8, alpha=0.5)
        axes.plot(
            rows.index, rows["ratio_scaled"], "o", ms=3, color=colour, mfc=colour if confirmed else "none", mew=0.7
        )
    axes.set_xlabel("combinations, sorted")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlim(-1, max(len(table), 1))


def _legend(tables):
    from matplotlib.lines import Line2D

    vendors = dict.fromkeys(vendor for table in tables.values() for vendor in table["vendor"])
    marks = [Line2D([], [], marker="o", ls="", ms=4, color=vendor_colour(name), label=name) for name in vendors]
    marks.append(Line2D([], [], marker="o", ls="", ms=4, color=COLOURS["black"], mfc="none", label="not confirmed"))
    marks.append(Line2D([], [], marker="_", ls="", ms=6, color=COLOURS["grey"], label="as it is, not scaled"))
    return marks


def bytes_per_flop_over_time(balance, trends, demands, *, title):
    """Draw what links offer for each FLOP over the years, beside what training asks.

    Parameters
    ----------
    balance : pandas.DataFrame
        card, year, link, bytes_per_flop, confirmed.
    trends : dict of str to (ndarray, ndarray)
        Link to the years and values of its trend line.
    demands : dict of str to float
        What is asked, in bytes per FLOP.
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
        for (link, confirmed), rows in balance.groupby(["link", "confirmed"]):
            face = LINK_COLOURS[link] if confirmed else "none"
            axes.plot(rows["year"], rows["bytes_per_flop"], "o", ms=4, color=LINK_COLOURS[link], mfc=face)
        for link, (years, values) in trends.items():
            axes.plot(years, values, color=LINK_COLOURS[link], lw=1.2, alpha=0.7)
            axes.annotate(f" {link}", (years[-1], values[-1]), color=LINK_COLOURS[link], va="center", fontsize=9)
        for number, (what, needed) in enumerate(sorted(demands.items(), key=lambda item: -item[1])):
            axes.axhline(needed, color=COLOURS["grey"], lw=1, ls=(0, (4, 2)))
            place = {"va": "bottom", "y": needed * 1.04} if number == 0 else {"va": "top", "y": needed / 1.04}
            axes.text(0.005, s=f"{what} asks", fontsize=8, transform=axes.get_yaxis_transform(), **place)
        axes.set_yscale("log")
        axes.margins(x=0.1)
        axes.set_xlabel("year in which the card became known (hollow: not confirmed)")
        axes.set_ylabel("bytes moved per FLOP, one way")
        axes.set_title(title)
    return figure, axes
