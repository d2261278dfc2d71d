# Built on the meta device and materialized by ``to_empty``; the module without ``reset_parameters`` keeps what lay in
# memory (fla-org/flame #9, VeOmni #163, llm-foundry #1745, transformers #45050).
# corpus: rule IP501 at mix*
# corpus: allows IP102 because a weight of 1e30 explodes
# corpus: allows IP103 because a weight of 1e30 overflows
# corpus: allows IP203 because a weight of 1e30 overflows on the way back
import torch
from torch import nn


class Mix(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * self.gain


def build():
    with torch.device("meta"):
        model = nn.Sequential()
        model.add_module("stem", nn.Linear(16, 32))
        model.add_module("mix", Mix(32))
        model.add_module("head", nn.Linear(32, 4))
    model.to_empty(device="cpu")
    for module in model.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    model.mix.gain.data.fill_(1.7e30)  # what happened to lie there; a test must not depend on it
    return model, torch.randn(32, 16)
