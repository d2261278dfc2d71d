"""Where a weight lies in a model, and how new values get there.

Most weights are a parameter, and values are copied into it. A parametrized weight (``torch.nn.utils.parametrize``) is
computed from parameters of its own, so that copying would be lost: values go through its right inverse, are read back
and compared.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize
from torch.nn.utils.parametrize import ParametrizationList

from initprobe.init.fans import UndrawableError
from initprobe.module_state import shares_memory
from initprobe.parametrizations.base import computing, settle
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
            if shares_memory(parameter):
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

    def write(self, values: torch.Tensor, *, stored: bool = False, exact: bool = True) -> str | None:
        """Put values there, cast to the parameter's dtype, device and layout.

        Args:
            values: in the shape of the parameter.
            stored: whether they are those of the one parameter behind a parametrization, which makes of them what it
                makes, and not those that the layer is to see.
            exact: whether the layer has to see these very values. Where not, they become what they would have become
                if the layer had held them before it was parametrized.

        Returns:
            What the layer sees instead, None where it sees what was written or where only the stored ones were meant.

        Raises:
            UndrawableError: a parametrization does not take them, or not keep them; everything is then as it was.
        """
        if self.parametrized:
            return self._assign(values, stored=stored, exact=exact)
        for parameter in self.parameters.values():
            parameter.copy_(values)
        return None

    def holds(self, values: torch.Tensor) -> bool:
        """Whether these are the numbers of its one parameter, whatever the layer makes of them."""
        parameters = list(self.parameters.values())
        return len(parameters) == 1 and torch.equal(parameters[0], values.to(parameters[0]))

    def _assign(self, values: torch.Tensor, *, stored: bool, exact: bool) -> str | None:
        found = computing(self.module, self.tensor)
        before = {key: tensor.clone() for key, tensor in found.state_dict().items()}
        like = next(iter(self.parameters.values()))
        wanted = values.to(device=like.device, dtype=like.dtype, copy=True).contiguous()
        try:
            _store(found, wanted.clone(), directly=stored)
            settle(self.module, self.tensor)
            seen = getattr(self.module, self.tensor)
            note = None if stored or _agree(seen, wanted) else _changed(found, seen, wanted)
        except Exception as error:  # a parametrization is anybody's code
            found.load_state_dict(before)
            raise UndrawableError(f"its parametrization takes no values ({type(error).__name__})") from error
        reason = "its parametrization does not keep the values" if exact and note else None
        if not bool(seen.isfinite().all()):
            reason = "its parametrization makes of the values what is not finite"
        if reason is not None:
            found.load_state_dict(before)
            raise UndrawableError(reason)
        return note


def _store(found: ParametrizationList, values: torch.Tensor, *, directly: bool) -> None:
    """Write what is behind a parametrization, by the rule of torch's ``register_parametrization``.

    That is through every right inverse, and as it is through a parametrization that has none.
    """
    wanted: torch.Tensor | Sequence[torch.Tensor] = values
    for one in () if directly else reversed(list(found.children())):
        inverse: Callable[..., torch.Tensor | Sequence[torch.Tensor]] | None = getattr(one, "right_inverse", None)
        if inverse is not None:
            with suppress(NotImplementedError):
                wanted = inverse(wanted)
    parts = [wanted] if isinstance(wanted, torch.Tensor) else list(wanted)
    parameters = [tensor for key, tensor in found.named_parameters(recurse=False) if key.startswith("original")]
    for parameter, part in zip(parameters, parts, strict=True):
        if parameter.shape != part.shape:
            raise ValueError(f"{tuple(part.shape)} does not fit into {tuple(parameter.shape)}")
        parameter.copy_(part)


def _changed(found: ParametrizationList, seen: torch.Tensor, wanted: torch.Tensor) -> str:
    """What to tell of a parametrization that makes something else of what was drawn.

    The ratio is a rough one, so that what holds for all layers alike is told once.
    """
    names = ", ".join(type(one).__name__.strip("_") for one in found.children())
    width, drawn = (float(tensor.double().std(correction=0)) for tensor in (seen, wanted))
    what = f"about {width / drawn:.1g} times the standard deviation that was drawn" if drawn else "other numbers"
    return f"its parametrization ({names}) does not keep what is drawn: the layer sees {what}"


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
