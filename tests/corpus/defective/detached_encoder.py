# A ``detach`` that was left in the forward pass: the encoder in front of it never learns.
# corpus: rule IP004 at encoder
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32))
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(32, 4))

    def forward(self, x):
        return self.head(self.encoder(x).detach())


def build():
    return Net(), torch.randn(32, 32)
