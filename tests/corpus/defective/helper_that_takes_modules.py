# ``trunc_normal_init(module.weight)``: the helper wants the module, finds no ``weight`` on a tensor and does nothing, so
# that PyTorch's init stays (mmsegmentation #1069, mmdetection #6432).
# corpus: rule IP513 at *
# corpus: allows IP201 because that is what it does to twenty plain layers
import torch
from torch import nn


def kaiming_init(module):
    if hasattr(module, "weight") and module.weight is not None:
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        nn.init.zeros_(module.bias)


def build():
    model = nn.Sequential(*(m for _ in range(20) for m in (nn.Linear(64, 64), nn.ReLU())), nn.Linear(64, 4))
    for module in model.modules():
        if isinstance(module, nn.Linear):
            kaiming_init(module.weight)
    return model, torch.randn(32, 64)
