"""Figures of MatrixLink: gain over the size of the supernode, gain by baseline, and where a step's time goes."""

from analysis.figures.style import CLAIM, COLOURS, WIDTH_IN, house_style

MODEL_COLOURS = ("blue", "vermilion", "green", "orange", "sky", "black")
PART_COLOURS = ("blue", "vermilion", "yellow", "grey")
MARKERS = ("o", "s", "^", "D")


def gain_over_domain(panels, *, claimed, indistinct, title):
    """Draw the gain over the cards that the fast fabric joins, a line for each model.

    Parameters
    ----------
    panels : dict of str to pandas.DataFrame
        Name of a panel to rows of model, supernode_cards, gain (per cent).
    claimed : float
        Per cent; drawn as a line.
    indistinct : tuple of float or None
        Gains that the model's own error cannot tell from the claimed one; drawn as a band.
    title : str
        The finding.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : dict of str to axes
    """
    import matplotlib.pyplot as plt

    with house_style():
        figure, found = plt.subplots(
            1, len(panels), figsize=(WIDTH_IN, 3.7), sharey=True, layout="constrained", squeeze=False
        )
        axes = dict(zip(panels, found[0], strict=True))
        for name, table in panels.items():
            one = axes[name]
            if indistinct:
                one.axhspan(*indistinct, color=CLAIM, alpha=0.15, lw=0)
            one.axhline(claimed, color=CLAIM, lw=1.5, ls="--")
            for number, (model, rows) in enumerate(table.groupby("model", sort=False)):
                colour = COLOURS[MODEL_COLOURS[number % len(MODEL_COLOURS)]]
                marker = MARKERS[number % len(MARKERS)]
                one.plot(rows["supernode_cards"], rows["gain"], color=colour, marker=marker, ms=4, label=model)
            sizes = sorted(set(table["supernode_cards"]))
            one.set_xscale("log", base=2)
            one.set_xticks(sizes, [str(size) for size in sizes], fontsize=8)
            one.minorticks_off()
            one.set_xlabel("cards that the fast fabric joins")
            one.set_title(name, fontsize=9, fontweight="normal")
        first = found[0][0]
        first.set_ylabel("gain over servers (%)")
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        handles, labels = first.get_legend_handles_labels()
        handles += first.plot([], [], color=CLAIM, lw=1.5, ls="--")
        labels += [
            f"claimed {claimed:g} %" + (", and what the model's error cannot tell from it" if indistinct else "")
        ]
        figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
    return figure, axes


def gain_by_baseline(table, measured, *, claimed, title):
    """Draw the gain in training of every model, baseline and size, and beside it pairs of one silicon as measured.

    Parameters
    ----------
    table : pandas.DataFrame
        model, baseline, cards, gain, and low and high: the gain's range over all else.
    measured : pandas.DataFrame
        name, measured, predicted (per cent).
    claimed : float
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : tuple of axes
        Predicted, measured.
    """
    import matplotlib.pyplot as plt

    sizes = sorted(set(table["cards"]))
    with house_style():
        figure, (left, right) = plt.subplots(
            1, 2, figsize=(WIDTH_IN, 5.2), layout="constrained", gridspec_kw={"width_ratios": (1.5, 1)}
        )
        groups = list(dict.fromkeys(zip(table["baseline"], table["model"], strict=True)))
        for place, (base, model) in enumerate(groups):
            rows = table[(table["baseline"] == base) & (table["model"] == model)]
            for row in rows.itertuples():
                number = sizes.index(row.cards)
                height = place + 0.22 * (number - (len(sizes) - 1) / 2)
                colour = COLOURS[MODEL_COLOURS[number % len(MODEL_COLOURS)]]
                left.plot([row.low, row.high], [height, height], color=colour, lw=1.5)
                left.plot([row.gain], [height], MARKERS[number % len(MARKERS)], color=colour, ms=5)
        left.set_yticks(range(len(groups)), [f"{model}\n{base}" for base, model in groups], fontsize=7)
        left.invert_yaxis()
        left.set_xlabel("predicted gain in training (%)")
        marks = [left.plot([], [], m, color=COLOURS[c])[0] for m, c in zip(MARKERS, MODEL_COLOURS, strict=False)]
        names = [f"{size:,.0f} cards" for size in sizes]
        figure.legend(marks[: len(sizes)], names, loc="outside lower left", ncols=3, fontsize=8)
        _measured_panel(right, measured)
        for one in (left, right):
            one.axvline(claimed, color=CLAIM, lw=1.5, ls="--")
        left.annotate(
            f"claimed {claimed:g} %", (claimed, 1.0), xycoords=left.get_xaxis_transform(), fontsize=8, color=CLAIM
        )
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure, (left, right)


def _measured_panel(axes, measured):
    places = range(len(measured))
    axes.plot(measured["measured"], places, "o", color=COLOURS["black"], ms=6, label="measured")
    axes.plot(measured["predicted"], places, "x", color=COLOURS["blue"], ms=6, mew=2, label="predicted")
    axes.set_yticks(places, measured["name"], fontsize=7)
    axes.set_ylim(len(measured) - 0.5, -0.5)
    axes.set_xlabel("one silicon, domain of 72 over 8 (%)")
    axes.xaxis.label.set_fontsize(8)
    axes.legend(fontsize=8, loc="lower right")


def step_time(table, parts, *, title):
    """Draw where the time of a training step goes, before and after.

    Parameters
    ----------
    table : pandas.DataFrame
        name, side ("before" or "after"), and a column for each part: shares of the step before.
    parts : sequence of str
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt

    with house_style():
        figure, axes = plt.subplots(figsize=(WIDTH_IN, 0.42 * len(table) + 1.5), layout="constrained")
        places = [place + 0.35 * (place // 2) for place in range(len(table))]
        left = 0 * table[parts[0]].to_numpy()
        for part, colour in zip(parts, PART_COLOURS, strict=True):
            widths = 100 * table[part].to_numpy()
            axes.barh(places, widths, left=left, color=COLOURS[colour], label=part, height=0.85)
            left = left + widths
        for place, end, layout in zip(places, left, table["layout"], strict=True):
            axes.annotate(layout, (end + 1, place), va="center", fontsize=7)
        names = [f"{row.name}, {row.side}" for row in table[["name", "side"]].itertuples(index=False)]
        axes.set_yticks(places, names, fontsize=8)
        axes.invert_yaxis()
        axes.set_xlim(0, 125)
        axes.set_xticks(range(0, 101, 20))
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("share of the step before (%); beside each bar, the fastest layout")
        axes.set_title(title)
        figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    return figure, axes
