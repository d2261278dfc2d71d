# PyTorch's own init, uniform with a gain of sqrt(1/3), in thirty plain ReLU layers (pytorch #15314, #57109).
# corpus: rule IP201 at *
import torch
from torch import nn


def build():
    layers = [m for _ in range(30) for m in (nn.Linear(64, 64), nn.ReLU())]
    return nn.Sequential(*layers, nn.Linear(64, 10)), torch.randn(32, 64)
