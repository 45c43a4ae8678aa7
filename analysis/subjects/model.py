"""The shape that every claim module has."""

from collections.abc import Callable
from dataclasses import dataclass

from analysis.errors import ParameterError, nearest
from analysis.facts.assumptions import Assumption


@dataclass(frozen=True)
class Setting:
    """A parameter with a default: chosen, not sampled.

    Attributes
    ----------
    name, description, unit : str
    default : object
        Its type is the type of the parameter.
    low, high : float, optional
        Range of a number.
    options : callable, optional
        ``options(facts)`` gives the words accepted.
    several : bool
        Whether a comma-separated list of options is accepted.
    pattern : str
        Regular expression that a text must match, with `example` shown in the error.
    example : str
    """

    name: str
    default: object
    description: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    options: Callable | None = None
    several: bool = False
    pattern: str = ""
    example: str = ""

    @property
    def type(self):
        """Name of the parameter's type."""
        return type(self.default).__name__


@dataclass(frozen=True)
class ClaimModel:
    """One claim made computable.

    Attributes
    ----------
    id : str
        Of the ledger.
    notebook : str
        Stem of the notebook that explains it.
    assumptions : tuple of str
        Names of ``assumptions.csv``; sampled unless pinned.
    settings : tuple of Setting
    readings : tuple of str
        Readings that the module can answer.
    case : callable
        ``case(facts, settings, reading, assumptions)`` gives the `Case` of one reading.
    """

    id: str
    notebook: str
    assumptions: tuple[str, ...]
    settings: tuple[Setting, ...]
    readings: tuple[str, ...]
    case: Callable


def checked_setting(setting, value, facts):
    """Return a setting's value in its own type, or raise.

    Parameters
    ----------
    setting : Setting
    value : object
    facts : Facts
        Where accepted words come from.

    Returns
    -------
    object

    Raises
    ------
    ParameterError
        For a wrong type, a number out of range or a word that is not accepted.
    """
    kind = type(setting.default)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise ParameterError(f"{setting.name}: {value!r} is {type(value).__name__}; expected {kind.__name__}")
    if kind in (float, int):
        check_range(setting.name, value, setting.low, setting.high, setting.unit)
    if setting.options:
        _check_words(setting, value, setting.options(facts))
    if setting.pattern:
        import re

        if not re.fullmatch(setting.pattern, value):
            raise ParameterError(f"{setting.name}: {value!r}; expected something like {setting.example!r}")
    return value


def check_range(name, value, low, high, unit):
    """Raise `ParameterError` where a number is not finite or lies outside [low, high]."""
    below = low is not None and not value >= low
    above = high is not None and not value <= high
    if below or above or value != value:
        raise ParameterError(f"{name}: {value:g} is out of range; accepted: {low:g} to {high:g} {unit}".rstrip())


def _check_words(setting, value, accepted):
    words = [word.strip() for word in value.split(",")] if setting.several else [value]
    for word in words:
        if word not in accepted:
            raise ParameterError(f"{setting.name}: {word!r} is not accepted. {nearest(word, accepted)}")


def checked_assumption(declared: Assumption, value):
    """Return a pinned assumption as a float, or raise `ParameterError`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ParameterError(f"{declared.name}: {value!r} is {type(value).__name__}; expected a number")
    check_range(declared.name, float(value), declared.low, declared.high, declared.unit)
    return float(value)
