"""Figures of the validation: how far predictions lie from measurements."""

from analysis.figures.style import COLOURS, WIDTH_IN, house_style

ROLE_COLOURS = {"calibrate": COLOURS["sky"], "validate": COLOURS["vermilion"]}
ROLE_LABELS = {"calibrate": "fitted on", "validate": "not fitted on"}
SPREAD = 0.16
# A panel shows at least this part of its values to either side, where all are the same.
LEAST_SPAN = 0.05


def errors_by_quantity(rows, *, title):
    """Draw the error of every prediction, one line a quantity; rows that were not fitted on stand out.

    Parameters
    ----------
    rows : pandas.DataFrame
        quantity, role, predicted, error (a fraction); a missing prediction is not drawn.
    title : str
        The finding.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D

    rows = rows[rows["predicted"].notna()]
    quantities = list(dict.fromkeys(rows["quantity"]))[::-1]
    with house_style():
        figure, axes = plt.subplots(figsize=(WIDTH_IN, 1.4 + 0.42 * len(quantities)), layout="constrained")
        axes.axvline(0, color=COLOURS["black"], lw=1)
        for role, shift in (("calibrate", -SPREAD), ("validate", SPREAD)):
            of_role = rows[rows["role"] == role]
            heights = [quantities.index(name) + shift for name in of_role["quantity"]]
            face = ROLE_COLOURS[role] if role == "validate" else "none"
            axes.plot(100 * of_role["error"], heights, "o", ms=5, color=ROLE_COLOURS[role], mfc=face, alpha=0.8)
            for name, error in of_role.groupby("quantity")["error"]:
                reach = 100 * error.abs().quantile(0.9)
                height = quantities.index(name) + shift
                axes.hlines(height, -reach, reach, color=ROLE_COLOURS[role], lw=6, alpha=0.25)
        axes.set_yticks(range(len(quantities)), [name.replace("_", " ") for name in quantities])
        axes.set_ylim(-0.6, len(quantities) - 0.4)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("predicted over measured, less one (%); bar: 90 % of the absolute errors")
        marks = [
            Line2D([], [], marker="o", ls="", color=colour, mfc=colour if role == "validate" else "none")
            for role, colour in ROLE_COLOURS.items()
        ]
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        figure.legend(marks, ROLE_LABELS.values(), loc="outside lower center", ncols=2, fontsize=8)
    return figure, axes


def predicted_against_measured(rows, *, title):
    """Draw predicted against measured values, one panel a unit, with the line on which they agree.

    Parameters
    ----------
    rows : pandas.DataFrame
        quantity, unit, role, measured, predicted.
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : ndarray of matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt
    import numpy as np

    rows = rows[rows["predicted"].notna()]
    units = list(dict.fromkeys(rows["unit"]))
    with house_style():
        figure, panels = plt.subplots(
            -(-len(units) // 3), 3, figsize=(WIDTH_IN, 2.5 * -(-len(units) // 3)), squeeze=False, layout="constrained"
        )
        for axes in panels.flat[len(units) :]:
            axes.set_visible(False)
        for axes, unit in zip(panels.flat, units, strict=False):
            own = rows[rows["unit"] == unit]
            ends = np.array([own[["measured", "predicted"]].min().min(), own[["measured", "predicted"]].max().max()])
            if ends[1] - ends[0] < LEAST_SPAN * abs(ends[1]):
                ends = ends * (1 - LEAST_SPAN, 1 + LEAST_SPAN)
            axes.plot(ends, ends, color=COLOURS["black"], lw=1)
            for role, part in own.groupby("role"):
                face = ROLE_COLOURS[role] if role == "validate" else "none"
                axes.plot(part["measured"], part["predicted"], "o", ms=4, color=ROLE_COLOURS[role], mfc=face, alpha=0.8)
            if ends[1] > 10 * ends[0] > 0:
                axes.set(xscale="log", yscale="log")
            axes.set_title(unit, fontsize=8, fontweight="normal")
            axes.set_xlabel("measured", fontsize=8)
            axes.set_ylabel("predicted", fontsize=8)
            axes.tick_params(labelsize=7)
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure, panels
