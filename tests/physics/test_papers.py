"""A published result that no probe shows: a network in training.

The others are in configs/papers/, held by tests/load/test_papers.py.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

import initprobe as ip

pytestmark = pytest.mark.untraced


def trained(scheme: str, steps: int = 200, lr: float = 0.001) -> list[float]:
    """Cross-entropy of thirty rectified layers in training, step by step."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(256) % 10
    x = torch.randn(10, 32, generator=generator)[labels] + 0.3 * torch.randn(256, 32, generator=generator)
    widths = [32, *[128] * 30]
    hidden = [layer for pair in pairwise(widths) for layer in (nn.Linear(*pair), nn.ReLU())]
    model = nn.Sequential(*hidden, nn.Linear(128, 10))
    ip.initialize(model, scheme, inputs=(32,))
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    losses = []
    for _ in range(steps):
        loss = nn.functional.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    entropy = torch.distributions.Categorical(labels.bincount(minlength=10).double()).entropy().item()
    return [*losses, entropy]


@pytest.mark.slow
def test_thirty_layers_learn_under_he_and_stall_under_xavier():
    """He et al. 2015, figure 3: under Xavier's the thirty-layer model does not learn.

    Ten clouds of points are easy: He's has a loss of 0.22 behind 200 steps, Xavier's 2.300 where 2.302 is chance.
    """
    *he, chance = trained("kaiming_normal")
    *xavier, _ = trained("xavier_normal")
    assert he[-1] < 0.5 * chance
    assert min(xavier) > chance - 0.02
