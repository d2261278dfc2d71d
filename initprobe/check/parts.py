"""Parts of a network of which everything is concerned: one finding says so of the whole part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def whole_parts(concerned: Sequence[str], others: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The concerned names, under the name of the largest module around them that holds none of the others.

    Args:
        concerned: paths of modules, or names of parameters.
        others: those of the same kind that are not concerned.

    Returns:
        Members by the path that they have in common: a name that stands alone is its own. The network as a whole is no
        part: where nothing else is in it, its children are.
    """
    mixed = {around for name in others for around in _around(name)}
    parts: dict[str, list[str]] = {}
    for name in concerned:
        largest = next((around for around in _around(name) if around not in mixed), name)
        parts.setdefault(largest, []).append(name)
    return {_common(members): tuple(members) for members in parts.values()}


def _around(name: str) -> list[str]:
    """Every module around a name, the outermost first, and the name itself."""
    steps = name.split(".")
    return [".".join(steps[:end]) for end in range(1, len(steps) + 1)]


def _common(names: Sequence[str]) -> str:
    return next(
        around for around in reversed(_around(names[0])) if all(f"{name}.".startswith(f"{around}.") for name in names)
    )
