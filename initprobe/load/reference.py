"""The grammar of a Python target: ``pkg.mod:build(depth=50)``. Literals only, nothing is evaluated."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from initprobe.errors import UsageError

_REFERENCE = re.compile(r"(?P<place>.+?):(?P<attribute>[^\W\d]\w*(?:\.[^\W\d]\w*)*)\s*(?P<call>\(.*\))?\s*", re.DOTALL)
_MODULE = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_FORMS = "write pkg.mod:build, path/to/file.py:Net or file.py:build(depth=50)"


@dataclass(frozen=True, slots=True)
class Reference:
    """A place, a name in it, and the literals it is called with.

    Attributes:
        place: dotted module or path of a ``.py`` file.
        attribute: dotted name in it.
        called: whether parentheses were written.
        args, kwargs: the literals in them.
    """

    place: str
    attribute: str
    called: bool = False
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)

    @property
    def is_file(self) -> bool:
        """Whether the place is a file, not a module."""
        return self.place.endswith(".py")

    def __str__(self) -> str:
        return f"{self.place}:{self.attribute}"


def parse_reference(text: str) -> Reference:
    """Read ``MODULE:ATTR[CALL]`` or ``FILE.py:ATTR[CALL]``.

    Raises:
        UsageError: it is badly written, or an argument is more than a literal.
    """
    found = _REFERENCE.fullmatch(text)
    if found is None or not (found["place"].endswith(".py") or _MODULE.fullmatch(found["place"])):
        raise UsageError(f"cannot read the target {text!r}", hint=_repair(text))
    args, kwargs = parse_call(found["call"]) if found["call"] else ((), {})
    return Reference(found["place"], found["attribute"], bool(found["call"]), args, kwargs)


def parse_call(text: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments in ``(1, name="x")``: literals only, nothing is evaluated.

    Raises:
        UsageError: it is no call, or an argument is more than a literal.
    """
    try:
        tree = ast.parse(f"f{text.strip()}", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UsageError(
            f"cannot read the arguments {text}", hint="like a Python call: (depth=50, act='relu')"
        ) from error
    if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name):
        raise UsageError(f"cannot read the arguments {text}", hint="one pair of parentheses: (depth=50, act='relu')")
    args = tuple(_literal(argument, text) for argument in tree.args)
    kwargs = {}
    for keyword in tree.keywords:
        if keyword.arg is None:
            raise UsageError(f"** is not allowed in {text}", hint="name each argument: (depth=50, act='relu')")
        if keyword.arg in kwargs:
            raise UsageError(f"{keyword.arg!r} is given twice in {text}")
        kwargs[keyword.arg] = _literal(keyword.value, text)
    return args, kwargs


def parse_name(text: str) -> tuple[str, dict[str, Any]]:
    """Read ``NAME[CALL]``, the form of libraries that build a model by its name: ``resnet50(num_classes=10)``.

    Returns:
        The name as it is written, and the keyword arguments.

    Raises:
        UsageError: the call is badly written, or an argument has no name.
    """
    name, parenthesis, rest = text.partition("(")
    args, kwargs = parse_call(parenthesis + rest) if parenthesis else ((), {})
    if args:
        raise UsageError(f"the argument {args[0]!r} of {name.strip()} has no name", hint="(num_classes=10)")
    return name.strip(), kwargs


def written(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """The arguments as they would be written in a call."""
    return ", ".join([*map(repr, args), *(f"{name}={value!r}" for name, value in kwargs.items())])


def _literal(node: ast.expr, text: str) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        hint = "numbers, strings, True, False, None, and tuples, lists and dicts of them"
        if isinstance(node, ast.Name):
            hint = f"{node.id!r}, with its quotes, if it is a string"
        raise UsageError(f"only literals can be arguments, not {ast.unparse(node)} in {text}", hint=hint) from error


def _repair(text: str) -> str:
    """What a target that cannot be read was probably meant to be."""
    place, _, attribute = text.partition(":")
    if text.endswith("/"):
        return f"there is no directory {text!r}"
    if "/" in place and not place.endswith(".py") and Path(f"{place}.py").is_file():
        return f"did you mean {f'{place}.py:{attribute}'!r}?"
    if text.endswith(".py") and Path(text).is_file():
        names = _defined(Path(text))
        if names:
            return f"name what to build: {', '.join(f'{text}:{name}' for name in names[:3])}"
    module = text.removesuffix(":")
    if _MODULE.fullmatch(module) and PathFinder.find_spec(module.partition(".")[0], [str(Path.cwd()), *sys.path]):
        return f"name what to build: {module}:build"
    return _FORMS


def _defined(path: Path) -> list[str]:
    """Public classes and functions of a file, read without running it; classes first."""
    try:
        body = ast.parse(path.read_bytes()).body
    except (OSError, SyntaxError, ValueError, RecursionError):
        return []
    kinds = (ast.ClassDef, ast.FunctionDef)
    found = [node for kind in kinds for node in body if isinstance(node, kind)]
    return [node.name for node in found if not node.name.startswith("_")]
