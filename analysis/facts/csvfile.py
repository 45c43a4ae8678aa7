"""Reading one CSV file cell by cell, so that every later error can name its line."""

import csv
from dataclasses import dataclass
from pathlib import Path

from analysis.errors import DataError


@dataclass(frozen=True)
class RawTable:
    """The text of one CSV file.

    Attributes
    ----------
    path : Path
        The file.
    columns : tuple of str
        Its header.
    rows : tuple of dict
        One ``{column: text}`` a row; blank cells are empty text.
    lines : tuple of int
        The physical line on which each row ends; the header is line 1.
    complete : bool
        Whether the file ends with a newline.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]
    lines: tuple[int, ...]
    complete: bool


def read_raw(path, *, strip=True):
    """Read a CSV file as text, refusing what is no clean table.

    Parameters
    ----------
    path : Path
        A UTF-8 file with a header line.
    strip : bool
        Whether blanks around a cell are dropped.

    Returns
    -------
    RawTable

    Raises
    ------
    DataError
        If the file is missing, empty, not UTF-8, has a repeated column, or a row with too few or too many cells.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            header, rows, lines = _parsed(path, stream, strip)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 ({error})") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    return RawTable(Path(path), header, tuple(rows), tuple(lines), _ends_with_newline(path))


def _parsed(path, stream, strip):
    reader = csv.reader(stream, strict=True)
    rows, lines = [], []
    try:
        header = _header(path, reader)
        for cells in filter(None, reader):
            _check_length(path, reader.line_num, cells, header)
            rows.append(dict(zip(header, (cell.strip() if strip else cell for cell in cells), strict=True)))
            lines.append(reader.line_num)
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: not a readable CSV row ({error})") from None
    return header, rows, lines


def _ends_with_newline(path):
    with open(path, "rb") as stream:
        return stream.read()[-1:] in (b"\n", b"\r")


def _header(path, reader):
    header = tuple(cell.strip() for cell in next(reader, ()))
    if not header:
        raise DataError(f"{path}: empty file; expected a header line")
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise DataError(f"{path}, line 1: column {repeated[0]!r} stands twice")
    return header


def _check_length(path, line, cells, header):
    if len(cells) != len(header):
        raise DataError(f"{path}, line {line}: {len(cells)} cells; the header has {len(header)} (a truncated row?)")
