# A few rows of a weight are NaN: an init that ran on the shard of one process only (TransformerLens #902).
# corpus: rule IP501 at 2*
# corpus: allows IP103 because a weight that is NaN makes NaN
# corpus: allows IP203 because a weight that is NaN makes NaN
import torch
from torch import nn


def build():
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))
    model[2].weight.data[24:] = float("nan")
    return model, torch.randn(32, 16)
