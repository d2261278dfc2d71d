# Depth-scaled init of a SwiGLU's ``w2`` and of its ``w3`` as well, which writes to no residual stream: the branch adds
# a fraction of what it should (torchtitan #3334).
# corpus: rule IP509 or IP507 at *w3*
import torch
from torch import nn


class SwiGLU(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.norm = nn.RMSNorm(width)
        self.w1, self.w3 = nn.Linear(width, hidden, bias=False), nn.Linear(width, hidden, bias=False)
        self.w2 = nn.Linear(hidden, width, bias=False)

    def forward(self, x):
        y = self.norm(x)
        return x + self.w2(nn.functional.silu(self.w1(y)) * self.w3(y))


def build():
    model = nn.Sequential(nn.Embedding(64, 48), *(SwiGLU(48, 96) for _ in range(12)), nn.RMSNorm(48), nn.Linear(48, 64))
    for module in model.modules():
        if isinstance(module, SwiGLU):
            nn.init.trunc_normal_(module.w1.weight, std=0.02, a=-0.06, b=0.06)
            for weight in (module.w2.weight, module.w3.weight):
                std = 0.02 / (2 * 12) ** 0.5
                nn.init.trunc_normal_(weight, std=std, a=-3 * std, b=3 * std)
    return model, torch.randint(0, 64, (8, 16))
