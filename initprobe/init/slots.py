"""Where a weight lies in a model, and how new values get there.

Most weights are a parameter, and values are copied into it. A parametrized weight (``torch.nn.utils.parametrize``) is
computed from parameters of its own, so that copying would be lost: values are assigned, read back and compared.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize

from initprobe.init.fans import UndrawableError
from initprobe.records import Anatomy, Weight

PARAMETRIZED = re.compile(r"(?:(?P<host>.*)\.)?parametrizations\.(?P<tensor>[^.]+)\.original\d*")
RECOMPUTED = {"WeightNorm": ("_g", "_v"), "SpectralNorm": ("_orig",)}
"""Hooks of ``torch.nn.utils`` that overwrite a weight before every forward pass, and the parameters they read."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One weight and the parameters behind it.

    Attributes:
        weight: its record; name and shape are those of the computed tensor where it is parametrized.
        module: the module that it belongs to.
        tensor: its name in that module.
        parameters: the parameters behind it, by name; more than one under some parametrizations.
        in_norm: whether it is the scale or the shift of a normalization.
    """

    weight: Weight
    module: nn.Module
    tensor: str
    parameters: Mapping[str, nn.Parameter]
    in_norm: bool = False

    @property
    def parametrized(self) -> bool:
        """Whether the layer computes this weight from its parameters."""
        return parametrize.is_parametrized(self.module, self.tensor)

    def check_writable(self) -> None:
        """Make sure that values can be written.

        Raises:
            UndrawableError: they cannot, with the reason.
        """
        for name, parameter in self.parameters.items():
            if is_lazy(parameter):
                raise UndrawableError("it has no shape before the first forward pass")
            if parameter.is_meta:
                raise UndrawableError("it is on the meta device and holds no numbers")
            if not parameter.is_floating_point():
                raise UndrawableError(f"its numbers are {str(parameter.dtype).removeprefix('torch.')}, not real")
            if any(step == 0 < extent - 1 for step, extent in zip(parameter.stride(), parameter.shape, strict=True)):
                raise UndrawableError("its elements share memory")
            if _is_recomputed(self.module, name.rpartition(".")[2]):
                raise UndrawableError("a hook of torch.nn.utils recomputes it; use torch.nn.utils.parametrizations")

    def now(self) -> torch.Tensor:
        """What the layer sees, with its graph where it is computed; a Keras layer has an attribute of another kind."""
        if not self.parametrized:
            return next(iter(self.parameters.values()))
        tensor: torch.Tensor = getattr(self.module, self.tensor)
        return tensor

    def read(self) -> torch.Tensor:
        """A copy of what the layer sees, float32 or float64, on the CPU."""
        tensor = self.now()
        wide = torch.promote_types(tensor.dtype, torch.float32)
        return tensor.detach().to("cpu", wide, copy=True)

    def write(self, values: torch.Tensor, *, stored: bool = False) -> None:
        """Put values there, cast to the parameter's dtype, device and layout.

        Args:
            values: in the shape of the parameter.
            stored: whether they are those of the one parameter behind a parametrization, which makes of them what it
                makes, and not those that the layer is to see.

        Raises:
            UndrawableError: a parametrization does not keep them; everything is then as it was.
        """
        if self.parametrized and not stored:
            self._assign(values)
            return
        for parameter in self.parameters.values():
            parameter.copy_(values)

    def _assign(self, values: torch.Tensor) -> None:
        stored = self.module.get_submodule(f"parametrizations.{self.tensor}")
        before = {key: tensor.clone() for key, tensor in stored.state_dict().items()}
        like = next(iter(self.parameters.values()))
        wanted = values.to(device=like.device, dtype=like.dtype, copy=True).contiguous()
        expected = wanted.clone()
        try:
            setattr(self.module, self.tensor, wanted)
            kept = _agree(getattr(self.module, self.tensor), expected)
        except Exception as error:  # a parametrization is anybody's code
            stored.load_state_dict(before)
            raise UndrawableError(f"its parametrization takes no values ({type(error).__name__})") from error
        if not kept:
            stored.load_state_dict(before)
            raise UndrawableError("its parametrization does not keep the values")


def find_slots(model: nn.Module, anatomy: Anatomy) -> Iterator[Slot]:
    """Every weight of the model once, in the order of its parameters; shared ones under their first name."""
    records = {name: weight for weight in anatomy.weights for name in (weight.name, *weight.aliases)}
    norms = _norm_modules(anatomy)
    groups: dict[str, dict[str, nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        found = PARAMETRIZED.fullmatch(name)
        logical = name if found is None else ".".join(filter(None, (found["host"], found["tensor"])))
        groups.setdefault(logical, {})[name] = parameter
    for logical, parameters in groups.items():
        path, _, tensor = logical.rpartition(".")
        module = model.get_submodule(path)
        known = [records[name] for name in parameters if name in records]
        unknown = Weight(logical, path, type(module).__name__, "other", _shape(parameters), traced=False)
        # Where several parameters make one weight (a direction and a length), the one of its shape is the largest.
        record = max(known, key=lambda weight: (math.prod(weight.shape), weight.traced), default=unknown)
        record = replace(record, name=logical, module=path, module_type=type(module).__name__)
        yield Slot(record, module, tensor, parameters, in_norm=path in norms)


def _norm_modules(anatomy: Anatomy) -> set[str]:
    """Modules that hold a normalization's scale and nothing else but its shift."""
    roles: dict[str, set[str]] = {}
    for weight in anatomy.weights:
        roles.setdefault(weight.module, set()).add(weight.role)
    return {path for path, found in roles.items() if "norm" in found and found <= {"norm", "bias"}}


def _shape(parameters: Mapping[str, nn.Parameter]) -> tuple[int, ...]:
    first = next(iter(parameters.values()))
    if is_lazy(first):
        return ()
    return tuple(first.shape)


def _is_recomputed(module: nn.Module, tensor: str) -> bool:
    """Whether a hook of ``torch.nn.utils`` makes another tensor from this one before every forward pass."""
    return any(
        tensor == f"{getattr(hook, 'name', '')}{ending}"
        for hook in module._forward_pre_hooks.values()  # noqa: SLF001 - torch offers no other way to ask
        for ending in RECOMPUTED.get(type(hook).__name__, ())
    )


def _agree(read: torch.Tensor, written: torch.Tensor) -> bool:
    """Whether two tensors are the same up to the rounding of a parametrization's arithmetic."""
    if read.shape != written.shape:
        return False
    slack = 64.0 * torch.finfo(written.dtype).eps * float(written.abs().max()) if written.numel() else 0.0
    return bool(((read.double() - written.double()).abs() <= slack).all())
