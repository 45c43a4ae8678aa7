"""Who serves which model: instances of an engine, what their memory leaves for a cache, and the links to a pool."""

from dataclasses import dataclass, replace

from analysis.errors import DataError, nearest
from analysis.evidence.first_token import prefiller
from analysis.evidence.serving import formats_of, stored_bytes
from analysis.facts.devices import bytes_per_value, device
from analysis.facts.hardware import accelerators
from analysis.facts.transformers import Transformer, transformer
from analysis.models.batching import GIB
from analysis.models.first_token import Prefiller
from analysis.models.transformer_costs import key_value_bytes, parameters

MODELS = ("DeepSeek-R1", "Kimi-K2", "Pangu Ultra MoE 718B", "Qwen3-235B-A22B", "Qwen2.5-72B", "QwQ-32B")
# Cards of an instance, and how many of them share the work on one prompt: all, or each has prompts of its own.
LAYOUTS = {"8 tensor": (8, 8), "16 data": (16, 1), "32 data": (32, 1)}
INSTANCES = (4, 8, 16)
# Of the memory: below this an instance has no room to serve, whatever else is assumed.
LEAST_LEFT = 0.1


@dataclass(frozen=True)
class System:
    """Cards, and the link by which they reach a pool.

    Attributes
    ----------
    card : str
        A name of ``accelerators.csv``.
    fabric : str
    link : str
        A name of ``fabrics.csv``; blank for the card's own network.
    precision : str
        Of the weights.
    """

    card: str
    fabric: str
    link: str
    precision: str


SYSTEMS = {
    # What all cards of the supernode can read from its CPUs at once.
    "910C UB": System("Ascend 910C", "UB", "UB plane, share of the CPU ports", "INT8"),
    "910C RoCE": System("Ascend 910C", "RoCE", "", "INT8"),
    "910B RoCE": System("Ascend 910B3", "RoCE", "", "INT8"),
    "H800 InfiniBand": System("H800 SXM", "InfiniBand", "", "FP8"),
    "H20 InfiniBand": System("H20", "InfiniBand", "", "FP8"),
}


@dataclass(frozen=True)
class Instance:
    """One engine on some cards.

    Attributes
    ----------
    model, system, layout : str
    cards : int
        All that hold its weights.
    shape : Transformer
    prefiller : Prefiller
        Of the cards that share a prompt.
    link_GBps, host_GBps : float
        Printed rate from the pool, and from the memory of the own servers, into the cards that share a prompt.
    memory_bytes, weight_bytes, token_bytes : float
        Of all cards, of the model, and of the keys and values of one token.
    copies : float
        That the accelerators keep of keys and values, where more cards share a prompt than there are heads of them.
    """

    model: str
    system: str
    layout: str
    cards: int
    shape: Transformer
    prefiller: Prefiller
    link_GBps: float
    host_GBps: float
    memory_bytes: float
    weight_bytes: float
    token_bytes: float
    copies: float


def instance(facts, model, system, layout):
    """Return an instance, or None where the weights leave no room or a dense model would be spread further.

    Parameters
    ----------
    facts : Facts
    model, system, layout : str

    Returns
    -------
    Instance or None
    """
    key = ("ems ttft instance", model, system, layout)
    if key not in facts.derived:
        facts.derived[key] = _instance(facts, model, system, layout)
    return facts.derived[key]


def _instance(facts, model, name, layout):
    system, shape = SYSTEMS[name], transformer(facts, model)
    cards, sharing = LAYOUTS[layout]
    card = device(facts, system.card)
    weights = parameters(shape) * stored_bytes(system.precision.lower())
    memory = cards * card.memory_gb * GIB
    if weights > (1 - LEAST_LEFT) * memory or (sharing < cards and not shape.routed_experts):
        return None
    link, host = _links(facts, system, card)
    alone = prefiller(facts, system.card, sharing, model, system.precision)
    cache = formats_of(facts, model, system.precision).cache
    return Instance(
        model=model,
        system=name,
        layout=layout,
        cards=cards,
        shape=shape,
        # Cards that do not share a prompt share the experts all the same.
        prefiller=replace(alone, weight_bytes=alone.weight_bytes * sharing / cards),
        link_GBps=sharing * link,
        host_GBps=sharing * host,
        memory_bytes=memory,
        weight_bytes=weights,
        token_bytes=float(key_value_bytes(shape, 1, bytes_per_value(cache))),
        copies=sharing / min(sharing, 1 if shape.latent_attention else shape.key_value_heads),
    )


def _links(facts, system, card):
    """From the pool and from the own server's memory into one card."""
    if system.link:
        table = facts.table("fabrics").set_index("name")
        if system.link not in table.index:
            raise DataError(f"fabrics.csv: no row {system.link!r}. {nearest(system.link, table.index)}")
        # On UB the memory of the own CPUs lies behind the same ports.
        rate = float(table.loc[system.link, "bandwidth_GBps_one_way_per_accelerator"])
        return rate, rate
    cell = next(one for one in accelerators(facts) if one.name == card.name).cells["host_bus_GBps_bidirectional"]
    return card.scaleout_GBps, (cell.low + cell.high) / 2 / 2
