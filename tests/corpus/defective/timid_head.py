# A head of N(0, 1e-7), neither zero on purpose nor of any use: all classes tie, and hardly any gradient passes it.
# corpus: rule IP702 at *
# corpus: probe {loss: cross_entropy}
import torch
from torch import nn


def build():
    head = nn.Linear(64, 10)
    nn.init.normal_(head.weight, 0.0, 1e-7)
    nn.init.zeros_(head.bias)
    return nn.Sequential(nn.Linear(32, 64), nn.ReLU(), head), torch.randn(64, 32)
