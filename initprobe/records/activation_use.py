"""An activation as a network uses it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ActivationUse:
    """An activation as it is used at one place, with the options that change its function."""

    name: str
    options: tuple[tuple[str, float | str], ...] = ()

    def __str__(self) -> str:
        inner = ", ".join(
            f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}" for key, value in self.options
        )
        return f"{self.name}({inner})" if inner else self.name
