# A logarithm of what a linear layer puts out: half of its argument is negative.
# corpus: rule IP103 at 1*
# corpus: allows IP203 because the gradient of the weight behind a NaN is NaN
import torch
from torch import nn


class LogCompression(nn.Module):
    def forward(self, x):
        return torch.log(x + 1e-6)


def build():
    return nn.Sequential(nn.Linear(32, 32), LogCompression(), nn.Linear(32, 4)), torch.randn(32, 32)
