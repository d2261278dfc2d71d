"""A model of the corpus says in its head what must be found in it; this reads that.

Every file of ``defective/`` and ``healthy/`` is one model: a spec, or a Python file with ``def build(): return model,
inputs``. Its first comment says what it is. Lines that begin with ``# corpus:`` are read by the tests::

    # corpus: rule IP102 at block.3.linear
    # corpus: rule IP505 or IP102 at net.*
    # corpus: rule IP001
    # corpus: allows IP202 because the same weights carry the gradient back
    # corpus: probe {loss: cross_entropy}
    # corpus: check {precision: float16}
    # corpus: requires timm
    # corpus: unsolved because no run of sites goes through time

A defective model names the rules that must find it (either of those joined by ``or``) and a shell pattern for one of the
layers that the finding must be about. What it *allows* may be found as well: other errors in a defective model, warnings
in a healthy one. Nothing allows an error in a healthy model. What is *unsolved* is judged wrongly today: its test fails as
expected, and says so once it no longer does. ``probe`` and ``check`` hold fields of
``records.ProbeRequest`` and ``records.CheckRequest``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import yaml

from initprobe.check.rules.base import RULES

HERE = Path(__file__).parent

MARK = "corpus:"
RULE = re.compile(r"rule (?P<codes>IP\d{3}(?: or IP\d{3})*)(?: at (?P<glob>\S+))?")
ALLOWS = re.compile(r"allows (?P<code>IP\d{3}) because (?P<reason>.+)")
OPTIONS = re.compile(r"(?P<section>probe|check) (?P<values>\{.+\})")
REQUIRES = re.compile(r"requires (?P<package>\w+)")
UNSOLVED = re.compile(r"unsolved because (?P<reason>.+)")


@dataclass(frozen=True)
class Wanted:
    """What must be found.

    Attributes:
        codes: of the rules; one of them is enough.
        glob: shell pattern over layers, one of which the finding must be about; None for any.
    """

    codes: tuple[str, ...]
    glob: str | None = None

    def __str__(self) -> str:
        return " or ".join(self.codes) + (f" at {self.glob}" if self.glob else "")


@dataclass(frozen=True)
class Model:
    """One file of the corpus.

    Attributes:
        path: the file.
        title: what its first comment says.
        wanted: what must be found; empty for a healthy model.
        allowed: code of a rule that may find something as well to the reason.
        probe: fields of ``ProbeRequest``.
        check: fields of ``CheckRequest``.
        requires: packages without which it cannot be built.
        unsolved: why it is judged wrongly today, None where it is not.
    """

    path: Path
    title: str
    wanted: tuple[Wanted, ...] = ()
    allowed: Mapping[str, str] = field(default_factory=dict)
    probe: Mapping[str, Any] = field(default_factory=dict)
    check: Mapping[str, Any] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    unsolved: str | None = None

    @property
    def kind(self) -> Literal["defective", "healthy"]:
        return "healthy" if self.path.parent.name == "healthy" else "defective"

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def target(self) -> str:
        """What a person would type to have it checked."""
        return f"{self.path}:build" if self.path.suffix == ".py" else str(self.path)

    @property
    def missing(self) -> str | None:
        """Why it cannot be judged here, None where it can."""
        for package in self.requires:
            if find_spec(package) is None:
                return f"{package} is not installed"
        known = {leaf.card.code for leaf in RULES.values()}
        for wanted in self.wanted:
            if known.isdisjoint(wanted.codes):
                return f"rule not there: {' or '.join(wanted.codes)}"
        return None


def read(path: Path) -> Model:
    """The model of one file.

    Raises:
        ValueError: its head cannot be read, or contradicts the folder.
    """
    head = list(_head(path.read_text(encoding="utf-8")))
    said = " ".join(line for line in head if not line.startswith(MARK))
    wanted: list[Wanted] = []
    allowed: dict[str, str] = {}
    options: dict[str, dict[str, Any]] = {"probe": {}, "check": {}}
    requires: list[str] = []
    unsolved: str | None = None
    for line in head:
        what = line.removeprefix(MARK).strip()
        if not line.startswith(MARK):
            continue
        if found := RULE.fullmatch(what):
            wanted.append(Wanted(tuple(found["codes"].split(" or ")), found["glob"]))
        elif found := ALLOWS.fullmatch(what):
            allowed[found["code"]] = found["reason"]
        elif found := OPTIONS.fullmatch(what):
            options[found["section"]].update(yaml.safe_load(found["values"]))
        elif found := REQUIRES.fullmatch(what):
            requires.append(found["package"])
        elif found := UNSOLVED.fullmatch(what):
            unsolved = found["reason"]
        else:
            raise ValueError(f"{path.name}: cannot read {line!r}")
    model = Model(
        path, said.rstrip("."), tuple(wanted), allowed, **options, requires=tuple(requires), unsolved=unsolved
    )
    if not said:
        raise ValueError(f"{path.name} does not say what it is")
    if bool(wanted) is (model.kind == "healthy"):
        raise ValueError(f"{path.name}: a defective model says which rule must find it, a healthy one has none")
    return model


def _head(text: str) -> Iterator[str]:
    """The comments that the file begins with, without their marks."""
    for line in text.splitlines():
        if not line.startswith("#"):
            return
        if not line.startswith("# yaml-language-server:"):
            yield line.removeprefix("#").strip()


@cache
def corpus() -> tuple[Model, ...]:
    """All models: the defective ones, then the healthy ones, each in the order of their names."""
    files = [
        path
        for kind in ("defective", "healthy")
        for path in sorted((HERE / kind).iterdir())
        if path.suffix in {".py", ".yaml"}
    ]
    return tuple(read(path) for path in files)
