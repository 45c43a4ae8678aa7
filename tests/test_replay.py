"""The replay of a trace: from Python, from the command line, and what it refuses."""

import json
import lzma

import pytest
from click.testing import CliRunner

import analysis
from analysis.__main__ import cli
from analysis.errors import ParameterError
from analysis.facts.traces import TRACES, read_trace

# Two prompts by turns, three blocks and two, the second with a last block of 100 tokens.
PROMPTS = [(1536, [1, 2, 3]), (612, [1, 9])] * 3
BLOCKS, TOKENS = 15, 3 * 2148


@pytest.fixture
def path(tmp_path):
    lines = [
        json.dumps({"timestamp": time, "input_length": length, "output_length": 1, "hash_ids": ids})
        for time, (length, ids) in enumerate(PROMPTS)
    ]
    (tmp_path / "trace.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / "trace.jsonl"


def call(*arguments):
    return CliRunner().invoke(cli, ["replay", *map(str, arguments)])


def hits(blocks, tokens):
    return {"block_hit": blocks / BLOCKS, "token_hit": tokens / TOKENS}


def test_figures_by_hand(path):
    # One: only the shared first block is there. Two: what a prompt leaves is its head. Four: nothing ever goes.
    assert analysis.replay(path, (1, 2, 4)) == {
        "requests": 6,
        "blocks": BLOCKS,
        "tokens": TOKENS,
        "infinite": hits(11, 2 * 1536 + 512 + 2 * 612),
        "lru": {
            "1": hits(5, 5 * 512),
            "2": hits(5, 5 * 512),
            "4": hits(11, 2 * 1536 + 512 + 2 * 612),
        },
    }


def test_private_caches_beside_the_pool_by_hand(path):
    found = analysis.replay(path, [2], caches=2)
    # Each private cache sees one of the prompts alone: two of three blocks stay of the first, all of the second.
    assert found["private"] == {"2": hits(4 + 4, 4 * 512 + 2 * 612)}
    assert found["pooled"] == {"2": analysis.replay(path, [4])["lru"]["4"]}
    assert found["lru"] == {"2": hits(5, 5 * 512)}


def test_sizes_are_optional(path):
    assert analysis.replay(path)["lru"] == {} and "private" not in analysis.replay(path)
    assert analysis.replay(path, caches=3)["private"] == {} == analysis.replay(path, caches=3)["pooled"]


def test_one_cache_is_its_own_pool(path):
    found = analysis.replay(path, [1, 2, 10**30], caches=1)
    assert found["private"] == found["pooled"] == found["lru"]


def test_a_trace_that_was_read_is_accepted(path):
    assert analysis.replay(read_trace(path), [3]) == analysis.replay(str(path), [3])


@pytest.mark.parametrize("sizes", [[0], [-5], [2.5], ["2"], [True], [float("nan")]])
def test_sizes_that_are_none_are_refused(path, sizes):
    with pytest.raises(ParameterError, match="blocks"):
        analysis.replay(path, sizes)
    with pytest.raises(ParameterError, match="caches"):
        analysis.replay(path, caches=sizes[0])


def test_the_command_prints_what_python_gives(path):
    result = call(path, "--blocks", "2,4", "--caches", "2")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == analysis.replay(path, [2, 4], 2)
    assert json.loads(call(path).stdout) == analysis.replay(path)


@pytest.mark.parametrize("trace", TRACES.values(), ids=TRACES)
def test_the_published_traces_replay_packed_and_unpacked(trace, tmp_path):
    unpacked = tmp_path / "trace"
    unpacked.write_bytes(lzma.decompress(trace.read_bytes()))
    sizes = ("--blocks", "1000,10000,50000", "--caches", "8")
    result = call(trace, *sizes)
    assert result.exit_code == 0 and result.stdout == call(unpacked, *sizes).stdout
    found = json.loads(result.stdout)
    fractions = [found["lru"][size] for size in ("1000", "10000", "50000")] + [found["infinite"]]
    for kind in ("block_hit", "token_hit"):
        values = [fraction[kind] for fraction in fractions]
        assert values[0] > 0 and values == sorted(values) and values[-1] < 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--blocks", "1000,"], "no list of whole numbers"),
        (["--blocks", "2.5"], "no list of whole numbers"),
        (["--blocks", ""], "no list of whole numbers"),
        (["--blocks", "0"], "1 or more"),
        (["--blocks", "-1"], "1 or more"),
        (["--caches", "0"], "1 or more"),
        (["--caches", "two"], "--caches"),
    ],
)
def test_bad_arguments_end_with_2(path, arguments, told):
    result = call(path, *arguments)
    assert result.exit_code == 2 and told in result.stderr and not result.stdout


def test_a_wrong_line_ends_with_2_and_its_number(path):
    path.write_text(path.read_text(encoding="utf-8")[:-30], encoding="utf-8")
    result = call(path)
    assert result.exit_code == 2 and f"{path}, line 6" in result.stderr and not result.stdout


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_a_trace_without_a_request_or_none_at_all_ends_with_2(path, content):
    path.write_text(content, encoding="utf-8")
    assert call(path).exit_code == 2 and "no request" in call(path).stderr
    path.unlink()
    assert call(path).exit_code == 2 and "no such file" in call(path).stderr
