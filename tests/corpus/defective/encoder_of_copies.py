# ``nn.TransformerEncoder`` copies the layer that it is given: all layers begin with the same weights (pytorch #86274,
# #72253, torchtune #2270).
# corpus: rule IP502 at *layers.0*
import torch
from torch import nn


def build():
    layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True, norm_first=True)
    return nn.TransformerEncoder(layer, 4, enable_nested_tensor=False), torch.randn(8, 8, 32)
