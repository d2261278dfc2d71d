"""What the gate costs beside the bare passes of its seeds: ``python benchmarks/check.py [--pairs 7]``.

For each network of about a hundred layers, in turns in one process on one thread, CPU time:

- *check*: ``initprobe check`` from the target to the verdict, with building and drawing every seed's model;
- *passes*: a plain forward and backward with weight gradients for every seed;
- *and models*: the same with building and drawing the model of every seed.

A first round is not counted, so that imports and first calls are in neither. The ratios are medians over pairs.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch

from initprobe.commands import probe_all
from initprobe.dissect.anatomy import trace_anatomy
from initprobe.init.initialize import initialize_model
from initprobe.load.target import open_target
from initprobe.pipeline import choose_batch
from initprobe.records import TargetRequest
from initprobe.settings import Flags, resolve
from initprobe.subject import Subject

ROOT = Path(__file__).parents[1]
SPEC = """\
version: 1
name: {name}
model:
  input: {{shape: [{width}]}}
  layers:
    - {{type: mlp, width: {width}, depth: {depth}, activation: relu}}
init: {{default: kaiming_normal}}
"""

RESNET = (ROOT / "configs" / "preact-resnet110.yaml").read_text(encoding="utf-8")
"""Two seeds of eight images of 16 x 16."""

NETWORKS = {
    "MLP 100 x 512": SPEC.format(name="deep", width=512, depth=100),
    "MLP 100 x 1024": SPEC.format(name="wide", width=1024, depth=100),
    "preact-resnet110, as shipped": RESNET,
    "preact-resnet110, batch 64": RESNET.replace(", batch: 8}", ", batch: 64}"),
}


def check(path: Path, seeds: int) -> None:
    """What ``initprobe check`` does, without confirmation: its first seeds decide all of these."""
    (entry,) = probe_all("check", [TargetRequest(str(path))], Flags(), lambda _line: None).entries
    if len(entry.seeds) != seeds or entry.verdict != "pass":
        raise SystemExit(f"{path.name}: {entry.verdict} from {len(entry.seeds)} seeds; it should pass at once")


class Bare:
    """The same models and batches, with nothing watched."""

    def __init__(self, path: Path) -> None:
        text = TargetRequest(str(path))
        self.target = open_target(text)
        self.request = resolve(text, Flags(), self.target.sections)
        subject = self.target.build(0, self.request.probe)
        traced = trace_anatomy(subject)
        self.anatomy = traced.anatomy
        self.seeds = self.request.probe.seeds
        self.batch = choose_batch(subject, self.request.probe.batch, traced.bytes_per_sample)[0]

    def model(self, seed: int) -> Subject:
        """The model of one seed, drawn."""
        subject = self.target.build(seed, self.request.probe)
        initialize_model(subject.model, self.anatomy, self.request.init, seed, layer_types=subject.layer_types)
        return subject

    def passes(self, subject: Subject, seed: int) -> None:
        """Forward, and backward with weight gradients."""
        call = subject.call(self.batch, seed)
        out = subject.model(*call.args)
        out.backward(torch.randn(out.shape, generator=torch.Generator().manual_seed(seed)))

    def timed(self) -> tuple[float, float]:
        """Seconds of the passes of all seeds, and of their models with them."""
        models, passes = 0.0, 0.0
        for seed in self.seeds:
            start = time.process_time()
            subject = self.model(seed)
            built = time.process_time()
            self.passes(subject, seed)
            models, passes = models + built - start, passes + time.process_time() - built
        return passes, models + passes


def timed(run: Callable[[], None]) -> float:
    """CPU seconds."""
    start = time.process_time()
    run()
    return time.process_time() - start


def rows(pairs: int) -> Iterator[str]:
    """One row per network."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in NETWORKS.items():
            path = Path(folder, f"{len(name)}.yaml")
            path.write_text(text, encoding="utf-8")
            bare = Bare(path)
            gate = partial(check, path, len(bare.seeds))
            gate()
            bare.timed()
            found = [(timed(gate), *bare.timed()) for _ in range(pairs)]
            seconds = [statistics.median(column) for column in zip(*found, strict=True)]
            ratios = [statistics.median(one[0] / one[place] for one in found) for place in (1, 2)]
            cells = [f"{value:.2f} s" for value in seconds] + [f"{ratio:.2f}" for ratio in ratios]
            yield f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| network | check | passes | and models | check / passes | check / with models |\n|---|---|---|---|---|---|")
    for row in rows(options.pairs):
        print(row, flush=True)


if __name__ == "__main__":
    main()
