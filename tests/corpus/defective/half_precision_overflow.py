# Squares of unnormalized energies: in float32 all is well, in float16 everything above 65504 is infinite.
# corpus: rule IP801 at *
# corpus: check {precision: float16}
import torch
from torch import nn


class Energy(nn.Module):
    def forward(self, x):
        return x.square()


def build():
    model = nn.Sequential(nn.Linear(64, 64), Energy(), nn.LayerNorm(64), nn.Linear(64, 4))
    return model, 1000.0 * torch.randn(32, 64)
