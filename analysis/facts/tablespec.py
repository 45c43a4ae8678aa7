"""What is asked of a table: its key, its columns and the kind of each."""

from dataclasses import dataclass

ROLES = ("calibrate", "validate", "context", "claim")
BOUNDS = ("eq", "at_least", "at_most", "less_than", "up_to", "range")
MEASUREMENTS = "measurements"
FOLDERS = ("", MEASUREMENTS)


@dataclass(frozen=True)
class TableSpec:
    """How one table is checked.

    Attributes
    ----------
    key : tuple of str
        Columns that name a row; no two rows share them, and an overlay replaces by them.
    text : tuple of str
        Columns that must not be blank.
    optional : tuple of str
        Text columns that may be blank.
    numbers, optional_numbers : tuple of str
        Number columns, without and with blanks.
    positive : tuple of str
        Number columns that must be above zero.
    accepted : dict
        Column to the words it may hold.
    patterns : dict
        Column to the regular expression its text must match.
    folder : str
        Subfolder of ``data/`` in which the table lies; blank for ``data/`` itself.
    """

    key: tuple[str, ...]
    text: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    optional_numbers: tuple[str, ...] = ()
    positive: tuple[str, ...] = ()
    accepted: dict | None = None
    patterns: dict | None = None
    folder: str = ""

    @property
    def columns(self):
        """Every column of the table, required ones and those that may be blank."""
        return (*self.text, *self.optional, *self.numbers, *self.optional_numbers)


def measurements(optional=(), optional_numbers=()):
    """A table of published measurements: the common columns, and conditions of its own."""
    return TableSpec(
        key=("id",),
        text=("id", "system", "quantity", "unit", "role", "source", "locator", "confidence"),
        optional=optional,
        numbers=("value",),
        optional_numbers=optional_numbers,
        accepted={"role": ROLES, "bound": BOUNDS},
        folder=MEASUREMENTS,
    )
