"""Token ids, with a placeholder for every feature that images, sounds or videos bring into the text."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from initprobe.load.dummies.base import Constant, Dummy, Modality, Network, modality, ones
from initprobe.subject import Call
from initprobe.variates import Variates

LENGTH = 128
"""Tokens of a text, where the model takes as many."""

SAMPLES = 2
"""Batch that features are counted on."""

_NEAR = ("text", "language", "llm", "thinker", "lm", "decoder")
_ENCODER = ("text", "encoder", "language")
_SPECIAL = re.compile(r"(_token|_token_id|_token_index|_tok_id|_token_ids)$")
_PLACEHOLDERS = {
    "pixel_values": ("get_image_features", ("image_token_id", "image_token_index"), "vision"),
    "pixel_values_videos": ("get_video_features", ("video_token_id", "video_token_index"), "vision"),
    "input_features": ("get_audio_features", ("audio_token_id", "audio_token_index"), "audio"),
    "input_values": ("get_audio_features", ("audio_token_id", "audio_token_index"), "audio"),
}


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token ids of shape (batch, *shape), none of them special but the fixed ones.

    Attributes:
        shape: shape of one sample; the last axis is the text.
        vocab: size of the vocabulary.
        avoid: ids that are not drawn, ascending: padding, placeholders, whatever has a meaning of its own.
        opening: ids that every text begins with.
        ending: the id that every text ends with, as a tokenizer writes it: CLIP pools there, heads look for it.
    """

    shape: tuple[int, ...]
    vocab: int
    avoid: tuple[int, ...] = ()
    opening: tuple[int, ...] = ()
    ending: int | None = None

    def draw(self, batch: int, variates: Variates, dtype: torch.dtype) -> torch.Tensor:  # noqa: ARG002
        """See ``base.Dummy``."""
        ids = variates.integers((batch, *self.shape), self.vocab - len(self.avoid))
        for special in self.avoid:  # ascending: each makes room for itself
            ids += ids >= special
        if self.opening:
            ids[..., : len(self.opening)] = torch.tensor(self.opening)
        if self.ending is not None:
            ids[..., -1] = self.ending
        return ids


def _length(network: Network) -> int:
    """Tokens that fit: position tables may keep two rows for themselves (RoBERTa counts from the padding id on)."""
    shape = network.find("axial_pos_shape")  # Reformer trains on texts of exactly that size
    if isinstance(shape, (list, tuple)) and len(shape) == 2:
        return int(shape[0]) * int(shape[1])
    names = ("max_position_embeddings", "n_positions", "max_target_positions", "max_sequence_length", "block_size")
    positions = network.whole(*names, near=_NEAR)
    return max(1, min(LENGTH, positions - 2)) if positions else LENGTH


def special_ids(network: Network, vocab: int) -> tuple[int, ...]:
    """Every id of the vocabulary that some configuration gives a name, ascending; none where they are most of it."""
    found: set[int] = set()
    for config in network.nested():
        for key, value in vars(config).items():
            if _SPECIAL.search(key):
                found |= {item for item in (value if isinstance(value, (list, tuple)) else [value]) if _is_id(item)}
    inside = tuple(sorted(item for item in found if item < vocab))
    return inside if 2 * len(inside) < vocab else ()


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _ending(network: Network, vocab: int, near: tuple[str, ...]) -> int | None:
    value = network.find("eos_token_id", near=near)
    value = value[0] if isinstance(value, (list, tuple)) and value else value
    return value if _is_id(value) and value < vocab else None


def _tokens(network: Network, chosen: Mapping[str, Dummy]) -> list[Dummy]:
    near = _ENCODER if network.config.is_encoder_decoder else _NEAR
    vocab = network.whole("vocab_size", "text_vocab_size", "n_token", "num_hash_buckets", near=near)
    if vocab is None:
        return []
    write = partial(Tokens, vocab=vocab, avoid=special_ids(network, vocab), ending=_ending(network, vocab, near))
    plain = write((_length(network),))
    books = network.whole("num_codebooks", "n_codes_total", "num_vq")
    others: list[Dummy] = [write((books, LENGTH)), write((LENGTH, books))] if books else []
    opening = placeholders(network, chosen)
    if not opening:
        return [plain, *others]
    return [write((max(_length(network), len(opening) + 16),), opening=opening), plain]


