"""What is compared: the same cards joined by UB, or in servers or racks with a network between them."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from analysis.evidence.serving import card_of
from analysis.evidence.training import training_machine
from analysis.facts.devices import device
from analysis.facts.systems import supernode, systems
from analysis.facts.transformers import transformer
from analysis.judgement.case import Options
from analysis.models.collectives import Fabrics

CARD, TRAINED_IN, SERVED_IN = "Ascend 910C", "BF16", "INT8"
MODELS = ("DeepSeek-V3", "Qwen3-235B-A22B", "Llama-3.1 405B", "Pangu Ultra 135B")
HCCS = "HCCS full mesh, all seven links"
SIZES = (384, 1536, 9216)
WAITS, HIDDEN = EXCHANGES = ("waits", "hidden")
DECODE, PREFILL = PHASES = ("decode", "prefill")
SERVER_CARDS, RACK = 8, "GB200 NVL72"
# A side that serves nothing counts as a thousandth of the other one.
LEAST_PART = 1e-3


@dataclass(frozen=True)
class Side:
    """How cards are joined.

    Attributes
    ----------
    name : str
    domain : int
        Cards that the fast fabric joins.
    fabric : str
        A row of ``fabrics.csv`` for the fast fabric; blank for the card's own.
    network_part : float
        Rate of the network between domains, over the card's own.
    """

    name: str
    domain: int
    fabric: str = ""
    network_part: float = 1.0


# The network card of the package carries two ports of 200 Gbit/s; the older servers have one.
SLOW, FAST, LIKE_RACK = BASELINES = ("servers 200G", "servers 400G", "racks of 72")


def baseline(facts, name):
    """Return one of the `BASELINES`: the same cards without a supernode."""
    if name == LIKE_RACK:
        return Side(name, systems(facts)[RACK].accelerators)
    return Side(name, SERVER_CARDS, HCCS, 0.5 if name == SLOW else 1.0)


def joined(facts, cards=None):
    """Return the supernode, or a part of it with so many cards."""
    whole = supernode(facts).accelerators
    return Side("supernode", int(cards or whole))


def fast_GBps(facts, side, own_GBps):
    """Return the peak rate of a side's fast fabric, one way and for one card."""
    if not side.fabric:
        return own_GBps
    table = facts.table("fabrics").set_index("name")["bandwidth_GBps_one_way_per_accelerator"]
    return float(table[side.fabric])


def machine(facts, side, peak_share, network_share):
    """Return what a card and its links reach in training.

    Parameters
    ----------
    facts : Facts
    side : Side
    peak_share, network_share : array_like
        Of the 16-bit peak, by products; of the line rate, between domains.

    Returns
    -------
    Machine
        All else as of a card without training measurements of its own.
    """
    card = device(facts, CARD)
    key = ("matrixlink machine", side.domain)
    if key not in facts.derived:
        facts.derived[key] = training_machine(facts, CARD, TRAINED_IN, ranks_per_domain=side.domain)
    typical = facts.derived[key]
    reached = typical.fabrics.scaleup_GBps / card.scaleup_GBps
    fabrics = Fabrics(
        reached * fast_GBps(facts, side, card.scaleup_GBps), network_share * side.network_part * card.scaleout_GBps
    )
    return replace(typical, matrix_tflops=peak_share * card.tflops(TRAINED_IN), fabrics=fabrics)


def die(facts, side, network_share):
    """Return one die of a card as a serving rank sees it, and how many a card has."""
    card, dies = card_of(facts, CARD)
    scaleup = fast_GBps(facts, side, card.scaleup_GBps * dies) / dies
    scaleout = network_share * side.network_part * card.scaleout_GBps
    return replace(card, scaleup_GBps=scaleup, scaleout_GBps=scaleout, scaleup_domain=side.domain * dies), dies


def chosen(settings, name, accepted):
    """Return the words of a comma-separated setting, or all of them."""
    words = [word.strip() for word in settings[name].split(",")]
    return tuple(word for word in accepted if "all" in words or str(word) in words)


def options_of(facts, settings, *, with_training, with_inference):
    """Return every comparison that the settings leave open.

    Parameters
    ----------
    facts : Facts
    settings : dict
        `model`, `baseline`, `cards`, `exchange` and `phase` are used.
    with_training, with_inference : bool
        Whether what decides one of them alone is enumerated.

    Returns
    -------
    Options
    """
    axes = {"model": MODELS, "baseline": BASELINES}
    axes |= {"cards": SIZES, "exchange": EXCHANGES} if with_training else {}
    axes |= {"phase": PHASES} if with_inference else {}
    combined = list(product(*(chosen(settings, name, accepted) for name, accepted in axes.items())))
    columns = {
        name: np.array(cells, dtype=object) for name, cells in zip(axes, zip(*combined, strict=True), strict=True)
    }
    shapes = [transformer(facts, name) for name in columns["model"]]
    found = [baseline(facts, name) for name in columns["baseline"]]
    columns["kind"] = np.array(["experts" if one.routed_experts else "dense" for one in shapes], dtype=object)
    columns["domain"] = np.array([one.domain for one in found], dtype=float)
    ordered = {"domain": (float(SERVER_CARDS), float(joined(facts).domain), "cards")}
    if with_training:
        columns["cards"] = columns["cards"].astype(float)
        ordered["cards"] = (float(SIZES[0]), float(SIZES[-1]), "cards")
    return Options(
        columns,
        choices=tuple(axes),
        categories=("kind", *(name for name in ("exchange", "phase") if name in axes)),
        ordered=ordered,
        rows=("model",),
        sources=tuple((one.sources,) for one in shapes),
    )
