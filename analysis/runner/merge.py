"""From executed notebooks to result files: this run's records, those kept from before, those of claims never run."""

import json
import platform
import time
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from analysis.errors import DataError
from analysis.runner import notebooks, results, scorecard
from analysis.runner.files import hash_of_file
from analysis.runner.junit import to_junit
from analysis.runner.pool import Outcome
from analysis.runner.project import OVERVIEW, Project
from analysis.runner.report import failure_text
from analysis.runner.worker import Failure

PACKAGES = ("numpy", "pandas", "scipy", "matplotlib", "numba", "SALib", "papermill", "ipykernel")


class Harvest:
    """What a run brings in, gathered in its stage.

    Parameters
    ----------
    project : Project
    stage : Path
        The staging folder.
    state : dict
        run.json of the last complete run.
    hashes, values : dict
        Hash of the inputs and parameters, by notebook stem.
    """

    def __init__(self, project: Project, stage: Path, state: dict, hashes: dict, values: dict):
        self.project, self.stage, self.hashes, self.values = project, stage, hashes, values
        self.final = stage / results.FINAL
        sources = project.sources()
        self.entries = {stem: entry for stem, entry in state["notebooks"].items() if stem in sources}
        self.records: dict[str, dict] = {}

    def take(self, outcome: Outcome) -> Outcome:
        """Keep the notebook and its records, or note why there are none."""
        failure = outcome.failure or self.accept(outcome)
        if failure:
            outcome = replace(outcome, failure=failure)
            self.note_failure(outcome)
        return outcome

    def accept(self, outcome: Outcome) -> Failure | None:
        """Move a finished notebook and its records to the final folder, unless the records are wrong."""
        stem = outcome.job.name
        try:
            found = records_of(stem, outcome.job.output, self.project)
            texts = {f"claims/{claim_id}.json": scorecard.to_json(record) for claim_id, record in found.items()}
        except (DataError, ValueError) as error:
            return Failure(str(error))
        texts[f"notebooks/{stem}.ipynb"] = self.in_place(outcome.job.output)
        for name, text in texts.items():
            (self.final / name).write_text(text, encoding="utf-8")
        self.records |= found
        self.entries[stem] = self.entry(outcome, {name: hash_of_file(self.final / name) for name in sorted(texts)})
        return None

    def in_place(self, output: Path) -> str:
        """An executed notebook's text, naming the results folder where it names the stage."""
        results_folder = str(self.project.results)
        text = output.read_text(encoding="utf-8").replace(str(self.final), results_folder)
        return text.replace(str(output.parent), f"{results_folder}/notebooks")

    def entry(self, outcome: Outcome, files: dict[str, str]) -> dict:
        """A notebook's entry in run.json."""
        stem = outcome.job.name
        own = {"inputs": self.hashes[stem], "parameters": self.values[stem], "seconds": round(outcome.seconds, 3)}
        return own | {"files": files}

    def note_failure(self, outcome: Outcome) -> None:
        """Keep the earlier results, stale by their missing hash, and the failed notebook beside them."""
        stem, output = outcome.job.name, outcome.job.output
        earlier = self.entries.get(stem) or self.entry(outcome, {})
        files = {name: known for name, known in earlier["files"].items() if not name.startswith("failed/")}
        if output.exists():
            kept = self.final / "failed" / output.name
            kept.write_text(self.in_place(output), encoding="utf-8")
            files[f"failed/{output.name}"] = hash_of_file(kept)
        failed = failure_text(outcome)
        self.entries[stem] = earlier | {"inputs": "", "files": files, "failed": failed}

    def write_scorecard(self, records: list[dict]) -> str:
        """Write scorecard.json into the final folder; also what the overview reads."""
        text = scorecard.to_json(records)
        (self.final / "scorecard.json").write_text(text, encoding="utf-8")
        return text


def records_of(stem: str, output: Path, project: Project) -> dict[str, dict]:
    """The records of an executed notebook, checked to be those of the claims it covers.

    Raises
    ------
    DataError
        A claim without a record, or a record of another claim.
    """
    expected = project.ledger.notebooks().get(stem, ()) if stem != OVERVIEW else ()
    found = {record["id"]: record for record in notebooks.records(notebooks.read(output))} if expected else {}
    if set(found) != set(expected):
        missing, extra = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
        raise DataError(f"the notebook records no {missing or 'claim more'} but {extra or 'nothing else'}")
    return {claim_id: project.ledger.in_order(record) for claim_id, record in found.items()}


def merged(harvest: Harvest, data: str | None) -> list[dict]:
    """A record for every ledger id, in ledger order: of this run, of an earlier one, or the ledger's own."""
    project = harvest.project
    judge = {claim_id: stem for stem, ids in project.ledger.notebooks().items() for claim_id in ids}
    return [
        harvest.records.get(claim_id) or kept(harvest, claim_id, judge) or unrun(harvest, claim_id, judge, data)
        for claim_id in project.ledger.ids(data)
    ]


def kept(harvest: Harvest, claim_id: str, judge: dict[str, str]) -> dict | None:
    """The record of the last complete run, if its file still is what that run wrote."""
    name = f"claims/{claim_id}.json"
    files = harvest.entries.get(judge.get(claim_id), {}).get("files", {})
    known = {name: files[name]} if name in files else {}
    if known and results.intact(harvest.project.results, known):
        return json.loads((harvest.project.results / name).read_text(encoding="utf-8"))
    return None


def unrun(harvest: Harvest, claim_id: str, judge: dict[str, str], data: str | None) -> dict:
    """The record of a claim without any result."""
    stem = judge.get(claim_id)
    if stem is None:
        return harvest.project.ledger.unrun(claim_id, None, data)
    failed = "failed" in harvest.entries.get(stem, {})
    return harvest.project.ledger.unrun(claim_id, f"notebook {stem} {'failed' if failed else 'has not been run'}", data)


def write_results(harvest: Harvest, records: list[dict], seconds: float) -> None:
    """Write the files of the whole run into the final folder; run.json last, it describes the others."""
    harvest.write_scorecard(records)
    (harvest.final / "scorecard.csv").write_text(scorecard.to_csv(records), encoding="utf-8")
    (harvest.final / "junit.xml").write_text(to_junit(harvest.entries, records), encoding="utf-8")
    run = {
        "format": results.FORMAT,
        "run": harvest.stage.name.removeprefix(results.STAGING),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "seconds": round(seconds, 3),
        "versions": versions(),
        "notebooks": harvest.entries,
        "files": {
            name: hash_of_file(harvest.final / name) for name in ("junit.xml", "scorecard.csv", "scorecard.json")
        },
    }
    (harvest.final / "run.json").write_text(json.dumps(run, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide results."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
