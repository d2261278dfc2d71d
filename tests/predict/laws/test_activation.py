"""The law of activations against every one that torch computes."""

from __future__ import annotations

import importlib

import pytest
from torch import nn

from initprobe.activations.base import ACTIVATIONS
from tests.predict.laws.monte_carlo import Case, Parts, compare

ELEMENTWISE = sorted(
    name for name, leaf in ACTIVATIONS.items() if leaf.value is not None and leaf.modules and leaf.modules[0] != "-"
)
OPTIONS = {"threshold": (0.1, 0.0)}
"""What a module cannot be built without."""


def module_of(name: str) -> nn.Module:
    path, _, attribute = ACTIVATIONS.find(name).modules[0].rpartition(".")
    module: nn.Module = getattr(importlib.import_module(path), attribute)(*OPTIONS.get(name, ()))
    return module


def case_of(name: str, *, mean: float) -> Case:
    slope = 0.0 if mean == 0.0 else 0.1
    parts = Parts(0.1 + slope, 0.4, 0.3, 0.5, mean=mean)
    return Case(lambda: module_of(name), ((6, 64),), (parts,), draws=30)


@pytest.mark.parametrize("mean", [0.0, 0.7])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_all_moments_of_an_activation(name, mean):
    case = case_of(name, mean=mean)
    assert compare(case).wrong(case.tolerance) == []
