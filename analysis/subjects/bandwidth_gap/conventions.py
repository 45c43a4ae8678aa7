"""What the three sentences leave open: settings, readings, and every convention for a figure of a card."""

from analysis.facts.hardware import FORMATS, MONTHS_A_YEAR
from analysis.models import card_pairs
from analysis.subjects.model import Setting

COMPUTE, BUS, NETWORK, JOINT = (f"bandwidth-gap.{part}" for part in ("compute", "bus", "network", "joint"))
LINK_COLUMNS = {
    "scale-up-link": "scaleup_GBps_bidirectional",
    "host-bus": "host_bus_GBps_bidirectional",
    "per-port": "scaleout_port_gbps",
    "per-accelerator": "scaleout_gbps_per_accelerator",
}
COMPUTE_READINGS = ("best-format", "like-for-like", "with-sparsity")
READINGS = {COMPUTE: COMPUTE_READINGS, BUS: ("scale-up-link", "host-bus"), NETWORK: ("per-port", "per-accelerator")}


def _vendors(facts):
    return ("all", *dict.fromkeys(facts.table("accelerators")["vendor"]))


SETTINGS = (
    Setting("years", 8.0, "span over which growth is counted", "years", low=4.0, high=12.0),
    Setting("window_years", 1.0, "how far a pair's span may differ from it", "years", low=0.0, high=2.0),
    Setting("tolerance", 0.25, "how far from the claimed number still counts as equal", "fraction", low=0.0, high=1.0),
    Setting("vendor", "all", "whose cards", options=_vendors),
    Setting(
        "latest", "2025-05", "month after which no card is counted", pattern=r"\d{4}-(0[1-9]|1[0-2])", example="2025-05"
    ),
    Setting("formats", "all", "number formats that count", options=lambda facts: ("all", *FORMATS), several=True),
    Setting("scaled", True, "whether ratios are scaled from a pair's own span to `years`"),
)


def formats_of(settings):
    """Return the number formats that a setting lets count."""
    chosen = [word.strip() for word in settings["formats"].split(",")]
    return tuple(FORMATS) if "all" in chosen else tuple(name for name in FORMATS if name in chosen)


def latest_month(settings):
    """Return the month index of the setting `latest`."""
    year, month = settings["latest"].split("-")
    return int(year) * MONTHS_A_YEAR + int(month) - 1


def conventions(cards, reading, settings):
    """Return every convention of one reading: label to the figure of each card and whether it is the label's own."""
    if reading in LINK_COLUMNS:
        return {reading: card_pairs.link_convention(cards, LINK_COLUMNS[reading])}
    return card_pairs.compute_conventions(cards, reading, formats_of(settings))
