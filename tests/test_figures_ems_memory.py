"""Figures of memory without more cards: what was drawn first, then the picture; no model runs."""

import numpy as np
import pandas as pd
import pytest

from analysis.figures import ems_memory
from analysis.figures.style import CLAIM, WIDTH_IN

PICTURE = {"style": "default", "savefig_kwargs": {"dpi": 80}, "tolerance": 4}


def drawn_cards():
    rows = [
        (model, trace, target, times * (1 + 9 * target**4), times * (2 - target))
        for model, times in (("one", 20.0), ("two", 60.0))
        for trace in ("conversation", "synthetic")
        for target in (0.4, 0.6, 0.8, 1.0)
    ]
    table = pd.DataFrame(rows, columns=["model", "trace", "target", "without", "pooled"])
    return ems_memory.cards_over_target(table, title="More hits, more cards")


def test_cards_over_target_has_two_lines_a_model_in_each_panel():
    figure, panels = drawn_cards()
    assert figure.get_size_inches()[0] == WIDTH_IN and list(panels) == ["conversation", "synthetic"]
    for axes in panels.values():
        assert [line.get_linestyle() for line in axes.lines] == ["-", "--", "-", "--"]
        assert axes.lines[0].get_ydata()[-1] == pytest.approx(200) and axes.lines[1].get_ydata()[-1] == pytest.approx(
            20
        )
        assert axes.get_yscale() == "log" and "hits" in axes.get_xlabel()
    told = [text.get_text() for text in figure.legends[0].get_texts()]
    assert told == ["one", "two", "without a pool", "with a pool"]


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_cards_over_target():
    return drawn_cards()[0]


def drawn_prices():
    rows = [
        (way, model, trace, value * times)
        for way, value in (("same hits", 1.0), ("same service", 12.0), ("in place", np.nan))
        for model, times in (("one", 1.0), ("two", 1.5))
        for trace in ("conversation", "synthetic")
    ]
    table = pd.DataFrame(rows, columns=["way", "model", "trace", "price_ratio"])
    printed = {"card A": 21.0}
    return ems_memory.price_break_even(table, declared=(5.0, 30.0), printed=printed, title="It pays")


def test_price_break_even_has_a_dot_a_case_a_line_a_price_and_the_declared_range():
    figure, axes = drawn_prices()
    assert figure.get_size_inches()[0] == WIDTH_IN and axes.get_xscale() == "log"
    printed = [line for line in axes.lines if line.get_color() == CLAIM]
    assert [list(line.get_xdata()) for line in printed] == [[21.0, 21.0]]
    dots = [value for line in axes.lines if line.get_color() != CLAIM for value in line.get_xdata()]
    assert sorted(value for value in dots if value == value) == [1, 1, 1.5, 1.5, 12, 12, 18, 18]
    (band,) = axes.patches
    assert (band.get_x(), band.get_x() + band.get_width()) == (5, 30)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["same hits", "same service", "in place"]
    assert "no card is saved" in [text.get_text() for text in axes.texts]


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_price_break_even():
    return drawn_prices()[0]
