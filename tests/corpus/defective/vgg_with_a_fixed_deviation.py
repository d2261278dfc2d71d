# Thirteen plain convolutions drawn from N(0, 0.01), of which VGG's authors wrote that it stalls learning
# (Simonyan & Zisserman 2014, section 3.1).
# corpus: rule IP101 at features.*
# corpus: rule IP201 at features.*
import torch
from torch import nn


def build():
    layers, channels = [], 3
    for _ in range(13):
        layers += [nn.Conv2d(channels, 32, 3, padding=1), nn.ReLU()]
        channels = 32
    model = nn.Sequential()
    model.add_module("features", nn.Sequential(*layers))
    model.add_module("head", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10)))
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.normal_(module.weight, 0.0, 0.01)
            nn.init.zeros_(module.bias)
    return model, torch.randn(8, 3, 8, 8)
