"""What the kernels of an accelerator depend on besides its peaks: multiprocessors, exponentials, board power."""

from dataclasses import dataclass

from analysis.facts.hardware import accelerators

# Operations of one score in the two products of attention, for each unit of the width of a head.
PRODUCTS_PER_WIDTH = 4


@dataclass(frozen=True)
class Architecture:
    """One accelerator of ``architectures.csv``.

    Attributes
    ----------
    name, family : str
    multiprocessors : int
    softmax_width : float
        Width of a head at which the exponential of a score takes as long as its products.
    board_watts : float
    """

    name: str
    family: str
    multiprocessors: int
    softmax_width: float
    board_watts: float


def architecture(facts, name):
    """Return the architecture of an accelerator, or None where the tables do not tell it.

    Parameters
    ----------
    facts : Facts
    name : str
        A name of ``accelerators.csv``.

    Returns
    -------
    Architecture or None
    """
    return architectures(facts).get(name)


def architectures(facts):
    """Return every accelerator of ``architectures.csv`` whose board power is known, by name."""
    if "architectures" not in facts.derived:
        watts = {card.name: _middle(card.cells["tdp_w"]) for card in accelerators(facts) if "tdp_w" in card.cells}
        rows = facts.table("architectures").itertuples(index=False)
        facts.derived["architectures"] = {
            row.name: Architecture(
                name=row.name,
                family=row.family,
                multiprocessors=int(row.multiprocessors),
                softmax_width=row.matrix_flops_per_clock / (PRODUCTS_PER_WIDTH * row.exponentials_per_clock),
                board_watts=watts[row.name],
            )
            for row in rows
            if row.name in watts
        }
    return facts.derived["architectures"]


def _middle(cell):
    return (cell.low + cell.high) / 2
