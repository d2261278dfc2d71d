# Biases of -2 in front of every ReLU, where "a small constant" was meant to be positive: most units never fire.
# corpus: rule IP301 at *
# corpus: allows IP101 because dead units hand on nothing
# corpus: allows IP201 because dead units hand back nothing
import torch
from torch import nn


def build():
    model = nn.Sequential(*(m for _ in range(3) for m in (nn.Linear(64, 64), nn.ReLU())), nn.Linear(64, 4))
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.constant_(module.bias, -2.0)
    return model, torch.randn(32, 64)
