# Depthwise convolutions with the fan-in of dense ones: each sees one channel, and is drawn as if it saw all of them.
# corpus: rule IP505 or IP101 at *
# corpus: allows IP201 because the same weights carry the gradient back
import torch
from torch import nn


def build():
    layers, channels = [nn.Conv2d(3, 32, 1)], 32
    for _ in range(6):
        layers += [
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels),
            nn.Conv2d(channels, channels, 1),
            nn.ReLU(),
        ]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            gain = 1.0 if module.groups > 1 else 2.0
            nn.init.normal_(module.weight, 0.0, (gain / (module.in_channels * module.kernel_size[0] ** 2)) ** 0.5)
            nn.init.zeros_(module.bias)
    return model, torch.randn(8, 3, 8, 8)
