"""Figures of EMS and throughput: what is drawn."""

import numpy as np
import pandas as pd
import pytest
from test_figures import PICTURE

from analysis.figures.ems_throughput import gain_maps, measured_and_predicted, reuse_by_workload
from analysis.figures.style import WIDTH_IN

SHARES, CONTEXTS = np.geomspace(0.005, 0.8, 12), np.geomspace(1000, 128000, 8)


@pytest.fixture
def maps():
    gains = 4 / SHARES[None, :] * (CONTEXTS[:, None] / 8000) ** 0.5
    return [
        {"title": "GQA", "gains": gains, "marks": [0.1, 0.4]},
        {"title": "MLA", "gains": 0 * gains, "marks": [0.05]},
    ]


@pytest.fixture
def systems():
    rows = [("one", 650.0, 175.0, 80.0, 340.0), ("two", 14.0, 19.0, 0.0, 46.0)]
    return pd.DataFrame(rows, columns=["label", "measured", "predicted", "low", "high"])


@pytest.fixture
def workloads():
    rows = [("service", 0.56, 3.0, 23.0, 46.0), ("agents", 0.96, 250.0, 440.0, 600.0)]
    return pd.DataFrame(rows, columns=["workload", "hit", "low", "median", "high"])


def drawn_maps(maps):
    return gain_maps(maps, shares=SHARES, contexts=CONTEXTS, claimed=100, title="Only where little is left")


def drawn_systems(systems):
    return measured_and_predicted(systems, title="Predicted beside measured")


def drawn_workloads(workloads):
    return reuse_by_workload(workloads, claimed=100, tolerance=0.25, title="By workload")


def test_each_map_has_its_gains_and_a_line_for_each_real_layout(maps):
    figure, panels = drawn_maps(maps)
    assert figure.get_size_inches()[0] == WIDTH_IN and [axes.get_title(loc="left") for axes in panels] == ["GQA", "MLA"]
    for axes, one in zip(panels, maps, strict=True):
        assert np.allclose(axes.collections[0].get_array(), one["gains"])
        lines = [line.get_xdata()[0] for line in axes.lines]
        assert lines == pytest.approx([100 * mark for mark in one["marks"]])


def test_the_claim_is_a_contour_only_where_it_is_reached(maps):
    _, panels = drawn_maps(maps)
    assert [len(axes.collections) for axes in panels] == [2, 1]


def test_measured_and_predicted_are_factors(systems):
    _, axes = drawn_systems(systems)
    predicted, measured = (line.get_xdata() for line in axes.lines)
    assert list(predicted) == pytest.approx([2.75, 1.19]) and list(measured) == pytest.approx([7.5, 1.14])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["one", "two"]


def test_the_claim_and_its_tolerance_stand_behind_the_workloads(workloads):
    _, axes = drawn_workloads(workloads)
    band = axes.patches[0]
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((1.75, 2.25))
    assert axes.lines[0].get_xdata()[0] == pytest.approx(2.0)
    assert axes.get_yticklabels()[1].get_text() == "agents (96 % cached)"


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_gain_maps(maps):
    return drawn_maps(maps)[0]


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_measured_and_predicted(systems):
    return drawn_systems(systems)[0]


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_reuse_by_workload(workloads):
    return drawn_workloads(workloads)[0]
