# Densely connected convolutions: every layer sees all before it (Huang et al. 2017).
import torch
from torch import nn


class Dense(nn.Module):
    def __init__(self, channels, growth=8):
        super().__init__()
        self.norm, self.conv = nn.BatchNorm2d(channels), nn.Conv2d(channels, growth, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu")

    def forward(self, x):
        return torch.cat([x, self.conv(torch.relu(self.norm(x)))], 1)


def build():
    layers = [Dense(16 + 8 * index) for index in range(6)]
    head = nn.Sequential(nn.BatchNorm2d(64), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), *layers, head), torch.randn(8, 3, 8, 8)
