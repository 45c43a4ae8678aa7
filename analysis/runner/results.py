"""The results folder: one writer at a time, and a reader sees one complete run or the one before.

A run writes into a staging folder. When everything is there and on disk a marker is written; only then are the files
moved to their final names. A run that is killed before the marker leaves nothing; one killed after it is finished by
whoever opens the folder next.
"""

import fcntl
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from analysis.errors import ParameterError
from analysis.runner.files import flush_to_disk, hash_of_file, write_whole

FORMAT = 1
STAGING = ".run-"
MARKER = "complete"
FINAL = "final"
LAST = ("scorecard.json", "run.json")  # moved last, run.json describes all others
PRUNED = ("notebooks", "claims", "failed")
SOCKET_PATH_LIMIT = 80  # socket addresses hold 104 bytes (macOS) or 108 (Linux), kernels add some 20


@contextmanager
def locked(results: Path) -> Iterator[None]:
    """Be the only runner of a results folder; the system lets go of the lock when we end, however that is.

    Raises
    ------
    ParameterError
        Another runner is at work here, or the folder cannot be written.
    """
    try:
        results.mkdir(parents=True, exist_ok=True)
        file = (results / ".lock").open("a+")
    except OSError as error:
        message = f"cannot write results to {results}: {error.strerror}; choose a folder with --out"
        raise ParameterError(message) from None
    with file:
        _lock(file, results)
        finish_or_clear(results)
        yield


def _lock(file, results: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        owner = file.read().strip() or "unknown"
        message = f"another run (process {owner}) is writing to {results}; wait for it or choose a folder with --out"
        raise ParameterError(message) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()


@contextmanager
def staging(results: Path) -> Iterator[Path]:
    """A new folder inside the results folder (same file system, so that renames are atomic), removed at the end."""
    stage = results / f"{STAGING}{os.getpid()}-{secrets.token_hex(4)}"
    try:
        for part in ("work", f"{FINAL}/notebooks", f"{FINAL}/claims", f"{FINAL}/failed"):
            (stage / part).mkdir(parents=True)
        yield stage
    finally:
        if not (stage / MARKER).exists():
            shutil.rmtree(stage, ignore_errors=True)


@contextmanager
def runtime_folder(stage: Path) -> Iterator[Path]:
    """A folder for kernels' sockets, whose addresses are short: inside the stage, or else a temporary one."""
    inside = stage / "k"
    if len(str(inside)) <= SOCKET_PATH_LIMIT:
        inside.mkdir()
        yield inside
        return
    with tempfile.TemporaryDirectory(prefix="kernels-") as outside:
        yield Path(outside)


def publish(stage: Path) -> None:
    """Make a staged run the current one."""
    for path in sorted((stage / FINAL).rglob("*")):
        flush_to_disk(path)
    write_whole(stage / MARKER, "")
    flush_to_disk(stage)
    finish(stage)


def finish(stage: Path) -> None:
    """Move a complete stage to its final names; may be called again after an interruption."""
    results, final = stage.parent, stage / FINAL
    files = [path.relative_to(final) for path in final.rglob("*") if path.is_file()]
    for name in sorted(files, key=lambda name: (LAST.index(str(name)) if str(name) in LAST else -1, str(name))):
        (results / name).parent.mkdir(exist_ok=True)
        os.replace(final / name, results / name)
    flush_to_disk(results)
    prune(results)
    shutil.rmtree(stage)


def prune(results: Path) -> None:
    """Remove files of notebooks and claims that the current run no longer knows."""
    state = read_state(results)
    known = {name for entry in state["notebooks"].values() for name in entry["files"]} | set(state["files"])
    for folder in PRUNED:
        for path in (results / folder).glob("*"):
            if str(path.relative_to(results)) not in known:
                path.unlink()


def finish_or_clear(results: Path) -> None:
    """Finish the run that was killed while it moved its files; remove what others left."""
    for stage in results.glob(f"{STAGING}*"):
        if (stage / MARKER).exists():
            finish(stage)
        else:
            shutil.rmtree(stage, ignore_errors=True)


def read_state(results: Path) -> dict:
    """What run.json says of the last complete run; empty where there is none of this format."""
    try:
        state = json.loads((results / "run.json").read_text(encoding="utf-8"))
        if state["format"] == FORMAT:
            return state
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return {"format": FORMAT, "notebooks": {}, "files": {}}


def intact(results: Path, files: dict[str, str]) -> bool:
    """Whether files still are what a run wrote (name to hash)."""
    return all(hash_of_file(results / name) == known for name, known in files.items())
