# ``torch.randn`` as the init of home-made layers: n times the variance that a layer of n inputs bears.
# corpus: rule IP102 at layers.*
# corpus: rule IP202 at layers.*
import torch
from torch import nn


class Dense(nn.Module):
    def __init__(self, fan_in, fan_out):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(fan_in, fan_out))
        self.bias = nn.Parameter(torch.zeros(fan_out))

    def forward(self, x):
        return x @ self.weight + self.bias


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(Dense(64, 64) for _ in range(10))
        self.head = Dense(64, 4)

    def forward(self, x):
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.head(x)


def build():
    return Net(), torch.randn(32, 64)
