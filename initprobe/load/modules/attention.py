"""Self-attention, with what it knows of positions: a causal mask, rotations, biases by distance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional


def rotated(x: torch.Tensor, base: float) -> torch.Tensor:
    """Turn the pairs (i, i + half) of every head by an angle that grows with the position: RoPE, as in Llama.

    Args:
        x: queries or keys, (batch, heads, length, width); the width is even.
        base: the slowest pair turns by ``base`` ** (2 / width - 1) per position.
    """
    length, width = x.shape[-2:]
    half = torch.arange(0, width, 2, device=x.device, dtype=torch.float32)
    angles = torch.outer(torch.arange(length, device=x.device, dtype=torch.float32), base ** (-half / width))
    angles = torch.cat([angles, angles], dim=-1)
    first, second = x.chunk(2, dim=-1)
    turned = torch.cat([-second, first], dim=-1)
    total: torch.Tensor = x * angles.cos().to(x.dtype) + turned * angles.sin().to(x.dtype)
    return total


class RelativeBias(nn.Module):
    """A learned number per head and distance of two tokens, added to the scores.

    The distances are those of T5: half of the buckets for one direction each (all for the past in a causal attention),
    the near distances one by one, the far ones in buckets that widen up to ``furthest``. Without ``furthest`` each
    distance has a row of its own, as in Swin; ``buckets`` is then 2 length - 1.
    """

    def __init__(self, buckets: int, heads: int, *, causal: bool, furthest: int | None) -> None:
        super().__init__()
        self.relative_bias = nn.Embedding(buckets, heads)
        self.causal = causal
        self.furthest = furthest

    def forward(self, length: int) -> torch.Tensor:
        """The biases, (heads, length, length); minus infinity for the future where the attention is causal."""
        places = torch.arange(length, device=self.relative_bias.weight.device)
        distance = places[None, :] - places[:, None]
        rows = distance + length - 1 if self.furthest is None else self.bucket(distance)
        biases: torch.Tensor = self.relative_bias(rows).permute(2, 0, 1)
        return biases.masked_fill(distance > 0, -math.inf) if self.causal else biases

    def bucket(self, distance: torch.Tensor) -> torch.Tensor:
        """The bucket of every distance (key minus query)."""
        count, offset = self.relative_bias.num_embeddings, torch.zeros_like(distance)
        if self.causal:
            distance = (-distance).clamp(min=0)
        else:
            count //= 2
            offset, distance = (distance > 0) * count, distance.abs()
        near = count // 2
        steps = math.log((self.furthest or near + 1) / near)
        far = near + (torch.log(distance.clamp(min=1) / near) / steps * (count - near)).long()
        return offset + torch.where(distance < near, distance, far.clamp(max=count - 1))


@dataclass(frozen=True, slots=True)
class AttentionForm:
    """What an attention is like.

    Attributes:
        heads, kv_heads: how many there are of queries, and of keys and values.
        width: that of a head.
        scale: what the products of queries and keys are multiplied by.
        causal: whether a token sees only those before it.
        packed: whether query, key and value are one matrix.
        bias: whether linear layers add a bias.
        dropout: probability of dropping a token from the mixture.
        rotary: base of the rotations of queries and keys, None for no rotations.
    """

    heads: int
    kv_heads: int
    width: int
    scale: float
    causal: bool = False
    packed: bool = False
    bias: bool = True
    dropout: float = 0.0
    rotary: float | None = None


class Attention(nn.Module):
    """Queries meet keys, and the softmax of their products mixes the values.

    Args:
        features: of the tokens.
        form: what it is like.
        relative: biases by distance.
        read: features of the tokens that keys and values are made of, where these are others.

    Attributes:
        form: what it is like.
        num_heads: its heads, by the name that others look for.
    """

    def __init__(
        self, features: int, form: AttentionForm, relative: RelativeBias | None = None, read: int | None = None
    ) -> None:
        super().__init__()
        self.form, self.num_heads = form, form.heads
        self.sizes = [form.heads * form.width, form.kv_heads * form.width, form.kv_heads * form.width]
        if form.packed:
            self.query_key_value = nn.Linear(features, sum(self.sizes), form.bias)
        else:
            reads = (features, read or features, read or features)
            self.query, self.key, self.value = (
                nn.Linear(width, size, form.bias) for width, size in zip(reads, self.sizes, strict=True)
            )
        self.relative = relative
        self.out = nn.Linear(self.sizes[0], features, form.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Mixed values of (batch, length, width)."""
        if self.form.packed:
            query, key, value = self.query_key_value(x).split(self.sizes, dim=-1)
        else:
            query, key, value = self.query(x), self.key(x), self.value(x)
        return self.mixed(query, key, value)

    def mixed(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """What the heads make of projections, (batch, length, width of all heads) each."""
        length = query.shape[1]
        query, key, value = (self.in_heads(part) for part in (query, key, value))
        if self.form.rotary is not None:
            query, key = rotated(query, self.form.rotary), rotated(key, self.form.rotary)
        groups = self.form.heads // self.form.kv_heads
        if groups > 1:
            key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
        biases = None if self.relative is None else self.relative(length).to(query.dtype)
        mixed = functional.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=biases,
            dropout_p=self.form.dropout if self.training else 0.0,
            is_causal=self.form.causal and biases is None,
            scale=self.form.scale,
        )
        out: torch.Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out

    def in_heads(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, heads, length, width of a head)."""
        return x.view(*x.shape[:2], -1, self.form.width).transpose(1, 2)
