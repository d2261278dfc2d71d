# Every weight is 0.1: all units of a layer are one and the same for ever.
# corpus: rule IP303 or IP503 at *
# corpus: allows IP102 because sixty-four times 0.1 is more than one
import torch
from torch import nn


def build():
    model = nn.Sequential(nn.Linear(33, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 4))
    for parameter in model.parameters():
        nn.init.constant_(parameter, 0.1)
    return model, torch.randn(32, 33)
