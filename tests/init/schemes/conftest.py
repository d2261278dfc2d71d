"""Small transformers of every make, and what is asked of them."""

import math

import pytest
import torch
from torch import nn

import initprobe as ip


class Attention(nn.Module):
    """Self-attention with one matrix for query, key and value, with three, or as torch has it."""

    def __init__(self, width, heads, packed, head_width=None):
        super().__init__()
        self.num_heads = heads
        inner = heads * (head_width or width // heads)
        if packed == "torch":
            self.inner = nn.MultiheadAttention(width, heads, batch_first=True)
            return
        if packed:
            self.qkv = nn.Linear(width, 3 * inner)
        else:
            self.query, self.key, self.value = (nn.Linear(width, inner) for _ in range(3))
        self.out = nn.Linear(inner, width)

    def forward(self, x):
        if hasattr(self, "inner"):
            return self.inner(x, x, x, need_weights=False)[0]
        signals = self.qkv(x).chunk(3, -1) if hasattr(self, "qkv") else (self.query(x), self.key(x), self.value(x))
        heads = [one.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for one in signals]
        return self.out(nn.functional.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and feed-forward, with the norm before, behind or nowhere."""

    def __init__(self, width, heads, norm, packed, head_width):
        super().__init__()
        self.norm = norm
        self.attention = Attention(width, heads, packed, head_width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        if norm != "none":
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x):
        if self.norm == "pre":
            x = x + self.attention(self.norm1(x))
            return x + self.feed(self.norm2(x))
        if self.norm == "post":
            x = self.norm1(x + self.attention(x))
            return self.norm2(x + self.feed(x))
        x = x + self.attention(x)
        return x + self.feed(x)

    def feed(self, x):
        return self.down(nn.functional.gelu(self.up(x)))


class Transformer(nn.Module):
    """Tokens and positions if there is a vocabulary, blocks, a head if there are classes."""

    def __init__(self, depth, width, heads, *, norm, packed, vocabulary, classes, positions, head_width):
        super().__init__()
        self.token = nn.Embedding(vocabulary, width) if vocabulary else nn.Identity()
        self.wpe = nn.Embedding(positions, width) if positions else None
        self.blocks = nn.ModuleList(Block(width, heads, norm, packed, head_width) for _ in range(depth))
        self.head = nn.Linear(width, classes) if classes else nn.Identity()

    def forward(self, x):
        x = self.token(x)
        if self.wpe is not None:
            x = x + self.wpe(torch.arange(x.shape[1], device=x.device))
        for block in self.blocks:
            x = block(x)
        return self.head(x)


class Vision(nn.Module):
    """Patches, a class token, a table of positions, blocks, a classifier."""

    def __init__(self, depth, width, heads, classes):
        super().__init__()
        self.patch = nn.Conv2d(3, width, 4, stride=4)
        self.cls_token = nn.Parameter(torch.ones(1, 1, width))
        self.pos_embed = nn.Parameter(torch.ones(1, 17, width))
        self.blocks = nn.ModuleList(Block(width, heads, "pre", True, None) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = self.patch(x).flatten(2).mT
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x[:, 0]))


@pytest.fixture
def transformer():
    """Builds a transformer; without a vocabulary it takes signals of its width."""

    def build(depth, width, heads, norm="pre", packed=True, **others):
        sizes = {"vocabulary": 0, "classes": 0, "positions": 0, "head_width": None, **others}
        return Transformer(depth, width, heads, norm=norm, packed=packed, **sizes)

    return build


@pytest.fixture
def vision():
    """Builds a vision transformer for images of 3 x 16 x 16 in patches of 4 x 4."""
    return Vision


@pytest.fixture
def added(transformer):
    """The variance that all branches of a pre-norm transformer together add to a stream of variance 1."""

    def measure(scheme, depth, width=48, tokens=12, seeds=1):
        total = 0.0
        for seed in range(seeds):
            model = transformer(depth, width, 4)
            ip.initialize(model, scheme, inputs=(tokens, width), seed=seed)
            x = torch.randn(8, tokens, width, generator=torch.Generator().manual_seed(seed))
            with torch.no_grad():
                total += float((model(x) - x).square().mean())
        return total / seeds

    return measure


@pytest.fixture
def same_law(ks_distance):
    """Whether two samples may come from one distribution; says no by chance once in a thousand times."""

    def compare(ours, theirs):
        ours, theirs = ours.detach().flatten(), theirs.detach().flatten()
        n = ours.numel() * theirs.numel() / (ours.numel() + theirs.numel())
        return ks_distance(ours, theirs) < 1.95 / math.sqrt(n)

    return compare
