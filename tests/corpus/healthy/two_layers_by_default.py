# The first network of every tutorial, as PyTorch draws it.
import torch
from torch import nn


def build():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10)), torch.randn(32, 1, 8, 8)
