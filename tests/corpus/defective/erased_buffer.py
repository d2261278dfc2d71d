# LayerNorm scaling by 1 / sqrt(depth), kept in a buffer that ``to_empty`` erases: what lies there is a denormal number,
# and the branch is dead (OLMo-core #698).
# corpus: rule IP501 or IP508 at blocks.*
# corpus: allows IP201 because the gradient is multiplied by it as well
# corpus: allows IP802 because a denormal is one
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width, index):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, 64), nn.Linear(64, width)
        self.register_buffer("scale", torch.tensor((index + 1) ** -0.5))

    def forward(self, x):
        return x + self.down(torch.relu(self.up(self.norm(x) * self.scale)))


def build():
    model = nn.Sequential()
    model.add_module("blocks", nn.Sequential(*(Block(32, index) for index in range(4))))
    model.add_module("head", nn.Linear(32, 4))
    for block in model.blocks:
        block.scale.fill_(4.6e-41)
    return model, torch.randn(32, 32)
