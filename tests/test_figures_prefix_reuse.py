"""The figure of prefix reuse: what was drawn, then the picture; nothing is timed."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from analysis.figures.prefix_reuse import cut_by_fraction
from analysis.figures.style import CLAIM, WIDTH_IN

PICTURE = {"style": "default", "savefig_kwargs": {"dpi": 80}, "tolerance": 4}
TIERS = {"memory": 0.0, "mapped file": 0.1, "evicted file": 0.4}


def drawn(tiers=tuple(TIERS)):
    prompts = np.array([100, 200, 300, 400])
    whole = pd.DataFrame({"prompt_tokens": prompts, "seconds": [0.01, np.nan, 0.033, 0.05], "predicted": prompts / 9e3})
    cases = [(tier, prompt, part) for tier in tiers for prompt in (100, 400) for part in (0.5, 0.9)]
    rows = pd.DataFrame(cases, columns=["tier", "prompt_tokens", "fraction"])
    rows["cut"] = rows["fraction"] - 0.05 - rows["tier"].map(TIERS)
    rows = rows.assign(low=rows["cut"] - 0.04, high=rows["cut"] + 0.02)
    lines = [(tier, prompt, part) for tier in tiers for prompt in (100, 400) for part in (0.01, 0.5, 0.99)]
    curves = pd.DataFrame(lines, columns=["tier", "prompt_tokens", "fraction"])
    curves["predicted"] = curves["fraction"] - curves["tier"].map(TIERS) - 2 / curves["prompt_tokens"]
    return cut_by_fraction(whole, rows, curves, title="Cuts lie 5 points off the prediction")


def test_every_cut_stands_in_the_panel_of_its_tier_below_the_bound():
    figure, panels = drawn()
    assert figure.get_size_inches()[0] == WIDTH_IN and list(panels) == ["without reuse", *TIERS]
    assert len(panels["without reuse"].lines[1].get_xdata()) == 4
    for tier, lost in TIERS.items():
        bound = next(line for line in panels[tier].lines if line.get_color() == CLAIM)
        assert list(bound.get_xdata()) == list(bound.get_ydata()) == [0, 100]
        points = [line.get_ydata() for line in panels[tier].lines if line.get_marker() == "o"]
        expected = [[100 * (part - 0.05 - lost) for part in (0.5, 0.9)]] * 2
        assert np.allclose(points, expected)
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {"100 tokens", "400 tokens"}
    plt.close(figure)


def test_a_system_that_evicts_nothing_has_one_panel_less():
    figure, panels = drawn(("memory", "mapped file"))
    assert sum(axes.get_visible() for axes in figure.axes) == len(panels) == 3
    plt.close(figure)


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_cuts_by_fraction():
    return drawn()[0]
