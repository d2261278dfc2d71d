# A weight that was made by ``expand`` of a single random row: its units are random, and all the same.
# corpus: rule IP303 at 2
import torch
from torch import nn


def build():
    model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))
    row = torch.randn(1, 64) * (2.0 / 64) ** 0.5
    model[2].weight.data = row.expand(64, 64).clone()
    nn.init.zeros_(model[2].bias)
    return model, torch.randn(32, 32)
