"""How numbers of things read in what schemes tell."""

from __future__ import annotations


def counted(total: int, noun: str, several: str | None = None) -> str:
    """``1 layer``, ``2 layers``, ``2 passes``."""
    return f"{total} {noun if total == 1 else several or f'{noun}s'}"
