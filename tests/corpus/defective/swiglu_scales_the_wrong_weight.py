# Depth-scaled init of a SwiGLU's ``w2``, and of its ``w3`` as well, which writes to no residual stream: the branch adds
# a fraction of what it should (torchtitan #3334).
# corpus: rule IP509 at *feed_forward.w3*
import torch
from torch import nn


class SwiGLU(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.w1, self.w3 = nn.Linear(width, hidden, bias=False), nn.Linear(width, hidden, bias=False)
        self.w2 = nn.Linear(hidden, width, bias=False)

    def forward(self, x):
        return self.w2(nn.functional.silu(self.w1(x)) * self.w3(x))


class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.wq, self.wk, self.wv, self.wo = (nn.Linear(width, width, bias=False) for _ in range(4))

    def forward(self, x):
        query, key, value = (w(x).unflatten(-1, (4, -1)).transpose(1, 2) for w in (self.wq, self.wk, self.wv))
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.wo(mixed.transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.norm1, self.attention = nn.RMSNorm(width), Attention(width)
        self.norm2, self.feed_forward = nn.RMSNorm(width), SwiGLU(width, 2 * width)
        scaled = (self.attention.wo, self.feed_forward.w2, self.feed_forward.w3)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                std = 0.02 / (2 * depth) ** 0.5 if module in scaled else 0.02
                nn.init.trunc_normal_(module.weight, std=std, a=-3 * std, b=3 * std)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.feed_forward(self.norm2(x))


def build():
    blocks = [Block(48, 6) for _ in range(6)]
    return nn.Sequential(nn.Embedding(64, 48), *blocks, nn.RMSNorm(48), nn.Linear(48, 64)), torch.randint(
        0, 64, (8, 16)
    )
