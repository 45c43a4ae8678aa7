"""Inference engines: which fitted constants describe their kernels, and what they reach with them."""

from dataclasses import dataclass, fields

import numpy as np

from analysis.facts.assumptions import assumptions
from analysis.models.expert_load import balanced_peak
from analysis.models.inference import Reached, Work

FAMILIES = {
    "hopper": ("H100 SXM", "H100 PCIe", "H200 SXM", "H800 SXM"),
    "h20": ("H20", "H20-3e"),
    "blackwell": ("B100", "B200", "B300", "GB200", "GB300"),
    "ascend": ("Ascend 910C", "Ascend 910B1", "Ascend 910B2", "Ascend 910B3"),
}
BLOCK_SCALED, LAYER_OVERHEAD = "hopper_block_matrix_share", "ascend_layer_overhead"
MATRIX_SHARES = {family: f"{family}_matrix_share" for family in FAMILIES}
LOAD_SPREAD, UNALIGNED = "expert_load_spread", "unaligned_share"
STEP_OVERHEAD, SEQUENCE_OVERHEAD = "step_overhead", "sequence_overhead"


@dataclass(frozen=True)
class Kernels:
    """Which fitted constants apply; names are blank where none does.

    Attributes
    ----------
    matrix_share, layer_overhead : str
    load_position, exchange_position : float
        Of the busiest of the ranks with experts, and of the busiest link, in standard deviations of a rank's load; 0
        where routing is balanced.
    free_cores : float
        Part of the cores that an exchange leaves to the matrices while they overlap.
    """

    matrix_share: str
    layer_overhead: str
    load_position: float
    exchange_position: float
    free_cores: float = 1.0


def kernels_of(card, formats, layout, handover, *, balanced, free_cores=1.0):
    """Return which constants apply, and a note where a card has none of its own.

    Parameters
    ----------
    card : Device
    formats : Formats
    layout : Layout
    handover : Handover or None
    balanced : bool
        All experts are equally popular.
    free_cores : float

    Returns
    -------
    Kernels
    note : str
    """
    family = next((name for name, cards in FAMILIES.items() if card.name in cards), "")
    share = BLOCK_SCALED if family == "hopper" and formats.block_scaled else MATRIX_SHARES.get(family, "")
    uneven = layout.expert_ranks > 1 and not balanced
    position = _busiest(layout.expert_ranks) if uneven else 0.0
    exchange_position = position
    if uneven and handover is not None and handover.forwards and handover.dispatch.servers > 1:
        # One copy a server crosses the network, so that the loads of a server's ranks average out.
        exchange_position = _busiest(handover.dispatch.servers) / np.sqrt(handover.dispatch.inside)
    note = "" if family else f"{card.name}: matrix share typical of other cards"
    overhead = LAYER_OVERHEAD if family == "ascend" else ""
    return Kernels(share, overhead, position, exchange_position, free_cores), note


def _busiest(count):
    return float(balanced_peak(count, 1.0)) - 1


def published_shares(facts):
    """Return the shares of the peaks of memory bandwidth and of attention's products that kernels publish."""
    return tuple(one.mode for one in assumptions(facts, ("memory_bandwidth_share", "attention_compute_share")))


def reached(kernels, values, published):
    """Return what kernels reach with fitted constants, one entry for each of them.

    Parameters
    ----------
    kernels : sequence of Kernels
    values : dict of str to float
    published : tuple of float
        Shares of the peaks of memory bandwidth and of attention's products: see `published_shares`.

    Returns
    -------
    Reached
    """
    typical = float(np.exp(np.mean([np.log(values[name]) for name in MATRIX_SHARES.values()])))
    free = np.array([one.free_cores for one in kernels])
    return Reached(
        matrix_share=free * np.array([values.get(one.matrix_share, typical) for one in kernels]),
        attention_share=free * published[1],
        memory_share=published[0],
        peak_load=1 + values[LOAD_SPREAD] * np.array([one.load_position for one in kernels]),
        exchange_load=1 + values[LOAD_SPREAD] * np.array([one.exchange_position for one in kernels]),
        layer_overhead_us=np.array([values.get(one.layer_overhead, 0.0) for one in kernels]),
        step_overhead_ms=values[STEP_OVERHEAD],
        sequence_overhead_us=values[SEQUENCE_OVERHEAD],
    )


def joined(works):
    """Return many counts of work as one, entries side by side."""
    columns = {}
    for field in fields(Work):
        parts = []
        for work in works:
            size = np.size(work.prompt_compute_s)
            cell = np.asarray(getattr(work, field.name), dtype=float)
            rows = cell.shape[:1] if field.name in ("compute_s", "read_s") else ()
            cell = cell.reshape(*rows, -1)
            parts.append(np.broadcast_to(cell, (*rows, size)))
        columns[field.name] = np.concatenate(parts, axis=-1)
    return Work(**columns)
