"""One rank's part of a model, and what it works on in a step; numbers, or arrays that broadcast."""

from dataclasses import dataclass, replace

from analysis.models.collectives import Fabrics
from analysis.models.expert_exchange import Exchange, Kernel, exchange_s

# Nothing to share: any rate does.
ALONE = Fabrics(1.0, 1.0)
GROUPS = ("attention", "output", "dense", "shared", "experts", "head")


@dataclass(frozen=True)
class Matrices:
    """Weight matrices of one kind.

    Attributes
    ----------
    parameters : array_like
        On one rank, in all layers.
    stored_bytes : array_like
        Of one parameter.
    tflops : array_like
        Peak rate in the number format of the product.
    moved_values : array_like
        Activations that one token reads and writes around them, in all layers.
    """

    parameters: float = 0.0
    stored_bytes: float = 2.0
    tflops: float = 1.0
    moved_values: float = 0.0


@dataclass(frozen=True)
class Handover:
    """How the tokens of a rank reach their experts (dispatch) and come back (combine)."""

    dispatch: Exchange
    dispatch_kernel: Kernel
    combine: Exchange
    combine_kernel: Kernel
    forwards: bool

    def seconds(self, tokens):
        """Return the time of a dispatch and of a combine, all experts being equally popular."""
        out, back = replace(self.dispatch, tokens=tokens), replace(self.combine, tokens=tokens)
        dispatch_s = exchange_s(out, self.dispatch_kernel, combine=False, forwards=self.forwards)
        return dispatch_s, exchange_s(back, self.combine_kernel, combine=True, forwards=self.forwards)


@dataclass(frozen=True)
class Rank:
    """One rank's part of a model.

    Attributes
    ----------
    attention, output, dense, shared, experts, head : Matrices
        Projections of attention without and of its output, feed-forward networks of dense layers, shared experts,
        routed experts, output head.
    layers, moe_layers : array_like
    hidden_size : array_like
    expert_slots, experts_per_token : array_like
        Experts of all ranks, copies of popular ones included; 0 for a dense model.
    pooled_ranks : array_like
        Ranks whose tokens meet in the experts of this one.
    full_layers, windowed_layers, window : array_like
        Layers that look back on everything, and on a window of tokens.
    cached_bytes : array_like
        Of one token in one layer.
    pair_flops, cached_pair_flops : array_like
        Operations for one query and one key of one layer: of a prompt, and of a decoded token with the cache.
    prompt_tflops, cached_tflops : array_like
        Peak rates of attention's own products, within a prompt and with the cache.
    memory_GBps : array_like
    handover : Handover or None
        None where all experts are at home.
    sum_ranks, ranks_per_domain, fabrics
        Ranks that share the matrices (tensor parallelism) and what joins them.
    """

    attention: Matrices
    output: Matrices
    dense: Matrices
    shared: Matrices
    experts: Matrices
    head: Matrices
    layers: float
    moe_layers: float
    hidden_size: float
    expert_slots: float
    experts_per_token: float
    pooled_ranks: float
    full_layers: float
    windowed_layers: float
    window: float
    cached_bytes: float
    pair_flops: float
    cached_pair_flops: float
    prompt_tflops: float
    cached_tflops: float
    memory_GBps: float
    handover: Handover | None = None
    sum_ranks: float = 1.0
    ranks_per_domain: float = 1.0
    fabrics: Fabrics = ALONE

    @property
    def weight_bytes(self):
        """Bytes of all matrices on the rank; embeddings take as much as the output head."""
        stored = (getattr(self, name) for name in (*GROUPS, "head"))
        return sum(one.parameters * one.stored_bytes for one in stored)


@dataclass(frozen=True)
class Batch:
    """What one rank works on in one step.

    Attributes
    ----------
    sequences, queries, cached_tokens : array_like
        Sequences that decode, tokens that each adds (one, and speculative ones), and tokens that each looks back on.
    padding : array_like
        Rows without a sequence, which fill a batch up to a size that the engine has prepared.
    prompts, prompt_tokens, prompt_pairs : array_like
        Prompts that are prefilled, tokens of one, and its query-key pairs over all layers.
    prompting : array_like
        Part of the pooled ranks that prefill in the same step; this one does.
    """

    sequences: float = 0.0
    queries: float = 1.0
    cached_tokens: float = 0.0
    padding: float = 0.0
    prompts: float = 0.0
    prompt_tokens: float = 0.0
    prompt_pairs: float = 0.0
    prompting: float = 1.0
