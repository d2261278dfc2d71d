# ``torch.rand`` without the minus one half: all weights are positive, and every unit is the mean of all the others.
# corpus: rule IP105 at *
# corpus: allows IP303 because nearly equal units can be equal up to rounding
import torch
from torch import nn


def build():
    model = nn.Sequential(*(m for _ in range(6) for m in (nn.Linear(64, 64), nn.ReLU())), nn.Linear(64, 4))
    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.weight.data = torch.rand_like(module.weight) * 2.0 / module.in_features
            nn.init.zeros_(module.bias)
    return model, torch.rand(32, 64)
