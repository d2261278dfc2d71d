# The decoder is tied to the embedding, and an ``apply`` that knows Linear draws both from N(0, 0.02): next to positions of
# size 0.7 nothing is left of the tokens (fastai #2090).
# corpus: rule IP511 or IP104 at *
import math

import torch
from torch import nn


class LanguageModel(nn.Module):
    def __init__(self, width=64, length=16):
        super().__init__()
        self.encoder, self.decoder = nn.Embedding(64, width), nn.Linear(width, 64, bias=False)
        self.decoder.weight = self.encoder.weight
        angles = torch.arange(length)[:, None] * torch.exp(-math.log(1e4) * torch.arange(0, width, 2) / width)
        self.register_buffer("positions", torch.cat([angles.sin(), angles.cos()], -1))
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True, norm_first=True)
        self.layer = layer

    def forward(self, ids):
        return self.decoder(self.layer(self.encoder(ids) + self.positions))


def build():
    model = LanguageModel()
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.02)
    return model, torch.randint(0, 64, (8, 16))
