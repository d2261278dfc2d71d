"""Where something lives that a finding names: what an ignore is held against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from initprobe.records import Site, Weight


@dataclass(frozen=True, slots=True)
class Place:
    """A module, one call of it, an operation in it or a parameter of it.

    Attributes:
        module: path of the module, of an operation the one around it; empty for the model itself.
        name: what findings call it: the key of a site, the name of a parameter, the path of a module.
        operation: whether it is an operation: what is written on its line is about it alone.
    """

    module: str
    name: str
    operation: bool = False

    @property
    def written(self) -> str:
        """What a comment on its own line is about: the operation, or the module with all that is in it."""
        return self.name if self.operation else self.module

    @property
    def around(self) -> Iterator[str]:
        """Everything whose comment holds for it: itself, and every module around it, the model included."""
        yield self.written
        path = self.module
        while path:
            yield path
            path = path.rpartition(".")[0]
        yield ""

    def matches(self, glob: str) -> bool:
        """Whether a shell pattern means it, by its own name as it is printed, or by its module's path."""
        return any(name == glob or fnmatchcase(name, glob) for name in (self.name, self.module))


def of_site(site: Site) -> Place:
    """Where a call site lives."""
    return Place(site.path, site.key, operation=site.operation is not None)


def of_weight(weight: Weight) -> Place:
    """Where a parameter lives."""
    return Place(weight.module, weight.name)


def of_tensor(name: str) -> Place:
    """Where a parameter or a buffer lives, by its name alone."""
    return Place(name.rpartition(".")[0], name)


def of_module(path: str) -> Place:
    """A module as a whole."""
    return Place(path, path)
