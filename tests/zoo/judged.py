"""What ``check`` says of the models of timm, torchvision and transformers, and of torch's own layers.

``python -m tests.zoo.judged timm:resnet18 hf:gpt2 tests.zoo.native:encoder`` prints a line of JSON for each: its findings,
or why it was not probed; without names it reads them from standard input and walks in processes of forty. ``docs/zoo.md``
says which of them are true.
"""

from __future__ import annotations

import json
import resource
import runpy
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

if __name__ == "__main__":  # in a test it has run already
    runpy.run_path(str(Path(__file__).parents[1] / "startup" / "sitecustomize.py"))

from initprobe.errors import InitprobeError
from initprobe.load.target import open_target
from initprobe.pipeline import probe_target
from initprobe.records import CheckRequest, Entry, ProbeRequest, Request, TargetRequest
from tests.zoo.shrink import LEVELS, shrunk
from tests.zoo.walk import MEMORY, call
from tests.zoo.walk_timm import attempts
from tests.zoo.walking import timed, walked

PROBE = ProbeRequest(seeds=(0, 1, 2), max_seeds=3, batch=4)
CHECK = CheckRequest(complete=True)
SECONDS = 40
SMALL = ("tiny", "small", "medium")
"""How far models of transformers are shrunk."""

SIZES = (64, 128, None)
"""Pixels of the images, the least first; None is what the model itself says."""


def calls(name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Targets and inputs to try, the smallest first."""
    source, _, model = name.partition(":")
    if source == "hf":
        yield from ((call(model, shrunk(model, level)), ()) for level in LEVELS if level in SMALL)
    elif source in ("timm", "torchvision"):
        yield from (attempt for size in SIZES for attempt in attempts(name, size))
    else:
        yield name, ()


def judged(name: str) -> Entry:
    """The entry of the smallest model that can be probed.

    Raises:
        InitprobeError: none can; the first reason.
    """
    first: InitprobeError | None = None
    began = time.monotonic()
    for text, inputs in calls(name):
        target = TargetRequest(text, inputs=inputs)
        try:
            return probe_target(open_target(target), Request(target, probe=PROBE, check=CHECK))
        except InitprobeError as error:
            first = first or error
            if time.monotonic() - began > SECONDS:  # the alarm rang while their code ran
                break
    raise first


def told(name: str) -> dict:
    """Everything about one model that fits on a line."""
    began = time.monotonic()
    try:
        entry = judged(name)
    except InitprobeError as error:
        return {"name": name, "failure": error.render()[:400]}
    findings = [
        {
            "code": one.rule.code,
            "severity": one.severity,
            "message": one.message,
            "label": one.label,
            "sites": len(one.sites),
            "measured": one.measured,
            "expected": one.expected,
            "notes": one.notes,
        }
        for one in entry.findings
        if one.suppressed is None
    ]
    seconds = round(time.monotonic() - began, 1)
    return {"name": name, "verdict": entry.verdict, "seconds": seconds, "findings": findings, "notes": entry.notes}


def late(name: str) -> dict:
    """What is said of one that does not come to its end."""
    return {"name": name, "failure": "took too long"}


def row(name: str, detail: str = "", **told: Any) -> dict:
    """A line again; ``detail`` is why there is none."""
    return {"name": name, **({"failure": detail} if detail else told)}


def main() -> None:
    """A line for each name."""
    torch.set_num_threads(1)
    if sys.argv[1:]:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        lines = (timed(told, name, SECONDS, late) for name in sys.argv[1:])
    else:
        lines = walked("tests.zoo.judged", sys.stdin.read().split(), row)
    for line in lines:
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
