# One layer of twelve was left with weights of N(0, 1) when the others got He's scheme.
# corpus: rule IP104 or IP507 at 10
# corpus: allows IP102 because one jump of eight is a drift as well
import torch
from torch import nn


def build():
    model = nn.Sequential(*(m for _ in range(12) for m in (nn.Linear(128, 128), nn.ReLU())), nn.Linear(128, 4))
    for index, module in enumerate(model):
        if isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)
            if index == 10:
                nn.init.normal_(module.weight, 0.0, 2.0)
    return model, torch.randn(32, 128)
