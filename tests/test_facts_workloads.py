"""Cited workloads: what a row must look like, and which row an error names."""

import pytest

from analysis.errors import DataError
from analysis.facts import open_facts
from analysis.facts.workloads import shipped_trace, workloads

HEADER = (
    "name,title,kind,trace,hit_low,hit_high,private_hit_low,private_hit_high,prompt_low,prompt_high,output_tokens,"
    "source,locator,confidence,note\n"
)


def written(overlay, cells):
    return open_facts(overlay(workloads=f"{HEADER}mine,Mine,chat,{cells},,qin2025mooncake,here,quoted,\n"))


def test_every_workload_is_cited_and_in_range():
    found = workloads(open_facts())
    assert len(found) >= 8
    for one in found.values():
        assert one.sources and one.confidence in ("quoted", "secondhand")
        assert bool(one.trace) != bool(one.hit)


def test_published_totals():
    """342 of 608 billion tokens, 52.6 of 54.9 billion."""
    found = workloads(open_facts())
    assert found["DeepSeek"].hit[0] == pytest.approx(342 / 608, abs=1e-3)
    assert found["TraceLab"].hit[0] == pytest.approx(52.6 / 54.9, abs=1e-3)
    assert found["TraceLab"].prompt_tokens[0] == pytest.approx(54.9e9 / 357161, rel=1e-3)


def test_a_readers_own_workload_is_added(overlay):
    one = workloads(written(overlay, ",0.4,0.6,0.1,0.2,1000,2000"))["mine"]
    assert (one.hit, one.private_hit, one.prompt_tokens) == ((0.4, 0.6), (0.1, 0.2), (1000, 2000))
    assert one.predictable


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ("nowhere,,,,,,", "column trace: no trace 'nowhere'"),
        (",0.6,0.4,,,1000,2000", "column hit_low: 0.6 to 0.4"),
        (",0.4,1.2,,,1000,2000", "column hit_low: 0.4 to 1.2"),
        (",0.4,,,,1000,2000", "column hit_low"),
        (",0.4,0.5,0.1,0.9,1000,2000", "column private_hit_high: 0.9"),
        (",0.4,0.5,,,3000,2000", "column prompt_low"),
    ],
)
def test_a_wrong_row_is_named(overlay, cells, told):
    with pytest.raises(DataError, match=told):
        workloads(written(overlay, cells))


def test_a_trace_is_read_once():
    facts = open_facts()
    assert shipped_trace(facts, "synthetic") is shipped_trace(facts, "synthetic")
