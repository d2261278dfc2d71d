# Two of four experts for every token, mixed by a softmax, behind a pre-norm and a skip connection.
import torch
from torch import nn


class MoE(nn.Module):
    def __init__(self, width, experts=4):
        super().__init__()
        self.norm, self.router = nn.LayerNorm(width), nn.Linear(width, experts, bias=False)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)) for _ in range(experts)
        )

    def forward(self, x):
        y = self.norm(x)
        weights, chosen = self.router(y).softmax(-1).topk(2, -1)
        gates = torch.zeros(*y.shape[:-1], len(self.experts)).scatter(-1, chosen, weights)
        return x + sum(gates[..., index : index + 1] * expert(y) for index, expert in enumerate(self.experts))


def build():
    model = nn.Sequential(nn.Linear(16, 32), *(MoE(32) for _ in range(4)), nn.LayerNorm(32), nn.Linear(32, 8))
    return model, torch.randn(8, 12, 16)
