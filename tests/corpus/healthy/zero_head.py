# A classifier whose head starts at zero: chance at the start, and the first update fills it.
# corpus: probe {loss: cross_entropy}
import torch
from torch import nn


def build():
    model = nn.Sequential(*(m for _ in range(6) for m in (nn.Linear(64, 64), nn.ReLU())), nn.Linear(64, 10))
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)
    nn.init.zeros_(model[-1].weight)
    return model, torch.randn(32, 64)
