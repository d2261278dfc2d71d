# The layers live in a plain Python list: no optimizer and no init function ever sees their weights.
# corpus: rule IP003 at *layers*
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(32, 32) for _ in range(4)]
        self.head = nn.Linear(32, 4)

    def forward(self, x):
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.head(x)


def build():
    return Net(), torch.randn(32, 32)
