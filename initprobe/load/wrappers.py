"""Takes a model out of what compiles it or spreads it over devices, so that its layers have their own names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

SPREADING = (nn.DataParallel, nn.parallel.DistributedDataParallel)


def unwrapped(model: nn.Module) -> nn.Module:
    """The model inside ``torch.compile``, ``DataParallel`` or ``DistributedDataParallel``; any other as it is.

    Compiled parts of a model are taken out as well, in place: their names would say ``_orig_mod``.
    """
    return _unwrapped(model, [])


@contextmanager
def laid_bare(model: nn.Module) -> Iterator[nn.Module]:
    """The same for as long as it lasts: compiled parts are put back at the end."""
    taken: list[Taken] = []
    try:
        yield _unwrapped(model, taken)
    finally:
        for module, name, child in taken:
            setattr(module, name, child)


Taken = tuple[nn.Module, str, nn.Module]
"""A compiled part: where it was, under which name, and itself."""


def _unwrapped(model: nn.Module, taken: list[Taken]) -> nn.Module:
    bare = _inside(model)
    for module in list(bare.modules()):
        for name, child in module.named_children():
            if _is_compiled(child):
                taken.append((module, name, child))
                setattr(module, name, _unwrapped(child, taken))
    return bare


def _inside(model: nn.Module) -> nn.Module:
    while True:
        if _is_compiled(model):
            model = model.get_submodule("_orig_mod")
        elif isinstance(model, SPREADING):
            model = model.module
        else:
            return model


def _is_compiled(module: nn.Module) -> bool:
    """Known by its name: to import its class takes seconds, and was done before if there is one."""
    return type(module).__name__ == "OptimizedModule" and "_orig_mod" in dict(module.named_children())
