"""The scorecard: the list of all claim records, as a table for people and as CSV, JSON and Markdown for programs."""

import csv
import io
import json
from collections.abc import Iterable

COLUMNS = (
    "id", "title", "metric", "unit", "comparator", "claimed", "reading", "estimate", "low", "high", "share", "verdict",
    "fragile", "pinned", "data_overlay",
)  # fmt: skip
HEADINGS = ("claim", "claimed", "estimate", "5th to 95th", "share", "verdict")
NUMERIC = range(1, 5)


def to_json(records: list[dict] | dict, *, sort_keys: bool = False) -> str:
    """Records, or one, as JSON; refuses NaN and infinity."""
    return json.dumps(records, indent=1, sort_keys=sort_keys, ensure_ascii=False, allow_nan=False) + "\n"


def to_csv(records: list[dict]) -> str:
    """One row a claim; values of joint claims are JSON objects in their cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_cell(value) for value in _row(record)] for record in records)
    return text.getvalue()


def _row(record: dict) -> list:
    low, high = ends(record.get("interval"))
    own = {"low": low, "high": high}
    return [own.get(name, record.get(name)) for name in COLUMNS]


def _cell(value) -> str:
    if value is None or value == {}:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list | bool) else str(value)


def ends(interval) -> tuple:
    """Low and high end of an interval; of a joint claim's intervals, an object each.

    >>> ends({"a": [1, 2], "b": [3, 4]})
    ({'a': 1, 'b': 3}, {'a': 2, 'b': 4})
    """
    if isinstance(interval, dict):
        pairs = {part: ends(value) for part, value in interval.items()}
        return {part: low for part, (low, _) in pairs.items()}, {part: high for part, (_, high) in pairs.items()}
    return tuple(interval) if interval else (None, None)


def rows(records: Iterable[dict]) -> list[tuple[str, ...]]:
    """The cells of the table for people, a row a claim."""
    return [
        (
            record["id"],
            number(record.get("claimed"), record.get("unit")),
            number(record.get("estimate")),
            span(record.get("interval")),
            number(record.get("share")),
            verdict(record),
        )
        for record in records
    ]


def number(value, unit: str | None = "") -> str:
    """A number as people read it; of a joint claim the parts in their order.

    >>> number(40.0, "x"), number({"a": 1.234, "b": 5}), number(None)
    ('40 x', '1.23 / 5', '')
    """
    if value is None:
        return ""
    if isinstance(value, dict):
        return " / ".join(number(part) for part in value.values())
    return f"{value:.3g} {unit or ''}".strip() if abs(value) < 1000 else f"{value:,.0f} {unit or ''}".strip()


def span(interval) -> str:
    """An interval as people read it."""
    if isinstance(interval, dict):
        return " / ".join(span(part) for part in interval.values())
    return f"{number(interval[0])} to {number(interval[1])}" if interval else ""


def verdict(record: dict) -> str:
    """The verdict with what qualifies it: fragile, pinned parameters, a reader's own tables."""
    marks = ["fragile"] if record.get("fragile") else []
    if record.get("pinned"):
        marks.append("pinned: " + ", ".join(record["pinned"]))
    if record.get("data_overlay"):
        marks.append("own data")
    return record["verdict"] + (f" ({'; '.join(marks)})" if marks else "")


def to_table(records: list[dict]) -> str:
    """Aligned text, numbers to the right."""
    cells = [HEADINGS, *rows(records)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEADINGS))]
    lines = ("  ".join(_aligned(row, widths)).rstrip() for row in cells)
    return "\n".join([*lines, "", counts(records), ""])


def _aligned(row: tuple[str, ...], widths: list[int]) -> list[str]:
    return [
        cell.rjust(width) if column in NUMERIC else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def counts(records: list[dict]) -> str:
    """How many claims have which verdict, in one line."""
    found = [record["verdict"] for record in records]
    return ", ".join(f"{found.count(one)} {one}" for one in dict.fromkeys(found)) + f": {len(found)} claims"


def to_markdown(records: list[dict]) -> str:
    """A Markdown table."""
    head = [HEADINGS, ("---", *["---:"] * len(NUMERIC), "---")]
    body = [[cell.replace("|", r"\|") for cell in row] for row in rows(records)]
    return "".join(f"| {' | '.join(row)} |\n" for row in [*head, *body])


FORMATS = {"table": to_table, "json": to_json, "csv": to_csv, "markdown": to_markdown}
