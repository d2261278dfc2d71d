"""torch's own modules as targets: factories that ``check`` is run on."""

from __future__ import annotations

import torch
from torch import nn


def encoder():
    """The encoder of a transformer, six layers."""
    layer = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True)
    return nn.TransformerEncoder(layer, 6), torch.randn(8, 16, 64)


def encoder_norm_first():
    """The same, with its normalizations before the branches."""
    layer = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True, norm_first=True)
    return nn.TransformerEncoder(layer, 6, enable_nested_tensor=False), torch.randn(8, 16, 64)


def decoder():
    """The decoder of a transformer, six layers."""
    layer = nn.TransformerDecoderLayer(64, 4, 128, batch_first=True)
    return nn.TransformerDecoder(layer, 6), (torch.randn(8, 16, 64), torch.randn(8, 16, 64))


def transformer():
    """Both."""
    model = nn.Transformer(64, 4, 3, 3, 128, batch_first=True)
    return model, (torch.randn(8, 16, 64), torch.randn(8, 16, 64))


def attention():
    """Attention alone."""
    return nn.MultiheadAttention(64, 4, batch_first=True), (torch.randn(8, 16, 64),) * 3


def lstm():
    """Two layers."""
    return nn.LSTM(32, 64, 2, batch_first=True), torch.randn(8, 16, 32)


def gru():
    """Two layers, both ways."""
    return nn.GRU(32, 64, 2, batch_first=True, bidirectional=True), torch.randn(8, 16, 32)


def rnn():
    """Two layers of tanh."""
    return nn.RNN(32, 64, 2, batch_first=True), torch.randn(8, 16, 32)


def convolutions():
    """Convolutions with batch normalization, as torch draws them."""
    layers = [m for _ in range(6) for m in (nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU())]
    return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), *layers, nn.Flatten(), nn.Linear(1024, 10)), torch.randn(
        8, 3, 8, 8
    )


def perceptron():
    """A deep one, as torch draws it."""
    layers = [m for _ in range(4) for m in (nn.Linear(64, 64), nn.GELU())]
    return nn.Sequential(*layers, nn.Linear(64, 10)), torch.randn(8, 64)


def embedding():
    """Tokens to a mean to a class."""
    return nn.Sequential(nn.EmbeddingBag(100, 64), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)), torch.randint(
        0, 100, (8, 5)
    )
