"""The tables of ``data/``, with a reader's own tables laid over them, checked once and kept."""

import math
import os
from functools import cached_property
from pathlib import Path

import pandas as pd

from analysis.errors import DataError, nearest
from analysis.facts import schemas
from analysis.facts.csvfile import read_raw
from analysis.facts.tablespec import FOLDERS

# Found beside the package, never by the current folder.
DATA = Path(__file__).resolve().parents[2] / "data"

_OPENED = {}


def open_facts(data=None):
    """Open the project's tables, with a reader's own laid over them.

    Parameters
    ----------
    data : str or Path, optional
        Folder whose CSV files replace or add rows of the tables of the same name.

    Returns
    -------
    Facts
        The same object as long as no file changed, so that what was derived from it can be kept.

    Raises
    ------
    DataError
        If the folder does not exist or holds a CSV file of an unknown name.
    """
    overlay = Path(data).expanduser().resolve() if data else None
    if overlay is not None:
        _check_overlay(overlay)
    stamp = tuple(_stamp(folder) for folder in (DATA, overlay) if folder)
    key = (DATA, overlay)
    if key not in _OPENED or _OPENED[key].stamp != stamp:
        _OPENED[key] = Facts(DATA, overlay, stamp)
    return _OPENED[key]


def _stamp(folder):
    # One scan of each folder, because every call of `evaluate` asks whether a table changed.
    found = []
    for subfolder in FOLDERS:
        try:
            with os.scandir(folder / subfolder) as entries:
                tables = [(entry.name, entry.stat()) for entry in entries if entry.name.endswith(".csv")]
        except FileNotFoundError:
            continue
        found += [(subfolder, name, stat.st_mtime_ns, stat.st_size) for name, stat in tables]
    return tuple(sorted(found))


def _check_overlay(folder):
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; --data takes a folder of CSV files")
    for path in sorted(path for subfolder in FOLDERS for path in (folder / subfolder).glob("*.csv")):
        if path.stem not in schemas.SPECS:
            raise DataError(f"{path}: no table of that name. {nearest(path.stem, schemas.SPECS)}")


def _path_of(folder, name, *, ours):
    """Where a table lies; a reader's own may lie in the subfolder or straight in the folder, not in both."""
    subfolder = schemas.SPECS[name].folder
    inside, straight = folder / subfolder / f"{name}.csv", folder / f"{name}.csv"
    if ours or not subfolder or not straight.exists():
        return inside
    if inside.exists():
        raise DataError(f"{straight}: the same table lies in {inside}; keep one")
    return straight


