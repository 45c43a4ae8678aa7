"""Kernels that exchange tokens between experts: one library on one card, with the constants that were fitted."""

import re
from dataclasses import dataclass

from analysis.facts.devices import BITS_A_BYTE
from analysis.models.collectives import Fabrics
from analysis.models.expert_exchange import Kernel

UB_WRITE, UB_PEAK = "UB plane, measured write between servers", "UB plane, link peak per die"
NETWORK = re.compile(r"infiniband|roce|rdma|ethernet|\bib\b", re.IGNORECASE)
LINE_RATE = re.compile(r"(\d+)\s*g", re.IGNORECASE)
DIES_A_PACKAGE = 2
PACKAGES_A_SERVER = 8


@dataclass(frozen=True)
class Library:
    """Which constants describe a library; names of fitted constants, blank where the term is absent.

    Attributes
    ----------
    fixed_us : str
    forwards : bool
        Its normal kernels send one copy a token and server and pass it on inside; else every copy travels by itself.
    quantised_copy_ns, outside_copy_ns : str
        Of each copy that a core quantises on its own, and of each that leaves the server.
    dispatch_share, combine_share, scaleout_share : str
        Parts of the peak of the scale-up link, and of the network card, that the normal kernels reach.
    extra_copies : int
        Copies besides those of the routed experts: a shared expert that is dispatched too.
    scale_bytes_per_value : float
        Of an 8-bit value: a 4-byte scale for every 128 values, where they are counted.
    """

    fixed_us: str
    forwards: bool
    quantised_copy_ns: str
    outside_copy_ns: str
    dispatch_share: str
    combine_share: str
    scaleout_share: str
    extra_copies: int = 0
    scale_bytes_per_value: float = 4 / 128


_ASCEND = ("ub_quantised_copy", "ub_copy_outside_server", "ub_dispatch_share", "ub_combine_share", "")
LIBRARIES = {
    "DeepEP": Library(
        "deepep_fixed", True, "", "", "deepep_scaleup_share", "deepep_scaleup_share", "deepep_scaleout_share"
    ),
    "DeepEP-Ascend": Library("deepep_ascend_fixed", False, *_ASCEND),
    "CANN EP": Library("cann_ep_fixed", False, *_ASCEND, extra_copies=1, scale_bytes_per_value=0.0),
}


@dataclass(frozen=True)
class Links:
    """What joins the ranks of a group, at peak rates.

    Attributes
    ----------
    scaleup_GBps, scaleout_GBps : float
        One way, of one rank.
    domain, ranks_per_server : int
        Ranks that the scale-up fabric joins, and how many of them sit in one server.
    package_ranks : int
    direct_share : float
        Part of the scale-up peak that direct copies reach.
    """

    scaleup_GBps: float
    scaleout_GBps: float
    domain: int
    ranks_per_server: int
    package_ranks: int = 1
    direct_share: float = 1.0


def library_of(name, card):
    """Return the library whose constants apply on a card, and a note where it is another one.

    Parameters
    ----------
    name : str
        As written in a measurement; may be blank.
    card : str
        Name of ``accelerators.csv``.

    Returns
    -------
    Library
    note : str
    """
    if name in LIBRARIES:
        return LIBRARIES[name], ""
    nearest = "DeepEP-Ascend" if is_ub_card(card) else "DeepEP"
    return LIBRARIES[nearest], f"library {name or 'not stated'}: constants of {nearest}"


def links_of(facts, card, fabric, ranks_per_server=None):
    """Return what joins the ranks.

    Parameters
    ----------
    facts : Facts
    card : Device
        One rank: a die where a package holds two.
    fabric : str
        As written in a measurement. A network (InfiniBand, RoCE) joins servers, or racks whose cards share a scale-up
        fabric; anything else is that fabric itself, as far as it reaches.
    ranks_per_server : float, optional
        As the card is built where not given.

    Returns
    -------
    Links
    """
    is_ub = is_ub_card(card.name)
    server = round(ranks_per_server or (DIES_A_PACKAGE * PACKAGES_A_SERVER if is_ub else card.scaleup_domain))
    network, rate = NETWORK.search(fabric), LINE_RATE.search(fabric)
    is_rack = card.scaleup_domain > PACKAGES_A_SERVER and not is_ub
    return Links(
        scaleup_GBps=card.scaleup_GBps,
        scaleout_GBps=float(rate.group(1)) / BITS_A_BYTE if network and rate else card.scaleout_GBps,
        domain=server if network and not is_rack else card.scaleup_domain,
        ranks_per_server=server,
        package_ranks=DIES_A_PACKAGE if is_ub else 1,
        direct_share=ub_write_share(facts) if is_ub else 1.0,
    )


def is_ub_card(name):
    """Whether a card is a package of two dies on UB."""
    return name == "Ascend 910C"


def ub_write_share(facts):
    """Return the part of a UB link's peak that large writes between servers reach."""
    table = facts.table("fabrics").set_index("name")["bandwidth_GBps_one_way_per_accelerator"]
    return float(table[UB_WRITE] / table[UB_PEAK])


def exchange_kernel(library, links, values, *, normal, combine, quantised=False):
    """Return the kernel of a library.

    Parameters
    ----------
    library : Library
    links : Links
    values : dict of str to float
        Fitted constants.
    normal : bool
        The kernel for many tokens; else the one for low latency.
    combine : bool
        Else dispatch.
    quantised : bool
        Whether values are sent in 8 bits or fewer.

    Returns
    -------
    Kernel
    """
    share = library.combine_share if combine else library.dispatch_share
    up, out = (values[share], values.get(library.scaleout_share, 1.0)) if normal else (links.direct_share, 1.0)
    slowed = library.quantised_copy_ns and quantised and not combine and not normal
    return Kernel(
        fabrics=Fabrics(up * links.scaleup_GBps, out * links.scaleout_GBps),
        scaleup_domain=links.domain,
        fixed_us=values[library.fixed_us],
        package_ranks=links.package_ranks,
        copy_ns=values[library.quantised_copy_ns] if slowed else 0.0,
        outside_copy_ns=values[library.outside_copy_ns] if library.outside_copy_ns else 0.0,
    )
