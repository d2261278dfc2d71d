# An attention mask that hides every key of the first query: a softmax over nothing but -inf is NaN.
# corpus: rule IP103
import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(width, width, bias=False) for _ in range(3))

    def forward(self, x):
        scores = self.query(x) @ self.key(x).transpose(1, 2) / x.shape[-1] ** 0.5
        hidden = torch.ones(x.shape[1], x.shape[1]).triu(0).bool()  # triu(1) would leave the diagonal
        return scores.masked_fill(hidden, float("-inf")).softmax(-1) @ self.value(x)


def build():
    return nn.Sequential(nn.Linear(16, 32), Attention(32), nn.Linear(32, 4)), torch.randn(8, 6, 16)
