"""What modules hide: a function mode that shows the operations inside of them (``F.relu(x)``, ``x + y``, attention).

A module hook sees what a module puts out, and nothing of how it came to be. The mode sees every torch function that is
called between modules; those inside of torch's own layers are the layers' business and are not shown twice.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from initprobe.operations import shown_as

Shown = Callable[[str, torch.Tensor], None]
"""Hears the short name of an operation and the tensor it made."""

_TORCH = str(Path(torch.__file__).parent)
_COMPOSITES = ("torch.nn.modules.container", "torch.nn.modules.transformer")
_OVER_TIME = tuple(f"keras.src.layers.rnn.{kind}" for kind in ("gru", "lstm", "simple_rnn"))
"""Where Keras has its recurrent layers, which run a dozen operations at every step."""


def is_opaque(module: torch.nn.Module) -> bool:
    """Whether a module is one of torch's own layers or runs over time in Keras: its operations belong to it.

    A parametrized module has a class of torch's in front of its own; wrappers such as DataParallel run other modules.
    """
    home = next(kind.__module__ for kind in type(module).__mro__ if kind.__module__ != "torch.nn.utils.parametrize")
    return (home.startswith("torch.nn.modules.") and home not in _COMPOSITES) or home in _OVER_TIME


class Functions(TorchFunctionMode):
    """Shows operations while it is active.

    Attributes:
        hidden: set while one of torch's own layers runs.
    """

    def __init__(self, show: Shown) -> None:
        super().__init__()
        self.hidden = False
        self._show = show

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run the function, then show what it made."""
        output = function(*args, **(kwargs or {}))
        if self.hidden:
            return output
        name = shown_as(function)
        made = output[0] if isinstance(output, tuple) and output else output
        if name is not None and isinstance(made, torch.Tensor):
            self._show(name, made)
        return output


def calling_line() -> tuple[str, int] | None:
    """File and line of the operation that is being shown: the nearest frame that is neither torch's nor ours."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the one way to the caller's frame
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith((_TORCH, _OURS)):
            return None if file.startswith("<") else (file, frame.f_lineno)
        if file == _CALLER:
            return None  # the forward is all torch's and ours, and what is further out does not belong to it
        frame = frame.f_back
    return None


_OURS = str(Path(__file__).parent)
_CALLER = str(Path(__file__).with_name("subject.py"))
