"""Grids of parameter values: through `evaluate`, or through the claim's notebook, the same columns either way."""

import csv
import io
import itertools
import tempfile
from pathlib import Path

from analysis.errors import AnalysisError, ParameterError, nearest
from analysis.runner.merge import records_of
from analysis.runner.notebooks import declared, read
from analysis.runner.parameters import assign, refuse_unknown, value_of
from analysis.runner.pool import run_jobs
from analysis.runner.progress import reporter
from analysis.runner.project import Project
from analysis.runner.report import failure_text
from analysis.runner.run import Options
from analysis.runner.scorecard import ends
from analysis.runner.worker import Job


def grid_of(project: Project, claim_id: str, given: dict[str, str], data: str | None) -> dict[str, list]:
    """The values of a grid, typed and checked.

    Parameters
    ----------
    project : Project
    claim_id : str
    given : dict
        Name to comma-separated values.
    data : str or None
        A reader's own tables.

    Raises
    ------
    ParameterError
        An unknown claim or name, a value that is not accepted.
    """
    ids = project.ledger.ids(data)
    if claim_id not in ids:
        raise ParameterError(f"no claim {claim_id!r}. {nearest(claim_id, ids)}")
    known = project.ledger.parameters(claim_id, data)
    grid = {name: _values(name, texts, known.get(name, {})) for name, texts in given.items()}
    for name, values in grid.items():
        for value in values:
            project.ledger.check((claim_id,), {name: value}, data)
    return grid


def _values(name: str, texts: str, row: dict) -> list:
    return [value_of(name, text.strip(), row.get("type", "str")) for text in texts.split(",")]


def points(grid: dict[str, list]) -> list[dict]:
    """All combinations, the last name changing fastest.

    >>> points({"a": [1, 2], "b": ["x"]})
    [{'a': 1, 'b': 'x'}, {'a': 2, 'b': 'x'}]
    """
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def through_notebook(project: Project, claim_id: str, given: dict[str, str], options: Options) -> str:
    """The sweep as CSV, each point by executing the claim's notebook.

    Raises
    ------
    ParameterError
        No notebook judges the claim, or it does not accept a value.
    AnalysisError
        The notebook failed at some point of the grid.
    """
    stem, path = notebook_of(project, claim_id)
    texts = {name: [text.strip() for text in values.split(",")] for name, values in given.items()}
    refuse_unknown(texts, {stem: declared(read(path))})
    values = [assign(project, {stem: path}, point, options.data)[stem] for point in points(texts)]
    with tempfile.TemporaryDirectory(prefix="sweep-") as folder:
        jobs = [Job(f"point {n}", path, Path(folder, f"{n}.ipynb"), point) for n, point in enumerate(values, 1)]
        run_all(jobs, Path(folder), options)
        records = [records_of(stem, job.output, project)[claim_id] for job in jobs]
    return to_csv(list(texts), values, records)


def run_all(jobs: list[Job], runtime: Path, options: Options) -> None:
    """Execute jobs of which every one has to succeed.

    Raises
    ------
    AnalysisError
        With the first failure's cell and traceback.
    """
    with reporter(len(jobs), {}, options.workers) as progress:
        outcomes = run_jobs(jobs, runtime, options.workers, options.timeout, progress)
    for outcome in outcomes:
        if outcome.failure:
            raise NotebookError(failure_text(outcome))


class NotebookError(AnalysisError):
    """A notebook that had to succeed did not."""

    exit_code = 1


def to_csv(names: list[str], values: list[dict], records: list[dict]) -> str:
    """One row a point: parameters, then results, in the columns of `analysis.sweep`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    found = [results(record) for record in records]
    writer.writerow([*names, *found[0]])
    for point, row in zip(values, found, strict=True):
        writer.writerow([*(point[name] for name in names), *row.values()])
    return text.getvalue()


def results(record: dict) -> dict:
    """The results of a record by column; a joint claim has a column a part.

    >>> list(results({"estimate": {"a": 1, "b": 2}, "interval": None, "share": 0.5, "verdict": "open"}))
    ['estimate.a', 'estimate.b', 'low.a', 'low.b', 'high.a', 'high.b', 'share', 'verdict', 'error']
    """
    estimate = record.get("estimate")
    parts = sorted(estimate) if isinstance(estimate, dict) else [None]
    low, high = ends(record.get("interval"))
    spans = {"estimate": estimate, "low": low, "high": high}
    row = {f"{name}.{part}" if part else name: _of(value, part) for name, value in spans.items() for part in parts}
    return row | {"share": record.get("share"), "verdict": record.get("verdict"), "error": None}


def _of(value, part: str | None):
    return value.get(part) if isinstance(value, dict) else value


def notebook_of(project: Project, claim_id: str) -> tuple[str, Path]:
    """The notebook that judges a claim."""
    judges = {one: stem for stem, ids in project.ledger.notebooks().items() for one in ids}
    if claim_id not in judges:
        raise ParameterError(f"no notebook judges {claim_id!r}. {nearest(claim_id, judges)}")
    stem = judges[claim_id]
    return stem, project.select((stem,))[stem]
