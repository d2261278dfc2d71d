"""One file with every kind of thing that a target may name."""

import functools
import random
import sys

import numpy as np
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width=4, depth=2):
        super().__init__()
        self.stem = nn.Linear(3, width)
        self.blocks = nn.ModuleList([nn.Linear(width, width) for _ in range(depth)])
        self.register_buffer("steps", torch.zeros(1, dtype=torch.int64))

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return x

    @classmethod
    def wide(cls):
        return cls(width=16)


def build(width, depth: int = 2):
    return Net(width, depth)


def annotated(rate: float, name: str, *, deep: bool):
    return Net()


def needs_object(config: dict):
    return Net()


@functools.wraps(build)
def decorated(*args, **kwargs):
    return build(*args, **kwargs)


def with_inputs():
    return Net(), torch.ones(5, 3)


def with_loss():
    return Net(), {"x": torch.ones(5, 3)}, torch.Tensor.sum


def with_shape_only():
    return Net(), (3, 4)


def with_odd_loss():
    return Net(), torch.ones(5, 3), "mse"


def chatty():
    print("chatty speaks")
    return Net(), torch.ones(5, 3)


def draws_from_globals():
    model, _ = with_inputs()
    model.drawn = (random.random(), float(np.random.random()), float(torch.rand(())))  # noqa: NPY002
    return model, torch.ones(5, 3)


def raises():
    raise RuntimeError("no \x1b[31mweights")


def wrong_inside():
    return Net(widht=3)


def leaves():
    sys.exit(7)


def interrupted():
    raise KeyboardInterrupt


def returns_none():
    Net()


def returns_class():
    return Net


def batch_of(batch, seed):
    return torch.rand(batch, 3)


def batch_of_size(batch):
    return (torch.full((batch, 3), 2.0),)


def one_batch():
    return {"x": torch.zeros(6, 3)}


def batch_raises(batch):
    raise OSError("no disk")


CONFIG = {"width": 4}
model = nn.Sequential(
    nn.Linear(3, 4), nn.BatchNorm1d(4)
)  # fmt: skip
umlaut = {"größe": nn.Sequential(nn.Linear(3, 5))}["größe"]
