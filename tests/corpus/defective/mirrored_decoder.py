# An autoencoder whose decoder begins as the encoder's transpose, without a rescaling: what it makes of the code is no
# product of independent weights.
# corpus: rule IP106 at decoder
import torch
from torch import nn


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(32, 128, bias=False)
        self.decoder = nn.Linear(128, 32, bias=False)
        nn.init.normal_(self.encoder.weight, 0.0, 32**-0.5)
        self.decoder.weight.data = self.encoder.weight.data.t().clone()

    def forward(self, x):
        return self.decoder(self.encoder(x))


def build():
    return Autoencoder(), torch.randn(64, 32)
