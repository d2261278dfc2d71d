"""How often does `diff` take a redraw for a change, and how small a change does it find?

    python benchmarks/regression.py [REDRAWS]

Every measurement has base seeds of its own, so that no draw is used twice.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

import initprobe as ip
from initprobe.check.regression import difference
from initprobe.records import Entry


def network(depth: int, width: int, std_of: Callable[[int], float] = lambda _layer: 1.0) -> Callable[[], Any]:
    """He under ReLU, each weight's std times what ``std_of`` says of its layer."""

    def build() -> Any:
        layers = []
        for layer in range(depth):
            linear = nn.Linear(width, width)
            nn.init.normal_(linear.weight, std=std_of(layer) * math.sqrt(2 / width))
            nn.init.uniform_(linear.bias, -0.1, 0.1)
            layers += [linear, nn.ReLU()]
        return nn.Sequential(*layers), torch.randn(64, width)

    return build


def measured(build: Callable[[], Any], base: int, seeds: int = 5) -> Entry:
    """Five draws that no other base shares."""
    return ip.probe(build, seeds=range(1000 * base, 1000 * base + seeds), max_seeds=seeds).entry


def false_alarms(depth: int, width: int, redraws: int) -> tuple[int, int]:
    """How many redraws were taken for a change, and how many numbers were compared."""
    golden = measured(network(depth, width), 0)
    build = network(depth, width)
    found = [difference(golden, measured(build, base)) for base in range(1, redraws + 1)]
    return sum(one.verdict == "fail" for one in found), found[0].compared


def power(depth: int, width: int, factor: float, tries: int) -> tuple[int, float]:
    """How often the layer was named, and the factor that would be found nine times in ten."""
    golden = measured(network(depth, width), 0)
    build = network(depth, width, lambda layer: factor if layer == depth // 2 else 1.0)
    found = [difference(golden, measured(build, base)) for base in range(1, tries + 1)]
    named = [any(f"{depth // 2 * 2}.weight" in shift.names for shift in one.shifts) for one in found]
    return sum(named), found[0].resolution


def main() -> None:
    """Print both tables."""
    redraws = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    print("| network | numbers | redraws | taken for a change |\n|---|---|---|---|")
    for depth, width in ((20, 32), (20, 64), (50, 64)):
        alarms, compared = false_alarms(depth, width, redraws)
        print(f"| {depth} x {width} | {compared} | {redraws} | {alarms} |", flush=True)
    print("\n| network | std of one layer | found | found nine times in ten from |\n|---|---|---|---|")
    for depth, width in ((50, 16), (50, 64)):
        for factor in (1.05, 1.1, 1.2):
            found, resolution = power(depth, width, factor, redraws // 10)
            print(f"| {depth} x {width} | x {factor} | {found} of {redraws // 10} | x {resolution:.3f} |", flush=True)


if __name__ == "__main__":
    main()
