"""Figures of the supernode: what is drawn, where the claim stands, and that labels stay inside."""

import numpy as np
import pandas as pd
import pytest
from test_figures import PICTURE

from analysis.figures.style import WIDTH_IN
from analysis.figures.supernode import ratios_by_metric, totals_by_reading

TOTALS = {"whole": [("paper", 288.8), ("press", 307.2)], "sparse": [], "half": [("paper", 144.4)]}
OTHERS = {"cores times clock": 271.8}
READINGS = ("per-system", "per-card")


def totals():
    return totals_by_reading(TOTALS, OTHERS, claimed=310.0, tolerance=0.05, title="Whole packages give the total")


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "title": ["memory", "memory", "domain"],
            "opponent": ["Old rack", "New rack", "Old rack"],
            "modelled": [False, False, True],
            "per-system": [3.7, 2.4, 5.3],
            "per-system low": [3.5, 2.4, 5.3],
            "per-system high": [3.9, 2.4, 5.3],
            "per-card": [0.7, 0.4, np.nan],
            "per-card low": [0.6, 0.4, np.nan],
            "per-card high": [0.8, 0.4, np.nan],
        }
    )


def ratios(table):
    return ratios_by_metric(table, READINGS, threshold=1.0, title="Ahead as a system, behind as a card")


def test_every_total_is_a_bar_with_its_source_and_its_value():
    figure, axes = totals()
    widths = [bar.get_width() for bar in axes.patches if bar.get_height() == pytest.approx(0.72)]
    assert widths == [288.8, 307.2, 144.4, 271.8]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["paper", "press", "paper", "cores times clock"]
    told = {text.get_text() for text in axes.texts}
    assert {"289", "307", "144", "272", "whole", "half", "from elsewhere"} <= told
    assert "sparse: nobody prints such a peak" in told
    assert figure.get_size_inches()[0] == WIDTH_IN


def test_the_claimed_total_is_a_line_with_its_band():
    _, axes = totals()
    assert any(np.allclose(line.get_xdata(), 310.0) for line in axes.lines)
    (band,) = [patch for patch in axes.patches if patch.get_x() == pytest.approx(310 * 0.95)]
    assert band.get_width() == pytest.approx(310 * 0.1)
    assert "claimed: 310, band ±5 %" in {text.get_text() for text in axes.texts}


def test_a_source_has_one_colour_in_every_reading():
    _, axes = totals()
    bars = [bar for bar in axes.patches if bar.get_height() == pytest.approx(0.72)]
    paper, press, again, other = (bar.get_facecolor() for bar in bars)
    assert paper == again and len({paper, press, other}) == 3


def test_ratios_are_dots_on_a_logarithmic_axis_with_their_range(table):
    _, axes = ratios(table)
    assert axes.get_xscale() == "log"
    dots = sorted(float(line.get_xdata()[0]) for line in axes.lines if len(line.get_xdata()) == 1)
    assert dots == [0.4, 0.7, 2.4, 3.7, 5.3]
    spans = [tuple(path.vertices[:, 0]) for lines in axes.collections for path in lines.get_paths()]
    assert (3.5, 3.9) in spans and (0.6, 0.8) in spans
    assert any(np.allclose(line.get_xdata(), 1.0) for line in axes.lines if len(line.get_xdata()) == 2)


def test_modelled_figures_are_named_and_hollow(table):
    _, axes = ratios(table)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["memory", "domain (modelled)"]
    faces = {line.get_xdata()[0]: line.get_markerfacecolor() for line in axes.lines if len(line.get_xdata()) == 1}
    assert faces[5.3] == "none" and faces[3.7] != "none"


def test_opponents_have_markers_and_readings_colours_in_the_legend(table):
    figure, axes = ratios(table)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [*READINGS, "over Old rack", "over New rack"]
    markers = {line.get_xdata()[0]: line.get_marker() for line in axes.lines if len(line.get_xdata()) == 1}
    assert markers[3.7] == markers[0.7] != markers[2.4]


@pytest.mark.parametrize("draw", [lambda table: totals(), ratios], ids=["totals", "ratios"])
def test_no_text_is_cut_off(table, draw):
    figure, axes = draw(table)
    figure.draw_without_rendering()
    page = figure.bbox
    for text in (*axes.texts, *axes.get_yticklabels(), axes.xaxis.label, *figure.texts):
        box = text.get_window_extent()
        assert not text.get_text() or (box.x0 >= page.x0 and box.x1 <= page.x1 and box.y1 <= page.y1), text


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_totals_by_reading():
    return totals()[0]


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_ratios_by_metric(table):
    return ratios(table)[0]
