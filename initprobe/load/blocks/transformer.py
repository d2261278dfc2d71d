"""Attention, feed-forward layers, and the blocks that transformers are stacked of."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import nn

from initprobe.load.blocks.base import (
    Branch,
    Count,
    Flag,
    Incoming,
    Layer,
    Misfit,
    Number,
    Positive,
    Probability,
    Wanted,
    block,
)
from initprobe.load.modules.attention import Attention, AttentionForm, RelativeBias
from initprobe.load.modules.decoder import CrossAttention, DecoderBlock
from initprobe.load.modules.pointwise import Pointwise
from initprobe.load.modules.transformer import (
    GATED,
    FeedForward,
    GatedFeedForward,
    LayerScale,
    TransformerBlock,
    Wiring,
)

Scale = Annotated[
    Literal["sqrt", "linear"] | Positive,
    Wanted("'sqrt' (1 / √width of a head), 'linear' (1 / width of a head) or a number above 0"),
]
Activation = Literal[Pointwise, "glu", "reglu", "geglu", "geglu_tanh", "swiglu"]


class HeadOptions(Layer):
    """What the heads of every attention can be told."""

    heads: Count = Field(description="Number of heads")
    kv_heads: Count | None = Field(
        default=None, description="Heads of keys and values: 1 for multi-query, a divisor of heads for grouped queries"
    )
    head_width: Count | None = Field(default=None, description="Width of a head; features / heads when not given")
    scale: Scale = Field(
        default="sqrt", description="What scores are multiplied by: `sqrt` 1 / √head_width, `linear` 1 / head_width"
    )
    attention_dropout: Probability = Field(default=0.0, description="Probability of dropping a token from the mixture")
    bias: Flag = Field(default=True, description="Whether linear layers add a bias")

    def form(self, incoming: Incoming) -> AttentionForm:
        """What its heads are like.

        Raises:
            Misfit: the heads do not divide the features.
        """
        features = incoming.axes("length", "features")[1]
        kv_heads = self.kv_heads or self.heads
        if self.head_width is None and features % self.heads:
            raise Misfit(f"needs features that {self.heads} heads divide, here it is {incoming.shape}", key="heads")
        if self.heads % kv_heads:
            raise Misfit(f"needs heads ({self.heads}) that {kv_heads} heads of keys and values divide", key="kv_heads")
        width = self.head_width or features // self.heads
        scales = {"sqrt": 1 / math.sqrt(width), "linear": 1 / width}
        scale = scales[self.scale] if isinstance(self.scale, str) else self.scale
        return AttentionForm(self.heads, kv_heads, width, scale, bias=self.bias, dropout=self.attention_dropout)

    def cross_attention(self, incoming: Incoming) -> CrossAttention:
        """An attention to what an encoder made.

        Raises:
            Misfit: there is no encoder, or the heads do not divide the features.
        """
        if incoming.memory is None or len(incoming.memory.shape) != 2:
            hint = "it stands in the `decoder:` of an `encoder_decoder`"
            raise Misfit("reads what an encoder made, and there is none here", hint=hint)
        form = self.form(incoming)
        return CrossAttention(incoming.shape[1], form, read=incoming.memory.shape[1])


class AttentionOptions(HeadOptions):
    """What an attention of tokens to each other can be told."""

    causal: Flag = Field(default=False, description="Whether a token sees only those before it")
    packed: Flag = Field(default=False, description="Whether query, key and value are one matrix")
    rotary: Flag = Field(default=False, description="Whether queries and keys turn with the position (RoPE)")
    rotary_base: Positive = Field(default=10000.0, description="The slowest turn takes about 2π times that")
    relative: Literal["none", "buckets", "table"] = Field(
        default="none", description="Learned biases by distance: T5's buckets, or one for each distance"
    )
    buckets: Annotated[int, Field(ge=4), Wanted("a whole number from 4 up")] = Field(
        default=32, description="Number of buckets of distances"
    )
    max_distance: Count = Field(default=128, description="From there on all distances fall into the last bucket")

    def attention(self, incoming: Incoming) -> Attention:
        """The module.

        Raises:
            Misfit: the heads do not divide the features.
        """
        length, features = incoming.axes("length", "features")
        form = self.form(incoming)
        if self.rotary and form.width % 2:
            raise Misfit(f"rotates pairs of features, and a head has {form.width}", key="rotary")
        rotary = self.rotary_base if self.rotary else None
        told = replace(form, causal=self.causal, packed=self.packed, rotary=rotary)
        return Attention(features, told, self.relative_bias(length))

    def relative_bias(self, length: int) -> RelativeBias | None:
        """The biases by distance.

        Raises:
            Misfit: the last bucket would begin before the first that is wide.
        """
        if self.relative == "none":
            return None
        if self.relative == "table":
            return RelativeBias(2 * length - 1, self.heads, causal=self.causal, furthest=None)
        near = self.buckets // (2 if self.causal else 4)
        if self.max_distance <= near:
            message = f"has {near} buckets for single distances, so the last one has to begin beyond {near}"
            raise Misfit(message, key="max_distance")
        return RelativeBias(self.buckets, self.heads, causal=self.causal, furthest=self.max_distance)

    def attention_modules(self) -> int:
        """Itself, its projections, and the table of biases with its lookup."""
        return 1 + (2 if self.packed else 4) + (0 if self.relative == "none" else 2)


@block("attention")
class AttentionLayer(AttentionOptions):
    """Multi-head self-attention over (length, features)."""

    def build(self, incoming: Incoming) -> Branch:
        """``Attention`` with ``query``, ``key``, ``value`` (or ``query_key_value``) and ``out``."""
        return Branch(self.attention(incoming), incoming.signal)

    def modules(self) -> int:
        """See ``attention_modules``."""
        return self.attention_modules()


class FeedForwardOptions(Layer):
    """What a feed-forward layer can be told."""

    ratio: Positive = Field(default=4.0, description="Hidden features per feature")
    hidden: Count | None = Field(default=None, description="Number of hidden features, in place of the ratio")
    activation: Activation = Field(
        default="gelu", description="What stands between the two layers; `swiglu` and the like gate one with another"
    )
    bias: Flag = Field(default=True, description="Whether linear layers add a bias")

    def feed_forward(self, features: int) -> nn.Module:
        """The module.

        Raises:
            Misfit: no hidden feature is left.
        """
        hidden = self.hidden or int(self.ratio * features)
        if hidden < 1:
            raise Misfit(f"has no hidden features: {self.ratio:g} times {features} is less than 1", key="ratio")
        module = GatedFeedForward if self.activation in GATED else FeedForward
        return module(features, hidden, self.activation, bias=self.bias)

    def feed_forward_modules(self) -> int:
        """Itself, its layers and the activation."""
        return 5 if self.activation in GATED else 4


@block("feed_forward")
class FeedForwardLayer(FeedForwardOptions):
    """Two linear layers over the last axis, the hidden one wider; gated variants have three."""

    def build(self, incoming: Incoming) -> Branch:
        """``FeedForward`` with ``up``, ``activation`` and ``down``, and a ``gate`` where there is one."""
        return Branch(self.feed_forward(incoming.last()[0]), incoming.signal)

    def modules(self) -> int:
        """See ``feed_forward_modules``."""
        return self.feed_forward_modules()


class StreamOptions(AttentionOptions, FeedForwardOptions):
    """What can be told of branches along a stream of tokens: where normalizations stand, and what else does.

    Attributes:
        branches: how many there are in a block.
    """

    branches: ClassVar[int] = 2

    norm: Literal["pre", "post", "deepnorm", "sandwich", "none"] = Field(
        default="pre",
        description="Where normalizations stand: at the start of branches, behind sums (`deepnorm`: alpha x + f(x)), "
        "at both ends of branches, or nowhere",
    )
    normalization: Literal["layer", "rms"] = Field(default="layer", description="layer_norm or rms_norm")
    eps: Positive = Field(default=1e-5, description="Added to the variance by the normalizations")
    alpha: Positive | None = Field(default=None, description="What the skip paths are multiplied by")
    depth: Count | None = Field(
        default=None, description="Number of blocks in the stack, for the alpha of `norm: deepnorm`: (2 depth)^(1/4)"
    )
    gate: Literal["none", "rezero", "layerscale"] = Field(
        default="none", description="What branches are multiplied by: a learned number, or one per feature"
    )
    gate_value: Number | None = Field(
        default=None, description="Where gates start; 0 for `rezero`, 1e-5 for `layerscale` when not given"
    )
    dropout: Probability = Field(default=0.0, description="Probability of dropping a number at the end of branches")

    def skip_scale(self) -> float | None:
        """What the skip paths are multiplied by, None for nothing.

        Raises:
            Misfit: DeepNorm does not know its alpha.
        """
        if self.norm != "deepnorm":
            if self.depth is not None:
                raise Misfit("needs no depth", hint="it decides on the alpha of `norm: deepnorm`", key="depth")
            return self.alpha
        if (self.alpha is None) == (self.depth is None):
            hint = f"depth: the number of blocks in the stack; alpha is then ({self.branches} depth)^(1/4)"
            raise Misfit("needs either 'depth' or 'alpha' for deepnorm", hint=hint, key="norm")
        return self.alpha or (self.branches * (self.depth or 1)) ** 0.25

    def wiring(self, *, parallel: bool = False) -> Wiring:
        """How the branches are put together."""
        norms = "post" if self.norm == "deepnorm" else self.norm
        return Wiring(norms, parallel, self.skip_scale(), self.dropout)

    def normalizing(self, features: int) -> Callable[[], nn.Module]:
        """Makes a normalization."""
        return partial(nn.RMSNorm if self.normalization == "rms" else nn.LayerNorm, features, self.eps)

    def gates(self, features: int) -> Callable[[], nn.Module] | None:
        """Makes what a branch is multiplied by."""
        if self.gate == "none":
            if self.gate_value is not None:
                raise Misfit("has no gates", hint="gate: rezero, or gate: layerscale", key="gate_value")
            return None
        usual = 0.0 if self.gate == "rezero" else 1e-5
        value = usual if self.gate_value is None else self.gate_value
        return partial(LayerScale, features if self.gate == "layerscale" else 1, value)

    def added_modules(self) -> int:
        """The normalizations, gates and dropout that it asks for."""
        norms = {"none": 0, "sandwich": 2}.get(self.norm, 1)
        return self.branches * (norms + (self.gate != "none")) + bool(self.dropout)


@block("transformer")
class Transformer(StreamOptions):
    """A transformer block: attention and feed-forward branches with normalizations, over (length, features)."""

    parallel: Flag = Field(default=False, description="Whether both branches read the same signal (GPT-J, PaLM)")

    def build(self, incoming: Incoming) -> Branch:
        """``TransformerBlock`` with ``norm1``, ``attention``, ``norm2`` and ``feed_forward``."""
        if self.parallel and self.norm == "sandwich":
            raise Misfit("has one normalization for both branches where they are parallel", key="parallel")
        features = incoming.axes("length", "features")[1]
        built = TransformerBlock(
            self.attention(incoming),
            self.feed_forward(features),
            self.wiring(parallel=self.parallel),
            self.normalizing(features),
            self.gates(features),
        )
        return Branch(built, incoming.signal)

    def modules(self) -> int:
        """Itself, its branches, and what stands around them; parallel ones share a normalization."""
        shared = self.parallel and self.norm != "none"
        return 1 + self.attention_modules() + self.feed_forward_modules() + self.added_modules() - shared


@block("cross_attention")
class CrossAttentionLayer(HeadOptions):
    """Multi-head attention of (length, features) to what the encoder of an `encoder_decoder` made."""

    def build(self, incoming: Incoming) -> Branch:
        """``CrossAttention`` with ``query``, ``key``, ``value`` and ``out``."""
        return Branch(self.cross_attention(incoming), incoming.signal)

    def modules(self) -> int:
        """Itself and its projections."""
        return 5


@block("transformer_decoder")
class TransformerDecoder(StreamOptions):
    """A transformer block with a third branch, which attends to an encoder; it stands in an `encoder_decoder`."""

    branches: ClassVar[int] = 3

    causal: Flag = Field(default=True, description="Whether a token sees only those before it")
    depth: Count | None = Field(
        default=None, description="Number of blocks in the stack, for the alpha of `norm: deepnorm`: (3 depth)^(1/4)"
    )

    def build(self, incoming: Incoming) -> Branch:
        """``DecoderBlock`` with ``attention``, ``cross_attention`` and ``feed_forward``, and norm1, norm2 and norm3."""
        features = incoming.axes("length", "features")[1]
        branches = self.attention(incoming), self.cross_attention(incoming), self.feed_forward(features)
        built = DecoderBlock(branches, self.wiring(), self.normalizing(features), self.gates(features))
        return Branch(built, incoming.signal)

    def modules(self) -> int:
        """Itself, its branches, and what stands around them."""
        return 1 + self.attention_modules() + 5 + self.feed_forward_modules() + self.added_modules()
