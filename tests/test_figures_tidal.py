"""Figures of tidal scheduling: what was drawn first, then the picture; no model runs."""

import numpy as np
import pandas as pd
import pytest

from analysis.figures import tidal
from analysis.figures.style import CLAIM, WIDTH_IN

PICTURE = {"style": "default", "savefig_kwargs": {"dpi": 80}, "tolerance": 4}


def day():
    hour = np.linspace(0, 24, 96, endpoint=False)
    load = 0.6 * np.where((hour > 6) & (hour < 20), 1.0, 0.3)
    serving = np.minimum(load * 1.1, 0.6)
    moving = np.where(np.abs(hour - 20.5) < 0.5, 0.05, 0.0)
    frame = pd.DataFrame({"hour": hour, "load": load, "serving": serving, "moving": moving, "pool": 0.4})
    return frame.assign(valley=0.6 - frame["serving"] - frame["moving"])


def drawn_day():
    return tidal.one_day(day(), headroom=0.25, title="mine: utilisation up by 20 %", before=60.0, after=72.0)


def heights(axes):
    """Top of the stack through the day."""
    return np.max([path.vertices[:, 1].max() for one in axes.collections for path in one.get_paths()])


def test_a_day_stacks_to_all_cards_before_and_after():
    figure, panels = drawn_day()
    assert figure.get_size_inches()[0] == WIDTH_IN and "20 %" in figure._suptitle.get_text()
    for name, told in (("before", "60 % busy"), ("after", "72 % busy")):
        assert told in panels[name].get_title(loc="left") and len(panels[name].collections) == len(tidal.PARTS)
        assert heights(panels[name]) == pytest.approx(100)
        (load,) = [line for line in panels[name].lines if len(line.get_xdata())]
        assert np.allclose(load.get_ydata(), 100 * day()["load"])
    moving = panels["before"].collections[list(tidal.PARTS).index("on the move")].get_paths()[0]
    assert np.ptp(moving.vertices[:, 1]) <= 60
    assert [text.get_text() for text in figure.legends[0].get_texts()][:5] == list(tidal.PARTS)


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_one_day():
    return drawn_day()[0]


def drawn_map():
    shares, means = np.linspace(0.01, 1, 40), np.linspace(0.2, 1, 40)
    gain = 120 * shares[None, :] * (1 - means[:, None])
    marks = [("peaked", 0.4, 0.5), ("flat", 0.8, np.nan), ("flatter", 0.81, np.nan)]
    return tidal.gain_map(shares, means, gain, marks, claimed=25.0, title="Flat days never reach it")


def test_the_map_has_the_claim_as_a_contour_and_a_line_a_day():
    figure, axes = drawn_map()
    assert figure.get_size_inches()[0] == WIDTH_IN
    texts = [text.get_text() for text in axes.texts]
    assert "claimed 25 %" in texts and "peaked" in texts
    # Two days too close to be told apart share one line.
    assert "flat (never), flatter (never)" in texts or "flat, flatter (never)" in texts
    levels = sorted(line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == "--")
    assert levels == pytest.approx([0.4, 0.805])
    diamonds = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "D" and len(line.get_xdata())]
    assert diamonds == [50.0]
    # The contour lies where the gain is the claimed one.
    (contour,) = [
        one for one in axes.collections if len(np.atleast_1d(one.get_edgecolor())) and one.get_linewidth() == 2
    ]
    shares, means = contour.get_paths()[0].vertices.T
    assert 120 * shares / 100 * (1 - means) == pytest.approx(np.full(len(shares), 25.0), rel=0.02)


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_the_map():
    return drawn_map()[0]


def drawn_blocks():
    rows = [
        (curve, switch, cards, top - 0.02 * cards - 0.1 * switch)
        for curve, top in (("peaked", 40.0), ("flat", 12.0))
        for switch in (1.0, 8.0, 60.0)
        for cards in (1.0, 8.0, 384.0)
    ]
    table = pd.DataFrame(rows, columns=["curve", "switch_min", "cards_per_block", "relative"])
    blocks = {"card": 1.0, "node": 8.0, "supernode": 384.0}
    return tidal.gain_by_block(table, claimed=25.0, blocks=blocks, title="Supernodes cost a fifth")


def test_gain_by_block_has_a_panel_a_curve_a_line_a_move_and_the_claim():
    figure, panels = drawn_blocks()
    assert list(panels) == ["peaked", "flat"] and figure.get_size_inches()[0] == WIDTH_IN
    for top, axes in zip((40.0, 12.0), panels.values(), strict=True):
        claim = [line for line in axes.lines if line.get_color() == CLAIM]
        assert [list(line.get_ydata()) for line in claim] == [[25.0, 25.0]]
        moves = [line for line in axes.lines if line.get_color() != CLAIM]
        assert [line.get_ydata()[0] for line in moves] == pytest.approx([top - 0.02 - 0.1 * m for m in (1, 8, 60)])
        assert len({line.get_linestyle() for line in moves}) == 3 and axes.get_xscale() == "log"
        assert [label.get_text() for label in axes.get_xticklabels()] == ["card\n1", "node\n8", "supernode\n384"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["1 min", "8 min", "60 min"]
    assert "%" in panels["peaked"].get_ylabel()


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_gain_by_block():
    return drawn_blocks()[0]
