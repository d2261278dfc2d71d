# One layer of eight is drawn ten thousand times too small. The normalization behind it hides that from the signal, and
# its gradient is ten thousand times too large for its weights.
# corpus: rule IP507 at 12
# corpus: allows IP202 because the layer hands on the gradient that its normalization blows up
import torch
from torch import nn


def build():
    layers = [m for _ in range(8) for m in (nn.Linear(64, 64, bias=False), nn.LayerNorm(64, eps=1e-12), nn.Tanh())]
    model = nn.Sequential(*layers, nn.Linear(64, 4))
    for index, module in enumerate(model):
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.125)
            if index == 12:
                module.weight.data.mul_(1e-4)
    return model, torch.randn(32, 64)
