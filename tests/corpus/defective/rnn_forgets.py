# A tanh RNN over sixty steps as PyTorch draws it: no gradient comes back from the last step to the first (Bengio 1994).
# corpus: rule IP201 at *cell*
# corpus: allows IP101 because the gradient's matrix is the signal's, too
import torch
from torch import nn


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.RNNCell(16, 32)
        self.head = nn.Linear(32, 4)

    def forward(self, x):
        state = x.new_zeros(x.shape[0], 32)
        for step in range(x.shape[1]):
            state = self.cell(x[:, step], state)
        return self.head(state)


def build():
    return Classifier(), torch.randn(8, 60, 16)
