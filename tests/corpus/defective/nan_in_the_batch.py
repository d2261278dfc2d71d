# One sample of the batch holds a NaN, as a division by a standard deviation of zero leaves it.
# corpus: rule IP001
import torch
from torch import nn


def build():
    inputs = torch.randn(32, 16)
    inputs[:, 5] = 0.0
    inputs = (inputs - inputs.mean(0)) / inputs.std(0)
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4)), inputs
