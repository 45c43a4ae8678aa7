"""What is committed of a run: executed notebooks with the same bytes every time, and golden records."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from analysis.errors import DataError
from analysis.runner import compare
from analysis.runner.files import hash_of_file, write_whole
from analysis.runner.merge import records_of
from analysis.runner.notebooks import NOT_OURS, declared, read, tags
from analysis.runner.parameters import check, refuse_unknown
from analysis.runner.project import Project
from analysis.runner.run import Options
from analysis.runner.scorecard import to_json
from analysis.runner.sweeps import run_all
from analysis.runner.worker import Job

TIMED = "nbval-ignore-output"  # a cell that shows what this machine took: another output every time
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


@contextmanager
def executed(jobs: dict[str, tuple[Path, dict]], options: Options) -> Iterator[dict[str, Path]]:
    """Execute notebooks into a temporary folder: name to path of the executed one."""
    with tempfile.TemporaryDirectory(prefix="notebooks-") as folder:
        made = {name: Path(folder, f"{number}.ipynb") for number, name in enumerate(jobs)}
        run_all([Job(name, path, made[name], given) for name, (path, given) in jobs.items()], Path(folder), options)
        yield made


def update_outputs(project: Project, options: Options) -> list[str]:
    """Execute all notebooks at their defaults and write their outputs into them; the names of those that changed."""
    sources = project.sources()
    with executed({stem: (path, {}) for stem, path in sources.items()}, options) as made:
        texts = {stem: with_outputs(read(path), read(made[stem])) for stem, path in sources.items()}
    changed = [stem for stem, text in texts.items() if sources[stem].read_text(encoding="utf-8") != text]
    for stem in changed:
        write_whole(sources[stem], texts[stem])
    return changed


def with_outputs(notebook: dict, result: dict) -> str:
    """A notebook's text with the outputs of its execution, without times, versions and tools' notes.

    Cells that measure time stay without output, so that the committed notebook has the same bytes everywhere.

    Parameters
    ----------
    notebook, result : dict
        As written, and as executed.
    """
    ran = [cell for cell in result["cells"] if not NOT_OURS.intersection(tags(cell))]
    for cell, after in zip(notebook["cells"], ran, strict=True):
        if cell["cell_type"] == "code":
            shown = ([], None) if TIMED in tags(cell) else (after["outputs"], after["execution_count"])
            cell["outputs"], cell["execution_count"] = shown
            cell["metadata"].pop("execution", None)
        cell["metadata"].pop("papermill", None)
    notebook["metadata"] = METADATA
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def golden_settings(project: Project) -> dict[str, tuple[str, dict]]:
    """The settings that golden records exist for: ``stem/setting`` to stem and parameters.

    Raises
    ------
    DataError
        tests/golden/settings.json is missing or no JSON object.
    ParameterError
        A setting that its notebook does not accept.
    """
    path = golden_folder(project) / "settings.json"
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        found = {f"{stem}/{name}": (stem, given) for stem, own in settings.items() for name, given in own.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: {error}") from None
    for stem, given in found.values():
        lines = declared(read(project.select((stem,))[stem]))
        refuse_unknown(given, {stem: lines})
        check(project, stem, lines, given)
    return found


def golden_folder(project: Project) -> Path:
    """Where golden records lie."""
    return project.root / "tests" / "golden"


def update_goldens(project: Project, options: Options) -> list[compare.Change]:
    """Run every notebook at its golden settings and write the records; what changed in them."""
    settings, sources = golden_settings(project), project.sources()
    jobs = {name: (sources[stem], given) for name, (stem, given) in settings.items()}
    with executed(jobs, options) as made:
        found = {name: records_of(stem, made[name], project) for name, (stem, _) in settings.items()}
    changes = []
    for name, records in found.items():
        changes += write_golden(golden_folder(project) / f"{name}.json", [records[key] for key in sorted(records)])
    write_whole(golden_folder(project) / "data.json", json.dumps(data_digest(project.data), indent=1) + "\n")
    draw(project, [record for name, own in found.items() if name.endswith("/default") for record in own.values()])
    return changes


def data_digest(folder: Path) -> dict[str, str]:
    """The hash of every file below a folder of tables, by its name."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hash_of_file(path) for path in paths}


def write_golden(path: Path, records: list[dict]) -> list[compare.Change]:
    """Write one setting's records; what changed in them."""
    old = compare.load(path) if path.exists() else []
    write_whole(path, to_json(records, sort_keys=True))
    found = compare.changes(old, records)
    return [compare.Change(f"{path.stem} {one.place}", one.before, one.after) for one in found]


def draw(project: Project, records: list[dict]) -> None:
    """Draw the README's pictures of the scorecard."""
    if not find_spec("analysis.figures.scorecard"):
        return
    from analysis.figures.scorecard import write_readme_svgs

    judged = {record["id"]: record for record in records}
    ids = project.ledger.ids()
    write_readme_svgs(project.root / "docs", [judged.get(one) or project.ledger.unrun(one, None) for one in ids])
