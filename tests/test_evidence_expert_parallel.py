"""Dispatch and combine: constants found again from what they produce, predictions from conditions alone, limits."""

import re

import numpy as np
import pytest

from analysis.evidence import expert_parallel
from analysis.evidence.calibrate import Constant
from analysis.evidence.exchange_kernels import LIBRARIES, exchange_kernel, links_of
from analysis.evidence.expert_parallel import DEEPEP, UB, answers, case_of, predict_exchange
from analysis.evidence.predict import conditions
from analysis.facts import DATA, open_facts
from analysis.facts.devices import device
from analysis.models.expert_exchange import Exchange, exchange_s

FITS = (DEEPEP, UB)
INFINIBAND = {
    "quantity": "dispatch_latency",
    "accelerator": "H800",
    "fabric": "InfiniBand 400G",
    "ep_degree": "64",
    "kernel": "low_latency",
    "tokens_per_rank": "128",
    "hidden_size": "7168",
    "top_k": "8",
    "dispatch_bytes_per_value": "1",
    "combine_bytes_per_value": "2",
    "ranks_per_server": "8",
    "library": "DeepEP",
    "groups": "none",
    "byte_convention": "received",
}
SUPERNODE = INFINIBAND | {"accelerator": "910C", "fabric": "UB", "ranks_per_server": "16", "library": "CANN EP"}
NORMAL = {"quantity": "dispatch_bandwidth", "kernel": "normal", "tokens_per_rank": "4096"}


@pytest.fixture(scope="module")
def facts():
    return open_facts()


@pytest.fixture(scope="module")
def values(facts):
    return {name: value for fit in FITS for name, value in fit.solve(fit.rows(facts)).items()}


@pytest.fixture(autouse=True)
def fitted_here(monkeypatch, values):
    """Use what the fit gives now, whatever is committed."""
    found = {name: Constant(value, None, None, "", 2, None) for name, value in values.items()}
    monkeypatch.setattr(expert_parallel, "constants", lambda facts, left_out="": found)


def predicted(facts, row, **changes):
    value, note = predict_exchange(row | changes, facts)
    assert value is not None, note
    return value


@pytest.mark.parametrize("fit", FITS, ids=["deepep", "ub"])
def test_known_constants_are_found_from_what_they_produce(fit, facts, values):
    rows = fit.rows(facts)
    known = {name: value * factor for (name, value), factor in zip(values.items(), (1.2, 0.9, 1.1) * 3, strict=True)}
    rows = rows.assign(value=answers(list(rows["case"]), known))
    assert fit.solve(rows) == pytest.approx({name: known[name] for name in fit.units}, rel=1e-5)


def test_each_measurement_counts_once_and_constants_are_few(facts):
    rows = sum(len(fit.rows(facts)) for fit in FITS)
    assert rows == 26
    assert 2 * sum(len(fit.units) for fit in FITS) < rows


def test_no_constant_rests_on_a_single_measurement(facts):
    for fit in FITS:
        assert min(mask.sum() for mask in fit.informs(fit.rows(facts)).values()) >= 2


def measured_and_predicted(facts, role, ending):
    table = facts.table("expert_parallel")
    rows = table[(table["role"] == role) & table["quantity"].str.endswith(ending)]
    found = [predict_exchange(conditions(row), facts)[0] for row in rows.astype(str).to_dict("records")]
    return rows["value"].to_numpy(), np.array(found, dtype=float)


@pytest.mark.parametrize(("ending", "goal"), [("latency", 0.05), ("bandwidth", 0.08)])
def test_half_of_the_rows_that_were_not_fitted_are_met_within_the_goal(facts, ending, goal):
    measured, found = measured_and_predicted(facts, "validate", ending)
    assert len(found) >= 4
    assert np.median(np.abs(found / measured - 1)) < goal


def test_the_answer_depends_on_conditions_alone(facts):
    changed = SUPERNODE | {"value": "1", "role": "claim", "id": "x", "note": "y", "published_tflops": "3"}
    assert predict_exchange(conditions(changed), facts) == predict_exchange(SUPERNODE, facts)


def test_many_rows_at_once_are_each_row_alone(facts, values):
    rows = [SUPERNODE | {"ep_degree": str(ranks)} for ranks in (256, 8, 64)] + [INFINIBAND | NORMAL]
    cases = [case_of(row, facts)[0] for row in rows]
    alone = [float(answers([case], values)[0]) for case in cases]
    assert answers(cases, values).tolist() == alone
    assert answers(cases[::-1], values).tolist() == alone[::-1]
    assert answers([], values).tolist() == []


def test_a_row_with_blanks_uses_stated_defaults(facts):
    bare = {"quantity": "combine_latency", "accelerator": "H800", "ep_degree": "64", "fabric": "InfiniBand 400G"}
    value, note = predict_exchange(bare, facts)
    assert value == predicted(facts, INFINIBAND, quantity="combine_latency")
    for assumed in ("DeepEP", "kernel low_latency", "tokens_per_rank 128", "hidden_size 7168", "top_k 8"):
        assert assumed in note


