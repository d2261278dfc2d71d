# A helper that takes ``weight.shape[1]`` for the fan-in, which in a transposed convolution is the number of outputs. The
# generator halves its channels from layer to layer, so every layer grows.
# corpus: rule IP505 at *
# corpus: allows IP202 because the same weights carry the gradient back
# corpus: allows IP102 because every layer is too large
# corpus: allows IP104 because every layer of few is a jump
from itertools import pairwise

import torch
from torch import nn


def he_(weight):
    fan = weight.shape[1] * weight[0, 0].numel() / 4  # a stride of 2 reaches a quarter of the taps
    nn.init.normal_(weight, 0.0, (2.0 / fan) ** 0.5)


def build():
    layers, widths = [], (256, 64, 16, 8, 4, 2)
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.ConvTranspose2d(fan_in, fan_out, 4, 2, 1, bias=False), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    for module in model.modules():
        if isinstance(module, nn.ConvTranspose2d):
            he_(module.weight)
    return model, torch.randn(4, 256, 1, 1)
