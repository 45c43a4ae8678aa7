"""Pairs of cards: the enumeration against two plain loops, the best figure against every format by hand."""

import itertools
import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.facts.hardware import Accelerator, Cell
from analysis.models.card_pairs import (
    PAIR_COLUMNS,
    best_figure,
    card_pairs,
    compute_conventions,
    growth_rows,
    link_convention,
)

LINK = {"scaleup_GBps_bidirectional": Cell(1.0, 1.0, True)}


def card(name="card", vendor="N", segment="training", dates=None, sparse=(), **cells):
    """Return a card with a scale-up link, dates as ``basis=(month, confirmed)``, and figures by column."""
    figures = {name: cell if isinstance(cell, Cell) else Cell(cell, cell, True) for name, cell in cells.items()}
    return Accelerator(name, vendor, segment, dates or {}, LINK | figures, frozenset(sparse), frozenset(("s",)))


def pairs_of(cards, years=8.0, window_years=1.0, latest_month=10**6, **given):
    return card_pairs(cards, years=years, window_years=window_years, latest_month=latest_month, **given)


MONTHS = st.integers(0, 36)
CARDS = st.lists(
    st.builds(
        lambda vendor, dates, linked: Accelerator(
            "x", vendor, "t", dates, LINK if linked else {}, frozenset(), frozenset()
        ),
        st.sampled_from("NA"),
        st.fixed_dictionaries({}, optional=dict.fromkeys(("announced", "available"), st.tuples(MONTHS, st.booleans()))),
        st.sampled_from((True, True, True, False)),
    ),
    max_size=7,
)


@given(CARDS, st.integers(0, 24), st.integers(0, 12), MONTHS, st.sampled_from(("all", "N", "A")))
def test_the_pairs_are_those_of_two_plain_loops(cards, months, window_months, latest, vendor):
    found = pairs_of(cards, months / 12, window_months / 12, latest, vendor=vendor)
    expected = set()
    for (start, first), (end, last) in itertools.product(enumerate(cards), repeat=2):
        for basis in set(first.dates) & set(last.dates):
            apart = last.dates[basis][0] - first.dates[basis][0]
            near = months - window_months <= apart <= months + window_months
            joined = first.has_scaleup and last.has_scaleup and first.vendor == last.vendor
            if near and joined and last.dates[basis][0] <= latest and vendor in ("all", first.vendor):
                expected.add((start, end, basis, apart))
    rows = zip(found["start"], found["end"], found["date_basis"], (12 * found["span_years"]).round(), strict=True)
    assert sorted(rows) == sorted(expected)


def test_a_pair_tells_its_cards_and_which_of_its_dates_nobody_confirmed():
    cards = [
        card("old", segment="training", dates={"announced": (0, True), "available": (2, False)}),
        card("new", segment="export", dates={"announced": (96, False), "available": (98, True)}),
    ]
    found = pairs_of(cards)
    assert tuple(found.columns) == PAIR_COLUMNS
    assert found.drop(columns=["start", "end"]).to_dict("records") == [
        {
            "start_card": "old",
            "end_card": "new",
            "vendor": "N",
            "segment": "export",
            "date_basis": basis,
            "span_years": 8.0,
            "start_unconfirmed": first,
            "end_unconfirmed": last,
        }
        for basis, first, last in (("announced", 0.0, 1.0), ("available", 1.0, 0.0))
    ]


def test_no_pairs_are_a_table_of_the_same_columns():
    found = pairs_of([])
    assert not len(found) and tuple(found.columns) == PAIR_COLUMNS and found["span_years"].dtype == float


EVERY = ("fp32", "fp16", "bf16", "fp8", "int8", "fp4")
BITS = {"fp32": 32, "fp16": 16, "bf16": 16, "fp8": 8, "int8": 8, "fp4": 4}
COLUMNS = {name: f"{name}_dense_{'tops' if name == 'int8' else 'tflops'}" for name in EVERY} | {"fp32": "fp32_tflops"}


@given(
    st.dictionaries(st.sampled_from(EVERY), st.integers(1, 9)),
    st.sets(st.sampled_from(EVERY)),
    st.sampled_from((4, 8, 16, 32)),
    st.sets(st.sampled_from(EVERY)),
    st.booleans(),
)
def test_the_best_figure_is_the_highest_rate_of_any_format_that_counts(rates, formats, width, sparse_formats, sparse):
    one = card(sparse=sparse_formats, sparsity_factor=2.0, **{COLUMNS[name]: rate for name, rate in rates.items()})
    allowed = [name for name in rates if name in formats and BITS[name] >= width]
    expected = [rates[name] * (2 if sparse and name in sparse_formats else 1) for name in allowed]
    found = best_figure(one, formats, width, sparse=sparse)
    assert (found.low, found.high) == (max(expected),) * 2 if expected else found is None


