import copy

import torch
from torch import nn

from ..layers import Block  # noqa: TID252 - it works only where the package root was found


class ConvNet(nn.Module):
    def __init__(self, channels=2):
        super().__init__()
        self.block = Block(channels)
        self.encoder = nn.TransformerEncoderLayer(4, 1, 8)
        self.copies = nn.ModuleList([copy.deepcopy(self.block)])
        self.example_input_array = torch.zeros(3, channels, 8, 8)

    def forward(self, x):
        return self.block(x)
