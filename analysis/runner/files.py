"""Files that are whole or absent, and their hashes."""

import hashlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    r"""Write a text so that the path never shows half of it: beside, flushed to disk, then renamed.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "row.csv"
    >>> write_whole(path, "a,b\n"); path.read_text()
    'a,b\n'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(beside, 0o666 & ~_umask())  # mkstemp's files are for the owner alone
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def flush_to_disk(path: Path) -> None:
    """Have the system write a file's or folder's content to disk now."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def hash_of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, or nothing when there is no such file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def hash_of_text(*parts: str) -> str:
    """SHA-256 of some texts, each kept apart from the next."""
    return hashlib.sha256(b"\0".join(part.encode() for part in parts)).hexdigest()


def hash_of_folders(folders: Iterable[Path]) -> str:
    """SHA-256 over the names and bytes of all files below some folders; caches and hidden files left out."""
    return hash_of_text(
        *(f"{path.relative_to(folder)} {hash_of_file(path)}" for folder in folders for path in _files_below(folder))
    )


def _files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not _is_cache(path.relative_to(folder)))


def _is_cache(path: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)
