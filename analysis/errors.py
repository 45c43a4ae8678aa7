"""What can go wrong on the reader's side, so that a caller can tell it from a defect of ours."""

from difflib import get_close_matches


class AnalysisError(Exception):
    """Bad input of any kind; the message names what was given, where, and what is accepted."""


class ParameterError(AnalysisError, ValueError):
    """An unknown parameter, or a value of the wrong type or out of range."""


class DataError(AnalysisError, ValueError):
    """A data file, row or cell that is missing or wrong; the message names file, row and column."""


def nearest(word, accepted):
    """Return the end of an error message: the names nearest to a word, and all that are accepted.

    Examples
    --------
    >>> nearest("yaers", ["years", "vendor"])
    'Did you mean years? Accepted: years, vendor'
    """
    names = [str(name) for name in accepted]
    spelt = {name.lower(): name for name in reversed(names)}
    close = [spelt[name] for name in get_close_matches(str(word).lower(), list(spelt), n=3, cutoff=0.5)]
    hint = f"Did you mean {', '.join(close)}? " if close else ""
    return f"{hint}Accepted: {', '.join(names)}"
