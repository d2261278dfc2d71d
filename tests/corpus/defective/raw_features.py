# Prices in cents, a million of them in every row, into a layer of N(0, 1): float16 ends at 65504.
# corpus: rule IP801 at 0
# corpus: check {precision: float16}
import torch
from torch import nn


def build():
    first = nn.Linear(32, 64)
    nn.init.normal_(first.weight, 0.0, 1.0)
    return nn.Sequential(first, nn.LayerNorm(64), nn.ReLU(), nn.Linear(64, 4)), 1e5 * torch.rand(32, 32)