def placeholders(network: Network, chosen: Mapping[str, Dummy]) -> tuple[int, ...]:
    """The part of a text that stands for images and the like: one placeholder for each of their features."""
    written: list[int] = []
    for name, (method, tokens, kind) in _PLACEHOLDERS.items():
        token = network.find(*tokens)
        owners = (module for module in network.model.modules() if hasattr(module, method))
        count = getattr(next(owners, None), method, None)
        if name not in chosen or not _is_id(token) or count is None:
            continue
        start = network.find(f"{kind}_start_token_id", f"{kind}_bos_token_id", "boi_token_id")
        end = network.find(f"{kind}_end_token_id", f"{kind}_eos_token_id", "eoi_token_id")
        written += [start] if _is_id(start) else []
        written += [token] * features_per_sample(network, count, chosen)
        written += [end] if _is_id(end) else []
    return tuple(written)


def features_per_sample(network: Network, method: Callable[..., Any], chosen: Mapping[str, Dummy]) -> int:
    """How many vectors of text width one sample's images (sounds, videos) become."""
    taken = inspect.signature(method).parameters
    kwargs = {
        name: dummy.draw(SAMPLES, Variates(0, f"@count.{name}"), torch.float32)
        for name, dummy in chosen.items()
        if name in taken
    }
    found = network.run(method, Call((), kwargs))
    pooled = getattr(found, "pooler_output", None)
    pooled = found if pooled is None else pooled
    parts = pooled if isinstance(pooled, (list, tuple)) else [pooled]
    return sum(int(part[..., 0].numel()) for part in parts) // SAMPLES


def _decoder_tokens(network: Network, chosen: Mapping[str, Dummy]) -> list[Dummy]:  # noqa: ARG001
    vocab = network.whole("decoder_vocab_size", "vocab_size", near=("decoder", "text"))
    if vocab is None:
        return []
    first = network.find("decoder_start_token_id", "bos_token_id", near=("decoder", "text"))
    opening = (first,) if _is_id(first) and first < vocab else ()
    write = partial(Tokens, vocab=vocab, avoid=special_ids(network, vocab), opening=opening)
    books = network.whole("num_codebooks", near=("decoder",))
    length = min(_length(network), LENGTH)
    many: list[Dummy] = [write((books, length)), write((length, books))] if books else []
    return [write((length,)), *many]


def _query_tokens(network: Network, chosen: Mapping[str, Dummy]) -> list[Dummy]:  # noqa: ARG001
    """An instruction for the transformer that queries the image."""
    vocab = network.whole("vocab_size", near=("qformer",))
    return [Tokens((16,), vocab)] if vocab else []


def _length_of(chosen: Mapping[str, Dummy], network: Network) -> int:
    ids = chosen.get("input_ids")
    return int(ids.shape[-1]) if isinstance(ids, Tokens) else _length(network)


def _mask(network: Network, chosen: Mapping[str, Dummy]) -> list[Dummy]:
    return [ones(_length_of(chosen, network))]


def _zeros(network: Network, chosen: Mapping[str, Dummy]) -> list[Dummy]:
    return [Constant([0] * _length_of(chosen, network))]


def _image_types(network: Network, chosen: Mapping[str, Dummy]) -> list[Dummy]:
    """Which tokens stand for an image (1) or a video (2)."""
    ids = chosen.get("input_ids")
    if not isinstance(ids, Tokens):
        return []
    kinds = {network.find("image_token_id", "image_token_index"): 1, network.find("video_token_id"): 2}
    kinds.pop(None, None)
    written = [kinds.get(token, 0) for token in ids.opening]
    return [Constant([*written, *[0] * (ids.shape[-1] - len(written))])]


def _positions(network: Network, chosen: Mapping[str, Dummy]) -> list[Dummy]:
    return [Constant(list(range(_length_of(chosen, network))))]


def _boxes(network: Network, chosen: Mapping[str, Dummy]) -> list[Dummy]:
    """Where on a page each word stands, left, top, right, bottom: all in one place."""
    return [Constant([[1, 1, 3, 3]] * _length_of(chosen, network))]


TEXT = modality(
    Modality(
        name="text",
        order=9,
        data={"input_ids": _tokens, "decoder_input_ids": _decoder_tokens},
        companions={"bbox": _boxes, "mm_token_type_ids": _image_types},
        required={
            "attention_mask": _mask,
            "qformer_input_ids": _query_tokens,
            "token_type_ids": _zeros,
            "position_ids": _positions,
            "decoder_attention_mask": lambda network, _: [ones(min(_length(network), LENGTH))],
        },
    )
)
