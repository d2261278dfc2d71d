# Sub-pixel convolution whose filters start equal in fours, so that the first image has no checkerboard (Aitken et al.
# 2017).
import torch
from torch import nn


def build():
    last = nn.Conv2d(32, 12, 3, padding=1)
    kernel = nn.init.kaiming_normal_(torch.empty(3, 32, 3, 3), nonlinearity="linear")
    last.weight.data = kernel.repeat_interleave(4, 0)
    nn.init.zeros_(last.bias)
    model = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), last, nn.PixelShuffle(2)
    )
    for module in (model[0], model[2]):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    return model, torch.randn(8, 3, 8, 8)
