# Tanh with weights of 0.9 / sqrt(n) and large biases, deep in the ordered phase: after thirty layers all inputs are one
# point (Schoenholz et al. 2017).
# corpus: rule IP401 at *
# corpus: allows IP201 because in the ordered phase the gradient vanishes as well
import torch
from torch import nn


def build():
    model = nn.Sequential(*(m for _ in range(30) for m in (nn.Linear(64, 64), nn.Tanh())), nn.Linear(64, 4))
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.9 * module.in_features**-0.5)
            nn.init.normal_(module.bias, 0.0, 0.5)
    return model, torch.randn(32, 64)
