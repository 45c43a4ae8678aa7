"""Imports point one way, rooms keep to themselves, and no number of the article is written into the package."""

import ast
import re
from pathlib import Path

import pytest

import analysis

PACKAGE = Path(analysis.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
# A room may import the rooms named beside it, itself, and `analysis.errors`.
MAY_IMPORT = {
    "facts": set(),
    "models": {"facts"},
    "judgement": {"facts"},
    "evidence": {"facts", "models"},
    "subjects": {"facts", "models", "evidence", "judgement"},
    "evaluation": {"facts", "judgement", "subjects"},
    "figures": set(),
    "runner": {"facts", "judgement", "subjects", "evaluation", "evidence", "figures"},
}
NOT_OURS = (".git", ".venv", ".cache", ".hypothesis", ".ruff_cache", ".pytest_cache", "results")
JUPYTER = {"IPython", "ipykernel", "nbclient", "nbformat", "papermill", "jupyter_client"}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    room = room_of(path)
    if room not in MAY_IMPORT:
        assert room in ("__init__", "__main__", "errors")
        return
    rooms = {name.split(".")[1] for name in imported(path) if name.startswith("analysis.")}
    assert rooms & set(MAY_IMPORT) <= MAY_IMPORT[room] | {room}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_runner_and_what_shows_things_know_jupyter(path):
    used = {name.split(".")[0] for name in imported(path)} & JUPYTER
    shows = path.name in ("display.py", "style.py", "tables.py")
    assert room_of(path) == "runner" or used <= ({"IPython"} if shows else set())


def test_no_claimed_number_is_a_constant_of_the_package():
    """40, 9, 4, 300, 20, 80 ... stand in the ledger; a model that holds one beside its claim would be circular."""
    claimed = {row.value for row in analysis.claims().itertuples() if row.value == row.value and row.value >= 19}
    for path in (*(PACKAGE / "models").rglob("*.py"), *(PACKAGE / "subjects").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        numbers = {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and type(node.value) in (int, float)
        }
        assert not numbers & claimed, path


def test_modules_and_functions_stay_small():
    lengths = {}
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 310, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                first = node.body[1 if ast.get_docstring(node) and len(node.body) > 1 else 0]
                lengths[f"{path.name}:{node.name}"] = node.end_lineno - first.lineno + 1
    assert max(lengths.values()) <= 60, max(lengths, key=lengths.get)


def test_public_functions_have_a_docstring():
    missing = []
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                missing += [] if ast.get_docstring(node) else [f"{path.name}:{node.name}"]
    assert not missing


def test_no_file_names_a_registry_or_a_path_of_this_machine():
    root = PACKAGE.parent
    hosts = "|".join(("py" + "pi.org", "python" + "hosted", "npm" + "js", "deb." + "debian"))
    for path in root.rglob("*"):
        parts = path.relative_to(root).parts
        if not path.is_file() or parts[0] in NOT_OURS or "__pycache__" in parts or path.suffix in (".png", ".xz"):
            continue
        found = re.search(rf"{hosts}|(^|[\s\"'=])/(work|farm)/", path.read_text(encoding="utf-8", errors="ignore"))
        assert not found, (path, found)
