"""Figures: what was drawn first, then the picture; no model runs."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from analysis.figures.bandwidth_gap import bytes_per_flop_over_time, specification_curves
from analysis.figures.scorecard import scorecard, write_readme_svgs
from analysis.figures.style import COLOURS, VENDOR_COLOURS, WIDTH_IN

# Text is rendered by the FreeType inside Matplotlib; a few pixels may still differ between processors.
PICTURE = {"style": "default", "savefig_kwargs": {"dpi": 80}, "tolerance": 4}


@pytest.fixture
def table():
    ratio = np.array([4.0, 40.0, 8.0, 90.0])
    return pd.DataFrame(
        {
            "start_card": list("abcd"),
            "end_card": list("efgh"),
            "date_basis": "announced",
            "vendor": ["NVIDIA", "AMD", "NVIDIA", "Somebody"],
            "confirmed": [True, True, False, True],
            "ratio_scaled": ratio,
            "ratio_as_is": ratio * 1.1,
            "ratio_low": ratio * 0.8,
            "ratio_high": ratio * 1.3,
        }
    )


def curves(table):
    return specification_curves(
        {"one reading": table, "another": table.iloc[:2]},
        claimed=40.0,
        tolerance=0.25,
        title="Compute: 40x holds in 25 %",
        quantity="Compute",
    )


def test_a_curve_shows_every_combination_sorted_with_the_claim_as_a_line(table):
    figure, panels = curves(table)
    axes = panels["one reading"]
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    drawn = sorted((x, y) for line in dots for x, y in zip(*line.get_data(), strict=True))
    assert [y for _, y in drawn] == [4.0, 8.0, 40.0, 90.0]
    hollow = [line for line in dots if line.get_markerfacecolor() == "none"]
    assert [list(line.get_ydata()) for line in hollow] == [[8.0]]
    assert any(np.allclose(line.get_ydata(), 40.0) for line in axes.lines if line.get_marker() == "None")
    assert figure.get_size_inches()[0] == WIDTH_IN and "40x" in figure._suptitle.get_text()


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_specification_curves(table):
    return curves(table)[0]


def balance():
    year = np.array([2016.0, 2020.0, 2024.0])
    frames = [
        pd.DataFrame(
            {"year": year, "link": link, "bytes_per_flop": start / (year - 2014), "confirmed": [True, True, False]}
        )
        for link, start in (("scale-up", 1e-3), ("scale-out", 1e-4))
    ]
    lines = {
        link: (year[[0, 2]], np.array([high, low]))
        for link, high, low in (("scale-up", 5e-4, 1e-4), ("scale-out", 5e-5, 1e-5))
    }
    return bytes_per_flop_over_time(pd.concat(frames), lines, {"one": 9e-5, "two": 1e-4}, title="Links fall behind")


def test_demands_and_trends_are_drawn_and_labelled():
    _, axes = balance()
    levels = {line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == "--"}
    assert levels == {9e-5, 1e-4}
    assert {text.get_text().strip() for text in axes.texts} == {"scale-up", "scale-out", "one asks", "two asks"}
    assert axes.get_yscale() == "log" and "bytes" in axes.get_ylabel()


def test_points_of_the_balance_are_filled_where_they_are_confirmed():
    _, axes = balance()
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    # Of each link two confirmed points and one that is not.
    assert sorted((len(dot.get_xdata()), dot.get_markerfacecolor() != "none") for dot in dots) == [
        (1, False),
        (1, False),
        (2, True),
        (2, True),
    ]


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_bytes_per_flop():
    return balance()[0]


def records():
    judged = {"unit": "x", "fragile": False, "interval": [5.0, 20.0], "estimate": 10.0, "claimed": 10.0}
    parts = {
        "estimate": {"p": 5.0, "q": 8.0},
        "interval": {"p": [1.0, 9.0], "q": [7.0, 9.0]},
        "claimed": {"p": 10.0, "q": 4.0},
    }
    return [
        judged | {"id": "a.first", "verdict": "reproduced"},
        judged | {"id": "a.second", "verdict": "conditional", "fragile": True, "estimate": 7.0},
        judged | parts | {"id": "a.joint", "verdict": "not reproduced"},
        judged | {"id": "b.far", "verdict": "not reproduced", "estimate": 1e6, "interval": [1e5, 1e7]},
        judged | {"id": "b.zero", "verdict": "not reproduced", "claimed": 0.0},
        judged | {"id": "c.open", "verdict": "open", "estimate": None, "interval": None, "claimed": 3.0},
    ]


def test_the_scorecard_has_a_row_a_claim_and_keeps_far_values_on_the_page():
    _, axes = scorecard(records())
    assert [label.get_text() for label in axes.get_yticklabels()] == [record["id"] for record in records()]
    places = [value for line in axes.lines for value in line.get_xdata() if line.get_marker() in ("o", "D", "X")]
    # first at 10/10, second at 7/10, the joint's parts at 5/10 and 8/4, the far one clipped to the end of the axis
    assert sorted(places) == pytest.approx([0.5, 0.7, 1.0, 2.0, 100.0])
    texts = [text.get_text() for text in axes.texts]
    assert "conditional (fragile)" in texts and texts.count("open") == 1
    assert axes.get_title(loc="left") == "1 of 5 claims judged so far are reproduced"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_the_scorecard(theme):
    return scorecard(records(), theme=theme)[0]


def test_the_svgs_of_the_readme_are_the_same_bytes_every_time(tmp_path):
    digests = []
    for run in ("one", "two"):
        write_readme_svgs(tmp_path / run, records())
        digests.append(
            {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / run).iterdir()}
        )
    assert digests[0] == digests[1] and set(digests[0]) == {"scorecard-light.svg", "scorecard-dark.svg"}


def test_vendors_have_colours_that_the_colour_blind_can_tell_apart():
    assert len(set(VENDOR_COLOURS.values())) == len(VENDOR_COLOURS)
    assert set(VENDOR_COLOURS.values()) <= set(COLOURS)
