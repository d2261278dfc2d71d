# A helper that takes ``weight.shape[1]`` for the fan-in, which in a transposed convolution counts the outputs, and the
# kernel not at all. The generator has fewer channels in every layer, so that every layer grows.
# corpus: rule IP505 or IP102 at *
# corpus: allows IP202 because the same weights carry the gradient back
from itertools import pairwise

import torch
from torch import nn


def he_(weight):
    nn.init.normal_(weight, 0.0, (2.0 / weight.shape[1]) ** 0.5)


def build():
    layers = []
    for fan_in, fan_out in pairwise((128, 64, 32, 16, 8, 4)):
        layers += [nn.ConvTranspose2d(fan_in, fan_out, 4, 2, 1, bias=False), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Conv2d(4, 3, 1))
    for module in model.modules():
        if isinstance(module, nn.ConvTranspose2d):
            he_(module.weight)
    return model, torch.randn(4, 128, 1, 1)
