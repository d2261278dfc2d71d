# He's scheme in residual branches without normalization: every block doubles the variance of the stream
# (Zhang, Dauphin & Ma 2019).
# corpus: rule IP601 or IP102 at blocks.*
# corpus: allows IP202 because the gradient doubles on its way back
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first, self.second = nn.Linear(width, width), nn.Linear(width, width)
        for layer in (self.first, self.second):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        return x + self.second(torch.relu(self.first(torch.relu(x))))


def build():
    model = nn.Sequential()
    model.add_module("stem", nn.Linear(64, 64))
    model.add_module("blocks", nn.Sequential(*(Block(64) for _ in range(28))))
    model.add_module("head", nn.Linear(64, 10))
    return model, torch.randn(32, 64)
