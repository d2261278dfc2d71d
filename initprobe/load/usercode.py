"""Runs code that is not ours: seeded, its prints on stderr, its errors told with its own frames."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from traceback import walk_tb

import numpy as np
import torch

from initprobe.errors import InitprobeError, TargetError, first_line, user_trace
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
        raise TargetError(f"{doing} raised {first_line(error)}", trace=user_trace(error)) from error


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seeds the global generators of torch (CPU and CUDA), numpy and Python, and puts them back afterwards."""
    python, cpu = random.getstate(), torch.get_rng_state()
    numpy = np.random.get_state()  # noqa: NPY002 - the global generator is what user code draws from
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    try:
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        torch.manual_seed(seed % 2**63)
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        torch.set_rng_state(cpu)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)


def raised_by_the_call(error: BaseException) -> bool:
    """Whether no code of the user had begun to run: every frame is one of ours."""
    return all(is_ours(frame.f_code.co_filename) for frame, _ in walk_tb(error.__traceback__))
