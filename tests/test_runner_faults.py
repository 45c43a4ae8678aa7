"""A runner as a process of its own, killed, interrupted and doubled."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from runner_helpers import FIRST, SECOND, command, scorecard, snapshot, toy_project, write_subject

from analysis.runner.run import run

pytestmark = pytest.mark.fault
WAIT_S = 60


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A finished toy project, with a first notebook that hangs and says so by a file."""
    made = toy_project(tmp_path_factory.mktemp("faults"))
    run(made, ("02_second",))
    marker = made.root / "hangs"
    write_subject(
        made.root,
        "01_first",
        f"import os, pathlib, time\npathlib.Path({str(marker)!r}).write_text(f'{{os.getpid()}} {{os.getppid()}}')\n"
        "time.sleep(600 if years == 9 else 0)",
    )
    return made


@pytest.fixture
def hanging(project):
    """A runner process whose notebook hangs; its kernel's and worker's numbers."""
    marker = project.root / "hangs"
    marker.unlink(missing_ok=True)
    arguments = command(project, "run", "01_first", "-p", "years", "9")
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    until(lambda: marker.exists() and len(marker.read_text().split()) == 2)
    yield process, [int(number) for number in marker.read_text().split()]
    process.kill()
    process.communicate()


def until(condition):
    """Wait for something, not for ever."""
    limit = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.05)


def ended(number):
    """Whether a process is gone (or only waits to be collected)."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_runner_that_is_ended_leaves_the_last_results_and_no_process(project, hanging, sent):
    process, numbers = hanging
    before = snapshot(project.results)
    process.send_signal(sent)
    _, told = process.communicate(timeout=WAIT_S)
    until(lambda: all(map(ended, numbers)))
    assert process.returncode == (130 if sent == signal.SIGINT else -sent)
    assert ("the last complete results are unchanged" in told) == (sent == signal.SIGINT)
    assert snapshot(project.results) == before
    assert bool(list(project.results.glob(".run-*"))) == (sent == signal.SIGKILL)


def test_the_run_after_a_killed_one_just_works(project):
    (project.results / ".run-1-left").mkdir()
    run(project, ("01_first",), {"years": "7"})
    assert not list(project.results.glob(".run-*"))
    assert [scorecard(project)[one]["estimate"] for one in (FIRST, SECOND)] == [7.0, 8.0]


def test_a_second_runner_names_the_first_and_a_killed_worker_is_a_failure_of_its_notebook(project, hanging):
    process, (_, worker) = hanging
    second = subprocess.run(command(project, "run"), capture_output=True, text=True, check=False)
    assert second.returncode == 2
    assert f"process {process.pid}" in second.stderr
    os.kill(worker, signal.SIGKILL)
    _, told = process.communicate(timeout=WAIT_S)
    assert process.returncode == 1
    assert "01_first.ipynb, cell 2: its process was lost (SIGKILL)" in told
