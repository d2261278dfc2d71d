# A distance between two views that are equal at the start: the square root has an infinite slope at zero.
# corpus: rule IP203
import torch
from torch import nn


class Distance(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(16, 32)
        self.offset = nn.Linear(32, 32)
        nn.init.zeros_(self.offset.weight)
        nn.init.zeros_(self.offset.bias)

    def forward(self, x):
        code = self.encoder(x)
        return (self.offset(code)).square().sum(-1).sqrt()


def build():
    return Distance(), torch.randn(32, 16)
