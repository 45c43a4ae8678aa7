"""What "answers" can mean: the figures by which two systems are compared, and how they are counted."""

from dataclasses import dataclass

SIXTEEN_BIT, EIGHT_BIT, FOUR_BIT = ("bf16", "fp16"), ("fp8", "int8"), ("fp4",)
PER_SYSTEM, PER_CARD, PER_WATT = READINGS = ("per-system", "per-card", "per-watt")


@dataclass(frozen=True)
class Metric:
    """One figure by which systems are compared.

    Attributes
    ----------
    title, unit, told : str
        Its name to a reader, its unit, and what it is in words.
    columns : tuple of str
        Of ``accelerators.csv``; the largest of several counts. Empty where the figure comes from elsewhere.
    job : str
        Quantity of a performance model; blank for a printed figure.
    intensive : bool
        A property of the system, not a sum over its cards.
    """

    title: str
    unit: str
    told: str
    columns: tuple[str, ...] = ()
    job: str = ""
    intensive: bool = False


def _columns(formats):
    return tuple(f"{name}_dense_{'tops' if name == 'int8' else 'tflops'}" for name in formats)


TOKENS = "tokens/s"
METRICS = {
    "16-bit": Metric("16-bit compute", "TFLOPS", "dense peak in 16 bits", _columns(SIXTEEN_BIT)),
    "8-bit": Metric("8-bit compute", "TFLOPS", "dense peak in 8 bits, floating or integer", _columns(EIGHT_BIT)),
    "4-bit": Metric(
        "fastest-format compute", "TFLOPS", "dense peak in 4 bits, or in 8 without them", _columns(FOUR_BIT + EIGHT_BIT)
    ),
    "memory": Metric("memory capacity", "GB", "memory of the accelerators", ("hbm_gb",)),
    "bandwidth": Metric("memory bandwidth", "GB/s", "bandwidth of that memory", ("hbm_GBps",)),
    "link": Metric("scale-up bandwidth", "GB/s", "scale-up link, both directions", ("scaleup_GBps_bidirectional",)),
    "domain": Metric("scale-up domain", "cards", "cards that the scale-up link joins", intensive=True),
    "prefill": Metric("prefill", TOKENS, "DeepSeek-R1, prefill in 8 bits", job="prefill_throughput"),
    "decode": Metric("decode", TOKENS, "DeepSeek-R1, decoding within the limit", job="decode_throughput"),
    "training": Metric("training", TOKENS, "DeepSeek-V3, training", job="training_throughput"),
}


def chosen_metrics(settings, reading):
    """Return the metrics that count: those asked for, and of them those that a reading has a meaning for.

    Parameters
    ----------
    settings : dict
        `metrics` is used.
    reading : str
        How many cards a link joins is a property of the system; a card or a watt of it has none.

    Returns
    -------
    tuple of str
    """
    words = [word.strip() for word in settings["metrics"].split(",")]
    asked = [name for name in METRICS if "all" in words or name in words]
    return tuple(name for name in asked if reading == PER_SYSTEM or not METRICS[name].intensive)


def card_figure(card, metric):
    """Return the printed figure of one card as a range.

    Parameters
    ----------
    card : Accelerator
    metric : Metric
        With columns.

    Returns
    -------
    tuple of float or None
        The ends on which sources differ; None where nobody prints it. Of several formats the one with the highest
        end counts, and of equal ones the first.
    """
    cells = [card.cells[column] for column in metric.columns if column in card.cells]
    if not cells:
        return None
    best = max(cells, key=lambda cell: cell.high)
    return best.low, best.high


def domain_size(system, cards):
    """Return how many cards the scale-up link of a system joins, when it has so many."""
    return float(min(cards, system.scaleup_domain))


def cards_of(settings, system):
    """Return how many accelerators a system has: the supernode as many as asked for."""
    return settings["cards"] if system.kind == "supernode" else system.accelerators
