"""One run: find what is stale, execute it, merge the records, publish the results."""

import os
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from analysis.runner import parameters, results
from analysis.runner.inputs import Inputs
from analysis.runner.merge import Harvest, merged, write_results
from analysis.runner.notebooks import declared, read
from analysis.runner.pool import Outcome, run_jobs, warm_up
from analysis.runner.progress import Lines, reporter
from analysis.runner.project import OVERVIEW, Project
from analysis.runner.worker import Job


@dataclass(frozen=True)
class Options:
    """How to run.

    Parameters
    ----------
    jobs : int
        Notebooks at once; 0 means one a core.
    data : str or None
        Folder of a reader's own tables.
    force : bool
        Run what is unchanged too.
    timeout : float
        Seconds a notebook may take.
    """

    jobs: int = 0
    data: str | None = None
    force: bool = False
    timeout: float = 600

    @property
    def workers(self) -> int:
        """Notebooks at once."""
        return self.jobs or os.cpu_count() or 1


@dataclass(frozen=True)
class Report:
    """What a run did: the notebooks that ran, those that were unchanged."""

    outcomes: list[Outcome] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)

    @property
    def failures(self) -> list[Outcome]:
        """The notebooks that failed."""
        return [outcome for outcome in self.outcomes if outcome.failure]


def run(project: Project, names: tuple[str, ...] = (), given: dict[str, str] | None = None, options=None) -> Report:
    """Run notebooks and bring the results folder up to date.

    Parameters
    ----------
    project : Project
    names : tuple of str
        Notebooks by name or path; all when empty.
    given : dict
        Parameters, name to text.
    options : Options

    Raises
    ------
    ParameterError
        A wrong name or value, or a results folder that is in use or cannot be written; no kernel has started.
    OSError
        A write that failed; the last complete results are unchanged.
    """
    options = options or Options()
    sources = project.select(names)
    values = parameters.assign(project, sources, given or {}, options.data)
    with results.locked(project.results):
        return Run(project, sources, values, options).execute()


class Run:
    """A run under way: what is known at its start, and the steps."""

    def __init__(self, project: Project, sources: dict[str, Path], values: dict[str, dict], options: Options):
        self.project, self.sources, self.values, self.options = project, sources, values, options
        self.inputs = Inputs(project)
        self.state = results.read_state(project.results)
        self.started = time.monotonic()

    def execute(self) -> Report:
        """Run what is stale, the overview last; publish when anything changed."""
        subjects = [stem for stem in self.sources if stem != OVERVIEW]
        hashes = {stem: self.inputs.of(self.sources[stem], self.values[stem]) for stem in subjects}
        stale = [stem for stem in subjects if self.is_stale(stem, hashes[stem])]
        if not stale and self.is_complete() and not self.overview_is_stale(self.current_scorecard()):
            return Report(unchanged=list(self.sources))
        warm_up()
        self.project.ledger.ids(self.options.data)  # tables that cannot be read are refused before a kernel starts
        return self.run_and_publish(longest_first(stale, self.seconds()), hashes)

    def run_and_publish(self, stale: list[str], hashes: dict[str, str]) -> Report:
        """Execute in a staging folder, then make its content the current results."""
        total = len(stale) + (OVERVIEW in self.sources)
        with ExitStack() as stack:
            stage = stack.enter_context(results.staging(self.project.results))
            runtime = stack.enter_context(results.runtime_folder(stage))
            progress = stack.enter_context(reporter(total, self.seconds(), self.options.workers))
            harvest = Harvest(self.project, stage, self.state, hashes, self.values)
            outcomes = self.run_jobs([self.job(stem, stage) for stem in stale], harvest, runtime, progress)
            outcomes += self.run_overview(harvest, runtime, progress)
            write_results(harvest, merged(harvest, self.options.data), time.monotonic() - self.started)
            results.publish(stage)
        return Report(outcomes, [stem for stem in self.sources if stem not in {one.job.name for one in outcomes}])

    def is_stale(self, stem: str, inputs: str) -> bool:
        """Whether a notebook has to run: asked to, never run, other inputs, or results that were touched."""
        entry = self.state["notebooks"].get(stem)
        fresh = entry and entry["inputs"] == inputs and results.intact(self.project.results, entry["files"])
        return self.options.force or not fresh

    def is_complete(self) -> bool:
        """Whether the common files are as the last run wrote them, and no notebook has gone since."""
        known = self.state["notebooks"].keys() <= self.project.sources().keys()
        return bool(self.state["files"]) and known and results.intact(self.project.results, self.state["files"])

    def current_scorecard(self) -> str:
        """The text of the scorecard in the results folder."""
        return (self.project.results / "scorecard.json").read_text(encoding="utf-8")

    def overview_is_stale(self, scorecard: str) -> bool:
        """Whether the overview was asked for and shows other records than these."""
        return OVERVIEW in self.sources and self.is_stale(OVERVIEW, self.overview_hash(scorecard))

    def overview_hash(self, scorecard: str) -> str:
        """The overview's inputs: its own, and the records it shows."""
        return self.inputs.of(self.sources[OVERVIEW], self.values[OVERVIEW], scorecard)

    def run_overview(self, harvest: Harvest, runtime: Path, progress: Lines) -> list[Outcome]:
        """Execute the overview on this run's records, if asked for."""
        if OVERVIEW not in self.sources:
            return []
        scorecard = harvest.write_scorecard(merged(harvest, self.options.data))
        harvest.hashes[OVERVIEW] = self.overview_hash(scorecard)
        job = self.job(OVERVIEW, harvest.stage)
        if "records" in declared(read(job.notebook)):
            job.parameters.setdefault("records", str(harvest.final))
        return self.run_jobs([job], harvest, runtime, progress)

    def run_jobs(self, jobs: list[Job], harvest: Harvest, runtime: Path, progress: Lines) -> list[Outcome]:
        """Execute jobs and bring in what they made."""
        outcomes = run_jobs(jobs, runtime, self.options.workers, self.options.timeout, progress)
        return [harvest.take(outcome) for outcome in outcomes]

    def job(self, stem: str, stage: Path) -> Job:
        """The job of a notebook, writing into the stage."""
        return Job(stem, self.sources[stem], stage / "work" / f"{stem}.ipynb", dict(self.values[stem]))

    def seconds(self) -> dict[str, float]:
        """How long each notebook took last time."""
        known = self.state["notebooks"].items()
        return {stem: entry["seconds"] for stem, entry in known if stem in self.sources and "seconds" in entry}


def longest_first(stems: list[str], seconds: dict[str, float]) -> list[str]:
    """The order to start in: those never timed first, then by time, then by name.

    >>> longest_first(["a", "b", "c"], {"a": 1.0, "b": 5.0})
    ['c', 'b', 'a']
    """
    return sorted(stems, key=lambda stem: (-seconds.get(stem, float("inf")), stem))