def test_a_best_figure_keeps_its_range_and_is_as_confirmed_as_itself():
    one = card(
        sparse=["fp16"],
        sparsity_factor=Cell(2.0, 2.0, False),
        fp32_tflops=Cell(1.0, 1.0, True),
        fp16_dense_tflops=Cell(3.0, 5.0, True),
        bf16_dense_tflops=Cell(2.0, 5.0, False),
    )
    # Of two that may reach the same, the one whose low end is higher; a lower rate that is confirmed does not help.
    assert best_figure(one, EVERY, 16, sparse=False) == Cell(3.0, 5.0, True)
    assert best_figure(one, ("fp32", "bf16"), 16, sparse=False) == Cell(2.0, 5.0, False)
    # Sparsity multiplies both ends, and nobody confirmed its factor.
    assert best_figure(one, EVERY, 16, sparse=True) == Cell(6.0, 10.0, False)
    assert best_figure(one, ("fp4",), 4, sparse=False) is None


def test_a_class_of_width_is_a_convention_of_its_own_where_a_card_has_a_format_of_it():
    wide = card(fp16_dense_tflops=10.0, sparsity_factor=1.0)
    eight = card(fp16_dense_tflops=10.0, fp8_dense_tflops=20.0, sparsity_factor=2.0, sparse=["fp16"])
    found = compute_conventions([wide, eight], "best-format", EVERY)
    assert list(found) == ["16-bit or wider", "8-bit or wider", "4-bit or wider"]
    assert {label: own for label, (_, own) in found.items()} == {
        "16-bit or wider": [True, True],
        "8-bit or wider": [False, True],
        "4-bit or wider": [False, False],
    }
    assert [figure.high for figure in found["8-bit or wider"][0]] == [10.0, 20.0]
    sparse = compute_conventions([wide, eight], "with-sparsity", EVERY)
    # The eight-bit format of the second card is not sparse, its sixteen-bit one is.
    assert [own for _, own in sparse.values()] == [[False, True], [False, False], [False, False]]
    assert [figure.high for figure in sparse["16-bit or wider, sparse"][0]] == [10.0, 20.0]


def test_wide_formats_alone_are_one_class_and_like_for_like_is_one_convention_a_format():
    cards = [card(fp32_tflops=1.0, fp16_dense_tflops=2.0), card(fp32_tflops=4.0)]
    assert list(compute_conventions(cards, "best-format", ("fp32", "fp16"))) == ["16-bit or wider"]
    found = compute_conventions(cards, "like-for-like", ("fp32", "fp16"))
    assert {name: [cell and cell.high for cell in figures] for name, (figures, _) in found.items()} == {
        "fp32": [1.0, 4.0],
        "fp16": [2.0, None],
    }
    assert [own for _, own in found.values()] == [[True, True], [True, False]]


def test_a_row_has_the_figures_of_both_cards_and_is_confirmed_where_both_are():
    sure, unsure = Cell(1.0, 2.0, True), Cell(3.0, 4.0, False)
    pairs = pd.DataFrame({"start": [0, 1, 0, 0], "end": [1, 0, 2, 0], "vendor": list("pqrs")})
    found = growth_rows(pairs, "a label", ([sure, unsure, None], [True, True, True]))
    figures = ["start_low", "start_high", "end_low", "end_high"]
    assert found["vendor"].tolist() == ["p", "q", "s"] and set(found["convention"]) == {"a label"}
    assert found["confirmed"].tolist() == [False, False, True]
    assert found[figures].to_numpy().tolist() == [[1.0, 2.0, 3.0, 4.0], [3.0, 4.0, 1.0, 2.0], [1.0, 2.0, 1.0, 2.0]]


@pytest.mark.parametrize(
    ("own", "rows"), [((False, False), 0), ((True, False), 1), ((False, True), 1), ((True, True), 1)]
)
def test_a_label_that_neither_card_owns_has_no_row(own, rows):
    pairs = pd.DataFrame({"start": [0], "end": [1]})
    assert len(growth_rows(pairs, "a label", ([Cell(1.0, 1.0, True)] * 2, own))) == rows


def test_a_link_is_one_convention_with_a_blank_where_a_card_has_none():
    figures, own = link_convention([card(), card(host_bus_GBps_bidirectional=32.0)], "host_bus_GBps_bidirectional")
    assert figures[0] is None and math.isclose(figures[1].high, 32.0) and own == [False, True]
