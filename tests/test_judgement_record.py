"""The card: everything escaped, the same bytes every time, and what a sceptic looks for."""

import dataclasses
import re
from html.parser import HTMLParser

import pytest

import analysis
from analysis.judgement import card
from analysis.judgement.display import MIME, record_claim
from analysis.judgement.sentences import number, percent


@pytest.fixture(scope="module")
def record():
    return analysis.evaluate("bandwidth-gap.compute", samples=1024)


class Tags(HTMLParser):
    """Collect the tags that a browser would see."""

    def __init__(self, text):
        super().__init__()
        self.opened = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.opened.append(tag)


def test_a_record_is_frozen(record):
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.verdict = "reproduced"


def test_the_card_says_what_a_sceptic_asks(record):
    text = str(record)
    for question in ("claimed", "predicted", "holds in", "readings", "break-even", "decided by", "robustness", "lines"):
        assert re.search(rf"^{question}", text, re.M), question
    assert record.quote in text and record.verdict in text and "no model error" in text
    assert number(record.estimate) in text and percent(record.share) in text


def test_the_card_is_one_table_in_html_with_the_same_rows(record):
    shown = record._repr_html_()
    assert set(Tags(shown).opened) == {"table", "caption", "b", "br", "q", "tbody", "tr", "th", "td"}
    assert shown.count("<tr>") == len(card.rows(record.to_dict()))
    assert shown == record._repr_html_()
    assert "color" not in shown


def test_hostile_text_is_escaped(record):
    hostile = '<script>alert("x")</script>&'
    shown = card.html(
        record.to_dict() | {"title": hostile, "quote": hostile, "conditions": hostile, "pinned": [hostile]}
    )
    assert "script" not in Tags(shown).opened
    assert "&lt;script&gt;" in shown


def test_a_claim_without_an_answer_has_a_short_card():
    rows = dict(card.rows(analysis.evaluate("market.models").to_dict()))
    assert "not computable" in rows["verdict"][0] and "predicted" not in rows and "methods" not in rows


def test_one_output_carries_card_text_and_record(record, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    record_claim(record)
    assert shown == [{MIME: record.to_dict(), "text/html": record._repr_html_(), "text/plain": str(record)}]


def test_methods_that_disagree_fail_the_notebook_unless_the_reader_chose(record, monkeypatch):
    monkeypatch.setattr("IPython.display.display", lambda data, raw: None)
    torn = dataclasses.replace(record, methods_agree=False)
    with pytest.raises(RuntimeError, match=r"bandwidth-gap\.compute: two methods disagree"):
        record_claim(torn)
    record_claim(dataclasses.replace(torn, pinned=["years"]))
    assert "THEY DISAGREE" in str(torn)


@pytest.mark.parametrize(
    ("value", "told"), [(0.0123456, "0.0123"), (40, "40"), (1234567.0, "1,234,567"), (None, "–"), (-0.5, "-0.5")]
)
def test_numbers_read_as_a_person_writes_them(value, told):
    assert number(value) == told


@pytest.mark.parametrize(("share", "told"), [(0, "0 %"), (0.004, "0.4 %"), (0.5, "50 %"), (1, "100 %")])
def test_shares_read_in_per_cent(share, told):
    assert percent(share) == told
