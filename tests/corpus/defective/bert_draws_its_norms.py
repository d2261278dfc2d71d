# Scale and shift of every LayerNorm are drawn from N(0, 0.02) with all other weights, as BERT's first port did
# (transformers #143).
# corpus: rule IP504 at *norm*
# corpus: allows IP101 because every norm shrinks what it should keep
# corpus: allows IP201 because every norm shrinks the gradient as well
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        return self.norm(x + self.down(torch.nn.functional.gelu(self.up(x))))


def build():
    model = nn.Sequential(*(Block(64) for _ in range(4)))
    for name, parameter in model.named_parameters():
        if name.endswith("weight"):
            nn.init.normal_(parameter, 0.0, 0.02)
        else:
            nn.init.zeros_(parameter)
    return model, torch.randn(32, 64)
