# A residual branch that is scaled by 1e-6 for safety: in float16 its values and its gradients are zero.
# corpus: rule IP802 at *
# corpus: check {precision: float16}
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.up, self.down = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x):
        return x + 1e-8 * self.down(torch.relu(self.up(x)))


def build():
    return nn.Sequential(*(Block(64) for _ in range(4)), nn.Linear(64, 4)), torch.randn(32, 64)
