"""The transformers library: imported late, held to a version, kept off the network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from initprobe.errors import InitprobeError, MissingExtraError, UsageError, first_line

OLDEST = (5, 5)
"""The first release whose configuration files cannot make it run code of the Hub (CVE-2026-4372, CVE-2026-5241)."""


def transformers() -> ModuleType:
    """The library.

    Raises:
        MissingExtraError: it is not installed.
        UsageError: it is too old, or does not load.
    """
    try:
        import transformers as library
    except ModuleNotFoundError as error:
        if error.name == "transformers":
            raise MissingExtraError("an hf: target", "hf") from error
        raise UsageError(f"transformers does not load: {first_line(error)}") from error
    except Exception as error:
        raise unloadable("transformers", error) from error
    version = tuple(int(part) for part in re.findall(r"\d+", library.__version__)[:2])
    if version < OLDEST:
        raise UsageError(
            f"transformers {library.__version__} is too old: configuration files could make it run code",
            hint='pip install "transformers>=5.5"',
        )
    return library


def unloadable(what: str, error: BaseException) -> InitprobeError:
    """Why a part of the library cannot be imported."""
    message = first_line(error)
    causes = [str(cause) for cause in _chain(error)]
    if any("torchvision::" in cause for cause in causes):
        return UsageError(
            f"{what} needs torchvision, and torchvision's build does not match torch's: {message}",
            hint="install both from the same index, or uninstall torchvision where nothing else needs it",
        )
    missing = [_first_said(str(cause)) for cause in _chain(error) if isinstance(cause, ImportError)]
    if missing:
        return UsageError(f"{what} needs a package that is not there: {missing[0]}")
    return UsageError(f"{what} does not load: {message}")


def _first_said(message: str) -> str:
    """The first line that says something (transformers begins its messages with an empty one)."""
    return next((line.strip() for line in message.splitlines() if line.strip()), "it does not say which")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


@contextmanager
def confined() -> Iterator[None]:
    """Around calls of the library: the Hub is out of reach, and the library's log says errors only."""
    from huggingface_hub import constants
    from transformers.utils import logging

    log: Any = logging
    offline, verbosity = constants.HF_HUB_OFFLINE, log.get_verbosity()
    constants.HF_HUB_OFFLINE = True
    log.set_verbosity_error()
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = offline
        log.set_verbosity(verbosity)
