"""Finds the leaves of a folder, then those that third parties bring as entry points.

A leaf registers itself with its room's decorator when its module is imported. Nothing is imported until a room is
asked for something, and nobody keeps a list.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from importlib.metadata import entry_points
from itertools import count
from typing import Generic, TypeVar

from initprobe.errors import UsageError

Leaf = TypeVar("Leaf")


class Registry(Mapping[str, Leaf], Generic[Leaf]):
    """Name to leaf, filled on first use.

    Args:
        noun: what a leaf is called in messages (``scheme``).
        package: the package whose modules hold the leaves.
        group: entry-point group of third-party leaves.
    """

    def __init__(self, noun: str, package: str, group: str) -> None:
        self.noun = noun
        self._package = package
        self._group = group
        self._leaves: dict[str, Leaf] = {}
        self._aliases: dict[str, str] = {}
        self._guests: dict[str, Leaf] = {}
        self._loaded = False

    def add(self, name: str, leaf: Leaf, *, aliases: tuple[str, ...] = ()) -> None:
        """Take in a leaf under its name and its aliases.

        Raises:
            ValueError: a name is taken already.
        """
        for taken in (name, *aliases):
            if taken in self._leaves or taken in self._aliases:
                raise ValueError(f"two {self.noun}s are called {taken!r}")
        self._leaves[name] = leaf
        self._aliases.update(dict.fromkeys(aliases, name))

    def lend(self, name: str, leaf: Leaf) -> str:
        """Take in a leaf that is found by its name and stands in no list: one that a user brought along.

        Returns:
            The name that it is found under; a number follows where the name was taken.
        """
        self._load()
        taken = {*self._leaves, *self._aliases, *self._guests}
        names = (name if number == 1 else f"{name}#{number}" for number in count(1))
        free = next(one for one in names if one not in taken)
        self._guests[free] = leaf
        return free

    def find(self, name: str) -> Leaf:
        """The leaf of that name or alias.

        Raises:
            UsageError: there is none; the message names the nearest.
        """
        self._load()
        found = self._leaves.get(self._aliases.get(name, name)) or self._guests.get(name)
        if found is None:
            near = self.near(name)
            hint = f"did you mean {near!r}?" if near else f"`initprobe ls {self.noun}s` lists them"
            raise UsageError(f"unknown {self.noun} {name!r}", hint=hint)
        return found

    def near(self, name: str) -> str | None:
        """The name or alias that somebody may have meant, whatever the case; None where none is near."""
        self._load()
        known = {one.lower(): one for one in (*self._leaves, *self._aliases)}
        found = get_close_matches(name.lower().replace("-", "_"), known, n=1)
        return known[found[0]] if found else None

    def canonical(self, name: str) -> str:
        """The name behind an alias; names stay as they are.

        Raises:
            UsageError: there is no such leaf.
        """
        self.find(name)
        return self._aliases.get(name, name)

    def aliases_of(self, name: str) -> tuple[str, ...]:
        """The other names of a leaf."""
        self._load()
        return tuple(alias for alias, target in self._aliases.items() if target == name)

    def __getitem__(self, name: str) -> Leaf:
        self._load()
        return self._leaves[self._aliases.get(name, name)]

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(sorted(self._leaves))

    def __len__(self) -> int:
        self._load()
        return len(self._leaves)

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        package = importlib.import_module(self._package)
        for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda found: found.name):
            if module.name != "base":
                importlib.import_module(f"{self._package}.{module.name}")
        for point in sorted(entry_points(group=self._group), key=lambda found: found.name):
            try:
                point.load()
            except Exception as error:
                self._leaves.pop(point.name, None)
                raise UsageError(
                    f"the plug-in {point.name!r} of {point.dist.name if point.dist else '?'} does not load: {error}",
                    hint="uninstall it or mend it",
                ) from error
