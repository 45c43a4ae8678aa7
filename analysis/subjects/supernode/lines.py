"""Independent lines of evidence: ratios that others print, and rates that were measured on both systems."""

from analysis.facts.systems import RACK, printed_figures, supernode, systems
from analysis.subjects.supernode.metrics import PER_CARD, PER_WATT, cards_of

# Growth studies of whole systems: their quantity begins with this, and the figure that is compared follows.
STUDIED = "supernode over NVL72, "
PRINTED = {"compute_ratio": "16-bit compute", "scaleup_ratio": "scale-up bandwidth"}
# Measured tables of the supernode, the printed rate of the other side, and what the line is called.
MEASURED = {"prefill": ("prefill_throughput", "prefill_rate"), "decode": ("decode_throughput", "decode_rate")}
HUNDREDTHS = 0.01
NEAR = 0.5


def _studies(facts):
    """Printed ratios of whole systems, supernode over NVL72 of GB200: what is compared, ratio, source."""
    table = facts.table("trend_studies")
    for row in table[table["quantity"].str.startswith(STUDIED)].to_dict("records"):
        ratio = 1 + HUNDREDTHS * row["value"] if row["unit"] == "%" else row["value"]
        yield row["quantity"].removeprefix(STUDIED), ratio, row["source"]
    for quantity, what in PRINTED.items():
        for row in printed_figures(facts, quantity):
            yield what, row["value"], row["source"]


def first_rack(facts):
    """Return the rack that printed comparisons are with: the first of the tables."""
    return next(one for one in systems(facts).values() if one.kind == RACK)


def conversion(facts, settings, reading):
    """Return what a ratio of whole systems is multiplied by for one reading, and the range that powers give.

    Returns
    -------
    middle, low, high : float
        At the middle of the printed powers, and at their ends.
    """
    ours, theirs = supernode(facts), first_rack(facts)
    if reading == PER_CARD:
        return (theirs.accelerators / ours.accelerators,) * 3
    if reading == PER_WATT:
        (low, high), (least, most) = ours.power_kw, theirs.power_kw
        return (least + most) / (low + high), least / high, most / low
    return (cards_of(settings, ours) / ours.accelerators,) * 3


def lines_of(facts, settings, reading):
    """Return the lines of evidence for one reading.

    Parameters
    ----------
    facts : Facts
    settings : dict
    reading : str

    Returns
    -------
    dict
        Name to ``{estimate, interval, note}``. Printed ratios are of whole systems; they are divided by cards or
        watts where the reading asks for it.
    """
    middle, low, high = conversion(facts, settings, reading)
    found = {}
    for what, ratio, source in _studies(facts):
        interval = [[ratio * low, ratio * high]] if high > low else None
        note = f"printed ratio of whole systems {ratio:.3g} [{source}]"
        found[f"{what}, {source}"] = {"estimate": [ratio * middle], "interval": interval, "note": note}
    for name in MEASURED:
        line = _measured(facts, settings, name, (middle, low, high))
        if line:
            found[f"{name}, measured"] = line
    return found


def _measured(facts, settings, name, conversion):
    """Rates that were measured: the supernode's cards within the limit against the printed rates of the rack."""
    quantity, printed = MEASURED[name]
    ours, theirs = supernode(facts), first_rack(facts)
    rates = [row["value"] for row in _measurements(facts, settings, name, quantity)]
    others = [row["value"] for row in printed_figures(facts, printed, theirs.name)]
    if not rates or not others:
        return None
    middle, low, high = conversion
    systems_apart = ours.accelerators / theirs.accelerators
    ends = [systems_apart * min(rates) / max(others) * low, systems_apart * max(rates) / min(others) * high]
    estimate = systems_apart * (min(rates) + max(rates)) / (min(others) + max(others)) * middle
    sources = {row["source"] for row in printed_figures(facts, printed, theirs.name)}
    note = f"{_span(rates)} tokens/s and card against {_span(others)} [{';'.join(sorted(sources))}]; conditions differ"
    return {"estimate": [estimate], "interval": [ends] if ends[1] > ends[0] else None, "note": note}


def _span(rates):
    low, high = min(rates), max(rates)
    return f"{low:,.0f} to {high:,.0f}" if high > low else f"{low:,.0f}"


def _measurements(facts, settings, name, quantity):
    table = facts.table(name)
    aliases = facts.table("aliases")
    card = supernode(facts).card.name
    spelled = {card, *aliases.loc[(aliases["kind"] == "accelerator") & (aliases["name"] == card), "alias"]}
    rows = table[(table["quantity"] == quantity) & (table["role"] != "claim") & table["accelerator"].isin(spelled)]
    for row in rows.to_dict("records"):
        printed_ms = row.get("measured_tpot_ms", "")
        # A run far within the limit gives up throughput for speed: it is another point of the same curve.
        if not printed_ms or NEAR * settings["tpot_limit_ms"] <= float(printed_ms) <= settings["tpot_limit_ms"]:
            yield row


def sources(facts, reading):
    """Return the citation keys behind the lines."""
    cells = [source for _, _, source in _studies(facts)]
    cells += [row["source"] for _, printed in MEASURED.values() for row in printed_figures(facts, printed)]
    return {key for cell in cells for key in cell.split(";")}
