# Noise from a generator of its own that nobody seeds: two runs of one seed differ.
# corpus: rule IP005
import numpy as np
import torch
from torch import nn


class Noise(nn.Module):
    def forward(self, x):
        return x + torch.from_numpy(np.random.default_rng().normal(size=x.shape)).to(x)


def build():
    return nn.Sequential(nn.Linear(32, 32), Noise(), nn.ReLU(), nn.Linear(32, 4)), torch.randn(32, 32)
