"""What ``check`` says of the models of timm, torchvision and transformers, and of torch's own layers.

``python -m tests.zoo.judged timm:resnet18 hf:gpt2 tests.zoo.native:encoder`` prints a line of JSON for each: its findings,
or why it was not probed. ``docs/zoo.md`` says which of them are true.
"""

from __future__ import annotations

import json
import runpy
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch

if __name__ == "__main__":  # in a test it has run already
    runpy.run_path(str(Path(__file__).parents[1] / "startup" / "sitecustomize.py"))

from initprobe.errors import InitprobeError
from initprobe.load.target import open_target
from initprobe.pipeline import probe_target
from initprobe.records import CheckRequest, Entry, ProbeRequest, Request, TargetRequest
from tests.zoo.shrink import LEVELS, shrunk
from tests.zoo.walk import call
from tests.zoo.walk_timm import attempts
from tests.zoo.walking import timed

PROBE = ProbeRequest(seeds=(0, 1, 2), max_seeds=3, batch=4)
CHECK = CheckRequest(complete=True)
SECONDS = 40
SIZES = (64, 128, None)
"""Pixels of the images, the least first; None is what the model itself says."""


def calls(name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Targets and inputs to try, the smallest first."""
    source, _, model = name.partition(":")
    if source == "hf":
        yield from ((call(model, shrunk(model, level)), ()) for level in LEVELS)
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


def main() -> None:
    """A line for each name."""
    torch.set_num_threads(1)
    for name in sys.argv[1:]:
        print(json.dumps(timed(told, name, SECONDS, late)), flush=True)


if __name__ == "__main__":
    main()
