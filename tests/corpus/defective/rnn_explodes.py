# A ReLU RNN whose recurrent matrix is twice an orthogonal one: growth from step to step.
# corpus: rule IP102 at *cell*
# corpus: rule IP202 at *cell*
import torch
from torch import nn


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.RNNCell(16, 32, nonlinearity="relu")
        self.head = nn.Linear(32, 4)
        nn.init.orthogonal_(self.cell.weight_hh, gain=2.0)

    def forward(self, x):
        state = x.new_zeros(x.shape[0], 32)
        for step in range(x.shape[1]):
            state = self.cell(x[:, step], state)
        return self.head(state)


def build():
    return Classifier(), torch.randn(8, 30, 16)
