# Xavier's scheme by the sum of a kernel's shape, sqrt(2 / (3 + 3 + 48 + 48)), in a tower of convolutions
# (lczero-training #43).
# corpus: rule IP505 or IP102 at *
# corpus: allows IP202 because the same weights carry the gradient back
import torch
from torch import nn


def build():
    layers = [nn.Conv2d(3, 48, 3, padding=1), nn.ReLU()]
    layers += [m for _ in range(15) for m in (nn.Conv2d(48, 48, 3, padding=1), nn.ReLU())]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 10))
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0.0, (2.0 / sum(module.weight.shape)) ** 0.5)
            nn.init.zeros_(module.bias)
    return model, torch.randn(8, 3, 6, 6)
