"""Notebooks as files: what they say, which parameters they declare, which records their outputs carry."""

import ast
import io
import json
import tokenize
from dataclasses import dataclass
from pathlib import Path

from analysis.errors import DataError
from analysis.judgement.display import MIME

NOT_OURS = {"injected-parameters", "papermill-error-cell-tag"}  # cells that papermill puts between ours


@dataclass(frozen=True)
class Declared:
    """One line of a parameters cell.

    Parameters
    ----------
    name, type, default, comment : str
        As written, e.g. ``years``, ``float``, ``8.0``, ``[2, 12] years; span over which growth is counted``.
    """

    name: str
    type: str
    default: str
    comment: str


def read(path: Path) -> dict:
    """The notebook as a dictionary.

    Raises
    ------
    DataError
        The file is no notebook of format 4.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        content(notebook)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not a Jupyter notebook of format 4 ({error!r})") from None
    return notebook


def source(cell: dict) -> str:
    """A cell's text; the format allows a string or a list of lines."""
    text = cell["source"]
    return text if isinstance(text, str) else "".join(text)


def tags(cell: dict) -> list[str]:
    """A cell's tags."""
    return cell.get("metadata", {}).get("tags", [])


def content(notebook: dict) -> str:
    """What decides a notebook's results: its cells' kinds, tags and sources, no outputs."""
    return json.dumps([(cell["cell_type"], tags(cell), source(cell)) for cell in notebook["cells"]])


def declared(notebook: dict) -> dict[str, Declared]:
    """The parameters a notebook declares, in order of its parameters cell.

    Read with Python's own parser, not papermill's pattern: that one takes half a second to import and passes
    over ``str | None``.
    """
    cells = [source(cell) for cell in notebook["cells"] if "parameters" in tags(cell)]
    return parameter_lines(cells[0]) if cells else {}


def parameter_lines(text: str) -> dict[str, Declared]:
    """The assignments of a parameters cell.

    >>> parameter_lines("years: float = 8.0  # [2, 12] years; span")["years"].type
    'float'
    """
    comments = _comments(text)
    found = {}
    for node in ast.parse(text).body:
        target, kind = _target(node)
        if target:
            line = Declared(target, kind, ast.unparse(node.value), comments.get(node.end_lineno, ""))
            found[target] = line
    return found


def _target(node: ast.stmt) -> tuple[str, str]:
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
        return node.target.id, ast.unparse(node.annotation).strip("'\"")
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id, type(getattr(node.value, "value", "")).__name__
    return "", ""


def _comments(text: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}


def records(notebook: dict) -> list[dict]:
    """The claim records that the outputs of an executed notebook carry, in order."""
    outputs = (output for cell in notebook["cells"] for output in cell.get("outputs", []))
    return [output["data"][MIME] for output in outputs if MIME in output.get("data", {})]


def last_started(notebook: dict) -> tuple[int, dict] | None:
    """The last code cell that papermill began, by its number in the source notebook (from 1): where it ended."""
    own = [cell for cell in notebook["cells"] if not NOT_OURS.intersection(tags(cell))]
    started = [
        (number, cell)
        for number, cell in enumerate(own, 1)
        if cell["cell_type"] == "code" and cell["metadata"].get("papermill", {}).get("start_time")
    ]
    return started[-1] if started else None
