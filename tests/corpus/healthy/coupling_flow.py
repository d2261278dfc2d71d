# Affine couplings whose networks end in zeros, so that the flow starts as the identity (Dinh et al. 2017; Kingma &
# Dhariwal 2018).
import torch
from torch import nn


class Coupling(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(width // 2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, width)
        )
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, x):
        kept, changed = x.chunk(2, -1)
        scale, shift = self.net(kept).chunk(2, -1)
        return torch.cat([changed * torch.exp(torch.tanh(scale)) + shift, kept], -1)


def build():
    return nn.Sequential(*(Coupling(16) for _ in range(6))), torch.randn(32, 16)
