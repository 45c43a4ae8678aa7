"""Quantities that a measurements table may hold: their unit and the kind of each condition."""

from collections.abc import Callable
from dataclasses import dataclass

from analysis.evidence.cache_pool import predict_cache_pool
from analysis.evidence.ettr import predict_ettr
from analysis.evidence.expert_parallel import predict_exchange
from analysis.evidence.first_token import predict_first_token
from analysis.evidence.inference import predict_inference
from analysis.evidence.offline import predict_offline
from analysis.evidence.training import predict_training

# Kinds of number, by column; every other column is text.
LENGTHS = frozenset(
    (
        "accelerators",
        "accelerators_per_node",
        "attention_heads",
        "batch_per_accelerator",
        "batch_tokens",
        "checkpoint_interval_min",
        "combine_bytes_per_value",
        "concurrency",
        "context_parallel",
        "data_parallel",
        "dispatch_bytes_per_value",
        "ep_degree",
        "expert_parallel",
        "failure_interval_min",
        "failures_per_1000_node_days",
        "fsdp_shards",
        "global_batch",
        "hidden_size",
        "input_tokens",
        "kv_tokens",
        "layers",
        "max_batched_tokens",
        "micro_batch",
        "micro_batches",
        "mtp_layers",
        "offloaded_layers",
        "output_tokens",
        "pipeline_interleaving",
        "pipeline_parallel",
        "ranks_per_server",
        "recovery_min",
        "requests",
        "scaleup_domain",
        "sequence_tokens",
        "speculative_tokens",
        "tensor_parallel",
        "tokens_per_rank",
        "top_k",
        "virtual_pipeline",
    )
)
FRACTIONS = frozenset(("acceptance", "prefix_hit_fraction"))
PER_ACCELERATOR = "tokens/s/accelerator"


@dataclass(frozen=True)
class Quantity:
    """What one quantity is.

    Attributes
    ----------
    unit : str
        The only unit in which it may be given.
    predict : callable or None
        ``predict(row, facts)`` gives ``(value, note)`` from the condition columns, value None with the reason as
        note; None where no model covers the quantity yet.
    """

    unit: str
    predict: Callable | None = None


QUANTITIES = {
    "dispatch_latency": Quantity("us", predict_exchange),
    "combine_latency": Quantity("us", predict_exchange),
    "dispatch_bandwidth": Quantity("GB/s", predict_exchange),
    "combine_bandwidth": Quantity("GB/s", predict_exchange),
    "prefill_throughput": Quantity(PER_ACCELERATOR, predict_inference),
    "decode_throughput": Quantity(PER_ACCELERATOR, predict_inference),
    "decode_layer_latency": Quantity("us", predict_inference),
    "decode_micro_batch_gain": Quantity("%", predict_inference),
    "offline_throughput": Quantity(f"output {PER_ACCELERATOR}", predict_offline),
    "iteration_time": Quantity("s", predict_training),
    "training_throughput": Quantity(PER_ACCELERATOR, predict_training),
    "ttft": Quantity("ms", predict_first_token),
    "prefill_throughput_gain": Quantity("x", predict_cache_pool),
    "ttft_reduction": Quantity("%", predict_cache_pool),
    "ettr": Quantity("%", predict_ettr),
}
