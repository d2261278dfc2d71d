# A classifier head of N(0, 1) on 64 features: the first loss is many times ln C, and unlearning it costs the first epoch.
# corpus: rule IP701 or IP703 at *
# corpus: probe {loss: cross_entropy}
import torch
from torch import nn


def build():
    head = nn.Linear(64, 10)
    nn.init.normal_(head.weight, 0.0, 1.0)
    model = nn.Sequential(nn.Linear(64, 64), nn.LayerNorm(64), nn.ReLU(), head)
    return model, torch.randn(64, 64)
