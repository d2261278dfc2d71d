"""Makes any configuration of the transformers library tiny: overrides, nested like the configuration itself."""

from __future__ import annotations

import dataclasses
import re

from transformers.models.auto.configuration_auto import CONFIG_MAPPING

LAYERS, VOCAB, SIDE, POSITIONS = 2, 128, 64, 160

COUNTS = (
    (r"(num|n)_(hidden_)?layers?|(\w+_)?n(um)?_(hidden_|attention_|decoder_|encoder_)?(layers?|blocks)|\w*_layers|depth", LAYERS),
    (r"\w*vocab_size|n_token", VOCAB),
    (r"num_(local_)?experts|n_routed_experts|moe_num_experts", 4),
    (r"num_experts_per_tok|moe_k|num_selected_experts", 2),
)  # fmt: skip


def sizes(width: int, heads: int, groups: int, patch: int) -> tuple[tuple[str, int], ...]:
    """What each key may be at most."""
    return (
        *COUNTS,
        (r"image_size|img_size|crop_size", SIDE),
        (r"(spatial_)?patch_size", patch),
        (r"num_key_value_heads|num_kv_heads|n_head_kv", groups),
        (r"(\w+_)?(num_)?(attention_)?heads|n_heads?|num_heads|\w+_attention_heads", heads),
        (r"(attention_)?head_dim|d_kv|attention_key_size|v_head_dim", width // heads),
        (r"max_position_embeddings|n_positions|n_ctx|max_target_positions", POSITIONS),
        (r"max_source_positions", 64),
        (r"(\w+_)?(intermediate_size|ffn_dim|d_ff|ffn_hidden_size|mlp_dim|intermediate_dim|inner_dim|feed_forward_dim)", 2 * width),
        (r"n_inner|d_inner", 2 * width),
        (r"(hidden_size|d_model|n_embd|embed_dim|dim|embedding_size|emb_dim|encoder_dim|projection_dim|hidden_dim|d_embed|model_dim|proj_size|word_embed_proj_dim|out_hidden_size)", width),
        (r"num_queries|num_query_tokens", 10),
    )  # fmt: skip


ABSENT = {
    "image_token_id": 7,
    "image_token_index": 7,
    "n_routed_experts": 4,
    "prediction_length": 8,
    "vocab_size": VOCAB,
}
"""What some defaults leave open, although no model can be built without."""

BACKBONE = {
    "model_type": "resnet",
    "embedding_size": 16,
    "hidden_sizes": [16, 32, 48, 64],
    "depths": [1, 1, 1, 1],
    "layer_type": "basic",
    "out_features": ["stage2", "stage3", "stage4"],
}
"""In place of one that needs timm."""

LEVELS = {
    "tiny": sizes(32, 4, 2, 8),
    "small": sizes(256, 2, 2, 16),
    "medium": sizes(128, 2, 2, 16),
    "short": COUNTS,
    "whole": (),
}
"""The second keeps heads at 128 numbers each, which is what some sections of rotary embeddings are written for."""


def shrunk(model_type: str, level: str) -> dict:
    """Overrides for a model type; none where not even its defaults make a configuration.

    Args:
        model_type: a key of ``CONFIG_MAPPING``.
        level: one of ``LEVELS``, the smallest first.
    """
    try:
        config = CONFIG_MAPPING[model_type]()
    except Exception:  # noqa: BLE001 - to say so is the source's business
        return {}
    return overrides(config, LEVELS[level])


def overrides(config, rules) -> dict:
    """What to change in a configuration and in those nested in it."""
    made = {}
    for field in dataclasses.fields(config):
        try:
            value = getattr(config, field.name)
        except Exception:  # noqa: BLE001 - it differs from layer to layer
            continue
        small = smaller(field.name, value, rules)
        if small != value and small not in (None, {}):
            made[field.name] = small
    return made


def smaller(key: str, value, rules):
    """A value as small as its key allows; the value itself where nothing is known about the key."""
    sizes_too = rules not in (COUNTS, ())
    if hasattr(value, "to_dict") and hasattr(value, "model_type"):
        if sizes_too and key == "backbone_config" and value.model_type.startswith("timm"):
            return BACKBONE
        inner = overrides(value, rules)
        return {"model_type": value.model_type, **inner} if inner and value.model_type else inner
    if isinstance(value, int) and not isinstance(value, bool):
        return smaller_number(key, value, rules)
    return smaller_other(key, value, rules) if sizes_too else value


def smaller_other(key: str, value, rules):
    """As above, for what is neither a number nor a configuration."""
    if value is None:
        return smaller_number(key, 10**6, rules) if key == "head_dim" else ABSENT.get(key)
    if key == "image_grid_pinpoints":
        return [[SIDE, 2 * SIDE], [2 * SIDE, SIDE]]
    if isinstance(value, dict) and "mrope_section" in value and rules is LEVELS["tiny"]:
        return {**value, "mrope_section": [2, 1, 1]}
    return smaller_numbers(key, value) if isinstance(value, (list, tuple)) else value


def smaller_number(key: str, value: int, rules) -> int:
    for pattern, limit in rules:
        if re.fullmatch(pattern, key):
            return min(value, limit)
    if rules not in (COUNTS, ()) and re.search(r"_token_id$|_token_index$", key) and value >= VOCAB:
        return 3 + number_of(key) % (VOCAB - 8)
    return value


def number_of(text: str) -> int:
    """Another number for every name, the same in every process."""
    return sum(ord(char) * 31**place for place, char in enumerate(text))


def smaller_numbers(key: str, value):
    """Lists with one number per stage."""
    if len(value) < 2 or not all(isinstance(item, int) and not isinstance(item, bool) for item in value):
        return value
    if re.fullmatch(r"depths|num_blocks|layers|num_(hidden_)?layers|\w+_layers|\w*depths", key):
        return [min(item, 1) for item in value]
    if re.fullmatch(r"hidden_sizes|embed_dims?|widths?|encoder_hidden_sizes|dims", key):
        return [max(8, item // 8) // 8 * 8 for item in value]
    if re.fullmatch(r"num_heads|num_attention_heads|encoder_attention_heads", key):
        return [min(item, 2) for item in value]
    return [min(item, SIDE) for item in value] if re.fullmatch(r"image_size|img_size", key) else value
