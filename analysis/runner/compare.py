"""What changed between two scorecards: verdicts, estimates, the models' errors."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from analysis.errors import DataError

RELATIVE = 1e-6
COMPARED = ("verdict", "estimate", "model_error")


@dataclass(frozen=True)
class Change:
    """One value that differs: where (``claim: field``), before and after."""

    place: str
    before: object
    after: object

    @property
    def is_verdict(self) -> bool:
        """Whether a verdict changed, or a claim came or went."""
        return self.place.endswith("verdict")

    def __str__(self) -> str:
        return f"{self.place}: {_shown(self.before)} -> {_shown(self.after)}"


def _shown(value) -> str:
    return "absent" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def load(path: Path) -> list[dict]:
    """A scorecard.json.

    Raises
    ------
    DataError
        The file cannot be read or is no list of records.
    """
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
        return [record for record in records if record["id"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path}: not a scorecard.json ({error})") from None


def changes(old: list[dict], new: list[dict]) -> list[Change]:
    """Every changed verdict, estimate and model error, of headline and readings.

    >>> changes([{"id": "a", "estimate": 1.0}], [{"id": "a", "estimate": 2.0}])
    [Change(place='a: estimate', before=1.0, after=2.0)]
    """
    before, after = dict(_values(old)), dict(_values(new))
    places = dict.fromkeys([*before, *after])
    found = (Change(place, before.get(place), after.get(place)) for place in places)
    return [change for change in found if differ(change.before, change.after)]


def _values(records: list[dict]) -> Iterator[tuple[str, object]]:
    for record in records:
        parts = {name: record.get(name) for name in COMPARED}
        readings = record.get("readings") or {}
        for reading, own in readings.items():
            parts |= {f"reading {reading} {name}": own.get(name) for name in COMPARED}
        yield from _leaves(f"{record['id']}:", parts)


def _leaves(place: str, value) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for name, part in items:
            yield from _leaves(f"{place} {name}", part)
    elif value is not None:
        yield place, value


def differ(before, after) -> bool:
    """Whether two values differ by more than rounding."""
    if isinstance(before, int | float) and isinstance(after, int | float):
        return not math.isclose(before, after, rel_tol=RELATIVE)
    return before != after
