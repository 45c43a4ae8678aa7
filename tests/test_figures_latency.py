"""Figures of the latency circle: what is drawn, and that no missing glyph is."""

import numpy as np
import pandas as pd
import pytest
from test_figures import PICTURE

from analysis.facts.places import Place
from analysis.figures.latency import (
    FONT,
    STATUS,
    bilingual,
    clusters_over_route_factor,
    coverage_map,
    delays_by_cluster,
)
from analysis.figures.style import WIDTH_IN

HUBS = (Place("Ulanqab", "乌兰察布", 41.0, 113.1), Place("Wuhu", "芜湖", 31.4, 118.4))


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "cluster": ["Near", "Rim", "Far"],
            "city": ["Beijing", "Harbin", "Urumqi"],
            "city_zh": ["北京", "哈尔滨", "乌鲁木齐"],
            "lat": [39.9, 45.8, 43.8],
            "lon": [116.4, 126.6, 87.6],
            "status": ["inside", "depends", "outside"],
            "floor_ms": [1.5, 6.0, 10.4],
            "low_ms": [1.9, 7.2, 12.5],
            "mode_ms": [2.9, 10.3, 17.6],
            "high_ms": [5.1, 14.5, 23.8],
        }
    )


def rings():
    angle = np.linspace(0, 2 * np.pi, 61)
    return {
        end: [(hub.lat + size * np.sin(angle), hub.lon + 1.3 * size * np.cos(angle)) for hub in HUBS]
        for end, size in (("floor", 18), ("low", 15), ("mode", 11), ("high", 8))
    }


def drawn_map(table, **options):
    return coverage_map(table, HUBS, rings(), [(35.0, 105.0)], title="One is beyond any fibre", **options)


def test_the_map_marks_each_city_by_its_status_and_names_it_in_both_languages(table):
    figure, axes = drawn_map(table)
    for row in table.itertuples():
        marker = STATUS[row.status][2]
        points = [xy for line in axes.lines if line.get_marker() == marker for xy in zip(*line.get_data(), strict=True)]
        assert (row.lon, row.lat) in points
    labels = {text.get_text() for text in axes.texts}
    assert labels == {"Beijing 北京", "Harbin 哈尔滨", "Urumqi 乌鲁木齐", "Ulanqab 乌兰察布", "Wuhu 芜湖"}
    assert figure.get_size_inches()[0] == WIDTH_IN


def test_the_map_falls_back_to_english_without_a_font(table):
    _, axes = drawn_map(table, font=None)
    assert {text.get_text() for text in axes.texts} == {"Beijing", "Harbin", "Urumqi", "Ulanqab", "Wuhu"}
    assert not any("Noto" in text.get_fontname() for text in axes.texts)


def test_a_name_with_a_missing_glyph_is_given_in_english_alone(table):
    assert bilingual("Mohe", "漠河") == ("Mohe", None)
    assert bilingual("Wuhu", "芜湖") == ("Wuhu 芜湖", FONT)


def test_labels_of_the_map_do_not_overlap(table):
    figure, axes = drawn_map(table)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[place + 1 :])


def test_circles_are_a_line_for_straight_fibre_and_a_dash_for_the_mode(table):
    _, axes = drawn_map(table)
    spans = {line.get_linestyle(): np.ptp(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) == 61}
    assert spans["-"] == pytest.approx(2 * 1.3 * 18) and spans["--"] == pytest.approx(2 * 1.3 * 11)


def test_delays_are_intervals_with_the_limit_as_a_line(table):
    _, axes = delays_by_cluster(table, limit_ms=10.0, title="Two may miss the limit")
    bars = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches]
    assert bars == [pytest.approx(pair) for pair in zip(table["low_ms"], table["high_ms"], strict=True)]
    assert any(np.allclose(line.get_xdata(), 10.0) for line in axes.lines)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Near (Beijing)", "Rim (Harbin)", "Far (Urumqi)"]


def counts():
    factors = np.linspace(1.0, 3.0, 5)
    lines = {
        "one-way": {"core": np.array([5.0, 5, 4, 4, 3]), "every": np.array([5.0, 4, 4, 3, 3])},
        "round-trip": {"core": np.array([4.0, 3, 2, 1, 0])},
    }
    options = {"declared": (1.2, 2.1), "measured": {"optical": 1.8}, "title": "Never more than 5"}
    return clusters_over_route_factor(factors, lines, claimed=6.0, **options)


def test_counts_are_steps_with_the_claim_as_a_line_and_measured_factors_as_marks():
    _, axes = counts()
    drawn = [list(line.get_ydata()) for line in axes.lines if len(line.get_ydata()) == 5]
    assert drawn == [[5, 5, 4, 4, 3], [4, 3, 2, 1, 0]]
    assert any(np.allclose(line.get_ydata(), 6.0) for line in axes.lines if len(line.get_ydata()) == 2)
    assert any(np.allclose(line.get_xdata(), 1.8) for line in axes.lines)
    assert {text.get_text().strip() for text in axes.texts} == {
        "one-way",
        "round-trip",
        "claimed: 6",
        "optical",
        "declared range",
    }


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_the_coverage_map(table):
    return drawn_map(table)[0]


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_delays_by_cluster(table):
    return delays_by_cluster(table, limit_ms=10.0, title="Two may miss the limit")[0]


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_counts_over_the_route_factor():
    return counts()[0]
