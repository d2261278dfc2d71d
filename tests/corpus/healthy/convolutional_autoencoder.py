# An autoencoder of strided convolutions and their transposes, He's scheme by the fan-in of each operation.
import torch
from torch import nn


def build():
    model = nn.Sequential(
        nn.Conv2d(1, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(),
        nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(16, 1, 4, 2, 1),
    )  # fmt: skip
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
        elif isinstance(module, nn.ConvTranspose2d):
            nn.init.normal_(
                module.weight, 0.0, (2.0 / (module.in_channels * 4)) ** 0.5
            )  # 4 x 4 taps, a quarter reached
    return model, torch.randn(16, 1, 16, 16)
