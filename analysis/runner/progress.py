"""How a run shows itself: one bar on a terminal, plain lines elsewhere."""

import sys

from analysis.runner.pool import Outcome
from analysis.runner.worker import Job


class Lines:
    """A line when a notebook starts and when it ends.

    Parameters
    ----------
    jobs : int
        How many will run.
    expected : dict
        Seconds each took last time, by name.
    workers : int
        How many run at once.
    """

    def __init__(self, jobs: int, expected: dict[str, float], workers: int):
        self.jobs, self.expected, self.workers = jobs, expected, workers
        self.running: list[str] = []
        self.done: list[Outcome] = []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def started(self, job: Job) -> None:
        """A job was handed to a worker."""
        self.running.append(job.name)
        self.say(f"{job.name} started")

    def ended(self, outcome: Outcome) -> None:
        """A job came back."""
        self.running.remove(outcome.job.name)
        self.done.append(outcome)
        how = "FAILED after" if outcome.failure else "done in"
        self.say(f"{outcome.job.name} {how} {outcome.seconds:.1f} s ({len(self.done)}/{self.jobs})")

    def say(self, line: str) -> None:
        """Print a line at once, also into a pipe."""
        print(line, file=sys.stderr, flush=True)

    def tick(self) -> None:
        """Called a few times a second."""

    @property
    def failed(self) -> int:
        """How many have failed."""
        return sum(outcome.failure is not None for outcome in self.done)

    def seconds_left(self) -> float | None:
        """A guess from the last run's times, or from this run's mean; None while there is nothing to go by."""
        seen = [outcome.seconds for outcome in self.done] or list(self.expected.values())
        if not seen:
            return None
        mean = sum(seen) / len(seen)
        over = {outcome.job.name for outcome in self.done}
        known = sum(seconds for name, seconds in self.expected.items() if name not in over)
        unknown = self.jobs - len(over) - sum(name not in over for name in self.expected)
        return (known + mean * unknown) / self.workers


class Bar(Lines):
    """One bar with what runs, how many are done and failed, and how long is left."""

    def __enter__(self):
        from rich.progress import BarColumn, Progress, TextColumn

        columns = TextColumn("{task.completed}/{task.total}"), BarColumn(), TextColumn("{task.description}")
        # no thread of its own: tick draws
        self.bar = Progress(*columns, auto_refresh=False, transient=True)
        self.task = self.bar.add_task("", total=self.jobs)
        self.bar.start()
        return self

    def __exit__(self, *error):
        self.bar.stop()

    def say(self, line: str) -> None:
        """Only failures are worth a line above the bar."""
        if "FAILED" in line:
            self.bar.console.print(line, markup=False, highlight=False)

    def tick(self) -> None:
        """Draw the bar anew."""
        self.bar.update(self.task, completed=len(self.done), description=self.description(), refresh=True)

    def description(self) -> str:
        """What stands beside the bar."""
        left = self.seconds_left()
        parts = ["running " + ", ".join(self.running)] if self.running else []
        parts += [f"{self.failed} failed"] if self.failed else []
        parts += [f"about {left:.0f} s left"] if left is not None else []
        return " · ".join(parts).replace("[", r"\[")


def reporter(jobs: int, expected: dict[str, float], workers: int) -> Lines:
    """A bar on a terminal, lines elsewhere; parameters as of `Lines`."""
    kind = Bar if sys.stdout.isatty() and sys.stderr.isatty() else Lines
    return kind(jobs, expected, workers)
