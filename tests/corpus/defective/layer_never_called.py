# A projection for the skip connection is built and never called: the forward pass adds the input itself.
# corpus: rule IP002 at blocks.*.shortcut
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
        self.shortcut = nn.Linear(width, width)

    def forward(self, x):
        return x + self.body(x)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(*(Block(32) for _ in range(4)))
        self.head = nn.Linear(32, 4)

    def forward(self, x):
        return self.head(self.blocks(x))


def build():
    return Net(), torch.randn(32, 32)
