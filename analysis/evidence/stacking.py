"""Many small dataclasses of numbers as one of arrays, so that a model answers for all of them in one call."""

from dataclasses import fields, is_dataclass

import numpy as np


def stacked(items):
    """Return one dataclass of arrays from many of numbers.

    Parameters
    ----------
    items : sequence
        Dataclasses of one type; fields that are dataclasses are stacked in turn.

    Returns
    -------
    dataclass
        Of the same type; each field an array, shape (len(items),).
    """
    columns = {field.name: [getattr(item, field.name) for item in items] for field in fields(items[0])}
    return type(items[0])(
        **{name: stacked(cells) if is_dataclass(cells[0]) else np.array(cells) for name, cells in columns.items()}
    )
