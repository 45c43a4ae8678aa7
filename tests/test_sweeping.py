"""Sweeps: tidy rows, the same bytes whatever the number of processes, errors as rows."""

import json

import pytest

import analysis

GRID = {"years": [7.0, 8.0], "vendor": ["all", "NVIDIA", "Baidu"]}


def test_a_sweep_has_one_tidy_row_a_point_the_same_with_any_number_of_jobs():
    alone, together = (analysis.sweep("bandwidth-gap.bus", GRID, samples=256, jobs=jobs) for jobs in (1, 2))
    assert alone.to_csv(index=False) == together.to_csv(index=False)
    assert list(alone.columns) == ["years", "vendor", "estimate", "low", "high", "share", "verdict", "error"]
    assert alone[["years", "vendor"]].to_records(index=False).tolist() == [
        (y, v) for y in GRID["years"] for v in GRID["vendor"]
    ]
    failed = alone[alone["vendor"] == "Baidu"]
    assert failed["error"].str.contains("nothing is left to judge").all() and failed["estimate"].isna().all()


def test_a_row_is_what_evaluate_says():
    row = analysis.sweep("bandwidth-gap.network", {"years": [7.5]}, samples=512).iloc[0]
    record = analysis.evaluate("bandwidth-gap.network", detail="verdict", years=7.5, samples=512).to_dict()
    assert [row["low"], row["high"]] == record["interval"]
    assert [row["estimate"], row["share"], row["verdict"]] == [
        record[name] for name in ("estimate", "share", "verdict")
    ]


def test_a_joint_claim_has_its_numbers_as_objects_keyed_by_part():
    row = analysis.sweep("bandwidth-gap.joint", {"years": [8.0]}, samples=256).iloc[0]
    assert list(row.index) == ["years", "estimate", "low", "high", "share", "verdict", "error"]
    numbers = [json.loads(row[name]) for name in ("low", "estimate", "high")]
    for part in ("compute", "bus", "network"):
        low, estimate, high = (number[f"bandwidth-gap.{part}"] for number in numbers)
        assert low <= estimate <= high


def test_an_empty_grid_or_an_unknown_claim_is_refused():
    for claim, grid in (
        ("bandwidth-gap.bus", {}),
        ("bandwidth-gap.bus", {"years": []}),
        ("bandwidth-gap.buss", {"years": [8.0]}),
    ):
        with pytest.raises(analysis.ParameterError):
            analysis.sweep(claim, grid)
