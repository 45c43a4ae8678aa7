"""Figure of prefix reuse timed on one machine: what was fitted, and the cut beside its prediction and its bound."""

from analysis.figures.style import CLAIM, COLOURS, WIDTH_IN, house_style

LENGTH_COLOURS = ("sky", "blue", "green", "orange", "vermilion", "grey")
PANELS_A_ROW = 2
SHIFT = 0.8


def cut_by_fraction(whole, rows, curves, *, title):
    """Draw the time without reuse, and for each tier the cut over the cached part of the prompt.

    Parameters
    ----------
    whole : pandas.DataFrame
        prompt_tokens, seconds (measured; blank between), predicted; runs without reuse, in order of length.
    rows : pandas.DataFrame
        tier, prompt_tokens, fraction, cut, low, high.
    curves : pandas.DataFrame
        tier, prompt_tokens, fraction, predicted.
    title : str
        The finding.

    Returns
    -------
    figure : matplotlib.figure.Figure
    panels : dict of str to matplotlib.axes.Axes
        "without reuse", and one a tier.
    """
    import matplotlib.pyplot as plt

    tiers = list(dict.fromkeys(rows["tier"]))
    lengths = sorted(set(rows["prompt_tokens"]))
    high = -(-(1 + len(tiers)) // PANELS_A_ROW)
    with house_style():
        figure, grid = plt.subplots(
            high, PANELS_A_ROW, figsize=(WIDTH_IN, 0.7 + 2.6 * high), layout="constrained", squeeze=False
        )
        panels = dict(zip(("without reuse", *tiers), grid.flat, strict=False))
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        _draw_whole(panels["without reuse"], whole)
        lowest = min(0.0, *(100 * frame[name].min() for frame, name in ((rows, "low"), (curves, "predicted"))))
        for tier in tiers:
            _draw_tier(panels[tier], rows[rows["tier"] == tier], curves[curves["tier"] == tier], lengths)
            panels[tier].set(xlim=(0, 100), ylim=(max(lowest, -60) - 3, 105))
            panels[tier].set_title(tier, fontsize=9)
        handles, labels = panels[tiers[0]].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8)
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure, panels


def _draw_whole(axes, whole):
    axes.plot(whole["prompt_tokens"], 1e3 * whole["predicted"], color=COLOURS["black"], lw=1)
    axes.plot(whole["prompt_tokens"], 1e3 * whole["seconds"], "o", ms=5, color=COLOURS["black"])
    axes.set(xlim=(0, None), ylim=(0, None), xlabel="tokens of the prompt", ylabel="time to first token (ms)")
    axes.set_title("without reuse: fitted on these", fontsize=9)


def _draw_tier(axes, rows, curves, lengths):
    axes.plot((0, 100), (0, 100), color=CLAIM, lw=1.5, ls="--")
    axes.annotate("bound", (22, 24), color=CLAIM, fontsize=8, ha="right", va="bottom")
    for place, length in enumerate(lengths):
        colour = COLOURS[LENGTH_COLOURS[place % len(LENGTH_COLOURS)]]
        curve, own = curves[curves["prompt_tokens"] == length], rows[rows["prompt_tokens"] == length]
        axes.plot(100 * curve["fraction"], 100 * curve["predicted"], color=colour, lw=1.2)
        across = 100 * own["fraction"] + SHIFT * (place - (len(lengths) - 1) / 2)  # side by side: bars stay apart
        axes.vlines(across, 100 * own["low"], 100 * own["high"], color=colour, lw=3, alpha=0.35)
        axes.plot(across, 100 * own["cut"], "o", ms=4, color=colour, label=f"{length} tokens")
    axes.set(xlabel="cached part of the prompt (%)", ylabel="cut of the time (%)")
