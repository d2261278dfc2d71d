"""Do verdicts flip? Known networks over many base seeds: what the judge says of each.

    python benchmarks/verdicts.py [--bases 100] [--widths 64,128,256,1024] [--batch 64] [--jobs 2]

Healthy networks must never get an error or a warning about their signals, broken ones must always get their error, and
after the adaptive seeds at most 3 in 100 may stay inconclusive. Base seeds lie 1000 apart, so that no draw is used
twice.
"""

from __future__ import annotations

import argparse
import collections
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Network:
    """A network of the matrix, and what must be said of it."""

    name: str
    scheme: str
    activation: str
    depth: int
    errors: frozenset[str]


NETWORKS = (
    Network("he / relu", "he", "relu", 50, frozenset()),
    Network("orthogonal / tanh", "orthogonal", "tanh", 20, frozenset()),
    Network("xavier / relu", "xavier", "relu", 50, frozenset(["IP101", "IP201"])),
    Network("torch default / relu", "torch", "relu", 50, frozenset(["IP201"])),
    Network("he x 2 / relu", "variance_scaling(scale=8, gain=1)", "relu", 50, frozenset(["IP102", "IP202"])),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was said of one network from one base seed."""

    network: str
    width: int
    verdict: str
    signal_findings: tuple[tuple[str, str], ...]
    seeds: int


def judge_one(task: tuple[int, int, int, int]) -> Outcome:
    """Probe one network from one base seed."""
    index, width, base, batch = task
    torch.set_num_threads(1)
    from initprobe.commands import compare_schemes
    from initprobe.init.choose import parse_scheme
    from initprobe.load.stack import stack
    from initprobe.records import TargetRequest
    from initprobe.settings import Flags

    network = NETWORKS[index]
    target = stack(network.depth, width, network.activation)
    flags = Flags(probe={"seeds": tuple(range(base, base + 5)), "batch": batch})
    report = compare_schemes(target, TargetRequest("stack"), [parse_scheme(network.scheme)], flags)
    entry = report.entries[0]
    signal = tuple(
        (finding.rule.code, finding.severity) for finding in entry.findings if finding.rule.code[:3] in {"IP1", "IP2"}
    )
    return Outcome(network.name, width, entry.verdict or "none", signal, len(entry.seeds))


def row(network: Network, width: int, outcomes: Sequence[Outcome]) -> str:
    """One line of the table."""
    verdicts = collections.Counter(outcome.verdict for outcome in outcomes)
    wrong = 0
    for outcome in outcomes:
        codes = {code for code, severity in outcome.signal_findings if severity in {"error", "warning"}}
        errors = {code for code, severity in outcome.signal_findings if severity == "error"}
        wrong += not (network.errors <= errors if network.errors else not codes)
    seeds = sum(outcome.seeds for outcome in outcomes) / len(outcomes)
    return (
        f"| {network.name} | {network.depth} | {width} | {verdicts['pass']} | {verdicts['fail']} | "
        f"{verdicts['inconclusive']} | {wrong} | {seeds:.1f} | {max(outcome.seeds for outcome in outcomes)} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bases", type=int, default=100)
    parser.add_argument("--widths", default="64,128,256,1024")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    start = time.perf_counter()
    print("| network | depth | width | pass | fail | inconclusive | wrong | mean seeds | most seeds |")
    print("|---|---|---|---|---|---|---|---|---|")
    with ProcessPoolExecutor(options.jobs) as pool:
        for width in map(int, options.widths.split(",")):
            for index, network in enumerate(NETWORKS):
                tasks = [(index, width, 1000 * base, options.batch) for base in range(options.bases)]
                print(row(network, width, list(pool.map(judge_one, tasks, chunksize=5))), flush=True)
    print(f"\n{options.bases} base seeds, batch {options.batch}, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
