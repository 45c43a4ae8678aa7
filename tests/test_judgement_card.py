"""The rows of a card, each from a record made by hand."""

import dataclasses

import pytest

from analysis.judgement import card
from analysis.judgement.record import Record
from analysis.judgement.verdict import VERDICTS

PLAIN = Record(
    id="toy.claim",
    title="A toy",
    statement="",
    quote="",
    metric="growth",
    unit="x",
    claimed=40.0,
    comparator="eq",
    verdict="conditional",
    evidence={"keys": ["one2024word", "two2024word"]},
)


def row(label, **fields):
    """Return one row of the card of a record as a text, blank where it has none."""
    found = dict(card.rows(dataclasses.replace(PLAIN, **fields).to_dict())).get(label, "")
    return found if isinstance(found, str) else "\n".join(found)


def test_every_verdict_has_a_mark_of_its_own_and_only_a_fragile_one_says_so():
    assert set(card.MARKS) == set(VERDICTS) and len(set(card.MARKS.values())) == len(VERDICTS)
    assert row("verdict", fragile=True).endswith("conditional (fragile)")
    assert row("verdict", fragile=False).endswith("conditional") and row("verdict").endswith("conditional")


def test_the_claimed_number_stands_with_its_comparator_unit_and_metric():
    assert row("claimed") == "= 40 x (growth)"
    assert row("claimed", comparator="at_least") == "≥ 40 x (growth)"
    assert row("claimed", comparator="at_most") == "≤ 40 x (growth)"
    assert row("claimed", claimed=None) == ""
    assert row("claimed", claimed={"p": 4.0, "q": 5.0}) == "all of: p 4, q 5 x"


def test_a_prediction_stands_with_its_interval_and_unit_part_by_part():
    assert row("predicted", estimate=10.0, interval=[5.0, 20.0]) == "10 [5 to 20] x"
    assert row("predicted", estimate=10.0) == "10 x"
    parts = {"estimate": {"p": 4.0, "q": 5.0}, "interval": {"p": [1.0, 2.0], "q": None}}
    assert row("predicted", **parts) == "p 4 [1 to 2]; q 5"
    assert row("predicted") == ""


def test_shares_say_how_much_holds_and_on_which_side_the_rest_lies():
    assert row("holds in", share=0.5, share_below=0.3, share_above=0.2) == (
        "50 % of the declared set; below 30 %, beyond 20 %"
    )
    assert row("holds in") == ""


ANSWER = {"verdict": "conditional", "estimate": 10.0, "interval": [5.0, 20.0], "share": 0.25}


def test_readings_are_told_where_there_are_two_and_depend_where_their_verdicts_differ():
    assert row("readings", readings={"one": ANSWER}) == ""
    same = row("readings", readings={"one": ANSWER, "two": ANSWER})
    assert "two: conditional, 10 [5 to 20] (25 % hold)" in same and "depends" not in same
    assert "depends on the reading" in row("readings", readings={"one": ANSWER, "two": ANSWER | {"verdict": "open"}})
    assert "two: no data" in row("readings", readings={"one": ANSWER, "two": dict.fromkeys(ANSWER)})


def test_a_region_is_told_with_its_mass_density_and_coverage():
    region = {"box": {"load": [0.25, 0.5]}, "mass": 0.1, "density": 0.9, "coverage": 0.4}
    assert row("region", region=region) == (
        "load lies between 0.25 and 0.5 – mass 10 %, 90 % hold inside, 40 % of all holding points"
    )


@pytest.mark.parametrize(("count", "more"), [(5, ""), (6, ""), (7, " and 1 more"), (9, " and 3 more")])
def test_of_many_values_that_hold_six_are_listed_and_the_rest_is_counted(count, more):
    names = [f"card {place}" for place in range(count)]
    assert row("break-even", break_even={"pair": names}) == f"pair {', '.join(names[:6])}{more}"


def test_break_even_leaves_out_what_does_not_cross():
    assert row("break-even", break_even={"load": None, "span_years": 7.5}) == "span 7.5"
    assert row("break-even", break_even={"load": None}).startswith("nothing crosses")
    assert row("break-even") == ""


def test_drivers_are_listed_down_to_half_a_hundredth_and_six_of_them():
    assert row("decided by", drivers={"a": 0.5, "b": 0.005, "c": 0.0049}) == "a 0.50, b 0.01"
    assert row("decided by", drivers=dict.fromkeys("abcdefgh", 0.1)).count(",") == 5
    assert row("decided by", drivers={"a": 0.0}).startswith("nothing")


def test_a_model_error_is_told_in_per_cent_with_its_sign_and_its_absence_with_the_reason():
    assert row("resolution", model_error=[-0.1, 0.25], estimate=1.0).startswith("the model is off by -10 to +25 %")
    assert row("resolution", estimate=1.0, reasons={"model_error": "nothing is fitted"}).endswith("nothing is fitted")
    assert row("resolution") == ""


def test_robustness_counts_what_stands_and_names_what_does_not():
    three = {"halved": "conditional", "doubled": "conditional", "per option": "conditional"}
    assert row("robustness", robustness=three) == "the verdict stands under 3 of 3 variations"
    torn = row("robustness", robustness=three | {"doubled": "open"})
    assert torn == "the verdict stands under 2 of 3 variations; otherwise doubled: open"
    many = {f"without {place}": "open" for place in range(9)}
    assert row("robustness", robustness=many).count("open") == 6


def test_methods_say_whether_they_agree():
    methods = {name: {"estimate": value, "shares": []} for name, value in (("one", 10.0), ("two", 11.0))}
    agreed, torn = (row("methods", methods=methods, methods_agree=agree) for agree in (True, False))
    assert "one: 10" in agreed and "two: 11" in agreed and "they agree" in agreed
    assert "DISAGREE" in torn and "they agree" not in torn


def test_what_was_given_lists_pins_own_data_and_the_seed():
    assert row("given", seed=3) == "seed 3"
    given = row("given", parameters={"years": 7.0, "other": 1}, pinned=["years"], data_overlay="mine")
    assert given == "years = 7.0; own data: mine; seed 0"


def test_evidence_lists_its_keys():
    assert row("evidence") == "one2024word, two2024word"


def test_long_rows_of_the_text_wrap_under_their_own_column():
    text = str(dataclasses.replace(PLAIN, conditions="word " * 60))
    assert max(map(len, text.splitlines())) <= card.WIDTH
    start = text.index("conditions")
    first, *more = text[start : text.index("given")].splitlines()
    assert len(more) >= 2 and all(line[: first.index("word")].isspace() for line in more)
