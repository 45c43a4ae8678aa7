"""Figures of one expert a card: what is drawn."""

import numpy as np
import pandas as pd
import pytest
from test_figures import PICTURE

from analysis.figures.moe_affinity import PART_COLOURS, layer_bars, rates_over_ranks
from analysis.figures.style import WIDTH_IN


@pytest.fixture
def rates():
    rows = [
        ("910C UB", "UB", 32, 600.0, 100.0, 900.0),
        ("910C UB", "UB", 128, 1400.0, 200.0, 2000.0),
        ("910C UB", "UB", 288, 1300.0, 150.0, 1900.0),
        ("H800 InfiniBand", "InfiniBand", 32, 2000.0, 90.0, 2900.0),
        ("H800 InfiniBand", "InfiniBand", 288, 1500.0, 400.0, 1950.0),
        ("H200 InfiniBand", "InfiniBand", 8, 1700.0, 100.0, 3700.0),
        ("H200 InfiniBand", "InfiniBand", 288, 1600.0, 500.0, 2000.0),
    ]
    return pd.DataFrame(rows, columns=["system", "fabric", "ranks", "rate", "low", "high"])


@pytest.fixture
def layers():
    parts = {"attention": [20.0, 12.0], "experts": [18.0, 3.0], "dispatch": [2.0, 1.5], "combine": [2.0, 1.8]}
    return pd.DataFrame({"label": ["32 ranks", "288 ranks"], **parts, "waiting": [2.0, 3.0]})


def drawn_rates(rates):
    return rates_over_ranks(rates, one_expert=288, title="Most at 128 ranks")


def drawn_layers(layers):
    return layer_bars(layers, title="Experts take less")


def test_every_system_is_a_line_in_the_panel_of_its_fabric(rates):
    figure, panels = drawn_rates(rates)
    assert [axes.get_title(loc="left") for axes in panels] == ["UB", "InfiniBand"] and figure.get_size_inches()[
        0
    ] == WIDTH_IN
    for axes, systems in zip(panels, (["910C UB"], ["H800 InfiniBand", "H200 InfiniBand"]), strict=True):
        lines = [line for line in axes.lines if line.get_marker() == "o"]
        for line, system in zip(lines, systems, strict=True):
            assert np.array_equal(line.get_ydata(), rates.loc[rates["system"] == system, "rate"])
        assert {text.get_text() for text in axes.texts} - {"one expert a rank"} == {one.split()[0] for one in systems}


def test_one_expert_a_rank_is_the_reference_line_of_every_panel(rates):
    _, panels = drawn_rates(rates)
    assert all(any(np.allclose(line.get_xdata(), 288) for line in axes.lines) for axes in panels)


def test_bands_span_low_to_high(rates):
    _, panels = drawn_rates(rates)
    heights = panels[0].collections[0].get_paths()[0].vertices[:, 1]
    assert heights.min() == 100 and heights.max() == 2000


def test_labels_of_rates_do_not_overlap(rates):
    figure, panels = drawn_rates(rates)
    figure.draw_without_rendering()
    for axes in panels:
        boxes = [text.get_window_extent() for text in axes.texts]
        assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[place + 1 :])


def test_bars_stack_to_the_total_that_is_written(layers):
    _, axes = drawn_layers(layers)
    ends = {}
    for bar in axes.patches:
        place = round(bar.get_y() + bar.get_height() / 2)
        ends[place] = max(ends.get(place, 0), bar.get_x() + bar.get_width())
    totals = layers[list(PART_COLOURS)].sum(axis=1)
    assert list(ends.values()) == pytest.approx(list(totals))
    assert {text.get_text() for text in axes.texts} == {f"{total:.1f}" for total in totals}


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_rates_over_ranks(rates):
    return drawn_rates(rates)[0]


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_layer_bars(layers):
    return drawn_layers(layers)[0]
