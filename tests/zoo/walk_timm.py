"""Every architecture of timm and every classification family of torchvision through one probe.

``python -m tests.zoo.walk_timm timm:resnet18 torchvision:vgg11`` prints a line of JSON for each; with ``--all`` it walks
through all of them up to 30 M parameters, in processes of forty, with ``--families`` through a small one of each family.
``--table`` makes the tables of ``docs/zoo-vision.md`` from such lines on standard input.
"""

from __future__ import annotations

import json
import random
import re
import runpy
import sys
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

if __name__ == "__main__":  # in a test it has run already
    runpy.run_path(str(Path(__file__).parents[1] / "startup" / "sitecustomize.py"))

import timm
import torchvision

from initprobe.errors import InitprobeError
from initprobe.load.target import open_target
from initprobe.pipeline import probe_target
from initprobe.records import ProbeRequest, Request, TargetRequest
from tests.measure.test_restoring import surroundings
from tests.zoo.walking import Observed, TooLongError, timed, walked

PROBE = ProbeRequest(seeds=(0,), max_seeds=1, batch=2)
LARGEST = 30e6
"""Parameters of a model that is walked through."""

SECONDS = 150
SIZES = (64, 128, None)
"""Pixels of the images, the least first; None is what the model itself says."""


@dataclass
class Row:
    """One model, and what came of it.

    Attributes:
        name: the target.
        result: ``full`` (every site with a gradient that has one, every weight told), ``reason`` (refused with a
            message), ``large`` (not walked through), ``changed`` (something is not as it was), ``crash``.
        parameters, sites, called, modules, branches: of the model.
        size: pixels of its image.
        detail: the message, or the traceback.
    """

    name: str
    result: str = "crash"
    parameters: int = 0
    sites: int = 0
    called: int = 0
    modules: int = 0
    branches: int = 0
    size: str = ""
    detail: str = ""


def family(name: str) -> str:
    """``resnet`` of ``timm:resnet50d``."""
    return re.split(r"[_\d]", name.partition(":")[2])[0] or name


def names() -> list[str]:
    """All models of both libraries; detectors and the like are no classifiers."""
    return [f"timm:{name}" for name in timm.list_models()] + [
        f"torchvision:{name}" for name in torchvision.models.list_models(torchvision.models)
    ]


def size_of(name: str) -> int:
    """Number of parameters, without allocating them."""
    library, _, model = name.partition(":")
    with torch.device("meta"):
        if library == "timm":
            built = timm.create_model(model, pretrained=False)
        else:
            built = torchvision.models.get_model(model, weights=None)
    return sum(parameter.numel() for parameter in built.parameters())


def late(name: str) -> Row:
    """What is said of one that does not come to its end."""
    return Row(name, "reason", detail="took too long")


def walk(name: str) -> Row:
    """What came of the smallest image that the model takes."""
    row = Row(name)
    try:
        row.parameters = size_of(name)
    except Exception as error:  # noqa: BLE001 - what cannot be counted is probed
        row.detail = f"not counted: {type(error).__name__}"
    if row.parameters > LARGEST:
        row.result = "large"
        return row
    around = surroundings()
    for size in SIZES:
        for call in attempts(name, size):
            try:
                _probe(row, *call)
            except InitprobeError as error:
                row.result, row.detail = "reason", error.render()
                continue
            except TooLongError:
                row.result, row.detail = "reason", "took too long"
                return row
            except Exception:  # noqa: BLE001 - what this is all about
                row.result, row.detail = "crash", traceback.format_exc()
                return row
            if surroundings() != around:
                row.result = "changed"
            return row
    return row


def attempts(name: str, size: int | None) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The target and its input; many transformers must be told the size of their image when they are built."""
    if size is None:
        yield name, ()
        return
    keyword = "img_size" if name.startswith("timm") else "image_size"
    yield name, (f"3,{size},{size}",)
    yield f"{name}({keyword}={size})", (f"3,{size},{size}",)


def _probe(row: Row, text: str, inputs: tuple[str, ...]) -> None:
    request = TargetRequest(text, inputs=inputs)
    observed = Observed(open_target(request))
    entry = probe_target(observed, Request(request, probe=PROBE))
    row.size, row.detail, row.branches = inputs[0].rpartition(",")[2] if inputs else "own", "", len(entry.branches)
    row.sites, row.called, row.modules = entry.coverage.sites, entry.coverage.called, entry.coverage.modules
    weighted = [summary for summary in entry.sites if summary.site.kind == "weighted"]
    row.result = "full" if weighted and any(summary.backward for summary in weighted) else "partial"
    if observed.changed:
        row.result = "changed"


def one_of_each_family() -> list[str]:
    """The smallest model of every family."""
    smallest: dict[tuple[str, str], tuple[int, str]] = {}
    for name in names():
        try:
            size = size_of(name)
        except Exception:  # noqa: BLE001 - another member stands for it
            continue
        key = name.partition(":")[0], family(name)
        smallest[key] = min(smallest.get(key, (size, name)), (size, name))
    return sorted(name for size, name in smallest.values() if size <= LARGEST)


def table(rows: Iterable[Row]) -> str:
    """One line per model that was walked through."""
    lines = ["| model | parameters | image | sites | branches | result |", "|---|---|---|---|---|---|"]
    for row in rows:
        if row.result == "large":
            continue
        outcome = f"**{row.result}**" if row.result in {"full", "partial"} else row.detail.splitlines()[0]
        if row.result in {"full", "partial"} and row.called != row.modules:
            outcome += f", {row.modules - row.called} of {row.modules} modules not called"
        counted = f"{row.parameters:,}" if row.parameters else ""
        lines.append(f"| {row.name} | {counted} | {row.size} | {row.sites or ''} | {row.branches or ''} | {outcome} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Walk, or make the table."""
    torch.set_num_threads(1)
    arguments = sys.argv[1:]
    if arguments == ["--table"]:
        print(table(Row(**json.loads(line)) for line in sys.stdin), end="")
        return
    if arguments[:1] in (["--all"], ["--families"]):
        chosen = names() if arguments[0] == "--all" else one_of_each_family()
        random.Random(0).shuffle(chosen)  # what is stopped early has seen some of everything
        part, parts = (int(arguments[1]), int(arguments[2])) if len(arguments) == 3 else (0, 1)
        for row in walked("tests.zoo.walk_timm", chosen[part::parts], Row):
            print(json.dumps(asdict(row)), flush=True)
        return
    for name in arguments:
        print(json.dumps(asdict(timed(walk, name, SECONDS, late))), flush=True)


if __name__ == "__main__":
    main()
