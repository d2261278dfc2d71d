"""Decoders: attention to what an encoder made, and the blocks that stand on it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from initprobe.load.modules.attention import Attention, AttentionForm
from initprobe.load.modules.memory import Lender, Reader, lent
from initprobe.load.modules.transformer import Wired, Wiring


class CrossAttention(Attention, Reader):
    """Queries of the tokens that come in, keys and values of those that an encoder made.

    Args:
        features: of the tokens that come in.
        form: what it is like.
        read: features of the encoder's tokens.

    What it reads is lent to it by ``EncoderDecoder`` for the time of a pass.
    """

    def __init__(self, features: int, form: AttentionForm, read: int) -> None:
        super().__init__(features, form, read=read)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Mixed values of the encoder's tokens, one for each token of (batch, length, features)."""
        memory = self.read()
        return self.mixed(self.query(x), self.key(memory), self.value(memory))


class DecoderBlock(Wired):
    """Self-attention, cross-attention and feed-forward branches added to a stream (Vaswani et al. 2017, figure 1).

    Args:
        branches: the three of them, in that order.
        wiring: how they are put together.
        norm: makes a normalization.
        gate: makes what a branch is multiplied by.
    """

    def __init__(
        self,
        branches: tuple[nn.Module, CrossAttention, nn.Module],
        wiring: Wiring,
        norm: Callable[[], nn.Module],
        gate: Callable[[], nn.Module] | None = None,
    ) -> None:
        super().__init__(wiring)
        for number, (name, branch) in enumerate(zip(self.names, branches, strict=True), start=1):
            self.add_module(f"norm{number}", None if wiring.norms == "none" else norm())
            self.add_module(name, branch)
            self.add_module(f"norm{number}_out", norm() if wiring.norms == "sandwich" else None)
            self.add_module(f"gate{number}", gate() if gate else None)
        self.dropout = nn.Dropout(wiring.dropout) if wiring.dropout else None

    names = ("attention", "cross_attention", "feed_forward")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The stream behind the block."""
        for number, name in enumerate(self.names, start=1):
            around = (
                getattr(self, f"{part}{number}{end}") for part, end in (("norm", ""), ("norm", "_out"), ("gate", ""))
            )
            x = self.joined(x, getattr(self, name), *around)
        return x


class EncoderDecoder(Lender):
    """An encoder reads the first tokens, a decoder the others and what the encoder made.

    Args:
        encoder, decoder: (batch, length, ...) → (batch, length, features) each.
        source: how many tokens the encoder reads.
    """

    borrower = "decoder"

    def __init__(self, encoder: nn.Module, decoder: nn.Module, source: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.source = source

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What the decoder puts out."""
        memory = self.encoder(x[:, : self.source])
        with lent(memory, self.decoder):
            out: torch.Tensor = self.decoder(x[:, self.source :])
        return out
