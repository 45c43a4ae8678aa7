"""Parameters from the command line: text made into values by the declared type, checked before a kernel starts."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

from analysis.errors import ParameterError, nearest
from analysis.runner.notebooks import Declared, declared, read
from analysis.runner.project import Project

NONE_WORDS = {"none", "null"}
BOOL_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
FOLDERS = ("data", "records")
RANGE = re.compile(r"\[\s*([^,\]]+),\s*([^\]]+)\]")


@dataclass(frozen=True)
class Limits:
    """What a comment of the parameters cell accepts: a range, a list of options, or anything."""

    low: float | None = None
    high: float | None = None
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.low is not None:
            return f"[{self.low:g}, {self.high:g}]"
        return " | ".join(self.options)


def limits(line: Declared) -> Limits:
    """The range or options in front of the semicolon of a parameter's comment.

    >>> str(limits(Declared("years", "float", "8.0", "[2, 12] years; span")))
    '[2, 12]'
    >>> limits(Declared("vendor", "str", "'all'", "all, NVIDIA; whose cards")).options
    ('all', 'NVIDIA')
    """
    accepted, semicolon, _ = line.comment.partition(";")
    bounds = RANGE.match(accepted)
    if bounds:
        return Limits(float(bounds[1]), float(bounds[2]))
    options = tuple(option.strip() for option in accepted.split(",")) if "," in accepted and semicolon else ()
    return Limits(options=options)


def value_of(name: str, text: str, kind: str):
    """The value a text stands for under a declared type; the text is never evaluated.

    >>> value_of("years", "7", "float")
    7.0
    >>> value_of("vendor", "none", "str | None") is None
    True
    """
    if text.strip().lower() in NONE_WORDS and ("None" in kind or "Optional" in kind):
        return None
    for known, convert in CONVERT.items():
        if re.search(rf"\b{known}\b", kind):
            return _converted(name, text, known, convert)
    return text


def _converted(name: str, text: str, kind: str, convert):
    try:
        value = convert(text)
    except (ValueError, KeyError):
        raise ParameterError(f"parameter {name!r} must be {kind}, got {text!r}") from None
    if kind == "float" and not math.isfinite(value):
        raise ParameterError(f"parameter {name!r} must be a finite number, got {text!r}")
    return value


CONVERT = {"float": float, "int": int, "bool": lambda text: BOOL_WORDS[text.strip().lower()], "str": str}


def check_limits(line: Declared, value) -> None:
    """Refuse a value outside the range or the options that the parameters cell declares."""
    accepted = limits(line)
    if value is None:
        return
    if accepted.low is not None and not accepted.low <= value <= accepted.high:
        raise ParameterError(f"parameter {line.name!r} must lie in {accepted}, got {value!r}")
    # Whether several words are accepted is for the claim to say; here each word must be a known one.
    for word in map(str.strip, str(value).split(",")) if accepted.options else ():
        if word not in accepted.options:
            raise ParameterError(f"parameter {line.name!r}: {word!r}. {nearest(word, accepted.options)}")


def check_all_limits(lines: dict[str, Declared], values: dict) -> None:
    """Check values against what the parameters cell declares."""
    for name, value in values.items():
        check_limits(lines[name], value)


def assign(project: Project, sources: dict[str, Path], given: dict[str, str], data: str | None) -> dict[str, dict]:
    """The values each notebook gets.

    Parameters
    ----------
    project : Project
    sources : dict
        Selected notebooks, stem to path.
    given : dict
        Name to text from the command line.
    data : str or None
        A reader's own tables; goes to every notebook that declares ``data``.

    Returns
    -------
    dict
        Notebook stem to its parameters, typed; empty where nothing goes to it.

    Raises
    ------
    ParameterError
        A name that none of the notebooks declares, a wrong type, a value that is not accepted.
    """
    lines = {stem: declared(read(path)) for stem, path in sources.items()}
    refuse_unknown(given, lines)
    values = {
        stem: {name: value_of(name, text, own[name].type) for name, text in given.items() if name in own}
        for stem, own in lines.items()
    }
    for own in values.values():
        own |= {name: absolute(own[name]) for name in FOLDERS if own.get(name)}
    if data:
        overlay(values, lines, data)
    for stem, own in values.items():
        check(project, stem, lines[stem], own)
    return values


def absolute(folder: str) -> str:
    """A folder's full path, since kernels work in another folder than the caller; other words stay as they are."""
    return str(Path(folder).resolve()) if Path(folder).is_dir() else folder


def refuse_unknown(given: dict, lines: dict[str, dict[str, Declared]]) -> None:
    """Refuse a name that no selected notebook declares; list what they do."""
    known = {name: line for own in lines.values() for name, line in own.items()}
    for name in given:
        if name not in known:
            accepted = "".join(f"\n  {line.name}: {line.type}  {line.comment}" for line in known.values())
            raise ParameterError(f"no parameter {name!r}. {nearest(name, known)}{accepted}")


def overlay(values: dict[str, dict], lines: dict[str, dict], data: str) -> None:
    """Hand a reader's tables to the notebooks that take them."""
    if not Path(data).is_dir():
        raise ParameterError(f"--data: no folder {data}")
    takers = [stem for stem, own in lines.items() if "data" in own]
    if not takers:
        raise ParameterError(f"--data: none of {', '.join(lines)} declares a parameter 'data'")
    for stem in takers:
        values[stem].setdefault("data", str(Path(data).resolve()))


def check(project: Project, stem: str, lines: dict[str, Declared], values: dict) -> None:
    """Check a notebook's values: the claims check theirs, the cell's comment decides about the others."""
    if not values:
        return
    data = values.get("data") or None
    if not data:  # most mistakes end here, before any table is read; a reader's own tables may widen a range
        check_all_limits(lines, values)
    claim_ids = tuple(project.ledger.notebooks().get(stem, ()))
    of_claims = {name for claim_id in claim_ids for name in project.ledger.parameters(claim_id, data)}
    check_all_limits(lines, {name: value for name, value in values.items() if name not in of_claims})
    pins = {name: value for name, value in values.items() if name in of_claims}
    if pins:
        project.ledger.check(claim_ids, pins, data)
