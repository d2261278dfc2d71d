# Logits that are divided by a temperature of 0.01 from the start: the softmax is one-hot before anything was learned.
# corpus: rule IP703 or IP701 at *
# corpus: probe {loss: cross_entropy}
import torch
from torch import nn


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(32, 64), nn.LayerNorm(64), nn.GELU())
        self.head = nn.Linear(64, 20)

    def forward(self, x):
        return self.head(self.body(x)) / 0.01


def build():
    return Scaled(), torch.randn(64, 32)
