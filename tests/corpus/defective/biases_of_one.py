# Biases are drawn like the weights of ``torch.randn``: each layer's output is its bias, and the input is a detail.
# corpus: rule IP510 at *
# corpus: allows IP201 because weights of 0.7 / sqrt(n) shrink the gradient
import torch
from torch import nn


def build():
    model = nn.Sequential(*(m for _ in range(5) for m in (nn.Linear(64, 64), nn.Tanh())), nn.Linear(64, 4))
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.7 * module.in_features**-0.5)
            nn.init.normal_(module.bias, 0.0, 1.0)
    return model, torch.randn(32, 64)
