# ``[copy.deepcopy(layer) for _ in range(n)]``, the idiom of many home-made transformers (yet-another-retnet #27).
# corpus: rule IP502 at *layers.0*
import copy

import torch
from torch import nn


class Stack(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32))
        self.layers = nn.ModuleList(copy.deepcopy(layer) for _ in range(6))

    def forward(self, x):
        for layer in self.layers:
            x = x + layer(x)
        return x


def build():
    return Stack(), torch.randn(32, 32)
