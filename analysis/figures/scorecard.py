"""The scorecard as a picture: one row a claim, predicted over claimed, coloured by verdict."""

from pathlib import Path

from analysis.figures.style import CLAIM, COLOURS, VERDICT_COLOURS, VERDICT_MARKERS, WIDTH_IN, house_style

THEMES = {"light": {"ink": "#1f2328", "ground": "#ffffff"}, "dark": {"ink": "#e6edf3", "ground": "#0d1117"}}
# Beyond a hundredfold a bar only says "far off"; the axis ends there and the text keeps the number.
AXIS = (0.01, 100.0)


def scorecard(records, *, theme="light"):
    """Draw one row a claim: its predicted interval over the claimed number, and its verdict.

    Parameters
    ----------
    records : sequence of dict
        In the order of the ledger, as of `Record.to_dict`.
    theme : str
        light or dark.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt

    with house_style(**THEMES[theme]):
        figure, axes = plt.subplots(figsize=(WIDTH_IN, 0.6 + 0.24 * len(records)), layout="constrained")
        for row, record in enumerate(records):
            _row(axes, row, record)
        axes.axvline(1, color=CLAIM, lw=1.5, zorder=0)
        axes.text(1, -0.9, "as claimed", color=CLAIM, ha="center", va="bottom", fontsize=8)
        axes.set_xscale("log")
        axes.set_xlim(*AXIS)
        axes.set_ylim(len(records) - 0.4, -1)
        axes.set_yticks(range(len(records)), [record["id"] for record in records], fontsize=8)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}x")
        axes.set_xlabel("predicted / claimed (5th to 95th percentile, dot at the median)")
        axes.grid(axis="y", visible=False)
        answered = [record for record in records if record["verdict"] not in ("open", "not computable")]
        held = sum(record["verdict"] == "reproduced" for record in answered)
        axes.set_title(f"{held} of {len(answered)} claims judged so far are reproduced", pad=14)
    return figure, axes


def _row(axes, row, record):
    colour, marker = VERDICT_COLOURS[record["verdict"]], VERDICT_MARKERS[record["verdict"]]
    spans = _spans(record)
    for offset, (low, middle, high) in zip(_offsets(len(spans)), spans, strict=True):
        place = row + offset
        axes.plot(
            [_clipped(low), _clipped(high)], [place, place], color=colour, lw=2.2, alpha=0.55, solid_capstyle="butt"
        )
        axes.plot(_clipped(middle), place, marker, color=colour, ms=5)
    text = record["verdict"] + (" (fragile)" if record["fragile"] else "")
    faded = record["verdict"] in ("open", "not computable")
    axes.text(
        1.01,
        row,
        text,
        color=COLOURS["grey"] if faded else colour,
        va="center",
        fontsize=8,
        transform=axes.get_yaxis_transform(),
    )


def _spans(record):
    """(low, median, high) over the claimed number; one a part of a joint claim."""
    if record["estimate"] is None:
        return []
    if not isinstance(record["estimate"], dict):
        parts = [(record["estimate"], record["interval"], record["claimed"])]
    else:
        parts = [
            (value, record["interval"][part], record["claimed"][part]) for part, value in record["estimate"].items()
        ]
    return [(low / claimed, value / claimed, high / claimed) for value, (low, high), claimed in parts if claimed]


def _offsets(count):
    return [0.0] if count == 1 else [0.28 * (2 * index / max(count - 1, 1) - 1) for index in range(count)]


def _clipped(value):
    return min(max(value, AXIS[0]), AXIS[1])


def write_readme_svgs(folder, records):
    """Write ``scorecard-light.svg`` and ``scorecard-dark.svg``; the same bytes for the same records.

    Parameters
    ----------
    folder : Path
    records : sequence of dict
    """
    import matplotlib.pyplot as plt

    Path(folder).mkdir(parents=True, exist_ok=True)
    for theme, colours in THEMES.items():
        with house_style(**colours):
            figure, _ = scorecard(records, theme=theme)
            figure.savefig(Path(folder) / f"scorecard-{theme}.svg", metadata={"Date": None}, format="svg")
            plt.close(figure)
