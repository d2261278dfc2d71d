# Xavier's scheme by the sum of a kernel's shape, sqrt(2 / (3 + 3 + 48 + 48)): behind batch normalization the residual
# stream takes branches that are too large (lczero-training #43).
# corpus: rule IP505 at *conv*
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)

    def forward(self, x):
        return x + self.conv2(torch.relu(self.norm1(self.conv1(x))))


def build():
    model = nn.Sequential(nn.Conv2d(3, 48, 3, padding=1), *(Block(48) for _ in range(4)))
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0.0, (2.0 / sum(module.weight.shape)) ** 0.5)
    return model, torch.randn(8, 3, 8, 8)