class Facts:
    """Checked tables of one ``data/`` folder and one overlay.

    Parameters
    ----------
    root : Path
        The project's ``data/``.
    overlay : Path or None
        A reader's own folder.
    stamp : tuple
        Names, times and sizes of the files, by which a change is noticed.
    """

    def __init__(self, root, overlay, stamp=()):
        self.root, self.overlay, self.stamp = root, overlay, stamp
        self._tables = {}
        self._origins = {}

    def table(self, name):
        """Return a checked table.

        Parameters
        ----------
        name : str
            Name of a CSV file of ``data/`` or ``data/measurements/`` without its ending.

        Returns
        -------
        pandas.DataFrame
            Numbers as floats, blanks as NaN (numbers) or empty text. Treat it as read-only.

        Raises
        ------
        DataError
            For an unknown table, or the first cell that is wrong, with its file, line and column.
        """
        if name not in self._tables:
            if name not in schemas.SPECS:
                raise DataError(f"no table {name!r}. {nearest(name, schemas.SPECS)}")
            self._tables[name] = self._checked(name)
        return self._tables[name]

    def where(self, name, row):
        """Name the file and line of a row of a table, for an error message."""
        path, line = self._origins[name][row]
        return f"{path}, line {line}"

    @cached_property
    def derived(self):
        """A place where callers keep what they computed from these tables."""
        return {}

    def _checked(self, name):
        spec = schemas.SPECS[name]
        rows, origins = self._merged(name, spec)
        self._origins[name] = origins
        frame = _typed(rows, spec, origins)
        _validate(frame, name, origins)
        if name in schemas.WITH_UNITS:
            self._check_units(frame, name, origins)
        return frame

    def _merged(self, name, spec):
        """Rows of the project's table, replaced and extended row by row by the reader's."""
        merged, known = {}, None
        for folder in filter(None, (self.root, self.overlay)):
            path = _path_of(folder, name, ours=folder == self.root)
            if folder == self.overlay and not path.exists():
                continue
            raw = read_raw(path)
            _check_columns(raw, spec, known if folder == self.overlay else None)
            _check_end(raw, folder == self.root)
            known = known or dict.fromkeys((*spec.columns, *raw.columns))
            seen = set()
            for row, line in zip(raw.rows, raw.lines, strict=True):
                key = tuple(row[column] for column in spec.key)
                if key in seen:
                    raise DataError(f"{path}, line {line}, column {spec.key[-1]}: {'/'.join(key)!r} stands twice")
                seen.add(key)
                below = merged[key][0] if key in merged else dict.fromkeys(spec.columns, "")
                merged[key] = ({**below, **row}, (path, line))
        return [row for row, _ in merged.values()], [origin for _, origin in merged.values()]

    def _check_units(self, frame, name, origins):
        units = list(self.table("units")["unit"])
        for row, unit in enumerate(frame["unit"]):
            if unit and unit not in units:
                path, line = origins[row]
                raise DataError(f"{path}, line {line}, column unit: unknown unit {unit!r}. {nearest(unit, units)}")


def _check_columns(raw, spec, known):
    """Ours have every column. A reader's may leave some out, but a column that nobody knows is a typing error."""
    wanted = spec.columns if known is None else spec.key
    missing = [column for column in wanted if column not in raw.columns]
    if missing:
        raise DataError(f"{raw.path}, line 1: column {missing[0]!r} is missing; expected {', '.join(spec.columns)}")
    unknown = [column for column in raw.columns if known is not None and column not in known]
    if unknown:
        raise DataError(f"{raw.path}, line 1: no column {unknown[0]!r} in this table. {nearest(unknown[0], known)}")


def _check_end(raw, ours):
    # Ours always end with a newline; one that does not was cut. A reader's own editor may well leave it out.
    if ours and not raw.complete:
        raise DataError(
            f"{raw.path}, line {raw.lines[-1] if raw.lines else 1}: the file ends inside a row (truncated?)"
        )


def _typed(rows, spec, origins):
    """Text to numbers where the specification says so; a blank that is needed, or no number, is an error."""
    extra = [column for column in (rows[0] if rows else {}) if column not in spec.columns]
    frame = pd.DataFrame(rows, columns=[*spec.columns, *extra], dtype=object)
    for column in (*spec.numbers, *spec.optional_numbers):
        frame[column] = [_number(text, column, origin) for text, origin in zip(frame[column], origins, strict=True)]
        frame[column] = frame[column].astype(float)
    needed = (*spec.text, *spec.numbers)
    for column in needed:
        for row, cell in enumerate(frame[column]):
            if cell == "" or (isinstance(cell, float) and math.isnan(cell)):
                raise DataError(f"{origins[row][0]}, line {origins[row][1]}, column {column}: blank; a value is needed")
    return frame


def _number(text, column, origin):
    if text == "":
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{origin[0]}, line {origin[1]}, column {column}: {text!r} is no finite number")
    return value


def _validate(frame, name, origins):
    import pandera.errors

    # pandera takes a blank as missing only when it is None.
    checked = frame.replace({"": None})
    try:
        schemas.schema(name).validate(checked, lazy=True)
    except pandera.errors.SchemaErrors as error:
        case = error.failure_cases.sort_values("index", kind="stable").iloc[0]
        path, line = origins[int(case["index"])]
        found = case["failure_case"]
        shown = repr(found) if isinstance(found, str) else f"{found:g}"
        raise DataError(f"{path}, line {line}, column {case['column']}: {shown}; expected {case['check']}") from None
