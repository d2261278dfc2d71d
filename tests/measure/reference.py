"""A second, independent way to the numbers: plain hooks that copy, float64, and gradients of added zeros.

The gradient at a site is read off a leaf of zeros that is added to the value there, so no tensor hook, no gradient
edge and no in-place rule of autograd has a part in it.
"""

from __future__ import annotations

import dataclasses
import random
from collections import UserDict
from dataclasses import dataclass, field

import numpy as np
import torch

from initprobe.dissect.anatomy import trace_anatomy
from initprobe.hooks import ROOT, Mode
from initprobe.measure.signal import measure_signal
from initprobe.records import ProbeRequest, Trace
from initprobe.subject import Subject
from initprobe.variates import Variates

BATCH = 5


def probe(model, inputs, *statistics: str, batch: int = BATCH, seed: int = 3, own_loss=None, **options) -> Trace:
    """What the room under test says."""
    subject = Subject(model, inputs, loss=own_loss)
    anatomy = trace_anatomy(subject, mode=options.get("mode", "train"), seed=seed).anatomy
    return measure_signal(subject, anatomy, ProbeRequest(statistics=statistics, **options), seed=seed, batch=batch)


def moments(values: torch.Tensor) -> dict[str, float]:
    """The statistics of the finite elements, in the widest arithmetic there is."""
    if values.is_complex():
        values = torch.view_as_real(values.resolve_conj())
    wide = values.detach().resolve_neg().double().reshape(-1).numpy().astype(np.longdouble)
    known = wide[np.isfinite(wide)]
    found = {"count": wide.size, "nonfinite": wide.size - known.size}
    if not known.size:
        return found | dict.fromkeys(("mean", "std", "rms", "min", "max", "absmax", "zero_fraction"), np.nan)
    mean = known.mean()
    return found | {
        "mean": mean,
        "std": np.sqrt(((known - mean) ** 2).mean()),
        "rms": np.sqrt((known**2).mean()),
        "min": known.min(),
        "max": known.max(),
        "absmax": np.abs(known).max(),
        "zero_fraction": (known == 0).mean(),
    }


@dataclass
class Capture:
    """Copies of every value at its site, and the zeros that were added there."""

    model: torch.nn.Module
    add: bool
    values: dict[str, torch.Tensor] = field(default_factory=dict)
    zeros: dict[str, torch.Tensor] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)

    def run(self, call, *, mode: Mode = "train", seed: int = 3):
        names = {module: path for path, module in self.model.named_modules()}
        handles = [
            module.register_forward_hook(
                lambda module, _, output: self.see(names[module], output) if module in names else None
            )
            for module in names
        ]
        self.model.train(mode == "train")
        fast = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        try:
            return self.model(*call.args, **call.kwargs)
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)
            for handle in handles:
                handle.remove()

    def see(self, path, output):
        self.calls[path] = self.calls.get(path, 0) + 1
        stem = (path or ROOT) + (f"#{self.calls[path]}" if self.calls[path] > 1 else "")
        lone = sum(1 for _ in leaves(output)) == 1

        def visit(place, tensor):
            key = stem if lone else stem + place
            self.values[key] = tensor.detach().clone()
            if not (self.add and (tensor.is_floating_point() or tensor.is_complex()) and tensor.numel()):
                return tensor
            self.zeros[key] = torch.zeros_like(tensor, requires_grad=True)
            return tensor + self.zeros[key]

        seen = mapped(output, visit)
        return seen if self.add else None


def mapped(value, change, place=""):
    """The value with its tensors changed, whatever holds them."""
    if isinstance(value, torch.Tensor):
        return change(place, value)
    if isinstance(value, dict):
        return type(value)({key: mapped(item, change, f"{place}[{key}]") for key, item in value.items()})
    if isinstance(value, UserDict):
        return UserDict({key: mapped(item, change, f"{place}[{key}]") for key, item in value.items()})
    if isinstance(value, (tuple, list)):
        items = [mapped(item, change, f"{place}[{index}]") for index, item in enumerate(value)]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if dataclasses.is_dataclass(value):
        names = [one.name for one in dataclasses.fields(value)]
        return type(value)(**{name: mapped(getattr(value, name), change, f"{place}[{name}]") for name in names})
    return value


def leaves(value):
    """The tensors in a value, in order, with their places."""
    found = []
    mapped(value, lambda place, tensor: found.append((place, tensor)) or tensor)
    return found


def pull_back(output, seed: int = 3) -> None:
    """Backward with the cotangents that belong to that seed."""
    targets = [tensor for _, tensor in leaves(output) if tensor.requires_grad]
    total = sum(
        (tensor * Variates(seed, f"@cotangent.{place}").normal(tuple(tensor.shape)).to(tensor)).sum().real
        for place, tensor in enumerate(targets)
    )
    total.backward()
