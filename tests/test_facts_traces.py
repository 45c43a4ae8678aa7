"""Reading traces: every packing gives the same requests, and what is wrong is named with its line."""

import gzip
import hashlib
import json
import lzma

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import DataError
from analysis.facts.traces import TRACES, read_trace, trace_of

LINES = [
    '{"timestamp": 0, "input_length": 1000, "output_length": 50, "hash_ids": [7, 9223372036854775807]}',
    '{"timestamp": 0, "input_length": 512, "output_length": 1, "hash_ids": [7]}',
    '{"hash_ids": [7, 5, 6], "type": "chat", "timestamp": 30, "input_length": 1025, "output_length": 2}',
]
PACKINGS = {"plain": bytes, "gzip": gzip.compress, "xz": lzma.compress}


def written(folder, lines=LINES, pack=bytes, newline="\n"):
    path = folder / "trace.jsonl"
    path.write_bytes(pack((newline.join(lines) + newline).encode()))
    return path


def changed(line, **fields):
    return json.dumps(json.loads(line) | fields)


@pytest.mark.parametrize("pack", PACKINGS.values(), ids=PACKINGS)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\n \n\n"], ids=["LF", "CRLF", "blank lines"])
def test_every_packing_gives_the_same_requests(tmp_path, pack, newline):
    trace = read_trace(written(tmp_path, pack=pack, newline=newline))
    assert trace.requests == 3 and trace.tokens == 2537 and trace.distinct == 4
    assert trace.timestamps_ms.tolist() == [0, 0, 30]
    assert trace.input_tokens.tolist() == [1000, 512, 1025]
    assert trace.output_tokens.tolist() == [50, 1, 2]
    assert trace.ends.tolist() == [2, 3, 6]
    first, last, same, again, middle, tail = trace.blocks
    assert first == same == again and len({first, last, middle, tail}) == 4


def test_a_missing_newline_at_the_end_and_a_byte_order_mark_do_no_harm(tmp_path):
    path = tmp_path / "trace"
    path.write_bytes(b"\xef\xbb\xbf" + "\n".join(LINES).encode())
    assert read_trace(path).requests == 3


def test_a_trace_of_one_request_is_a_trace(tmp_path):
    assert read_trace(written(tmp_path, LINES[:1])).requests == 1


@given(st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=20))
def test_numbers_are_equal_where_ids_are_and_leave_no_gap(ids):
    trace = trace_of([0], [512 * len(ids)], [1], [len(ids)], ids)
    assert ((trace.blocks[:, None] == trace.blocks) == (np.array(ids)[:, None] == np.array(ids))).all()
    assert sorted(set(trace.blocks.tolist())) == list(range(trace.distinct))


WRONG = {
    "cut off": ('{"timestamp": 0, "input_length": 512, "output_len', "truncated"),
    "no JSON": ("timestamp,input_length", "malformed"),
    "no object": ("[1, 2]", "Expected `object`"),
    "two objects": (LINES[1] + LINES[1], "trailing"),
    "a field missing": ('{"timestamp": 0, "input_length": 512, "output_length": 1}', "hash_ids"),
    "ids no list": (changed(LINES[1], hash_ids="7"), "hash_ids"),
    "ids a number": (changed(LINES[1], hash_ids=7), "hash_ids"),
    "a nested list": (changed(LINES[1], hash_ids=[[7]]), "hash_ids[0]"),
    "a float id": (changed(LINES[1], hash_ids=[7.0]), "float"),
    "an id as text": (changed(LINES[1], hash_ids=["7"]), "str"),
    "a negative id": (changed(LINES[1], hash_ids=[-1]), ">= 0"),
    "an id of 2^63": (changed(LINES[1], hash_ids=[2**63]), "<= 9223372036854775807"),
    "an id of 2^64": (changed(LINES[1], hash_ids=[2**64]), "<= 9223372036854775807"),
    "a truth value": (changed(LINES[1], hash_ids=[True]), "bool"),
    "nothing": (changed(LINES[1], timestamp=None), "timestamp"),
    "not a number": (changed(LINES[1], timestamp=float("nan")), "malformed"),
    "infinite": (changed(LINES[1], timestamp=float("inf")), "malformed"),
    "a timestamp in words": (changed(LINES[1], timestamp="noon"), "timestamp"),
    "a negative timestamp": (changed(LINES[1], timestamp=-1), "timestamp"),
    "an empty prompt": (changed(LINES[1], input_length=0, hash_ids=[]), "input_length"),
    "a negative prompt": (changed(LINES[1], input_length=-512), "input_length"),
    "no answer": (changed(LINES[1], output_length=0), "output_length"),
    "too few ids": (changed(LINES[1], input_length=513), "makes 2 blocks"),
    "too many ids": (changed(LINES[1], hash_ids=[7, 8]), "makes 1 blocks"),
    "nested without end": ('{"x": ' + "[" * 100_000, "line 4"),
}


