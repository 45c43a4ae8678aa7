"""A toy project for the runner's tests: small notebooks, a ledger of three claims, no model."""

import json
import sys
from pathlib import Path

from analysis.errors import ParameterError
from analysis.runner.notebooks import read, source
from analysis.runner.pool import Outcome
from analysis.runner.project import Project
from analysis.runner.worker import Failure, Job

FIRST, SECOND, LONELY = "toy.first", "toy.second", "toy.lonely"
COVERED = {"01_first": (FIRST,), "02_second": (SECOND,)}
PARAMETERS = """\
years: float = 8.0  # [2, 12] years; span
vendor: str = 'all'  # all, NVIDIA, AMD; whose cards
note: str = ''
data: str = ''  # own tables"""
RECORD = """display({{"application/vnd.claim+json": {{"id": "{claim}", "title": "t", "verdict": "reproduced",
    "claimed": 8.0, "estimate": years, "interval": [years - 1, years + 1], "share": 0.75, "unit": "x",
    "parameters": {{"vendor": vendor, "note": note, "data": data}}}},
    "text/plain": "card"}}, raw=True)"""
OVERVIEW = (
    "records: str = 'golden'  # a folder or golden",
    "import json, pathlib\ntext = '[]'\n"
    "if records != 'golden':\n    text = (pathlib.Path(records) / 'scorecard.json').read_text()",
    "print(records, [(r['id'], r['verdict'], r.get('estimate')) for r in json.loads(text)])",
)


COMMAND = """
from pathlib import Path
from runner_helpers import existing
from analysis.__main__ import cli
if __name__ == "__main__":
    cli(sys.argv[2:], obj=existing(Path(sys.argv[1])))
"""


class ToyLedger:
    """Three claims, the last covered by no notebook."""

    def ids(self, data=None):
        return [LONELY, FIRST, SECOND]

    def notebooks(self):
        return COVERED

    def parameters(self, claim_id, data=None):
        return {"years": {"name": "years", "type": "float"}}

    def check(self, claim_ids, values, data=None):
        for name, value in values.items():
            if name != "years":
                raise ParameterError(f"no parameter {name!r}. Accepted: years")
            if not 2 <= value <= 12:
                raise ParameterError(f"parameter 'years' must lie in [2, 12], got {value}")

    def unrun(self, claim_id, reason, data=None):
        return {"id": claim_id, "verdict": "open", "reasons": {"verdict": reason or "no claim module yet"}}

    def in_order(self, record):
        return record

    def sweep(self, claim_id, grid, jobs=1, data=None):
        import pandas as pd

        return pd.DataFrame({**grid, "verdict": "reproduced"})


def write_notebook(path: Path, *cells: str) -> Path:
    """A notebook of code cells; the first is its parameters cell."""
    made = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "metadata": {"tags": ["parameters"]} if number == 0 else {},
            "source": text,
            "outputs": [],
            "execution_count": None,
        }
        for number, text in enumerate(cells)
    ]
    notebook = {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


def write_subject(root: Path, stem: str, *extra: str) -> Path:
    """A notebook that records its claim, after some further cells."""
    record = RECORD.format(claim=COVERED[stem][0])
    return write_notebook(root / "notebooks" / f"{stem}.ipynb", PARAMETERS, *extra, record)


def toy_project(root: Path) -> Project:
    """Two subjects and an overview in a new folder."""
    for folder in ("notebooks", "data", "analysis"):
        (root / folder).mkdir(parents=True)
    (root / "data" / "cards.csv").write_text("id,value\na,1\n")
    (root / "analysis" / "model.py").write_text("factor = 1\n")
    write_subject(root, "01_first")
    write_subject(root, "02_second")
    write_notebook(root / "notebooks" / "00_overview.ipynb", *OVERVIEW)
    return existing(root)


def instantly(jobs: list[Job], runtime: Path, workers: int, timeout: float, progress) -> list[Outcome]:
    """In place of run_jobs where the kernel is not the point: the cells are executed right here."""
    return [Outcome(job, 0.1, _in_this_process(job)) for job in jobs]


def _in_this_process(job: Job) -> Failure | None:
    notebook, names = read(job.notebook), {"print": lambda *shown: None}
    try:
        for number, cell in enumerate(notebook["cells"], 1):
            cell["outputs"] = []
            names["display"] = lambda data, raw, cell=cell: cell["outputs"].append(
                {"output_type": "display_data", "data": data, "metadata": {}}
            )
            exec(source(cell), names)
            if number == 1:
                names |= job.parameters
    except Exception as error:
        return Failure(f"{type(error).__name__}: {error}", number, source(cell), "Traceback of the cell")
    finally:
        job.output.write_text(json.dumps(notebook), encoding="utf-8")


def command(project: Project, *arguments: str) -> list[str]:
    """The command line on a toy project, as a process of its own."""
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n" + COMMAND
    return [sys.executable, "-c", code, str(project.root), *arguments]


def existing(root: Path) -> Project:
    """The toy project of a folder."""
    return Project.at(root, ledger=ToyLedger())


def scorecard(project: Project) -> dict[str, dict]:
    """The last run's records by id."""
    records = json.loads((project.results / "scorecard.json").read_text())
    return {record["id"]: record for record in records}


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every result file's bytes by name, hidden ones left out."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {name: path.read_bytes() for path in files if not (name := str(path.relative_to(folder))).startswith(".")}
