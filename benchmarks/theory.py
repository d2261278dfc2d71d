"""How near theory comes on real networks: ``python benchmarks/theory.py [WORD ...]`` makes the table of docs/theory.md.

Every site counts, those without a prediction by their number. The error of a site is that of the accumulated RMS, which
follows the signal from the model's input, and the gradient from its output, over all layers between.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import initprobe as ip
from initprobe.records import Expected, SiteSummary, StatisticSummary


@dataclass(frozen=True, slots=True)
class Network:
    """A network of the table.

    Attributes:
        title: as the table calls it.
        target: what is probed.
        options: keywords of ``initprobe.probe``.
    """

    title: str
    target: str
    options: dict[str, Any] = field(default_factory=dict)


NETWORKS = (
    Network("ResNet-50, 224 × 224, batch 16", "torchvision:resnet50", {"batch": 16}),
    Network("ResNet-50 in evaluation mode", "torchvision:resnet50", {"batch": 8, "mode": "eval"}),
    Network("GPT-2, 256 tokens, batch 4", "hf:gpt2", {"inputs": "input_ids=int64[256]<50257", "batch": 4}),
    Network("ViT-B/16, 224 × 224, batch 8", "timm:vit_base_patch16_224", {"batch": 8}),
    Network("LSTM, 200 steps of its cell", "configs/lstm-200.yaml", {"seeds": 5, "max_seeds": 5}),
    Network(
        "the same under chrono(t_max=200)",
        "configs/lstm-200.yaml",
        {"scheme": "chrono(t_max=200)", "seeds": 5, "max_seeds": 5},
    ),
)
SEEDS = 2


@dataclass(frozen=True, slots=True)
class Errors:
    """One direction of one network.

    Attributes:
        sites: relative error of each site, largest first, with its key.
        resumed: sites behind something without a prediction, whose own starts from what was measured there.
        missing: sites without a prediction, with the reason.
    """

    sites: list[tuple[float, str]]
    resumed: int
    missing: dict[str, str]

    def row(self) -> str:
        """Cells of the table: sites, median, largest error, resumed, without a prediction."""
        if not self.sites:
            return f"0 | - | - | 0 | {len(self.missing)}"
        errors = [error for error, _ in self.sites]
        middle, largest = statistics.median(errors), errors[0]
        return f"{len(errors)} | {middle:.1%} | {largest:.0%} | {self.resumed} | {len(self.missing)}"


def errors_of(sites: Sequence[SiteSummary], direction: str) -> Errors:
    """What theory said of every site that was measured, beside what was."""
    found: list[tuple[float, str]] = []
    missing: dict[str, str] = {}
    resumed = 0
    for key, expected, measured in asked(sites, direction):
        if expected.accumulated is None:
            missing[key] = expected.why or ""
        elif measured > 0.0:
            found.append((abs(expected.accumulated / measured - 1.0), key))
            resumed += expected.resumed
    return Errors(sorted(found, reverse=True), resumed, missing)


def asked(sites: Sequence[SiteSummary], direction: str) -> Iterator[tuple[str, Expected, float]]:
    """Key, expectation and measured RMS of the sites of a direction; aliases of another site are left out."""
    for summary in sites:
        expected = summary.expected if direction == "forward" else summary.expected_backward
        measured = summary.forward if direction == "forward" else summary.backward
        if expected is not None and measured is not None and summary.site.alias_of is None:
            yield summary.site.key, expected, typical(measured["rms"])


def typical(rms: StatisticSummary) -> float:
    """The geometric mean over draws, which theory speaks of."""
    return statistics.geometric_mean(rms.per_seed) if min(rms.per_seed) > 0.0 else 0.0


def main(wanted: list[str]) -> None:
    """Print the rows of all networks, or of those whose title or target holds one of the words; the worst on stderr."""
    print("| network | direction | sites | median | largest | resumed | without |\n|---|---|---|---|---|---|---|")
    for network in NETWORKS:
        if wanted and not any(word in network.title + network.target for word in wanted):
            continue
        start = time.perf_counter()
        entry = ip.probe(network.target, **{"seeds": SEEDS, "max_seeds": SEEDS, **network.options}).entry
        for direction in ("forward", "backward"):
            errors = errors_of(entry.sites, direction)
            print(f"| {network.title} | {direction} | {errors.row()} |", flush=True)
            worst = ", ".join(f"{key} {error:.0%}" for error, key in errors.sites[:6])
            print(f"{network.title}, {direction}: {worst}; {sorted(set(errors.missing.values()))}", file=sys.stderr)
        print(f"{time.perf_counter() - start:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
