"""The pool as one rank has it: memory and processors of its share of the CPUs, and the fabric between."""

import numpy as np

from analysis.errors import DataError
from analysis.models.offload import Remote

UB, ROCE = FABRICS = ("UB", "RoCE")
# Rows of fabrics.csv: one way, of a die; of a package's share of the CPUs' ports; and of a package.
DIE_LINK = "UB plane to CPU memory, read in a server"
PORTS, NETWORK = "UB plane, share of the CPU ports", "RDMA plane (RoCE)"
# CPUs of a node of eight cards, on which the row of the ports rests [zuo2025cloudmatrix384].
CPUS_A_NODE, CARDS_A_NODE = 4, 8
POOL = ("pool_link_share", "pool_cpus_per_card", "cpu_memory_GBps", "cpu_tflops", "remote_layer_us")


def link_GBps(facts, name):
    """Return the one-way bandwidth of a row of ``fabrics.csv``.

    Raises
    ------
    DataError
        Where there is no such row, or no bandwidth in it.
    """
    key = ("ems throughput links",)
    if key not in facts.derived:
        table = facts.table("fabrics")
        pairs = zip(table["name"], table["bandwidth_GBps_one_way_per_accelerator"], strict=True)
        facts.derived[key] = {name: float(rate) for name, rate in pairs if rate > 0}
    if name not in facts.derived[key]:
        raise DataError(f"fabrics.csv: no bandwidth of {name!r}")
    return facts.derived[key][name]


def remote_of(facts, fabric, values, dies):
    """Return the pool as one rank has it.

    Parameters
    ----------
    facts : Facts
    fabric : ndarray of str
        Shape (N,), of `FABRICS`.
    values : dict of str to ndarray
        The assumptions `POOL`, shape (N,).
    dies : int
        Ranks that share a card.

    Returns
    -------
    Remote
        Fields of shape (N, 1).
    """
    cpus = values["pool_cpus_per_card"]
    ports = link_GBps(facts, PORTS) * cpus * CARDS_A_NODE / CPUS_A_NODE
    card = np.where(np.asarray(fabric) == UB, dies * link_GBps(facts, DIE_LINK), link_GBps(facts, NETWORK))
    link = values["pool_link_share"] * np.minimum(card, ports)
    memory = cpus * values["cpu_memory_GBps"]
    fields = (memory / dies, cpus * values["cpu_tflops"] / dies, link / dies, values["remote_layer_us"])
    return Remote(*(np.asarray(one, dtype=float)[:, None] for one in fields))


def sources(facts):
    """Return the citation keys of the rows of ``fabrics.csv`` that are used."""
    table = facts.table("fabrics").set_index("name")["source"]
    return {key for name in (DIE_LINK, PORTS, NETWORK) for key in table[name].split(";")}
