"""An anatomy by hand: what a traced pass would say of plain torch layers."""

import math

import pytest
import torch
from torch import nn

from initprobe.records import ActivationUse, Anatomy, Weight

RELU = ActivationUse("relu")


def describe(name: str, parameter, module: nn.Module, aliases: tuple[str, ...]) -> Weight:
    path, _, local = name.rpartition(".")
    shape = tuple(parameter.shape)
    known = {"name": name, "module": path, "module_type": type(module).__name__, "shape": shape, "aliases": aliases}
    if len(shape) < 2:
        role = (
            "norm" if "Norm" in type(module).__name__ and local == "weight" else "bias" if "bias" in local else "other"
        )
        return Weight(role=role, **known)
    kernel = math.prod(shape[2:])
    if isinstance(module, nn.Embedding):
        return Weight(role="embedding", fan_in=1.0, fan_out=float(shape[1]), unit_axis=1, **known)
    if isinstance(module, nn.RNNBase):
        gates = {"LSTM": 4, "GRU": 3}.get(module.mode, 1)
        return Weight(role="recurrent", fan_in=float(shape[1]), fan_out=shape[0] / gates, unit_axis=0, **known)
    groups, stride = getattr(module, "groups", 1), math.prod(getattr(module, "stride", (1,)))
    if getattr(module, "transposed", False):
        fans = (shape[0] / groups * kernel / stride, float(shape[1] * kernel))
        return Weight(role="transposed", fan_in=fans[0], fan_out=fans[1], unit_axis=1, **known)
    fans = (float(shape[1] * kernel), shape[0] / groups * kernel / stride)
    role = "conv" if len(shape) > 2 else "linear"
    return Weight(role=role, fan_in=fans[0], fan_out=fans[1], unit_axis=0, input_activation=RELU, **known)


@pytest.fixture
def anatomy_of():
    """A function from a model to its anatomy; every weight counts as standing behind a relu."""

    def build(model: nn.Module) -> Anatomy:
        names: dict[int, list[str]] = {}
        for name, parameter in model.named_parameters(remove_duplicate=False):
            names.setdefault(id(parameter), []).append(name)
        weights = []
        for name, parameter in model.named_parameters():
            if isinstance(parameter, nn.parameter.UninitializedTensorMixin):
                weights.append(Weight(name, name.rpartition(".")[0], "Lazy", "other", ()))
                continue
            aliases = tuple(other for other in names[id(parameter)] if other != name)
            weights.append(describe(name, parameter, model.get_submodule(name.rpartition(".")[0]), aliases))
        return Anatomy(tuple(weights), (), ())

    return build


@pytest.fixture
def ks_distance():
    """The two-sample Kolmogorov-Smirnov statistic: the largest distance between two distribution functions."""

    def distance(a: torch.Tensor, b: torch.Tensor) -> float:
        a, b = a.double().flatten().sort().values, b.double().flatten().sort().values
        grid = torch.cat([a, b])
        below = [torch.searchsorted(sample, grid, right=True) / sample.numel() for sample in (a, b)]
        return float((below[0] - below[1]).abs().max())

    return distance
