"""Accelerators as a performance model sees them: peak rates, memory and links, in one direction."""

from dataclasses import dataclass

from analysis.errors import DataError, nearest
from analysis.facts.hardware import FORMATS, accelerators

BITS_A_BYTE = 8
# Formats that the tensor cores run at the rate of another one.
SAME_RATE = {"mxfp8": "fp8", "nvfp4": "fp4", "mxfp4": "fp4", "w4a8": "int8", "w8a8": "int8", "awq": "fp16"}
# A card without the format runs it at the rate of the next one that it has.
FALLBACKS = {"bf16": ("fp16",), "fp16": ("bf16",), "fp8": ("int8", "bf16", "fp16"), "int8": ("fp8",), "fp4": ("fp8",)}
BYTES_A_VALUE = {"fp4": 0.5, "fp8": 1.0, "int8": 1.0, "fp16": 2.0, "bf16": 2.0, "fp32": 4.0}


@dataclass(frozen=True)
class Device:
    """One accelerator, or one die of a package of several.

    Attributes
    ----------
    name : str
    peak_tflops : dict of str to float
        Dense rate by number format.
    memory_gb, memory_GBps : float
    scaleup_GBps, scaleout_GBps : float
        One way, of this device.
    scaleup_domain : int
        Devices that the scale-up link joins.
    """

    name: str
    peak_tflops: dict
    memory_gb: float
    memory_GBps: float
    scaleup_GBps: float
    scaleout_GBps: float
    scaleup_domain: int

    def tflops(self, precision):
        """Return the dense peak in a number format, or of the next one that the device has.

        Raises
        ------
        DataError
            For a format that neither the device nor a wider one of it has.
        """
        name = SAME_RATE.get(precision.lower(), precision.lower())
        for one in (name, *FALLBACKS.get(name, ())):
            if one in self.peak_tflops:
                return self.peak_tflops[one]
        raise DataError(f"{self.name} has no rate for {precision!r}. {nearest(name, self.peak_tflops)}")


def bytes_per_value(precision):
    """Return the bytes of one value in a number format, without scales."""
    name = SAME_RATE.get(precision.lower(), precision.lower())
    if name not in BYTES_A_VALUE:
        raise DataError(f"no number format {precision!r}. {nearest(name, BYTES_A_VALUE)}")
    return BYTES_A_VALUE[name]


def device(facts, name, *, dies=1):
    """Return one accelerator of the tables.

    Parameters
    ----------
    facts : Facts
    name : str
        A name of ``accelerators.csv``; see `analysis.facts.names.resolved` for other spellings.
    dies : int
        Devices that share a package; 2 gives one die of two.

    Returns
    -------
    Device

    Raises
    ------
    DataError
        For an unknown name, or a card without memory or link figures.
    """
    key = ("device", name, dies)
    if key not in facts.derived:
        found = {one.name: one for one in accelerators(facts)}
        if name not in found:
            raise DataError(f"accelerators.csv: no row {name!r}. {nearest(name, found)}")
        facts.derived[key] = _device(found[name], dies)
    return facts.derived[key]


def _device(card, dies):
    def figure(column):
        if column not in card.cells:
            raise DataError(f"accelerators.csv: {card.name} has no {column}")
        cell = card.cells[column]
        return (cell.low + cell.high) / 2 / dies

    peaks = {name: figure(column) for name, column in FORMATS.items() if column in card.cells}
    return Device(
        name=card.name,
        peak_tflops=peaks,
        memory_gb=figure("hbm_gb"),
        memory_GBps=figure("hbm_GBps"),
        scaleup_GBps=figure("scaleup_GBps_bidirectional") / 2,
        scaleout_GBps=figure("scaleout_gbps_per_accelerator") / BITS_A_BYTE,
        scaleup_domain=round(figure("scaleup_domain_size") * dies) * dies,
    )
