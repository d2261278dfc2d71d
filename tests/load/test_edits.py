"""One value or key of a config that ships is replaced: what is said of it points there, and nothing is allocated."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from random import Random

import pytest
import torch
import yaml
from torch.utils._python_dispatch import TorchDispatchMode

from initprobe.errors import UsageError
from initprobe.load.target import open_target
from initprobe.records import TargetRequest

CONFIGS = Path(__file__).parents[2] / "configs"


class Plain(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):
    """Writes a value that stands in two places twice: the language has no anchors."""

    def ignore_aliases(self, data):
        return True


FILES = sorted(CONFIGS.glob("*.yaml"))
EDITS = 2_000
EVERY_DAY = 1_000
"""Edits that the default suite makes, twenty of each config; the others are slow."""

LAYERS = ("model", "layers")
SHAPE = ("model", "input", "shape")
FEW = 2**15
"""Numbers of one tensor that may be made while a spec is opened: what the data file holds."""

VALUES = [
    0, -1, 1, 3, 7, 10**6, 10**12, 10**17, 0.5, -2.5, 1e300, True, False, None, "x", "", "relu", "linear", "same",
    "${nothing}", [], [1], [2, 0], ["x"], {}, {"type": "relu"}, {"x": 1}, [[1]],
]  # fmt: skip
"""What is put in the place of a value."""

KEYS = ["type", "out", "x", "kernel", "layers", "depth", "name"]
"""What keys are called instead."""


@cache
def document(path):
    """A config with its variables filled in, so that a value stands in one place alone."""
    values = yaml.safe_load(path.read_text())
    given = values.pop("vars", {})

    def filled(node):
        if isinstance(node, dict):
            return {key: filled(value) for key, value in node.items()}
        if isinstance(node, list):
            return [filled(value) for value in node]
        if isinstance(node, str) and node.startswith("${"):
            return filled(given[node[2:-1]])
        return node

    return filled(values)


def places(node, path=()):
    """The key path of every value."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in children:
        yield (*path, key)
        yield from places(value, (*path, key))


def at(node, path):
    for key in path:
        node = node[key]
    return node


def edited(random, path):
    """The document with one change, and the key path that was changed."""
    values = copy.deepcopy(document(path))
    place = random.choice(list(places(values)))
    parent, key = at(values, place[:-1]), place[-1]
    act = random.choice(["value", "value", "value", "key", "drop", "add"])
    if act == "key" and isinstance(key, str):
        renamed = random.choice(KEYS)
        changed = {renamed if old == key else old: value for old, value in parent.items()}
        parent.clear()
        parent.update(changed)
        return values, (*place[:-1], renamed), place[:-1]
    if act == "drop" and isinstance(key, str):
        del parent[key]
        return values, place[:-1], place[:-1]
    if act == "add" and isinstance(parent, list):
        parent.insert(key, random.choice(VALUES))
    else:
        parent[key] = random.choice(VALUES)
    return values, place, place


def inside(told, node):
    """Whether a key path leads to a node or into it."""
    return told[: len(node)] == node


def elsewhere(told, place):
    """Whether a change may show where it is told: a shape shows at the layer that does not take it, further on.

    And the numbers of a shape are too many only together.
    """
    if told == SHAPE:
        return inside(place, SHAPE)
    if told[:2] != LAYERS or place[:1] != ("model",):
        return False
    return len(told) < 3 or place[:2] != LAYERS or len(place) < 3 or told[2] >= place[2]


class Watch(TorchDispatchMode):
    """Counts the numbers that are made on another device than meta; raised errors might be told as a layer's."""

    most = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor) and made.device.type != "meta":
            self.most = max(self.most, made.numel())
        return made


@pytest.mark.untraced
@pytest.mark.parametrize(
    "first", [pytest.param(first, marks=[pytest.mark.slow] * (first >= EVERY_DAY)) for first in range(0, EDITS, 100)]
)
def test_what_is_said_of_one_change_points_at_it(first, tmp_path):
    (tmp_path / "data").symlink_to(CONFIGS / "data")
    refused = 0
    for number in range(first, first + 100):
        random = Random(number)
        config = FILES[number % len(FILES)]
        values, place, around = edited(random, config)
        file = tmp_path / config.name
        file.write_text(yaml.dump(values, Dumper=Plain, sort_keys=False))
        said = None
        with Watch() as watch:
            try:
                open_target(TargetRequest(str(file)))
            except UsageError as error:
                said = error
        assert watch.most <= FEW
        if said is None:
            continue
        refused += 1
        text = said.render()
        assert "error[" in text
        assert "Traceback" not in text
        if not hasattr(said, "problems"):
            continue  # a data file that is not there
        for problem in said.problems:
            location = said.spec.locate(problem.path, on=problem.on)
            assert location.line >= 1
            assert location.column >= 1
            assert inside(problem.path, place) or problem.path == around or elsewhere(problem.path, place), (
                f"edit {number} of {config.name} at {place} was told at {problem.path}: {text}\n{file.read_text()}"
            )
    assert refused > 40
