"""Which modules say of themselves that they normalize."""

from __future__ import annotations

from torch import nn


def is_called_norm(module: nn.Module) -> bool:
    """Whether a module has a norm's name, or is a kind of one of torch's normalizations, whatever it is called."""
    own, *bases = type(module).__mro__
    kinds = (own, *(kind for kind in bases if kind.__module__.startswith("torch.nn.")))
    return any("Norm" in kind.__name__ for kind in kinds)
