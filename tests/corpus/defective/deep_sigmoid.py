# Twelve sigmoid layers with Xavier's scheme: a derivative of at most 1/4 in every one of them (Glorot & Bengio 2010).
# corpus: rule IP201 at *
# corpus: allows IP101 because what is left of the input vanishes as well
import torch
from torch import nn


def build():
    model = nn.Sequential(*(m for _ in range(12) for m in (nn.Linear(64, 64), nn.Sigmoid())), nn.Linear(64, 4))
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    return model, torch.randn(32, 64)
