"""What each table must look like; one pandera schema a table, keyed by the table's name."""

from dataclasses import dataclass
from functools import cache

COMPARATORS = ("eq", "at_least", "at_most", "up_to", "count", "fact", "qualitative")
DISTRIBUTIONS = ("uniform", "log-uniform", "triangular", "log-triangular")
ROLES = ("calibrate", "validate", "context", "claim")
SEGMENTS = ("training", "export", "inference")
MONTH = r"^\d{4}(-(0[1-9]|1[0-2]))?$"

COMPUTE_COLUMNS = (
    "fp32_tflops",
    "fp16_dense_tflops",
    "bf16_dense_tflops",
    "fp8_dense_tflops",
    "fp4_dense_tflops",
    "int8_dense_tops",
)
SPECIFICATION_COLUMNS = (
    *COMPUTE_COLUMNS,
    "sparsity_factor",
    "hbm_gb",
    "hbm_GBps",
    "scaleup_GBps_bidirectional",
    "scaleup_domain_size",
    "scaleout_gbps_per_accelerator",
    "scaleout_port_gbps",
    "host_bus_GBps_bidirectional",
    "tdp_w",
)


@dataclass(frozen=True)
class TableSpec:
    """How one table is checked.

    Attributes
    ----------
    key : tuple of str
        Columns that name a row; no two rows share them, and an overlay replaces by them.
    text : tuple of str
        Columns that must not be blank.
    optional : tuple of str
        Text columns that may be blank.
    numbers, optional_numbers : tuple of str
        Number columns, without and with blanks.
    positive : tuple of str
        Number columns that must be above zero.
    accepted : dict
        Column to the words it may hold.
    patterns : dict
        Column to the regular expression its text must match.
    """

    key: tuple[str, ...]
    text: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    optional_numbers: tuple[str, ...] = ()
    positive: tuple[str, ...] = ()
    accepted: dict | None = None
    patterns: dict | None = None

    @property
    def columns(self):
        """Every column of the table, required ones and those that may be blank."""
        return (*self.text, *self.optional, *self.numbers, *self.optional_numbers)


SPECS = {
    "claims": TableSpec(
        key=("id",),
        text=("id", "title", "statement", "quote", "metric", "comparator", "computable", "source"),
        optional=("unit", "reason", "joint_of"),
        optional_numbers=("value",),
        accepted={"comparator": COMPARATORS, "computable": ("yes", "no")},
    ),
    "readings": TableSpec(
        key=("claim", "reading"),
        text=("claim", "reading", "label"),
        optional=("comparator",),
        optional_numbers=("value",),
        accepted={"comparator": COMPARATORS},
    ),
    "assumptions": TableSpec(
        key=("name",),
        text=("name", "unit", "distribution", "source", "description"),
        numbers=("low", "mode", "high"),
        optional_numbers=("possible_low", "possible_high"),
        accepted={"distribution": DISTRIBUTIONS},
    ),
    "accelerators": TableSpec(
        key=("name",),
        text=("name", "vendor", "segment", "source", "confidence", "checked_columns"),
        optional=("announced", "available", "sparsity_formats", "scaleup_name", "scaleout_system", "note"),
        optional_numbers=SPECIFICATION_COLUMNS,
        positive=SPECIFICATION_COLUMNS,
        accepted={"segment": SEGMENTS},
        patterns={"announced": MONTH, "available": MONTH},
    ),
    "disputed": TableSpec(
        key=("id",),
        text=("id", "name", "column", "source"),
        optional=("note",),
        numbers=("low", "high"),
        positive=("low", "high"),
        accepted={"column": SPECIFICATION_COLUMNS},
    ),
    "trend_studies": TableSpec(
        key=("id",),
        text=("id", "study", "quantity", "unit", "role", "source", "locator", "confidence"),
        optional=("conditions", "growth_of"),
        numbers=("value",),
        optional_numbers=("year",),
        accepted={"role": ROLES, "growth_of": ("compute", "scale-up", "host-bus", "scale-out", "memory")},
    ),
    "transformers": TableSpec(
        key=("name",),
        text=("name", "kind", "source", "locator", "confidence"),
        optional=("note",),
        numbers=("layers", "hidden_size", "parameters_billion_published", "active_parameters_billion_published"),
        optional_numbers=("dense_layers", "experts_per_token"),
        positive=("layers", "hidden_size", "parameters_billion_published", "active_parameters_billion_published"),
        accepted={"kind": ("dense", "moe")},
    ),
    "aliases": TableSpec(
        key=("kind", "alias"),
        text=("kind", "alias", "name"),
        optional=("precision", "note"),
        accepted={"kind": ("accelerator", "model")},
    ),
    "units": TableSpec(key=("unit",), text=("unit", "description")),
}

# Tables whose `unit` column must hold a unit of units.csv; a unit that nobody defined is a typing error.
WITH_UNITS = ("claims", "assumptions", "trend_studies")


@cache
def schema(name):
    """Build the pandera schema of a table.

    Parameters
    ----------
    name : str
        A key of `SPECS`.

    Returns
    -------
    pandera.DataFrameSchema
        Its columns in the order of the specification; columns beyond them are kept as text.
    """
    import pandera.pandas as pa

    spec = SPECS[name]

    def column(name, kind, nullable):
        checks = []
        if name in spec.positive:
            checks.append(pa.Check.gt(0, error="a number above 0"))
        if name in (spec.accepted or {}):
            words = spec.accepted[name]
            checks.append(pa.Check.isin(words, error=f"one of {', '.join(words)}"))
        if name in (spec.patterns or {}):
            checks.append(pa.Check.str_matches(spec.patterns[name], error="a date such as 2024-03"))
        return pa.Column(kind, checks, nullable=nullable)

    columns = {name: column(name, str, False) for name in spec.text}
    columns |= {name: column(name, str, True) for name in spec.optional}
    columns |= {name: column(name, float, False) for name in spec.numbers}
    columns |= {name: column(name, float, True) for name in spec.optional_numbers}
    return pa.DataFrameSchema(columns, strict=False)