def test_many_tokens_are_taken_for_the_normal_kernel(facts):
    assert predicted(facts, INFINIBAND | NORMAL, kernel="") == predicted(facts, INFINIBAND | NORMAL)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"accelerator": "H80"}, r"no accelerator 'H80'.*H800"),
        ({"accelerator": ""}, "column accelerator: blank"),
        ({"ep_degree": ""}, "column ep_degree: blank"),
        ({"ep_degree": "0"}, "column ep_degree: 0; expected a number above 0"),
        ({"tokens_per_rank": "0"}, "column tokens_per_rank"),
        ({"ranks_per_server": "0"}, "column ranks_per_server"),
        ({"quantity": "dispatch_bandwidth", "ep_degree": "1"}, "no copy crosses a link"),
    ],
)
def test_what_cannot_be_predicted_says_why(facts, changes, reason):
    value, note = predict_exchange(INFINIBAND | changes, facts)
    assert value is None
    assert re.search(reason, note)


@pytest.mark.parametrize(("row", "nearest"), [(INFINIBAND, "DeepEP"), (SUPERNODE, "DeepEP-Ascend")])
def test_an_unknown_library_takes_the_constants_of_the_nearest(facts, row, nearest):
    value, note = predict_exchange(row | {"library": "pplx"}, facts)
    assert value == predicted(facts, row, library=nearest)
    assert note == f"library pplx: constants of {nearest}"


def test_bandwidth_times_latency_is_what_a_rank_receives(facts):
    latency_us = predicted(facts, INFINIBAND)
    bandwidth = predicted(facts, INFINIBAND, quantity="dispatch_bandwidth")
    assert latency_us * bandwidth * 1e3 == pytest.approx(128 * 8 * 7168 * (1 + 4 / 128))


@pytest.mark.parametrize("row", [INFINIBAND, SUPERNODE], ids=["infiniband", "ub"])
@pytest.mark.parametrize("quantity", ["dispatch_latency", "combine_latency"])
def test_latency_rises_with_the_group_and_levels_off(facts, row, quantity):
    degrees = (1, 8, 16, 32, 64, 128, 144, 256, 320, 768)
    times = np.array([predicted(facts, row, quantity=quantity, ep_degree=str(ranks)) for ranks in degrees])
    assert np.all(np.diff(times) >= 0)
    assert times[-1] < 1.1 * times[degrees.index(128)]


@pytest.mark.parametrize("row", [INFINIBAND, SUPERNODE], ids=["infiniband", "ub"])
@pytest.mark.parametrize("column", ["tokens_per_rank", "hidden_size", "top_k", "dispatch_bytes_per_value"])
def test_more_to_send_takes_longer_but_less_than_in_proportion(facts, row, column):
    base, more = predicted(facts, row), predicted(facts, row, **{column: str(2 * float(row[column]))})
    if column != "dispatch_bytes_per_value":
        # Values of 16 bits are not quantised, so a core spends less on each copy.
        assert base < more < 2 * base
    assert more < 2 * base


def test_the_supernode_without_ub_would_wait_for_its_network(facts):
    for quantity in ("dispatch_latency", "combine_latency"):
        without = predicted(facts, SUPERNODE, quantity=quantity, fabric="RoCE 200G", ep_degree="256")
        assert without > 1.5 * predicted(facts, SUPERNODE, quantity=quantity, ep_degree="256")


def test_a_rack_of_72_keeps_a_group_of_64_off_the_network(facts):
    rack = {"accelerator": "GB200", "fabric": "NVLink", "ranks_per_server": "4"}
    assert predicted(facts, INFINIBAND, **rack) < 0.5 * predicted(facts, INFINIBAND)
    assert predicted(facts, INFINIBAND | NORMAL, **rack) > 3 * predicted(facts, INFINIBAND | NORMAL)
    # Racks joined by InfiniBand are still racks.
    networked = rack | {"fabric": "InfiniBand 400G"}
    assert predicted(facts, INFINIBAND, **networked) == predicted(facts, INFINIBAND, **rack)


def test_groups_of_servers_limit_how_far_tokens_of_the_normal_kernel_spread(facts):
    logical = INFINIBAND | NORMAL | {"byte_convention": "logical"}
    received = INFINIBAND | NORMAL
    few, all_ = ({"groups": groups} for groups in ("4 of 8", "none"))
    # The network carries fewer copies, so a rank receives faster; its logical rate hardly moves.
    assert predicted(facts, received, **few) > 1.2 * predicted(facts, received, **all_)
    assert predicted(facts, logical, **few) == pytest.approx(predicted(facts, logical, **all_), rel=0.02)


def test_the_kernel_of_a_library_gives_what_predict_gives(facts, values):
    card = device(facts, "Ascend 910C", dies=2)
    kernel = exchange_kernel(
        LIBRARIES["CANN EP"], links_of(facts, card, "UB"), values, normal=False, combine=False, quantised=True
    )
    exchange = Exchange(tokens=128, copies=9, bytes_per_copy=7168, ranks=64, ranks_per_server=16)
    time_s = exchange_s(exchange, kernel, combine=False, forwards=False)
    assert 1e6 * time_s == pytest.approx(predicted(facts, SUPERNODE))


def test_a_readers_measurement_changes_what_is_fitted(overlay):
    lines = (DATA / "measurements" / "expert_parallel.csv").read_text(encoding="utf-8").splitlines()
    changed = next(line for line in lines if line.startswith("CM001,")).replace(",77,", ",770,")
    ours, theirs = open_facts(), open_facts(overlay(expert_parallel=f"{lines[0]}\n{changed}\n"))
    assert DEEPEP.rows(theirs)["value"].max() == 770
    assert not DEEPEP.rows(theirs).equals(DEEPEP.rows(ours))
    assert UB.rows(theirs).equals(UB.rows(ours))
