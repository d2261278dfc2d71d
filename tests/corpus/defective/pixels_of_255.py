# Pixels from 0 to 255 into a sigmoid layer: whoever forgot to divide has saturated it.
# corpus: rule IP302 at *
# corpus: allows IP303 because units that all saturate on the same side are the same
import torch
from torch import nn


def build():
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 64), nn.Sigmoid(), nn.Linear(64, 64), nn.Sigmoid(), nn.Linear(64, 4)
    )
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
    return model, torch.randint(0, 256, (32, 1, 8, 8)).float()
