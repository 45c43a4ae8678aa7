"""Cells of one measurement, as `predict` sees them: text, blanks tolerated."""


def text(row, column, default=""):
    """Return a cell without blanks around it, or the default where it is blank or absent."""
    return str(row.get(column, "")).strip() or default


def number(row, column, default=None):
    """Return a cell as a number, or the default where it is blank or absent.

    Examples
    --------
    >>> number({"ep_degree": "64"}, "ep_degree"), number({}, "top_k", 8)
    (64.0, 8)
    """
    cell = text(row, column)
    return float(cell) if cell else default
