"""The sentence under `conditions`: what it says of each verdict, and of the side on which most predictions miss."""

from types import SimpleNamespace

import pytest

from analysis.judgement.sentences import box, conditions, number, percent, words
from analysis.judgement.verdict import Shares

REGION = SimpleNamespace(bounds={"load": [0.25, 0.5]}, density=0.8)


def sentence(found="not reproduced", shares=(0.0, 0.0, 0.0), region=None, reading=None, **told):
    fields = {"resolved": True, "differing": [], "nearest_miss": "", "lines_note": ""} | told
    return conditions(found, reading, Shares(*shares), region, {"load": "x"}, **fields)


def test_each_verdict_has_a_sentence_of_its_own():
    assert sentence("reproduced", (1.0, 0.0, 0.0)) == "The claim holds in 100 % of the declared set."
    assert "in no sizeable region" in sentence("not reproduced", (0.25, 0.25, 0.5))
    assert "only within the model's error" in sentence("conditional", (0.6, 0.2, 0.2))
    inside = sentence("conditional", (0.3, 0.3, 0.4), REGION)
    assert "holds where load lies between 0.25 and 0.5 x (80 % there), and in 30 %" in inside
    assert "no sizeable region" not in inside and "only within" not in inside


def test_the_claim_is_read_as_its_label_says():
    assert sentence("reproduced", (1.0, 0.0, 0.0), reading="a label").startswith("Read as “a label”, the claim holds")


@pytest.mark.parametrize(
    ("below", "above", "told", "untold"),
    [
        (0.0, 0.6, ["60 % of the predictions lie above the claimed number", "understates"], ["below", "overstates"]),
        (0.7, 0.0, ["70 % of the predictions lie below the claimed number", "overstates"], ["above", "understates"]),
        (0.2, 0.6, ["60 % of the predictions lie above the claimed number and 20 % below it", "understates"], []),
        (0.5, 0.3, ["50 % of the predictions lie below the claimed number and 30 % above it", "overstates"], []),
        (0.3, 0.4, ["40 % of the predictions lie above the claimed number and 30 % below it"], ["states"]),
        (0.0, 0.0, [], ["predictions"]),
    ],
)
def test_the_side_on_which_half_of_the_predictions_miss_says_which_way_the_claim_fails(below, above, told, untold):
    found = sentence("not reproduced", (1 - below - above, below, above))
    assert all(part in found for part in told) and not any(part in found for part in untold)


def test_a_joint_claim_is_told_by_its_nearest_miss_and_by_parts_that_only_miss_on_one_side():
    found = sentence("not reproduced", (0.1, 0.2, 0.7), nearest_miss="the nearest miss is a > b")
    assert "70 % of the predictions only exceed the claimed numbers and 20 % only fall short of them" in found
    assert "understates" in found and found.endswith("the nearest miss is a > b.")


def test_what_else_qualifies_a_verdict_is_told_only_where_there_is_something():
    plain = sentence("reproduced", (1.0, 0.0, 0.0))
    assert not any(part in plain for part in ("error", "depends", "lines", ";"))
    found = sentence(
        "conditional", (0.6, 0.0, 0.0), resolved=False, differing=["one: open", "two: open"], lines_note="lines say so"
    )
    assert "too large to resolve the claim; it depends on the reading (one: open, two: open); lines say so." in found


def test_a_box_names_ranges_with_their_unit_and_words_in_quotation_marks():
    bounds = {"span_years": [7.25, 8.0], "vendor": "N", "load": [0.0, 1.0]}
    assert box(bounds, {"span_years": "years"}) == (
        "span lies between 7.25 and 8 years and vendor is “N” and load lies between 0 and 1"
    )


def test_a_name_is_read_without_its_unit():
    assert words("end_date_error_years") == "end date error" and words("vendor") == "vendor"


@pytest.mark.parametrize(
    ("value", "told"),
    [(999.4, "999"), (1000, "1,000"), (-1000, "-1,000"), (-2500.4, "-2,500"), (0, "0"), (1e-5, "1e-05")],
)
def test_a_number_has_three_digits_or_its_thousands_apart(value, told):
    assert number(value) == told


@pytest.mark.parametrize(("share", "told"), [(0.01, "1 %"), (0.0099, "1.0 %"), (0.0051, "0.5 %"), (0.126, "13 %")])
def test_a_share_below_one_per_cent_keeps_a_decimal(share, told):
    assert percent(share) == told
