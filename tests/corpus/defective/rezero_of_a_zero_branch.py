# A ReZero gate of zero before a branch that ends in zeros as well: one such trick lets the branch learn, two of them do
# not.
# corpus: rule IP508 at blocks.*
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.up, self.down = nn.Linear(width, width), nn.Linear(width, width)
        self.gate = nn.Parameter(torch.zeros(()))
        nn.init.zeros_(self.down.weight)
        nn.init.zeros_(self.down.bias)

    def forward(self, x):
        return x + self.gate * self.down(torch.relu(self.up(x)))


def build():
    model = nn.Sequential()
    model.add_module("blocks", nn.Sequential(*(Block(32) for _ in range(4))))
    model.add_module("head", nn.Linear(32, 4))
    return model, torch.randn(32, 32)
