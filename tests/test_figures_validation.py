"""Figures of the validation: what they draw, and how they look."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from analysis.figures.validation import errors_by_quantity, predicted_against_measured

ROWS = pd.DataFrame(
    {
        "quantity": ["decode_throughput"] * 4 + ["iteration_time"] * 2,
        "unit": ["tokens/s"] * 4 + ["s"] * 2,
        "role": ["calibrate", "calibrate", "validate", "validate", "calibrate", "validate"],
        "measured": [100.0, 200.0, 400.0, 3000.0, 10.0, 20.0],
        "predicted": [110.0, 190.0, 420.0, np.nan, 10.0, 19.0],
        "error": [0.1, -0.05, 0.05, -1.0, 0.0, -0.05],
    }
)


def points(axes):
    found = [line.get_xdata() for line in axes.lines if line.get_marker() == "o"]
    return sorted(float(value) for part in found for value in part)


def test_every_prediction_is_a_point_and_a_missing_one_is_none():
    figure, axes = errors_by_quantity(ROWS, title="t")
    assert points(axes) == pytest.approx([-5, -5, 0, 5, 10])
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["iteration time", "decode throughput"]
    plt.close(figure)


def test_one_panel_a_unit_with_the_line_of_agreement():
    figure, panels = predicted_against_measured(ROWS, title="t")
    shown = [axes for axes in panels.flat if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in shown] == ["tokens/s", "s"]
    line = shown[0].lines[0]
    assert list(line.get_xdata()) == list(line.get_ydata()) == [100, 420]
    plt.close(figure)


@pytest.mark.mpl_image_compare(tolerance=2, savefig_kwargs={"dpi": 60})
def test_picture_of_errors_by_quantity():
    return errors_by_quantity(ROWS, title="Not fitted on: median error 5 %")[0]


@pytest.mark.mpl_image_compare(tolerance=2, savefig_kwargs={"dpi": 60})
def test_picture_of_predicted_against_measured():
    return predicted_against_measured(ROWS, title="Predicted against measured")[0]
