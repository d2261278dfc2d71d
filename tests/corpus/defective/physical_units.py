# Lengths in metres, of things that measure nanometres: fine in float32, and zero in float16.
# corpus: rule IP802 at 0
# corpus: check {precision: float16}
import torch
from torch import nn


def build():
    model = nn.Sequential(
        nn.Linear(32, 64, bias=False), nn.Linear(64, 64, bias=False), nn.LayerNorm(64), nn.Linear(64, 4)
    )
    return model, 1e-9 * torch.randn(32, 32)
