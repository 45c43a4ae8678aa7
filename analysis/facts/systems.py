"""Systems of many accelerators: supernodes, racks and servers, with the figures printed of them."""

from dataclasses import dataclass

from analysis.errors import DataError, nearest
from analysis.facts.hardware import Accelerator, accelerators

SUPERNODE, RACK, SERVER = "supernode", "rack", "server"
POWER, PEAK = "power", "peak"
UNITS = {POWER: ("kW",), PEAK: ("TFLOPS", "TOPS"), "system_peak": ("PFLOPS",)}
# Of what a peak is printed.
COUNTED = ("die", "package")


@dataclass(frozen=True)
class System:
    """One row of ``systems.csv``.

    Attributes
    ----------
    name, kind : str
    card : Accelerator
    accelerators, nodes : int
    devices : int
        That software sees in one accelerator: two for a package whose dies are apart.
    power_kw : tuple of float or None
        The lowest and the highest printed power; None where nobody prints one.
    sources, power_sources : frozenset of str
        Citation keys of the row, and of its power.
    """

    name: str
    kind: str
    card: Accelerator
    accelerators: int
    nodes: int
    devices: int
    power_kw: tuple[float, float] | None
    sources: frozenset
    power_sources: frozenset

    @property
    def scaleup_domain(self):
        """How many accelerators the scale-up link joins; 1 where nothing is known."""
        cell = self.card.cells.get("scaleup_domain_size")
        return round(cell.high) if cell else 1


def systems(facts):
    """Return every system of the tables by name, in their order.

    Parameters
    ----------
    facts : Facts

    Returns
    -------
    dict of str to System

    Raises
    ------
    DataError
        For an accelerator that does not exist, accelerators that do not divide over nodes, or a printed figure of an
        unknown system or in a unit that its quantity does not have.
    """
    if "systems" not in facts.derived:
        figures = _figures(facts)
        rows = facts.table("systems").iterrows()
        facts.derived["systems"] = {row["name"]: _system(facts, position, row, figures) for position, row in rows}
    return facts.derived["systems"]


def supernode(facts):
    """Return the first system of kind "supernode".

    Raises
    ------
    DataError
        Where there is none.
    """
    found = [one for one in systems(facts).values() if one.kind == SUPERNODE]
    if not found:
        raise DataError(f"systems.csv: no row of kind {SUPERNODE!r}")
    return found[0]


def printed_figures(facts, quantity, system=None):
    """Return what is printed of systems.

    Parameters
    ----------
    facts : Facts
    quantity : str
        Such as "peak", "power", "system_peak".
    system : str, optional
        All where not given.

    Returns
    -------
    list of dict
        The rows of ``system_figures.csv`` as they stand, claims left out.
    """
    table = _figures(facts)
    rows = table[(table["quantity"] == quantity) & (table["role"] != "claim")]
    return (rows if system is None else rows[rows["system"] == system]).to_dict("records")


def package_peaks(facts, system, number_format, density):
    """Return the printed peaks of one accelerator of a system, each from a source of its own.

    Parameters
    ----------
    facts : Facts
    system : System
    number_format : str
        "16-bit" or "8-bit".
    density : str
        "dense" or "sparse".

    Returns
    -------
    list of dict
        The row's cells and `package_tflops`; a peak printed of one die counts as often as a package has dies. Rows
        that only repeat another one are left out.
    """
    found = []
    for row in printed_figures(facts, PEAK, system.name):
        if (row["number_format"], row["density"], row["repeats"]) == (number_format, density, ""):
            times = system.devices if row["counted"] == COUNTED[0] else 1
            found.append(row | {"package_tflops": times * row["value"]})
    return found


def _figures(facts):
    """The table of printed figures, once it has been checked."""
    if "system figures" not in facts.derived:
        table, names = facts.table("system_figures"), list(facts.table("systems")["name"])
        for position, row in table.iterrows():
            where = facts.where("system_figures", position)
            if row["system"] not in names:
                told = f"no system {row['system']!r}. {nearest(row['system'], names)}"
                raise DataError(f"{where}, column system: {told}")
            units = UNITS.get(row["quantity"])
            if units and row["unit"] not in units:
                told = f"{row['unit']!r}; {row['quantity']} is given in {' or '.join(units)}"
                raise DataError(f"{where}, column unit: {told}")
            if row["quantity"] == PEAK and row["counted"] not in COUNTED:
                raise DataError(f"{where}, column counted: {row['counted']!r}; accepted: {', '.join(COUNTED)}")
            if not row["value"] > 0:
                raise DataError(f"{where}, column value: {row['value']:g}; expected a number above 0")
        facts.derived["system figures"] = table
    return facts.derived["system figures"]


def _system(facts, position, row, figures):
    where = facts.where("systems", position)
    cards = {card.name: card for card in accelerators(facts)}
    if row["accelerator"] not in cards:
        told = f"no accelerator {row['accelerator']!r}. {nearest(row['accelerator'], cards)}"
        raise DataError(f"{where}, column accelerator: {told}")
    counts = {name: row[name] for name in ("accelerators", "nodes", "devices_per_accelerator")}
    for name, count in counts.items():
        if count != int(count):
            raise DataError(f"{where}, column {name}: {count:g}; expected a whole number")
    if counts["accelerators"] % counts["nodes"]:
        told = f"{counts['accelerators']:g} do not divide over {counts['nodes']:g} nodes"
        raise DataError(f"{where}, column accelerators: {told}")
    power = figures[(figures["system"] == row["name"]) & (figures["quantity"] == POWER) & (figures["role"] != "claim")]
    return System(
        name=row["name"],
        kind=row["kind"],
        card=cards[row["accelerator"]],
        accelerators=int(counts["accelerators"]),
        nodes=int(counts["nodes"]),
        devices=int(counts["devices_per_accelerator"]),
        power_kw=(float(power["value"].min()), float(power["value"].max())) if len(power) else None,
        sources=_keys([row["source"]]),
        power_sources=_keys(power["source"]),
    )


def _keys(cells):
    return frozenset(key for cell in cells for key in cell.split(";"))
