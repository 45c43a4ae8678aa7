"""Reading request traces in the format of Mooncake: one request a line, its prompt as ids of blocks of 512 tokens."""

import codecs
import gzip
import lzma
import math
import zlib
from array import array
from dataclasses import dataclass
from typing import Annotated

import msgspec
import numpy as np

from analysis.errors import DataError
from analysis.facts.store import DATA

BLOCK_TOKENS = 512
TRACES = {name: DATA / "traces" / "mooncake" / f"{name}_trace.jsonl.xz" for name in ("conversation", "synthetic")}
EXPECTED = 'one JSON object a line: {"timestamp": 0, "input_length": 1000, "output_length": 50, "hash_ids": [7, 8]}'

# Told by the first bytes, so that a renamed file and a pipe are read too.
PACKED = {b"\x1f\x8b": gzip.open, b"\xfd7zXZ\x00": lzma.open}
BROKEN = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)

Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Length = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]


class _Request(msgspec.Struct):
    # Some exporters write fractions of a millisecond.
    timestamp: float
    input_length: Length
    output_length: Length
    hash_ids: list[Count]


@dataclass(frozen=True, eq=False)
class Trace:
    """The requests of a trace, in order of arrival.

    Attributes
    ----------
    timestamps_ms : ndarray of float, shape (requests,)
    input_tokens, output_tokens : ndarray of int64, shape (requests,)
    ends : ndarray of int64, shape (requests,)
        Where each request's blocks end in `blocks`; they start where those of the request before end.
    blocks : ndarray of int64, shape (sum of all prompts' blocks,)
        The blocks of every prompt in order, numbered from 0 without gaps. Equal number, equal whole prefix. All blocks
        hold 512 tokens except a request's last one, which holds the rest of its prompt.
    distinct : int
        How many different blocks there are.
    """

    timestamps_ms: np.ndarray
    input_tokens: np.ndarray
    output_tokens: np.ndarray
    ends: np.ndarray
    blocks: np.ndarray
    distinct: int

    @property
    def requests(self):
        """How many requests there are."""
        return len(self.ends)

    @property
    def tokens(self):
        """Tokens of all prompts together."""
        return int(self.input_tokens.sum())


def read_trace(path):
    """Read a trace; plain, gzip and xz files are told apart by their content.

    Parameters
    ----------
    path : str or Path
        One JSON object a line with `timestamp` (ms), `input_length`, `output_length` (tokens) and `hash_ids`; other
        fields and blank lines are skipped. `TRACES` names the files that come with the project. Source:
        [qin2025mooncake]

    Returns
    -------
    Trace

    Raises
    ------
    DataError
        If there is no such file or no request in it, or for a line that is cut off, lacks a field, holds an id that is
        no whole number from 0 below 2^63, a length that is none from 1, a wrong count of ids, or a timestamp that is no
        finite number or lies before the last one.
    """
    timestamps = array("d")
    inputs, outputs, counts, ids = (array("q") for _ in range(4))
    latest = -math.inf
    for number, request in _requests(path):
        _check(f"{path}, line {number}", request, latest)
        latest = request.timestamp
        timestamps.append(latest)
        inputs.append(request.input_length)
        outputs.append(request.output_length)
        counts.append(len(request.hash_ids))
        ids.extend(request.hash_ids)
    if not counts:
        raise DataError(f"{path}: no request in it; expected {EXPECTED}")
    return trace_of(timestamps, inputs, outputs, counts, ids)


def trace_of(timestamps_ms, input_tokens, output_tokens, counts, hash_ids):
    """Build a trace from its columns, which are taken to be right.

    Parameters
    ----------
    timestamps_ms : sequence of float, shape (requests,)
    input_tokens, output_tokens, counts : sequence of int, shape (requests,)
        `counts` is the number of blocks of each prompt.
    hash_ids : sequence of int, shape (sum of counts,)
        Any numbers; only which of them are equal matters.

    Returns
    -------
    Trace

    Examples
    --------
    >>> trace = trace_of([0, 5], [700, 1100], [1, 1], [2, 3], [40, 41, 40, 41, 99])
    >>> trace.blocks.tolist(), trace.ends.tolist(), trace.distinct
    ([0, 1, 0, 1, 2], [2, 5], 3)
    """
    times = np.array(timestamps_ms, dtype=float)
    lengths = (np.array(column, dtype=np.int64) for column in (input_tokens, output_tokens))
    blocks = _numbered(np.array(hash_ids, dtype=np.int64))
    return Trace(times, *lengths, np.cumsum(counts, dtype=np.int64), blocks, int(blocks.max()) + 1)


def _requests(path):
    """Yield each request with its physical line."""
    number = 0
    try:
        with open(path, "rb") as file, _unpacked(file) as lines:
            decode = msgspec.json.Decoder(_Request).decode
            for number, line in enumerate(lines, start=1):
                if text := line.removeprefix(codecs.BOM_UTF8).strip():
                    yield number, decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise DataError(f"{path}, line {number}: {error}; expected {EXPECTED}") from None
    except BROKEN as error:
        raise DataError(f"{path}, line {number + 1}: the packed file is damaged or cut off here ({error})") from None
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def _unpacked(file):
    start = file.peek(6)
    opens = [opened for magic, opened in PACKED.items() if start.startswith(magic)]
    return opens[0](file) if opens else file


def _check(where, request, latest):
    count = -(-request.input_length // BLOCK_TOKENS)
    if len(request.hash_ids) != count:
        raise DataError(
            f"{where}, hash_ids: {len(request.hash_ids)} ids; "
            f"an input_length of {request.input_length} makes {count} blocks of {BLOCK_TOKENS} tokens"
        )
    if request.timestamp < latest:
        raise DataError(f"{where}, timestamp: {request.timestamp:g} ms after {latest:g} ms; timestamps must not fall")


def _numbered(ids):
    """Number ids from 0 in ascending order."""
    if ids.min() >= 0 and ids.max() < 2 * len(ids):
        # Nearly numbered already, as published traces are: no need to sort.
        seen = np.zeros(ids.max() + 1, dtype=bool)
        seen[ids] = True
        return (np.cumsum(seen) - 1)[ids]
    return np.unique(ids, return_inverse=True)[1]
