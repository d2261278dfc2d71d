# Weights that are all negative behind a ReLU, as an off-by-one in a sign flip leaves them: no filter ever fires again.
# corpus: rule IP301 at 3
# corpus: allows IP101 because nothing passes
# corpus: allows IP201 because nothing comes back
import torch
from torch import nn


def build():
    model = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 4),
    )  # fmt: skip
    model[2].weight.data.abs_().neg_()
    nn.init.constant_(model[2].bias, 0.0)
    return model, torch.randn(16, 3, 8, 8)
