"""Run jobs in processes, several at once, each with a time limit; a lost worker is a failure, not a hang."""

import multiprocessing
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import wait
from pathlib import Path

from analysis.runner.worker import Failure, Job, where, work

TICK_S = 0.2


@dataclass(frozen=True)
class Outcome:
    """How a job ended."""

    job: Job
    seconds: float
    failure: Failure | None = None


@dataclass
class Running:
    """A job under way."""

    job: Job
    process: multiprocessing.Process
    pipe: multiprocessing.connection.Connection
    started: float

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.started


def processes():
    """The way to start workers: forked from a clean server that has papermill loaded already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["papermill", "analysis.runner.kernel"])
    return context


def warm_up() -> None:
    """Start loading what workers need, while the caller does something else."""
    processes()
    forkserver.ensure_running()


def run_jobs(jobs: list[Job], runtime: Path, workers: int, timeout: float, progress) -> list[Outcome]:
    """Execute jobs in the order given, at most ``workers`` at once.

    Parameters
    ----------
    jobs : list of Job
        Longest first keeps the end short.
    runtime : Path
        See `analysis.runner.worker.execute`.
    workers : int
    timeout : float
        Seconds a notebook may take.
    progress
        Object with ``started(job)``, ``ended(outcome)`` and ``tick()``.

    Returns
    -------
    list of Outcome
        In order of ending.
    """
    context, waiting, outcomes = processes(), list(jobs), []
    with slots() as running:
        while waiting or running:
            while waiting and len(running) < workers:
                running.append(start(context, waiting.pop(0), runtime, timeout))
                progress.started(running[-1].job)
            for outcome in ended(running, timeout):
                outcomes.append(outcome)
                progress.ended(outcome)
            progress.tick()
    return outcomes


@contextmanager
def slots() -> Iterator[list[Running]]:
    """The running jobs; whatever happens (Ctrl-C too), none is left behind."""
    running: list[Running] = []
    try:
        yield running
    finally:
        for one in running:
            one.process.kill()
            one.process.join()


def start(context, job: Job, runtime: Path, timeout: float) -> Running:
    """Start the worker of a job."""
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(job, runtime, timeout, theirs), name=job.name)
    process.start()
    theirs.close()
    return Running(job, process, ours, time.monotonic())


def ended(running: list[Running], timeout: float) -> list[Outcome]:
    """Wait a moment, then remove and return what has ended or has used up its time."""
    ready = wait([one.pipe for one in running], TICK_S)
    over = [one for one in running if one.pipe in ready or one.seconds > timeout]
    for one in over:
        running.remove(one)
    return [outcome_of(one, one.pipe in ready, timeout) for one in over]


def outcome_of(one: Running, answered: bool, timeout: float) -> Outcome:
    """The outcome of a job that answered, fell silent, or ran out of time."""
    if not answered:
        one.process.kill()
        one.process.join()
        return Outcome(one.job, one.seconds, stopped(one, f"not finished within the time limit of {timeout:g} s"))
    try:
        failure, seconds = one.pipe.recv()
    except EOFError:
        one.process.join()
        return Outcome(one.job, one.seconds, stopped(one, f"its process was lost ({ending(one.process.exitcode)})"))
    one.process.join()
    return Outcome(one.job, seconds, Failure(**failure) if failure else None)


def stopped(one: Running, error: str) -> Failure:
    """A failure that the worker could not report itself: the place is read from what it had saved."""
    return Failure(error, *where(one.job.output))


def ending(code: int) -> str:
    """An exit code in words.

    >>> ending(-9)
    'SIGKILL'
    """
    return signal.Signals(-code).name if code and code < 0 else f"exit code {code}"
