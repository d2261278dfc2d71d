# Pre-norm encoder layers of torch, each built for itself.
import torch
from torch import nn


def build():
    layers = [
        nn.TransformerEncoderLayer(48, 4, 96, dropout=0.1, activation="gelu", batch_first=True, norm_first=True)
        for _ in range(6)
    ]
    return nn.Sequential(nn.Linear(16, 48), *layers, nn.LayerNorm(48), nn.Linear(48, 8)), torch.randn(8, 12, 16)
