# Depthwise and pointwise convolutions behind batch normalization, He's scheme by the fan-out over the groups (Howard et al.
# 2017).
from itertools import pairwise

import torch
from torch import nn


class Separable(nn.Module):
    def __init__(self, fan_in, fan_out):
        super().__init__()
        self.depthwise = nn.Conv2d(fan_in, fan_in, 3, padding=1, groups=fan_in, bias=False)
        self.pointwise = nn.Conv2d(fan_in, fan_out, 1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(fan_in), nn.BatchNorm2d(fan_out)

    def forward(self, x):
        return torch.relu(self.norm2(self.pointwise(torch.relu(self.norm1(self.depthwise(x))))))


def build():
    widths = (16, 32, 32, 64)
    blocks = [Separable(fan_in, fan_out) for fan_in, fan_out in pairwise(widths)]
    stem = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
    model = nn.Sequential(stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.kernel_size[0] ** 2 * module.out_channels // module.groups
            nn.init.normal_(module.weight, 0.0, (2.0 / fan_out) ** 0.5)
    return model, torch.randn(16, 3, 8, 8)
