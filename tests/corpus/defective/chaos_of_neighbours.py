# Tanh a little on the chaotic side, and inputs that are alike: eight layers later they are told apart as if they had
# nothing in common (Poole et al. 2016).
# corpus: rule IP402 at *
import torch
from torch import nn


def build():
    model = nn.Sequential(*(m for _ in range(8) for m in (nn.Linear(128, 128), nn.Tanh())), nn.Linear(128, 4))
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 2.0 * module.in_features**-0.5)
            nn.init.zeros_(module.bias)
    return model, torch.randn(1, 128) + 0.05 * torch.randn(32, 128)
