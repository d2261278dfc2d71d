# Diffusion transformer blocks whose modulation starts at zero, so that every block is the identity (Peebles & Xie 2023).
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(width, elementwise_affine=False) for _ in range(2))
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.modulation = nn.Linear(width, 6 * width)
        for weight in (self.mlp[0].weight, self.mlp[2].weight):
            nn.init.xavier_uniform_(weight)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x, condition):
        parts = self.modulation(nn.functional.silu(condition))[:, None].chunk(6, -1)
        y = self.norm1(x) * (1 + parts[0]) + parts[1]
        x = x + parts[2] * self.attention(y, y, y, need_weights=False)[0]
        return x + parts[5] * self.mlp(self.norm2(x) * (1 + parts[3]) + parts[4])


class DiT(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.patches, self.condition = nn.Linear(16, width), nn.Embedding(10, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(4))
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, 16)
        nn.init.normal_(self.condition.weight, 0.0, 0.02)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x, label):
        x, condition = self.patches(x), self.condition(label)
        for block in self.blocks:
            x = block(x, condition)
        return self.out(self.norm(x))


def build():
    return DiT(), (torch.randn(8, 12, 16), torch.randint(0, 10, (8,)))
