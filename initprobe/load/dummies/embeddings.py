"""Vectors that stand where tokens or features were embedded already: for parts of models that embed nothing."""

from __future__ import annotations

from collections.abc import Mapping

from initprobe.load.dummies.base import Dummy, Modality, Network, Noise, modality

LENGTH = 32
_WIDTHS = ("hidden_size", "d_model", "n_embd", "embed_dim", "hidden_dim", "dim", "encoder_dim")


def _vectors(network: Network, chosen: Mapping[str, Dummy]) -> list[Dummy]:  # noqa: ARG001
    width = network.whole(*_WIDTHS)
    return [Noise((LENGTH, width))] if width else []


def _latents(network: Network, chosen: Mapping[str, Dummy]) -> list[Dummy]:  # noqa: ARG001
    """Channels first, as codecs have them, or last."""
    widths = [network.whole(name) for name in ("codebook_dim", "latent_dim", "latent_channels", *_WIDTHS)]
    return [Noise(shape) for width in dict.fromkeys(widths) if width for shape in ((width, LENGTH), (LENGTH, width))]


def _encoded(network: Network, chosen: Mapping[str, Dummy]) -> list[Dummy]:  # noqa: ARG001
    width = network.whole("encoder_hidden_size", "cross_attention_hidden_size", *_WIDTHS)
    return [Noise((LENGTH, width))] if width else []


EMBEDDINGS = modality(
    Modality(
        name="embeddings",
        order=8,
        data={},
        required={
            "inputs_embeds": _vectors,
            "query_embeds": _vectors,
            "embeddings": _vectors,
            "latents": _latents,
            "encoder_hidden_states": _encoded,
            "hidden_states": _vectors,
        },
    )
)
