# Attention with a table of relative positions that starts at zero, beside weights cut at two sigma (Liu et al. 2021).
import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self, width, length, heads=4):
        super().__init__()
        self.norm, self.heads = nn.LayerNorm(width), heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.table = nn.Parameter(torch.zeros(2 * length - 1, heads))
        steps = torch.arange(length)
        self.register_buffer("index", steps[:, None] - steps[None] + length - 1)
        for linear in (self.qkv, self.proj):
            nn.init.trunc_normal_(linear.weight, std=0.02, a=-0.04, b=0.04)
            nn.init.zeros_(linear.bias)

    def forward(self, x):
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.qkv(self.norm(x)).chunk(3, -1)
        )
        scores = query @ key.transpose(2, 3) / query.shape[-1] ** 0.5 + self.table[self.index].permute(2, 0, 1)
        return x + self.proj((scores.softmax(-1) @ value).transpose(1, 2).flatten(2))


def build():
    model = nn.Sequential(nn.Linear(16, 48), *(Attention(48, 12) for _ in range(4)), nn.LayerNorm(48), nn.Linear(48, 8))
    return model, torch.randn(8, 12, 16)
