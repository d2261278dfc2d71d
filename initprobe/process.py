"""What a pass shares with the whole process: one at a time sets it as a probe needs it, and puts it back.

Random generators are the process's, too; ``LOCK`` is for whoever seeds them.
"""

from __future__ import annotations

import gc
import random
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
import torch.utils.checkpoint

LOCK = threading.RLock()
"""Held while a pass runs and while code runs under seeded global generators: two threads would mix their numbers."""

MANY = 50_000
"""Objects that a pass may make before Python looks for reference cycles among them; its default is 700."""

SMALLEST = 5e-324
"""The smallest float64 above zero."""


@contextmanager
def observable() -> Iterator[None]:
    """Let everything that a model computes be seen as it is: one thread at a time, and as before afterwards.

    Nobody else draws from the process's generators meanwhile. Encoders are taken apart: their fused path skips the
    modules that are to be seen (pytorch#132700). Compiled code runs as it is written, because hooks that come after
    the compiler are ignored (pytorch#117758). Checkpointed code runs once: the reentrant kind hides its graph from
    ``torch.autograd.grad``. Denormal numbers stay.
    """
    with LOCK, ExitStack() as stack:
        if "torch._dynamo" in sys.modules:  # nothing is compiled before it is imported, which takes seconds
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        stack.callback(torch.backends.mha.set_fastpath_enabled, torch.backends.mha.get_fastpath_enabled())
        torch.backends.mha.set_fastpath_enabled(False)
        stack.enter_context(_without_checkpoints())
        stack.enter_context(_rarely_collected())
        stack.enter_context(_with_denormals())
        stack.enter_context(np.errstate(under="ignore"))  # as numpy has it, whatever the program says
        yield


@contextmanager
def random_states(devices: list[int]) -> Iterator[None]:
    """The generators of torch (on the CPU and on these CUDA devices), numpy and Python are as before afterwards."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 the legacy state is the global one
    try:
        with torch.random.fork_rng(devices=devices, enabled=True):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


def seed_all(seed: int, devices: list[int]) -> None:
    """Seed those generators; ``torch.manual_seed`` would seed every accelerator, at its first use at the latest."""
    torch.default_generator.manual_seed(seed)
    for device in devices:
        torch.cuda.default_generators[device].manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002


class _Once:
    """Takes the place of ``CheckpointFunction``: runs the function, and keeps its graph."""

    @staticmethod
    def apply(function: Callable[..., Any], _preserve: bool, *args: Any) -> Any:  # noqa: FBT001 - torch's signature
        """The function's own output."""
        return function(*args)


@contextmanager
def _without_checkpoints() -> Iterator[None]:
    module: Any = torch.utils.checkpoint
    reentrant = module.CheckpointFunction
    module.CheckpointFunction = _Once
    try:
        yield
    finally:
        module.CheckpointFunction = reentrant


@contextmanager
def _rarely_collected() -> Iterator[None]:
    """Let the search for reference cycles wait: in a program with torch, a full one takes half as long as a pass."""
    often, *older = gc.get_threshold()
    if 0 < often < MANY:
        gc.set_threshold(MANY, *older)
    try:
        yield
    finally:
        gc.set_threshold(often, *older)


@contextmanager
def _with_denormals() -> Iterator[None]:
    # Torch can set this, and not tell it.
    flushed = (torch.tensor(SMALLEST, dtype=torch.float64, device="cpu") * 1.0).item() == 0.0
    if flushed:
        torch.set_flush_denormal(False)
    try:
        yield
    finally:
        if flushed:
            torch.set_flush_denormal(True)
