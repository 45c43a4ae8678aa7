"""Language models: their shapes, one dataclass a row of ``transformers.csv``."""

import math
from dataclasses import dataclass

from analysis.errors import DataError, nearest


@dataclass(frozen=True)
class Transformer:
    """The shape of one language model; counts, and sizes in values.

    Attributes
    ----------
    name : str
    layers, dense_layers, mtp_layers : int
        All layers, those without experts, and multi-token-prediction layers on top.
    hidden_size, vocabulary : int
    latent_attention : bool
        Multi-head latent attention (MLA); else grouped or multi-head attention.
    attention_heads, key_value_heads : int
    head_dim : int
        Of a key and a value; without latent attention.
    q_lora_rank, kv_lora_rank, qk_nope_head_dim, qk_rope_head_dim, v_head_dim : int
        Of latent attention; 0 without it.
    intermediate_size, expert_intermediate_size : int
        Width of a dense layer's and of an expert's feed-forward network.
    gated : bool
        Three matrices a feed-forward network instead of two.
    routed_experts, shared_experts, experts_per_token : int
        0 for a dense model.
    groups_per_token, expert_groups : int
        Of how many groups the experts of one token may come; 0 where routing is free.
    sliding_window : int
        Tokens that every second layer looks back on; 0 where all layers see everything.
    tied_embeddings, attention_bias : bool
    sources : frozenset of str
        Citation keys of the row.
    """

    name: str
    layers: int
    dense_layers: int
    mtp_layers: int
    hidden_size: int
    vocabulary: int
    latent_attention: bool
    attention_heads: int
    key_value_heads: int
    head_dim: int
    q_lora_rank: int
    kv_lora_rank: int
    qk_nope_head_dim: int
    qk_rope_head_dim: int
    v_head_dim: int
    intermediate_size: int
    expert_intermediate_size: int
    gated: bool
    routed_experts: int
    shared_experts: int
    experts_per_token: int
    expert_groups: int
    groups_per_token: int
    sliding_window: int
    tied_embeddings: bool
    attention_bias: bool
    sources: frozenset

    @property
    def moe_layers(self):
        """Layers with experts."""
        return self.layers - self.dense_layers


WHOLE = (
    "layers",
    "mtp_layers",
    "hidden_size",
    "vocabulary",
    "attention_heads",
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
)


def transformer(facts, name):
    """Return the shape of one model.

    Parameters
    ----------
    facts : Facts
        The tables.
    name : str
        A name of ``transformers.csv``; see `analysis.facts.names.resolved` for other spellings.

    Returns
    -------
    Transformer

    Raises
    ------
    DataError
        For an unknown name, or a shape without the sizes that its kind of attention or of layer needs.
    """
    key = ("transformer", name)
    if key not in facts.derived:
        table = facts.table("transformers")
        match = table.index[table["name"] == name]
        if not len(match):
            raise DataError(f"transformers.csv: no row {name!r}. {nearest(name, table['name'])}")
        facts.derived[key] = _shape(table.loc[match[0]], facts.where("transformers", match[0]))
    return facts.derived[key]


def _shape(row, where):
    sizes = {name: 0 if math.isnan(row[name]) else int(row[name]) for name in WHOLE}
    latent, experts = row["attention"] == "MLA", row["kind"] == "moe"
    needed = ("kv_lora_rank", "q_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")
    needed = needed if latent else ("key_value_heads", "head_dim")
    needed += ("expert_intermediate_size", "routed_experts", "experts_per_token") if experts else ("intermediate_size",)
    for name in needed:
        if sizes[name] <= 0:
            raise DataError(f"{where}, column {name}: {row[name]:g}; {row['name']} needs a size above 0")
    dense = sizes["layers"] if not experts else 0 if math.isnan(row["dense_layers"]) else int(row["dense_layers"])
    return Transformer(
        name=row["name"],
        dense_layers=dense,
        latent_attention=latent,
        gated=row["gated_mlp"] == "yes",
        tied_embeddings=row["tied_embeddings"] == "yes",
        attention_bias=row["attention_bias"] in ("yes", "qkv only"),
        sources=frozenset(row["source"].split(";")),
        **sizes,
    )
