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

from initprobe.commands import probe_all
from initprobe.init.choose import parse_scheme
from initprobe.records import Entry, Expected, SiteSummary, StatisticSummary, TargetRequest
from initprobe.settings import Flags


@dataclass(frozen=True, slots=True)
class Network:
    """A network of the table.

    Attributes:
        title: as the table calls it.
        target: what is probed.
        sets: variables of its spec.
        inputs: what its input is, where it does not say.
        scheme: what draws it; None keeps its own init.
        options: fields of ``ProbeRequest``.
    """

    title: str
    target: str
    sets: tuple[tuple[str, str], ...] = ()
    inputs: tuple[str, ...] = ()
    scheme: str | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def probe(self) -> Entry:
        """Measure it, and ask theory."""
        flags = Flags(
            None if self.scheme is None else parse_scheme(self.scheme),
            {"seeds": tuple(range(SEEDS)), "max_seeds": SEEDS, **self.options},
        )
        (entry,) = probe_all("run", [TargetRequest(self.target, self.sets, self.inputs)], flags, lambda _: None).entries
        if entry.failure is not None:
            raise SystemExit(entry.failure.message)
        return entry


FIVE = {"seeds": tuple(range(5)), "max_seeds": 5}
LSTM = "configs/lstm-200.yaml"
CHRONO = "chrono(t_max=200)"
WIDER = (("vars.width", "128"),)
SHORTER = (*WIDER, ("vars.steps", "50"))

NETWORKS = (
    Network("ResNet-50, 224 × 224, batch 16", "torchvision:resnet50", options={"batch": 16}),
    Network("ResNet-50 in evaluation mode", "torchvision:resnet50", options={"batch": 8, "mode": "eval"}),
    Network("GPT-2, 256 tokens, batch 4", "hf:gpt2", inputs=("input_ids=int64[256]<50257",), options={"batch": 4}),
    Network("ViT-B/16, 224 × 224, batch 8", "timm:vit_base_patch16_224", options={"batch": 8}),
    Network("LSTM of 128 units, 50 steps", LSTM, SHORTER, options=FIVE),
    Network("LSTM of 128 units, 200 steps", LSTM, WIDER, options=FIVE),
    Network("LSTM of 32 units, 200 steps", LSTM, options=FIVE),
    Network("128 units, 200 steps, chrono", LSTM, WIDER, scheme=CHRONO, options=FIVE),
    Network("32 units, 200 steps, chrono", LSTM, scheme=CHRONO, options=FIVE),
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
    draws = rms if isinstance(rms, tuple) else rms.per_seed
    return statistics.geometric_mean(draws) if min(draws) > 0.0 else 0.0


def main(wanted: list[str]) -> None:
    """Print the rows of all networks, or of those whose title or target holds one of the words; the worst on stderr."""
    print("| network | direction | sites | median | largest | resumed | without |\n|---|---|---|---|---|---|---|")
    for network in NETWORKS:
        if wanted and not any(word in network.title + network.target for word in wanted):
            continue
        start = time.perf_counter()
        entry = network.probe()
        for direction in ("forward", "backward"):
            errors = errors_of(entry.sites, direction)
            print(f"| {network.title} | {direction} | {errors.row()} |", flush=True)
            worst = ", ".join(f"{key} {error:.0%}" for error, key in errors.sites[:6])
            print(f"{network.title}, {direction}: {worst}; {sorted(set(errors.missing.values()))}", file=sys.stderr)
        print(f"{time.perf_counter() - start:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
