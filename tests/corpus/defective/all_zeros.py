# All weights of a network are zero, heads and biases too: no hidden layer will ever get a gradient.
# corpus: rule IP508 or IP501 or IP503 or IP101 or IP201 at *
import torch
from torch import nn


def build():
    model = nn.Sequential(*(m for _ in range(5) for m in (nn.Linear(32, 32), nn.ReLU())), nn.Linear(32, 4))
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    return model, torch.randn(32, 32)
