"""The record of one claim: frozen, complete, and free of anything that JSON cannot say."""

import math
from dataclasses import dataclass, field, fields

from analysis.judgement import card

DIGITS = 6


@dataclass(frozen=True, repr=False)
class Record:
    """Everything that is known about one claim after it was asked.

    Attributes follow the contract of the project: the ledger's row, the headline reading and every other, shares and
    verdict, where the claim holds, what decides it, how robust that is, two methods, independent lines, and what the
    run was given. A field that does not apply is None, with the reason in `reasons`.
    """

    id: str
    title: str
    statement: str
    quote: str
    metric: str
    unit: str
    claimed: float | dict | None
    comparator: str
    verdict: str
    reading: str | None = None
    readings: dict | None = None
    estimate: float | dict | None = None
    interval: list | dict | None = None
    model_error: list | None = None
    share: float | None = None
    share_below: float | None = None
    share_above: float | None = None
    region: dict | None = None
    robustness: dict | None = None
    fragile: bool | None = None
    conditions: str | None = None
    break_even: dict | None = None
    drivers: dict | None = None
    methods: dict | None = None
    methods_agree: bool | None = None
    lines: dict | None = None
    parameters: dict = field(default_factory=dict)
    pinned: list = field(default_factory=list)
    data_overlay: str | None = None
    seed: int = 0
    evidence: dict = field(default_factory=dict)
    reasons: dict = field(default_factory=dict)

    def to_dict(self):
        """Return the record as plain JSON values, floats with six significant digits."""
        return {item.name: plain(getattr(self, item.name)) for item in fields(self)}

    def _repr_html_(self):
        return card.html(self.to_dict())

    def __str__(self):
        return card.text(self.to_dict())

    __repr__ = __str__


def plain(value):
    """Return a value as JSON has it: no NumPy types, no tuples, no NaN or infinity, six significant digits.

    Examples
    --------
    >>> plain((1 / 3, {"a": float("nan")}))
    [0.333333, {'a': None}]
    """
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(part) for part in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value
