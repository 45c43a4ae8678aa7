"""How a failed notebook is told: notebook, cell, its source, the end of the traceback, nothing else."""

from analysis.runner.pool import Outcome

SOURCE_LINES = 12
TRACEBACK_LINES = 14


def failure_text(outcome: Outcome) -> str:
    """A failed notebook in words.

    >>> from pathlib import Path
    >>> from analysis.runner.worker import Failure, Job
    >>> job = Job("01_toy", Path("01_toy.ipynb"), Path("out.ipynb"))
    >>> print(failure_text(Outcome(job, 1.0, Failure("ValueError: no", 3, "check(1)"))))
    01_toy.ipynb, cell 3: ValueError: no
      | check(1)
    """
    failure = outcome.failure
    place = f", cell {failure.cell}" if failure.cell else ""
    lines = [f"{outcome.job.notebook.name}{place}: {failure.error}"]
    lines += [f"  | {line}" for line in shortened(failure.source.splitlines(), SOURCE_LINES)]
    lines += [f"  {line}" for line in shortened(failure.traceback.splitlines(), TRACEBACK_LINES)]
    return "\n".join(lines)


def shortened(lines: list[str], most: int) -> list[str]:
    """Lines with the middle left out where there are too many.

    >>> shortened(list("abcdef"), 4)
    ['a', 'b', '... 3 lines left out ...', 'f']
    """
    if len(lines) <= most:
        return lines
    tail = (most - 1) // 2
    head = most - 1 - tail
    return [*lines[:head], f"... {len(lines) - head - tail} lines left out ...", *lines[-tail:]]
