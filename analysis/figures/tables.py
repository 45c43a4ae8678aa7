"""Tables for notebooks: Markdown, so that they read the same in JupyterLab and on GitHub."""


def markdown_table(columns, rows):
    r"""Return a Markdown table.

    Parameters
    ----------
    columns : sequence of str
        Headings.
    rows : iterable of sequence
        Cells; None is blank, and what is no text is turned into it.

    Returns
    -------
    str

    Examples
    --------
    >>> print(markdown_table(["claim", "x"], [["bus", 9], ["a|b", None]]))
    | claim | x |
    |---|---|
    | bus | 9 |
    | a\|b |  |
    """
    lines = [list(columns), *([*row] for row in rows)]
    text = [f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines]
    return "\n".join([text[0], "|" + "---|" * len(columns), *text[1:]])


def _cell(value):
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")


def show_markdown(text):
    """Display Markdown in a notebook."""
    from IPython.display import Markdown, display

    display(Markdown(text))


def show_table(columns, rows):
    """Display a Markdown table in a notebook."""
    show_markdown(markdown_table(columns, rows))
