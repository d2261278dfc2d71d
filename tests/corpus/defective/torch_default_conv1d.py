# Sixteen 1-d convolutions as PyTorch draws them, no normalization: the gradient is gone before it reaches the wave.
# corpus: rule IP201 at *
# corpus: rule IP513 at *
import torch
from torch import nn


def build():
    layers = [nn.Conv1d(1, 32, 3, padding=1), nn.ReLU()]
    layers += [m for _ in range(15) for m in (nn.Conv1d(32, 32, 3, padding=1), nn.ReLU())]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(32, 4)), torch.randn(8, 1, 32)
