# An actor-critic with orthogonal weights, gain sqrt(2) inside, 0.01 for the policy and 1 for the value (Andrychowicz et al.
# 2021).
import torch
from torch import nn


def layer(fan_in, fan_out, gain):
    linear = nn.Linear(fan_in, fan_out)
    nn.init.orthogonal_(linear.weight, gain)
    nn.init.zeros_(linear.bias)
    return linear


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(layer(16, 64, 2**0.5), nn.Tanh(), layer(64, 64, 2**0.5), nn.Tanh())
        self.policy, self.value = layer(64, 4, 0.01), layer(64, 1, 1.0)

    def forward(self, x):
        features = self.body(x)
        return self.policy(features), self.value(features)


def build():
    return ActorCritic(), torch.randn(32, 16)
