"""Figures of reliability: what was drawn first, then the picture; no model runs."""

import numpy as np
import pandas as pd
import pytest

from analysis.figures.reliability import PARTS, ettr_over_size, hour_of_training, stage_times
from analysis.figures.style import CLAIM, WIDTH_IN

PICTURE = {"style": "default", "savefig_kwargs": {"dpi": 80}, "tolerance": 4}


def over_size():
    sizes = np.geomspace(1000, 200_000, 30)
    curves = {
        name: {"typical": middle, "low": middle - 5, "high": np.minimum(middle + 5, 100)}
        for name, middle in (("fast", 100 * np.exp(-sizes / 4e5)), ("slow", 100 * np.exp(-sizes / 4e4)))
    }
    points = pd.DataFrame(
        {
            "system": ["at least", "up to", "range", "exact"],
            "accelerators": [2000.0, 9000.0, 12_000.0, 100_000.0],
            "value": [90.0, 97.0, 80.0, 44.0],
            "bound": ["at_least", "up_to", "range", "eq"],
            "low": [90.0, 0.0, 75.0, 44.0],
            "high": [100.0, 97.0, 85.0, 44.0],
        }
    )
    return ettr_over_size(sizes, curves, points, threshold=90.0, title="Fast holds, slow does not")


def test_every_regime_is_a_line_with_a_band_and_the_claim_is_a_reference():
    figure, axes = over_size()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["fast", "slow"]
    assert len(axes.collections) == 2
    (claim,) = (line for line in axes.lines if line.get_color() == CLAIM)
    assert set(claim.get_ydata()) == {90.0}
    assert figure.get_size_inches()[0] == WIDTH_IN


def test_bounds_point_to_the_side_that_they_leave_open():
    _, axes = over_size()
    marks = {(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines if line.get_marker() == "o"}
    assert marks == {(2000, 90), (9000, 97), (12_000, 80), (100_000, 44)}
    arrows = {text.xyann[0]: text.xy[1] - text.xyann[1] for text in axes.texts if getattr(text, "arrow_patch", None)}
    # From the mark to the open side: up for at least, down for up to and for the low end of a range, none for exact.
    assert {x: np.sign(rise) for x, rise in arrows.items()} == {2000: 1, 9000: -1, 12_000: -1}
    assert {text.get_text() for text in axes.texts} >= {"at least", "up to", "range", "exact", "asked for"}


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_effective_time_over_size():
    return over_size()[0]


def an_hour():
    rows = {"fast": [57.0, 0.3, 0.3, 0.7, 1.5, 0.2], "slow": [30.0, 0.1, 5.0, 10.0, 14.8, 0.1]}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(PARTS))
    return hour_of_training(table, title="Fast leaves 57 minutes")


def test_the_parts_of_an_hour_are_stacked_and_the_useful_part_is_told():
    _, axes = an_hour()
    widths = np.array([[bar.get_width() for bar in container] for container in axes.containers])
    assert widths.sum(axis=0).tolist() == pytest.approx([60.0, 60.0]) and len(widths) == len(PARTS)
    starts = [bar.get_x() for bar in axes.containers[1]]
    assert starts == [57.0, 30.0]
    assert [text.get_text() for text in axes.texts] == ["57.0 min useful", "30.0 min useful"]


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_an_hour():
    return an_hour()[0]


def published():
    times = pd.DataFrame(
        {
            "id": ["A1", "A2", "A3"],
            "system": ["one", "two", "three"],
            "stage": ["detection", "detection", "recovery"],
            "faults": ["explicit", "implicit", "all"],
            "means": ["automatic", "by hand or timeout", "automatic"],
            "low_min": [0.5, 10.0, 0.0],
            "high_min": [0.5, 10.0, 15.0],
        }
    )
    return stage_times(times, {"detection": 1.0, "recovery": 10.0}, title="One of three is late")


def test_each_time_stands_in_its_stage_against_the_claimed_line():
    figure, panels = published()
    assert {stage: panel.lines[0].get_xdata()[0] for stage, panel in panels.items()} == {
        "detection": 1.0,
        "recovery": 10.0,
    }
    assert [tick.get_text() for tick in panels["detection"].get_yticklabels()] == ["two  A2", "one  A1"]
    # An upper bound is marked at the bound.
    (mark,) = (line for line in panels["recovery"].lines if line.get_marker() == "s")
    assert mark.get_xdata()[0] == 15.0
    assert {text.get_text() for legend in figure.legends for text in legend.get_texts()} >= {"implicit faults"}


def test_an_empty_stage_is_an_empty_panel():
    times = pd.DataFrame(columns=["id", "system", "stage", "faults", "means", "low_min", "high_min"])
    _, panels = stage_times(times, {"detection": 1.0, "recovery": 10.0}, title="Nothing")
    assert all(len(panel.lines) == 1 for panel in panels.values())


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_published_times():
    return published()[0]
