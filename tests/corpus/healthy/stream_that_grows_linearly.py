# Pre-norm blocks as PyTorch draws them, twenty of them: the stream's variance grows by the same amount in every block,
# which is normal (the question of OLMo #797).
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm, self.up, self.down = nn.RMSNorm(width), nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x):
        return x + self.down(nn.functional.silu(self.up(self.norm(x))))


def build():
    return nn.Sequential(
        nn.Linear(16, 48), *(Block(48) for _ in range(20)), nn.RMSNorm(48), nn.Linear(48, 8)
    ), torch.randn(16, 16)
