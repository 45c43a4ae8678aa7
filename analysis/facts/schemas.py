"""What each table must look like; one pandera schema a table, keyed by the table's name."""

from functools import cache

from analysis.facts.tablespec import ROLES, TableSpec, measurements

COMPARATORS = ("eq", "at_least", "at_most", "up_to", "count", "fact", "qualitative")
DISTRIBUTIONS = ("uniform", "log-uniform", "triangular", "log-triangular")
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
    "architectures": TableSpec(
        key=("name",),
        text=("name", "family", "source", "locator", "confidence"),
        numbers=("multiprocessors", "matrix_flops_per_clock", "exponentials_per_clock"),
        positive=("multiprocessors", "matrix_flops_per_clock", "exponentials_per_clock"),
        accepted={"family": ("ampere", "hopper", "blackwell")},
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
        text=("name", "kind", "attention", "gated_mlp", "source", "locator", "confidence"),
        optional=("tied_embeddings", "attention_bias"),
        numbers=("layers", "hidden_size", "attention_heads", "vocabulary", "parameters_billion_published"),
        optional_numbers=(
            "dense_layers",
            "key_value_heads",
            "head_dim",
            "q_lora_rank",
            "kv_lora_rank",
            "qk_nope_head_dim",
            "qk_rope_head_dim",
            "v_head_dim",
            "intermediate_size",
            "expert_intermediate_size",
            "routed_experts",
            "shared_experts",
            "experts_per_token",
            "expert_groups",
            "groups_per_token",
            "sliding_window",
            "mtp_layers",
            "active_parameters_billion_published",
        ),
        positive=("layers", "hidden_size", "attention_heads", "vocabulary", "parameters_billion_published"),
        accepted={
            "kind": ("dense", "moe"),
            "attention": ("MLA", "GQA", "MHA", "sliding mix"),
            "gated_mlp": ("yes", "no"),
        },
    ),
    "fabrics": TableSpec(
        key=("name",),
        text=("name", "system", "scope", "source", "locator", "confidence"),
        optional=("latency_kind", "in_network_reduction"),
        optional_numbers=("domain_size", "bandwidth_GBps_one_way_per_accelerator", "latency_us"),
        positive=("domain_size", "bandwidth_GBps_one_way_per_accelerator", "latency_us"),
        accepted={"scope": ("scale-up", "scale-out", "host", "storage")},
    ),
    "load_curves": TableSpec(
        key=("curve", "minute"),
        text=("curve", "unit", "source"),
        numbers=("minute", "load"),
    ),
    "operations": measurements(
        optional=("topic", "bound", "conditions", "stage", "faults", "counted_from", "operator", "deployment", "means"),
        optional_numbers=("value_before", "value_low", "value_high", "days", "accelerators", "accelerators_per_node"),
    ),
    "ettr": measurements(
        optional=("bound", "restart_unit", "note"),
        optional_numbers=(
            "value_low",
            "value_high",
            "accelerators",
            "accelerators_per_node",
            "failures_per_1000_node_days",
            "failure_interval_min",
            "recovery_min",
            "checkpoint_interval_min",
        ),
    ),
    **{
        name: measurements()
        for name in (
            "expert_parallel",
            "prefill",
            "decode",
            "training",
            "training_iterations",
            "training_throughput",
            "offline_throughput",
            "ttft",
            "cache_pool",
        )
    },
    "kvcache": measurements(optional=("bound", "conditions"), optional_numbers=("value_low", "value_high")),
    "offload_systems": TableSpec(
        key=("id",),
        text=("id", "measured", "model", "accelerator", "way", "source"),
        optional=("note",),
        numbers=("cards", "context_low", "context_high", "remote_GBps_low", "remote_GBps_high", "link_GBps"),
        optional_numbers=("remote_memory_gb", "remote_tflops"),
        positive=("cards", "context_low", "context_high", "remote_GBps_low", "remote_GBps_high", "link_GBps"),
        accepted={"way": ("beside attention", "two batches", "streamed")},
    ),
    "recovery_regimes": TableSpec(
        key=("regime",),
        text=("regime", "source", "note"),
        numbers=("recovery_min",),
        optional_numbers=("detection_min", "localisation_min"),
        positive=("recovery_min",),
    ),
    "aliases": TableSpec(
        key=("kind", "alias"),
        text=("kind", "alias", "name"),
        optional=("precision", "note"),
        accepted={"kind": ("accelerator", "model")},
    ),
    "checkpoints": TableSpec(
        key=("model", "precision"),
        text=("model", "precision", "attention", "attention_output", "experts", "block_scaled", "aligned", "source"),
        optional=("cache", "note"),
        accepted={"block_scaled": ("yes", "no"), "aligned": ("yes", "no")},
    ),
    "calibration": TableSpec(
        key=("constant", "left_out"),
        text=("constant", "unit"),
        optional=("left_out",),
        numbers=("value", "rows"),
        optional_numbers=("low", "high", "loo_error_percent"),
    ),
    "hubs": TableSpec(
        key=("hub",),
        text=("hub", "hub_zh", "source"),
        optional=("region", "note"),
        numbers=("lat", "lon"),
    ),
    "city_clusters": TableSpec(key=("cluster",), text=("cluster", "cluster_zh", "tier", "core_city", "source")),
    "cities": TableSpec(
        key=("city",),
        text=("city", "city_zh", "source"),
        optional=("cluster", "national_hub", "geonames_id"),
        numbers=("lat", "lon"),
    ),
    "network_delay": measurements(
        optional=("bound", "statistic", "layer", "direction", "from_city", "to_city", "conditions"),
        optional_numbers=("value_low", "value_high"),
    ),
    "transfers": TableSpec(
        key=("payload",),
        text=("payload", "item", "source"),
        optional=("note",),
        numbers=("items", "bytes_per_item"),
        positive=("items", "bytes_per_item"),
    ),
    "systems": TableSpec(
        key=("name",),
        text=("name", "kind", "accelerator", "source", "locator", "confidence"),
        optional=("note",),
        numbers=("accelerators", "nodes", "devices_per_accelerator"),
        positive=("accelerators", "nodes", "devices_per_accelerator"),
        accepted={"kind": ("supernode", "rack", "server")},
    ),
    "system_figures": measurements(optional=("number_format", "density", "counted", "repeats", "note")),
    "workloads": TableSpec(
        key=("name",),
        text=("name", "title", "kind", "source", "locator", "confidence"),
        optional=("trace", "note"),
        optional_numbers=(
            "hit_low",
            "hit_high",
            "private_hit_low",
            "private_hit_high",
            "prompt_low",
            "prompt_high",
            "output_tokens",
        ),
        positive=("prompt_low", "prompt_high", "output_tokens"),
    ),
    "memory_prices": TableSpec(
        key=("item",),
        text=("item", "kind", "source", "locator", "confidence"),
        optional=("note",),
        numbers=("usd", "memory_gb"),
        positive=("usd", "memory_gb"),
        accepted={"kind": ("card", "pool")},
    ),
    "units": TableSpec(key=("unit",), text=("unit", "description")),
}

# Tables whose `unit` column must hold a unit of units.csv; a unit that nobody defined is a typing error.
WITH_UNITS = (
    "claims",
    "assumptions",
    "trend_studies",
    "load_curves",
    "operations",
    "ettr",
    "calibration",
    "network_delay",
    "system_figures",
    "kvcache",
)


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
