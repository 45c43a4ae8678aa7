"""Figures of the latency circle: a map without tiles, delays by cluster, counts over the route factor."""

from pathlib import Path

from analysis.figures.style import CLAIM, COLOURS, WIDTH_IN, house_style

# Ships with the package, so that a map has the same bytes whatever fonts a machine has.
FONT = Path(__file__).parent / "fonts" / "NotoSansCJKsc-places.otf"
STATUS = {
    "inside": ("within, at every route factor declared", "green", "o"),
    "depends": ("within or not, by the route factor", "orange", "D"),
    "outside": ("beyond any fibre, even a straight one", "vermilion", "X"),
}
HUB_COLOURS = ("blue", "purple", "sky", "yellow", "black")
READING_COLOURS = ("blue", "orange", "green", "purple")
# Label positions to try, in order: direction and alignment.
ANCHORS = (
    ((5, 0), "left", "center"),
    ((-5, 0), "right", "center"),
    ((0, 5), "center", "bottom"),
    ((0, -5), "center", "top"),
    ((4, 4), "left", "bottom"),
    ((4, -4), "left", "top"),
    ((-4, 4), "right", "bottom"),
    ((-4, -4), "right", "top"),
)
MARGIN_DEGREES = 2.0


def bilingual(name, name_zh, font=FONT):
    """Return a label and the font file that has its glyphs: both names, or the first where a glyph is missing.

    Parameters
    ----------
    name, name_zh : str
    font : Path or None
        None for the house font and no Chinese.

    Returns
    -------
    label : str
    font : Path or None

    Examples
    --------
    >>> bilingual("Beijing", "北京")[0], bilingual("Nowhere", "龘")[0]
    ('Beijing 北京', 'Nowhere')
    """
    from matplotlib.ft2font import FT2Font

    label = f"{name} {name_zh}"
    if font is None or not {ord(glyph) for glyph in label} <= set(FT2Font(str(font)).get_charmap()):
        return name, None
    return label, font


def coverage_map(cities, hubs, circles, others=(), *, title, font=FONT):
    """Draw hubs, cities and circles of equal delay, in longitude and latitude.

    Parameters
    ----------
    cities : pandas.DataFrame
        city, city_zh, lat, lon, status (a key of `STATUS`).
    hubs : sequence of Place
        With name, name_zh, lat, lon.
    circles : dict of str to list of (ndarray, ndarray)
        "floor", "low", "mode" and "high" to the latitudes and longitudes of the circle around each hub: straight
        fibre, and the declared route factor, whose ends make a ring.
    others : sequence of (float, float)
        Latitude and longitude of further cities, as dots.
    title : str
        The finding.
    font : Path or None
        File of a font for both names; None leaves the Chinese ones out.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt

    with house_style():
        figure, axes = plt.subplots(figsize=(WIDTH_IN, 5.8), layout="constrained")
        _frame(axes, [*zip(cities["lat"], cities["lon"], strict=True), *((hub.lat, hub.lon) for hub in hubs)])
        _draw_circles(axes, circles, _cycled(HUB_COLOURS, len(hubs)))
        axes.plot([lon for _, lon in others], [lat for lat, _ in others], ".", ms=3, color=COLOURS["grey"])
        for status, (label, colour, marker) in STATUS.items():
            rows = cities[cities["status"] == status]
            if len(rows):
                place = f"{label} ({len(rows)})"
                axes.plot(rows["lon"], rows["lat"], marker, ls="", ms=6, color=COLOURS[colour], label=place)
        for hub, colour in zip(hubs, _cycled(HUB_COLOURS, len(hubs)), strict=True):
            axes.plot(hub.lon, hub.lat, "*", ls="", ms=14, color=COLOURS[colour], mec="white", label=f"hub: {hub.name}")
        axes.set_xlabel("longitude (degrees east)")
        axes.set_ylabel("latitude (degrees north)")
        axes.set_title(title)
        figure.legend(loc="outside lower center", ncols=3, fontsize=8)
        points = [(hub.name, hub.name_zh, hub.lon, hub.lat, True) for hub in hubs]
        points += [(row.city, row.city_zh, row.lon, row.lat, False) for row in cities.itertuples()]
        _label_points(figure, axes, points, font)
    return figure, axes


def _frame(axes, places):
    """Limits around the places, with room for labels on the right, and a degree of the middle as long as it is high."""
    import numpy as np

    lats, lons = zip(*places, strict=True)
    axes.set_aspect(1 / np.cos(np.radians(np.mean(lats))))
    axes.set_ylim(min(lats) - 2 * MARGIN_DEGREES, max(lats) + MARGIN_DEGREES)
    axes.set_xlim(min(lons) - MARGIN_DEGREES, max(lons) + 4 * MARGIN_DEGREES)


def _cycled(words, count):
    return [words[place % len(words)] for place in range(count)]


def _draw_circles(axes, circles, colours):
    """A line for straight fibre, a dashed one for the most likely route factor, a ring for the declared range."""
    import numpy as np

    for place, name in enumerate(colours):
        colour = COLOURS[name]
        axes.plot(*circles["floor"][place][::-1], color=colour, lw=1.2, zorder=1)
        axes.plot(*circles["mode"][place][::-1], color=colour, lw=1, ls="--", zorder=1)
        (lat, lon), (inner_lat, inner_lon) = circles["low"][place], circles["high"][place]
        ring = np.concatenate([lon, inner_lon[::-1]]), np.concatenate([lat, inner_lat[::-1]])
        axes.fill(*ring, color=colour, alpha=0.12, lw=0, zorder=0)
    black = COLOURS["black"]
    axes.plot([], [], color=black, lw=1.2, label="straight fibre, no equipment")
    axes.plot([], [], color=black, lw=1, ls="--", label="most likely route factor")
    axes.fill([], [], color=black, alpha=0.15, lw=0, label="declared range")


def _label_points(figure, axes, points, font):
    """Put a label beside each point, at the first position where it meets no label and no point."""
    from matplotlib.patheffects import withStroke
    from matplotlib.transforms import Bbox

    halo = [withStroke(linewidth=2, foreground=axes.get_facecolor())]
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    spots = [axes.transData.transform((lon, lat)) for _, _, lon, lat, _ in points]
    taken = [Bbox.from_bounds(x - 4, y - 4, 8, 8) for x, y in spots]
    for own, (name, name_zh, lon, lat, bold) in enumerate(points):
        label, file = bilingual(name, name_zh, font)
        text = axes.annotate(label, (lon, lat), xytext=(0, 0), textcoords="offset points", fontsize=8 if bold else 7)
        text.set_path_effects(halo)
        if file:
            text.set_font_properties(_properties(file, 8.5 if bold else 7.5))
        for offset, across, along in ANCHORS:
            text.set_position(offset)
            text.set(ha=across, va=along)
            box = text.get_window_extent()
            if not any(box.overlaps(other) for place, other in enumerate(taken) if place != own):
                break
        taken.append(box)


def _properties(file, size):
    from matplotlib.font_manager import FontProperties

    return FontProperties(fname=str(file), size=size)


def delays_by_cluster(table, *, limit_ms, title):
    """Draw the one-way delay from the nearest hub to each cluster as an interval, with the limit as a line.

    Parameters
    ----------
    table : pandas.DataFrame
        cluster, city, status, floor_ms (straight fibre), low_ms, mode_ms, high_ms; drawn from top to bottom.
    limit_ms : float
    title : str
        The finding.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt

    with house_style():
        figure, axes = plt.subplots(figsize=(WIDTH_IN, 0.24 * len(table) + 1.3), layout="constrained")
        rows = range(len(table))
        colours = [COLOURS[STATUS[status][1]] for status in table["status"]]
        axes.barh(rows, table["high_ms"] - table["low_ms"], left=table["low_ms"], color=colours, alpha=0.45, height=0.6)
        axes.scatter(table["mode_ms"], rows, s=22, color=colours, zorder=3, label="most likely")
        axes.plot(table["floor_ms"], rows, "|", ms=9, color=COLOURS["black"], label="straight fibre, no equipment")
        axes.axvline(limit_ms, color=CLAIM, lw=1.5)
        axes.text(limit_ms, 1.005, f"{limit_ms:g} ms", color=CLAIM, ha="center", transform=axes.get_xaxis_transform())
        axes.set_yticks(rows, [f"{row.cluster} ({row.city})" for row in table.itertuples()], fontsize=8)
        axes.invert_yaxis()
        axes.set_xlim(left=0)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("delay from the nearest hub, one way (ms)")
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        axes.legend(loc="upper right", fontsize=8)
    return figure, axes


