"""Load curves: what a reader's own day must look like, and which row an error names."""

import numpy as np
import pytest

from analysis.errors import DataError
from analysis.facts import open_facts
from analysis.facts.load_curves import day_ratios, load_curves

HEADER = "curve,minute,load,unit,source\n"


def day(step=60, load=lambda hour: 1 + hour % 5, unit="requests/s", name="mine"):
    """Rows of a whole day, each `(minute, load, unit)`."""
    return [[name, minute, load(minute // 60), unit, "me2025notes"] for minute in range(0, 1440, step)]


def written(overlay, rows):
    """Write rows as an overlay and open it."""
    text = HEADER + "".join(",".join(map(str, row)) + "\n" for row in rows)
    return open_facts(overlay(load_curves=text))


def test_the_projects_curves_are_whole_days_of_one_source_each():
    curves = load_curves(open_facts())
    assert len({one.name for one in curves}) == len(curves) >= 2
    for one in curves:
        assert 1440 % len(one.loads) == 0 and (one.loads >= 0).all() and one.source


def test_published_totals_of_the_traces():
    """BurstGPT's first file has 1,429.7 thousand requests (its README); ServeGen's day has 144 bins of ten minutes."""
    curves = {one.name: one for one in load_curves(open_facts())}
    assert round(curves["burstgpt-2023"].loads.sum() / 1000, 1) == 1429.7
    assert len(curves["servegen-deepseek-r1"].loads) == 144


def test_deepseeks_ratio_is_that_of_its_nodes():
    ratios = {one.name: one for one in day_ratios(open_facts())}
    assert ratios["deepseek"].mean_to_peak == pytest.approx(226.75 / 278)
    assert ratios["runway"].trough_to_peak == 0.5 and ratios["runway"].mean_to_peak is None


@pytest.mark.parametrize("step", [5, 10, 15, 30, 60])
def test_a_readers_day_joins_whatever_its_step_and_order(overlay, step):
    rows = day(step)
    facts = written(overlay, rows[::-1])
    *others, mine = load_curves(facts)
    assert mine.name == "mine" and len(others) == len(load_curves(open_facts()))
    assert mine.loads.tolist() == [row[2] for row in rows]


# What is changed of a day of 24 hours, the physical line that the error names (the header is line 1), and what it says.
WRONG = {
    "gap": (lambda rows: rows.pop(5), 7, "120 minutes after the row before"),
    "begins late": (lambda rows: rows.pop(0), 2, "begins at minute 60"),
    "half a day": (lambda rows: rows.__delitem__(slice(12, None)), 13, "ends at minute 720"),
    "more than a day": (lambda rows: rows.append(["mine", 1440, 1, "requests/s", "me2025notes"]), 26, "ends at minute"),
    "repeated hour": (lambda rows: rows.insert(3, list(rows[2])), 5, "stands twice"),
    "repeated hour, spelt otherwise": (lambda rows: rows.insert(3, ["mine", "120.0", *rows[2][2:]]), 5, "stands twice"),
    "negative": (lambda rows: rows[7].__setitem__(2, -0.5), 9, "-0.5 is negative"),
    "NaN": (lambda rows: rows[7].__setitem__(2, "nan"), 9, "no finite number"),
    "infinite": (lambda rows: rows[7].__setitem__(2, "inf"), 9, "no finite number"),
    "blank": (lambda rows: rows[7].__setitem__(2, ""), 9, "blank"),
    "no number": (lambda rows: rows[7].__setitem__(2, "many"), 9, "no finite number"),
    "unknown unit": (lambda rows: rows[7].__setitem__(3, "requests/min"), 9, "unknown unit"),
    "unit of something else": (lambda rows: rows[7].__setitem__(3, "GB/s"), 9, "no unit of load"),
    "two units": (lambda rows: rows[7].__setitem__(3, "nodes"), 9, "begins in 'requests/s'"),
    "two sources": (lambda rows: rows[7].__setitem__(4, "other2025"), 9, "begins with 'me2025notes'"),
    "no load": (lambda rows: [row.__setitem__(2, 0) for row in rows], 2, "no load at all"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_day_names_file_and_line(overlay, name):
    change, line, told = WRONG[name]
    rows = day()
    change(rows)
    with pytest.raises(DataError, match=rf"load_curves\.csv, line {line}\b.*{told}"):
        load_curves(written(overlay, rows))


def test_steps_longer_than_an_hour_are_too_coarse(overlay):
    with pytest.raises(DataError, match=r"line 2, column minute: steps of 120 minutes; at most 60"):
        load_curves(written(overlay, day(120)))


def test_a_reader_may_correct_one_row_of_a_project_curve(overlay):
    first = next(one for one in load_curves(open_facts()) if one.name == "burstgpt-2023")
    facts = written(overlay, [["burstgpt-2023", 60, 1, first.unit, first.source]])
    changed = next(one for one in load_curves(facts) if one.name == "burstgpt-2023")
    assert changed.loads[1] == 1 and np.array_equal(np.delete(changed.loads, 1), np.delete(first.loads, 1))


def test_a_day_whose_ratio_is_missing_or_no_fraction_is_refused(overlay, monkeypatch):
    facts = open_facts(overlay())
    table = facts.table("operations").copy()
    monkeypatch.setitem(facts._tables, "operations", table[table["id"] != "OP115"])
    with pytest.raises(DataError, match="no row 'OP115'"):
        day_ratios(facts)
    table.loc[table["id"] == "OP002", "value"] = 300.0
    monkeypatch.setitem(facts._tables, "operations", table)
    with pytest.raises(DataError, match=r"OP002: a ratio of 1\.07"):
        day_ratios(facts)
