"""Execute one notebook with papermill; runs in a process of its own, so that no notebook can harm another."""

import logging
import os
import signal
import time
from dataclasses import asdict, dataclass, field
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path
from threading import Thread

from analysis.runner.notebooks import last_started, read, source


@dataclass(frozen=True)
class Job:
    """One notebook to execute: where from, where to, with which values."""

    name: str
    notebook: Path
    output: Path
    parameters: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """Why a notebook did not finish, in a form that crosses processes; cell numbers count from 1 in the source."""

    error: str
    cell: int | None = None
    source: str = ""
    traceback: str = ""


def execute(job: Job, runtime: Path, timeout: float) -> None:
    """Run a notebook and save it under its output path, complete or as far as it came.

    Parameters
    ----------
    job : Job
    runtime : Path
        Folder for connection files, sockets and IPython's profile; short, and removed by the caller.
    timeout : float
        Seconds a single cell may take.

    Raises
    ------
    PapermillExecutionError, DeadKernelError, OSError
        As papermill raises them.
    """
    import papermill
    from traitlets.config import Config

    config = Config()
    config.ConnectionFileMixin.transport = "ipc"
    config.ConnectionFileMixin.connection_file = str(runtime / f"{os.getpid()}.json")
    papermill.execute_notebook(
        job.notebook,
        job.output,
        job.parameters,
        kernel_name="python3",
        language="python",
        cwd=job.notebook.parent,
        progress_bar=False,
        execution_timeout=int(timeout),
        config=config,
        kernel_manager_class="analysis.runner.kernel.Kernel",
    )


def work(job: Job, runtime: Path, timeout: float, pipe) -> None:
    """The body of a worker process: execute, then send None or a failure through the pipe."""
    Thread(target=end_with_runner, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the runner decides for all
    os.environ["IPYTHONDIR"] = str(runtime / "ipython")  # nobody's start-up files in a reproduction
    logging.disable(logging.ERROR)  # a dead kernel is told once, by the runner
    started = time.monotonic()
    try:
        execute(job, runtime, timeout)
        failure = None
    except Exception as error:
        failure = describe(error, job.output)
    pipe.send((failure and asdict(failure), time.monotonic() - started))


def end_with_runner() -> None:
    """Wait until the runner has ended, however that ends, and end this process too; its kernel follows."""
    wait([parent_process().sentinel])
    os.kill(os.getpid(), signal.SIGKILL)


def describe(error: Exception, output: Path) -> Failure:
    """What happened and where, from an exception and the notebook as far as it was saved."""
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError, strip_color

    cell, text = where(output)
    if isinstance(error, PapermillExecutionError):
        traceback = strip_color("\n".join(error.traceback))
        return Failure(f"{error.ename}: {error.evalue}", cell, error.source, traceback)
    if isinstance(error, DeadKernelError):
        return Failure("the kernel died (killed, out of memory, or a crash in compiled code)", cell, text)
    if isinstance(error, CellTimeoutError):
        return Failure("the time limit was reached", cell, text)
    return Failure(f"{type(error).__name__}: {error}", cell, text)


def where(output: Path) -> tuple[int | None, str]:
    """Number and source of the last cell that began, from a notebook as far as it was saved."""
    try:
        number, cell = last_started(read(output))
    except Exception:  # nothing readable was saved: the place is unknown, the error is still told
        return None, ""
    return number, source(cell)
