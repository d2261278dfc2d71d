"""Runs code that is not ours: seeded, its prints on stderr, its errors told with its own frames."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from traceback import walk_tb
from typing import Any

import numpy as np
import torch

from initprobe.errors import InitprobeError, TargetError, first_line, user_trace
from initprobe.process import LOCK
from initprobe.source_lines import is_ours


@contextmanager
def running(doing: str) -> Iterator[None]:
    """Around user code: what it prints goes to stderr, what it raises becomes a ``TargetError``.

    ``KeyboardInterrupt`` passes through; ``SystemExit`` does not, or a target could end the whole command.

    Args:
        doing: subject of the message (``build() in net.py``).

    Raises:
        TargetError: the code raised; ``trace`` holds its frames.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except InitprobeError:
        raise
    except SystemExit as error:
        raise TargetError(f"{doing} called sys.exit({error.code!r})", trace=user_trace(error)) from error
    except Exception as error:
        raise TargetError(
            f"{doing} raised {first_line(error)}", hint=_missing(error), trace=user_trace(error)
        ) from error


EXTRAS = {"keras": "keras", "transformers": "hf"}
"""Libraries that come with an extra of ours."""

_BACKENDS = {"tensorflow", "jax", "jaxlib", "openvino"}


def _missing(error: Exception) -> str | None:
    """What to do about a library that is not there."""
    name = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if name in _BACKENDS and any(
        "keras" in Path(frame.f_code.co_filename).parts for frame, _ in walk_tb(error.__traceback__)
    ):
        return "set KERAS_BACKEND=torch in the environment: initprobe measures Keras models on the torch backend"
    return f'pip install "initprobe[{EXTRAS[name]}]"' if name in EXTRAS else None


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seeds the global generators of torch (CPU and CUDA), numpy, Python and Keras, and puts them back afterwards.

    One thread at a time: they belong to the process.
    """
    with LOCK, _seeded(seed):
        yield


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    python, cpu = random.getstate(), torch.get_rng_state()
    numpy = np.random.get_state()  # noqa: NPY002 - the global generator is what user code draws from
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    try:
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        torch.manual_seed(seed % 2**63)
        with keras_session():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        torch.set_rng_state(cpu)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)


_SESSION = ("object_name_uids", "global_seed_generator")
"""What Keras counts and draws across models: the numbers in automatic names, and the seeds that nobody gave."""


@contextmanager
def keras_session() -> Iterator[None]:
    """Names and seeds as in a fresh process inside, those of the caller afterwards: every seed builds ``dense_1``."""
    saved = [(name, _exchanged(name, None)) for name in _SESSION]
    try:
        yield
    finally:
        for name, value in saved:
            _exchanged(name, value)


def _exchanged(name: str, value: Any) -> Any:
    """Put a value into Keras's session, and answer with the one that was there; nothing public does that."""
    state = sys.modules.get("keras.src.backend.common.global_state")
    if state is None:
        return None
    before = state.get_global_attribute(name)
    state.set_global_attribute(name, value)
    return before


def raised_by_the_call(error: BaseException) -> bool:
    """Whether no code of the user had begun to run: every frame is one of ours."""
    return all(is_ours(frame.f_code.co_filename) for frame, _ in walk_tb(error.__traceback__))
