# A language model whose output layer is its embedding, drawn from N(0, 0.02), pre-norm blocks scaled as in GPT-2.
# corpus: probe {loss: cross_entropy}
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        for layer in (self.qkv, self.up, self.proj, self.down):
            scaled = layer in {self.proj, self.down}
            nn.init.normal_(layer.weight, 0.0, 0.02 / (2 * depth) ** 0.5 if scaled else 0.02)
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        query, key, value = (
            part.unflatten(-1, (4, -1)).transpose(1, 2) for part in self.qkv(self.norm1(x)).chunk(3, -1)
        )
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.proj(mixed.transpose(1, 2).flatten(2))
        return x + self.down(nn.functional.gelu(self.up(self.norm2(x))))


class LanguageModel(nn.Module):
    def __init__(self, width=48, depth=6):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(64, width), nn.Embedding(16, width)
        self.blocks = nn.Sequential(*(Block(width, depth) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 64, bias=False)
        self.head.weight = self.wte.weight
        nn.init.normal_(self.wte.weight, 0.0, 0.02)
        nn.init.normal_(self.wpe.weight, 0.0, 0.02)

    def forward(self, ids):
        return self.head(self.norm(self.blocks(self.wte(ids) + self.wpe(torch.arange(ids.shape[1])))))


def build():
    return LanguageModel(), torch.randint(0, 64, (8, 16))
