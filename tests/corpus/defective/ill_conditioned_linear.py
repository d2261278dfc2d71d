# Sixteen Gaussian matrices in a row: the norm of a signal is kept on average, by a few directions that grow while all
# others vanish (Saxe et al. 2014).
# corpus: check {select: [IP404]}
# corpus: rule IP404
import torch
from torch import nn


def build():
    model = nn.Sequential(*(nn.Linear(32, 32, bias=False) for _ in range(16)))
    for module in model:
        nn.init.normal_(module.weight, 0.0, 32**-0.5)
    return model, torch.randn(16, 32)
