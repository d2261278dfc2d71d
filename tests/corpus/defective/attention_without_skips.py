# Twelve self-attentions one behind the other and no skip connection: all tokens become the same token (Dong et al. 2021).
# corpus: rule IP403 at *
# corpus: allows IP101 because averaging over tokens shrinks what differs between them
# corpus: allows IP201 because the gradient towards what differs vanishes
import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        nn.init.normal_(self.qkv.weight, 0.0, width**-0.5)
        nn.init.orthogonal_(self.out.weight)

    def forward(self, x):
        query, key, value = self.qkv(x).chunk(3, -1)
        weights = (query @ key.transpose(1, 2) / x.shape[-1] ** 0.5).softmax(-1)
        return self.out(weights @ value)


def build():
    return nn.Sequential(*(Attention(32) for _ in range(12))), torch.randn(8, 16, 32)
