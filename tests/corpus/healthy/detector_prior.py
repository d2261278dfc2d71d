# A detector's head with a bias of -ln 99, so that one box in a hundred is an object at the start (Lin et al. 2017, 4.1).
import math

import torch
from torch import nn


def build():
    layers = [nn.Conv2d(3, 32, 3, padding=1), nn.ReLU()]
    layers += [m for _ in range(3) for m in (nn.Conv2d(32, 32, 3, padding=1), nn.ReLU())]
    head = nn.Conv2d(32, 9, 3, padding=1)
    for module in layers:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)
    nn.init.normal_(head.weight, 0.0, 0.01)
    nn.init.constant_(head.bias, -math.log(99.0))
    return nn.Sequential(*layers, head), torch.randn(8, 3, 8, 8)
