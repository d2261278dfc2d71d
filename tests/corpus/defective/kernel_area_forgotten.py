# He's scheme with the number of input channels for the fan-in, without the nine taps of the kernel: three times too much.
# corpus: rule IP505 or IP102 at *
# corpus: allows IP202 because the same weights carry the gradient back
import torch
from torch import nn


def build():
    layers, channels = [], 3
    for width in (16, 24, 24, 32, 32, 48, 48, 32, 32, 32):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
        channels = width
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0.0, (2.0 / module.in_channels) ** 0.5)
            nn.init.zeros_(module.bias)
    return model, torch.randn(8, 3, 8, 8)
