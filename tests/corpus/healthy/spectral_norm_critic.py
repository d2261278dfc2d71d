# A critic whose layers are divided by their largest singular value (Miyato et al. 2018).
# corpus: allows IP201 because the run of four includes a head of one unit, which hands back an eighth
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm


def build():
    layers = []
    for fan_in, fan_out in ((64, 64), (64, 64), (64, 64), (64, 1)):
        linear = nn.Linear(fan_in, fan_out)
        nn.init.orthogonal_(linear.weight)
        layers += [spectral_norm(linear), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers[:-1]), torch.randn(32, 64)
