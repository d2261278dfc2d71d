# LoRA with both factors at zero: neither gets a gradient, for each is multiplied by the other. One of them was meant.
# corpus: rule IP508 at *lora*
import torch
from torch import nn


class LoRALinear(nn.Module):
    def __init__(self, width, rank=4):
        super().__init__()
        self.base = nn.Linear(width, width).requires_grad_(requires_grad=False)
        self.lora_a = nn.Linear(width, rank, bias=False)
        self.lora_b = nn.Linear(rank, width, bias=False)
        nn.init.zeros_(self.lora_a.weight)
        nn.init.zeros_(self.lora_b.weight)

    def forward(self, x):
        return self.base(x) + self.lora_b(self.lora_a(x))


def build():
    model = nn.Sequential(LoRALinear(32), nn.ReLU(), LoRALinear(32), nn.ReLU(), nn.Linear(32, 4))
    return model, torch.randn(32, 32)