@pytest.mark.parametrize("pack", PACKINGS.values(), ids=PACKINGS)
@pytest.mark.parametrize(("line", "told"), WRONG.values(), ids=WRONG)
def test_a_wrong_line_is_named(tmp_path, line, told, pack):
    path = written(tmp_path, [LINES[0], "", LINES[1], line, LINES[2]], pack)
    with pytest.raises(DataError) as raised:
        read_trace(path)
    assert f"{path}, line 4" in str(raised.value) and told in str(raised.value)


def test_a_timestamp_that_falls_is_named(tmp_path):
    with pytest.raises(DataError, match=r"line 3, timestamp: 29 ms after 30 ms"):
        read_trace(written(tmp_path, [LINES[0], LINES[2], changed(LINES[2], timestamp=29)]))


@pytest.mark.parametrize("left", range(1, len(LINES[2])))
def test_a_file_cut_off_anywhere_in_a_line_is_an_error_of_that_line(tmp_path, left):
    path = tmp_path / "trace"
    path.write_text("\n".join([*LINES[:2], LINES[2][:left]]), encoding="utf-8")
    with pytest.raises(DataError, match="line 3"):
        read_trace(path)


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_a_packed_file_that_is_cut_off_or_damaged_is_an_error_after_the_last_line_read(tmp_path, pack):
    lines = [changed(LINES[0], timestamp=number, hash_ids=[number, 3 * number]) for number in range(2000)]
    whole = written(tmp_path, lines, pack).read_bytes()
    half = tmp_path / "half"
    for content, line in (
        (whole[:-1], "line 2001"),
        (whole[: len(whole) // 2], r"line \d+"),
        (whole[:200] + bytes(20) + whole[220:], r"line \d+"),
    ):
        half.write_bytes(content)
        with pytest.raises(DataError, match=f"half, {line}: the packed file is damaged"):
            read_trace(half)


@pytest.mark.parametrize("lines", [[], ["", "  "]])
@pytest.mark.parametrize("pack", PACKINGS.values(), ids=PACKINGS)
def test_a_trace_without_a_request_is_an_error(tmp_path, lines, pack):
    with pytest.raises(DataError, match="no request"):
        read_trace(written(tmp_path, lines, pack))


def test_a_file_that_is_not_there_or_is_a_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_trace(tmp_path / "trace.jsonl")
    with pytest.raises(DataError, match="cannot be read"):
        read_trace(tmp_path)


@pytest.mark.parametrize("path", TRACES.values(), ids=TRACES)
def test_the_traces_that_come_with_the_project_are_what_was_published(path):
    sums = dict(reversed(line.split()) for line in (path.parent / "SHA256SUMS").read_text().splitlines())
    published = lzma.decompress(path.read_bytes())
    assert hashlib.sha256(published).hexdigest() == sums[path.stem]
    requests = [json.loads(line) for line in published.splitlines()]
    trace = read_trace(path)
    assert trace.input_tokens.tolist() == [request["input_length"] for request in requests]
    ids = [block for request in requests for block in request["hash_ids"]]
    assert len(set(zip(ids, trace.blocks.tolist(), strict=True))) == len(set(ids)) == trace.distinct


def test_a_timestamp_may_be_a_fraction_of_a_millisecond(tmp_path):
    path = written(tmp_path, [changed(LINES[0], timestamp=time) for time in (0.25, 0.5, 7)])
    assert read_trace(path).timestamps_ms.tolist() == [0.25, 0.5, 7]
