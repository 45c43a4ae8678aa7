"""Figures of the time to first token: what is drawn."""

import numpy as np
import pandas as pd
import pytest
from test_figures import PICTURE

from analysis.figures.ems_ttft import bound, cuts_by_baseline, hit_rates, over_link, queueing, wrapped
from analysis.figures.style import CLAIM, WIDTH_IN

LONG = "Claude Code and Codex in daily use"


def table(rows):
    return pd.DataFrame(rows, columns=["workload", "low", "middle", "high"])


def drawn_cuts():
    tables = {
        "private cache": table([("agents", 83.0, 87.0, 89.0), (LONG, 20.0, 33.0, 46.0)]),
        "recomputation": table([("agents", 84.0, 87.0, 90.0), ("chat", 26.0, 33.0, 34.0), (LONG, 40.0, 50.0, 60.0)]),
        "in memory": table([("agents", -42.0, -6.0, -1.0)]),
    }
    return tables, cuts_by_baseline(tables, claimed=80.0, title="One of three workloads reaches it")


def drawn_bound():
    part = np.linspace(0, 1, 11)
    curves = {"short": (part, 80 * part, False), "queue": (part, 100 * part**0.3, True)}
    measured = pd.DataFrame({"fraction": [0.2, 0.8, 0.8], "cut": [15.0, 74.0, -19.0]})
    return curves, measured, bound(curves, measured, claimed=80.0, title="No cut lies above")


def drawn_hits():
    blocks = np.array([16, 100, 1000, 10000])
    curves = {
        trace: {
            "pool": pd.DataFrame({"blocks": blocks, "hit": [0.04, 0.05, 0.2, top]}),
            "4 private": pd.DataFrame({"blocks": blocks, "hit": [0.04, 0.05, 0.1, top / 2]}),
        }
        for trace, top in (("conversation", 0.37), ("synthetic", 0.65))
    }
    return curves, hit_rates(curves, (80.0, 8000.0), title="A pool finds more")


def drawn_queue():
    rows = [("none", "agents", 87.0, 98.0), ("none", LONG, 33.0, 81.0), ("private", "agents", 25.0, 76.0)]
    found = pd.DataFrame(rows, columns=["baseline", "workload", "idle", "cut"])
    return found, queueing(found, claimed=80.0, title="Most is waiting")


def drawn_link():
    rates = np.geomspace(0.1, 300, 20)
    curves = {"latent": (rates, 85 - 60 / rates, -20 / rates), "grouped": (rates, 85 - 50 / rates, -15 / rates)}
    return curves, over_link(curves, {"UB": 80.0, "RoCE": 25.0}, title="Break-even at 0.7 GB/s")


def is_claim(line):
    return line.get_color() == CLAIM


def test_cuts_are_drawn_by_workload_in_their_order_with_the_claim():
    tables, (figure, panels) = drawn_cuts()
    assert figure.get_size_inches()[0] == WIDTH_IN and len(panels) == 3
    for axes, (name, rows) in zip(panels, tables.items(), strict=True):
        assert axes.get_title(loc="left") == name
        points = next(line for line in axes.lines if line.get_marker() == "o")
        assert points.get_xdata().tolist() == rows["middle"].tolist()
        assert [text.get_text().replace("\n", " ") for text in axes.get_yticklabels()] == rows["workload"].tolist()
        assert any(is_claim(line) and line.get_xdata()[0] == 80 for line in axes.lines)
    assert panels[0].get_xlim()[0] < -42


def test_intervals_span_low_to_high():
    tables, (_, panels) = drawn_cuts()
    ends = [path.vertices[:, 0].tolist() for path in panels[0].collections[0].get_paths()]
    assert ends == tables["private cache"][["low", "high"]].to_numpy().tolist()


def test_the_bound_is_the_diagonal_and_queues_are_dashed():
    curves, measured, (_, axes) = drawn_bound()
    lines = {line.get_label(): line for line in axes.lines}
    assert lines["bound: the cached fraction"].get_xydata().tolist() == [[0, 0], [100, 100]]
    assert [lines[name].get_linestyle() for name in curves] == ["-", "--"]
    points = lines["published, up to 2 requests in flight"]
    assert points.get_xdata().tolist() == (100 * measured["fraction"]).tolist()
    assert axes.get_ylim()[0] < measured["cut"].min()


def test_hit_rates_are_named_at_their_ends():
    curves, (_, panels) = drawn_hits()
    for axes, (trace, lines) in zip(panels, curves.items(), strict=True):
        assert axes.get_title(loc="left") == trace
        assert {text.get_text() for text in axes.texts} == set(lines)
        for line, found in zip(axes.lines, lines.values(), strict=True):
            assert line.get_ydata() == pytest.approx(100 * found["hit"].to_numpy())


def test_a_queue_carries_each_workload_from_one_point_to_the_other():
    found, (_, panels) = drawn_queue()
    for axes, (name, rows) in zip(panels, found.groupby("baseline", sort=False), strict=True):
        assert axes.get_title(loc="left") == name
        idle, loaded = (line.get_xdata().tolist() for line in axes.lines if line.get_marker() == "o")
        assert (idle, loaded) == (rows["idle"].tolist(), rows["cut"].tolist())


def test_links_are_named_where_they_lie():
    curves, (figure, axes) = drawn_link()
    assert {"UB", "RoCE"} <= {text.get_text() for text in axes.texts}
    assert {line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == ":"} == {80.0, 25.0}
    assert len(figure.legends[0].get_texts()) == 2 * len(curves)


def test_long_names_take_two_lines():
    assert wrapped("agents") == "agents" and wrapped(LONG).count("\n") == 1
    assert wrapped(LONG).replace("\n", " ") == LONG


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_cuts_by_baseline():
    return drawn_cuts()[1][0]


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_bound():
    return drawn_bound()[2][0]


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_hit_rates():
    return drawn_hits()[1][0]


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_queueing():
    return drawn_queue()[1][0]


@pytest.mark.mpl_image_compare(**PICTURE)
def test_picture_of_over_link():
    return drawn_link()[1][0]
