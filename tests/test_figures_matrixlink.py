"""Figures of MatrixLink: what was drawn first, then the picture; no model runs."""

import pandas as pd
import pytest

from analysis.figures import matrixlink
from analysis.figures.style import CLAIM, WIDTH_IN

PICTURE = {"style": "default", "savefig_kwargs": {"dpi": 80}, "tolerance": 4}
PARTS = ("computing", "exchange", "gradients", "pipeline")


def drawn_domain(indistinct=(4.0, 38.0)):
    rows = [
        (model, size, top * (1 - 8 / size)) for model, top in (("one", 40.0), ("two", 5.0)) for size in (8, 64, 384)
    ]
    table = pd.DataFrame(rows, columns=["model", "supernode_cards", "gain"])
    panels = {"training": table, "decoding": table.assign(gain=2 * table["gain"])}
    return matrixlink.gain_over_domain(panels, claimed=25.0, indistinct=indistinct, title="Enough is enough")


def test_gain_over_domain_has_a_line_a_model_the_claim_and_its_band():
    figure, panels = drawn_domain()
    assert figure.get_size_inches()[0] == WIDTH_IN and list(panels) == ["training", "decoding"]
    for factor, axes in zip((1, 2), panels.values(), strict=True):
        claim = [line for line in axes.lines if line.get_color() == CLAIM and len(line.get_xdata())]
        assert [list(line.get_ydata()) for line in claim] == [[25.0, 25.0]]
        models = {line.get_label(): list(line.get_ydata()) for line in axes.lines if line.get_label() in ("one", "two")}
        assert models["one"][-1] == pytest.approx(factor * 40 * (1 - 8 / 384)) and len(models) == 2
        assert [label.get_text() for label in axes.get_xticklabels()] == ["8", "64", "384"]
        (band,) = axes.patches
        assert (band.get_y(), band.get_y() + band.get_height()) == pytest.approx((4, 38))
    assert "%" in panels["training"].get_ylabel()
    assert "claimed 25 %" in figure.legends[0].get_texts()[-1].get_text()


def test_without_an_error_there_is_no_band():
    _, panels = drawn_domain(None)
    assert not panels["training"].patches


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_gain_over_domain():
    return drawn_domain()[0]


def drawn_baselines():
    rows = [
        (base, model, size, gain, gain - 2, gain + 3)
        for base, gain in (("servers", 12.0), ("racks", 0.0))
        for model in ("one", "two")
        for size in (384, 9216)
    ]
    table = pd.DataFrame(rows, columns=["baseline", "model", "cards", "gain", "low", "high"])
    measured = pd.DataFrame({"name": ["pair one", "pair two"], "measured": [50.0, 4.0], "predicted": [49.0, 11.0]})
    return matrixlink.gain_by_baseline(table, measured, claimed=25.0, title="Servers lose, racks do not")


def test_gain_by_baseline_has_a_dot_a_size_and_the_measured_pairs():
    figure, (left, right) = drawn_baselines()
    assert figure.get_size_inches()[0] == WIDTH_IN
    assert [label.get_text() for label in left.get_yticklabels()] == [
        "one\nservers",
        "two\nservers",
        "one\nracks",
        "two\nracks",
    ]
    dots = sorted(line.get_xdata()[0] for line in left.lines if len(line.get_xdata()) == 1)
    assert dots == [0.0] * 4 + [12.0] * 4
    assert list(right.lines[0].get_xdata()) == [50, 4] and list(right.lines[1].get_xdata()) == [49, 11]
    for axes in (left, right):
        assert [line.get_xdata()[0] for line in axes.lines if line.get_color() == CLAIM] == [25.0]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["384 cards", "9,216 cards"]


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_gain_by_baseline():
    return drawn_baselines()[0]


def drawn_steps():
    rows = [
        ("one", side, "TP2 EP64", *parts)
        for side, parts in (("before", (0.7, 0.2, 0.05, 0.05)), ("after", (0.6, 0.1, 0, 0)))
    ]
    table = pd.DataFrame(rows, columns=["name", "side", "layout", *PARTS])
    return matrixlink.step_time(table, PARTS, title="Exchange is half of what it was")


def test_step_time_stacks_to_the_whole_step_and_names_layouts():
    figure, axes = drawn_steps()
    assert figure.get_size_inches()[0] == WIDTH_IN
    ends = {}
    for bar in axes.patches:
        ends[round(bar.get_y(), 3)] = max(ends.get(round(bar.get_y(), 3), 0), bar.get_x() + bar.get_width())
    assert sorted(ends.values()) == pytest.approx([70, 100])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["one, before", "one, after"]
    assert [text.get_text() for text in axes.texts] == ["TP2 EP64", "TP2 EP64"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(PARTS)


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_step_time():
    return drawn_steps()[0]