def clusters_over_route_factor(factors, counts, *, claimed, declared, measured, title):
    """Draw how many clusters are covered over the route factor, one line a reading.

    Parameters
    ----------
    factors : ndarray of shape (n,)
    counts : dict of str to dict of str to ndarray of shape (n,)
        Reading to the meanings of "covered" to counts; the first is the line, all of them the band.
    claimed : float
    declared : tuple of float
        Low and high end of the declared range of the route factor.
    measured : dict of str to float
        What was measured to the route factor that it implies, as marks on top.
    title : str
        The finding.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt
    import numpy as np

    with house_style():
        figure, axes = plt.subplots(figsize=(WIDTH_IN, 3.8), layout="constrained")
        axes.axvspan(*declared, color=COLOURS["grey"], alpha=0.12, lw=0)
        axes.text(declared[0], 0.3, " declared range", va="bottom", fontsize=8)
        for colour, (reading, lines) in zip(_cycled(READING_COLOURS, len(counts)), counts.items(), strict=True):
            band = np.stack(list(lines.values()))
            axes.fill_between(factors, band.min(0), band.max(0), step="mid", color=COLOURS[colour], alpha=0.2, lw=0)
            first = next(iter(lines.values()))
            axes.step(factors, first, where="mid", color=COLOURS[colour], lw=1.6)
            axes.annotate(f" {reading}", (factors[-1], first[-1]), color=COLOURS[colour], va="center", fontsize=9)
        axes.axhline(claimed, color=CLAIM, lw=1.5)
        axes.text(factors[-1], claimed, f" claimed: {claimed:g}", color=CLAIM, va="center", fontsize=9)
        for what, factor in measured.items():
            axes.axvline(factor, color=COLOURS["black"], lw=0.8, ls=":")
            axes.text(factor, claimed + 0.15, f" {what}", fontsize=7, va="bottom")
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.set_xlim(factors[0], factors[-1])
        axes.set_ylim(0, claimed + 1.5)
        axes.set_xlabel("route factor: length of the fibre over the geodesic (x)")
        axes.set_ylabel("city clusters covered")
        axes.set_title(title)
    return figure, axes
