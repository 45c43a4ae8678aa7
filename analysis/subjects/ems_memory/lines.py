"""Independent lines of evidence: what pools saved elsewhere, none of them with a constant of the model."""

import numpy as np

from analysis.errors import DataError
from analysis.facts.units import PER_CENT
from analysis.subjects.ems_memory.counts import CARDS

# Time of cards with a prefix cache in their own memory over that with a pool, same requests and cards.
MEMORY_OVER_POOL = ("KV043", "KV045", "KV047")
AGENTS, SERVICE = "KV066", "KV110"
WITH_FILES, WITHOUT_FILES = "KV092", "KV092a"
COST_CUT, PRICE_CUT = "KV018", "KV006"


def _row(facts, name):
    table = facts.table("kvcache")
    rows = table[table["id"] == name]
    if not len(rows):
        raise DataError(f"kvcache.csv: no row {name!r}, a line of evidence on memory")
    return rows.iloc[0]


def sources(facts):
    """Return the citation keys behind the lines, and those of the printed prices."""
    names = (*MEMORY_OVER_POOL, AGENTS, SERVICE, WITH_FILES, COST_CUT, PRICE_CUT)
    cells = [*(_row(facts, name)["source"] for name in names), *facts.table("memory_prices")["source"]]
    return {key for cell in cells for key in cell.split(";")}


def lines_of(facts, settings, reading, assumptions):
    """Return the lines of evidence for one reading.

    Parameters
    ----------
    facts : Facts
    settings : dict
    reading : str
    assumptions : sequence of Assumption

    Returns
    -------
    dict
        Name to ``{estimate, interval, note}``; without a pool over with it.
    """
    return _cards(facts) if reading == CARDS else _cost(facts)


def _told(estimate, interval, note):
    bounds = None if interval is None else [[float(one) for one in interval]]
    return {"estimate": [float(estimate)], "interval": bounds, "note": note}


def _cards(facts):
    rows = [_row(facts, name) for name in MEMORY_OVER_POOL]
    times = [row["value"] for row in rows]
    agents, service, files = (_row(facts, name) for name in (AGENTS, SERVICE, WITH_FILES))
    measured = f"time of cards for prompts, cache in their own memory over a pool, three traces [{rows[0]['source']}]"
    found = 1 / (1 - service["value"] / PER_CENT)
    return {
        "Mooncake, own memory over pool": _told(np.median(times), (min(times), max(times)), measured),
        "coding agents on GB200": _told(
            agents["value"], None, f"throughput with the pool over that without, overloaded [{agents['source']}]"
        ),
        "DeepSeek's cache on disk": _told(
            found, None, f"bound: cards for prompts if nothing that the disk gave were cached [{service['source']}]"
        ),
        "a pool of files": _told(
            _row(facts, WITHOUT_FILES)["value"] / files["value"],
            None,
            f"a slow tier: the run takes longer with it [{files['source']}]",
        ),
    }


def _cost(facts):
    cut, price = _row(facts, COST_CUT), _row(facts, PRICE_CUT)

    def kept(percent):
        return 1 / (1 - percent / PER_CENT)

    return {
        "CachedAttention": _told(
            kept(cut["value"]), None, f"published cost of inference, at most, against recomputation [{cut['source']}]"
        ),
        "price of cached calls": _told(
            kept(price["value"]),
            (kept(price["value_low"]), kept(price["value_high"])),
            f"what a call costs whose prefix is cached [{price['source']}]",
        ),
    }


def price_table(facts):
    """Return what a gigabyte costs on a card and in a server.

    Parameters
    ----------
    facts : Facts

    Returns
    -------
    pandas.DataFrame
        item, kind, usd_per_gb, over_pool (a gigabyte of it over the cheapest in a server), source.
    """
    table = facts.table("memory_prices")
    each = table["usd"] / table["memory_gb"]
    cheapest = each[table["kind"] == "pool"].min()
    columns = {"usd_per_gb": each, "over_pool": each / cheapest}
    return table[["item", "kind"]].assign(**columns, source=table["source"])
