# An LSTM whose forget gates are open at the start (Jozefowicz et al. 2015), orthogonal recurrent matrices.
import torch
from torch import nn


class Tagger(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.lstm = nn.LSTM(16, width, batch_first=True)
        self.head = nn.Linear(width, 8)
        for name, parameter in self.lstm.named_parameters():
            if "weight_hh" in name:
                for gate in parameter.data.chunk(4):
                    nn.init.orthogonal_(gate)
            elif "weight_ih" in name:
                nn.init.xavier_uniform_(parameter)
            else:
                nn.init.zeros_(parameter)
        self.lstm.bias_hh_l0.data[width : 2 * width].fill_(1.0)

    def forward(self, x):
        return self.head(self.lstm(x)[0])


def build():
    return Tagger(), torch.randn(8, 24, 16)
