# Three tanh layers with weights of N(0, 1): pre-activations of eight, where the derivative is a millionth.
# corpus: rule IP302 at *
# corpus: allows IP202 because behind saturated units the gradient that is left is noise of any size
import torch
from torch import nn


def build():
    model = nn.Sequential(*(m for _ in range(3) for m in (nn.Linear(64, 64), nn.Tanh())), nn.Linear(64, 4))
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 1.0)
            nn.init.zeros_(module.bias)
    return model, torch.randn(32, 64)
