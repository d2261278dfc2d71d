"""Every model type of the transformers library through ``hf:`` and one probe.

``python -m tests.zoo.walk gpt2 bert`` prints a line of JSON for each; without names it walks through all of them, in
processes of forty, and ``--table`` makes the table of ``docs/zoo-transformers.md`` from such lines on standard input.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import transformers
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

from initprobe.errors import InitprobeError
from initprobe.load.huggingface.model import construct
from initprobe.load.survey import Undrawn
from initprobe.load.target import open_target
from initprobe.load.usercode import seeded
from initprobe.pipeline import probe_target
from initprobe.records import ProbeRequest, Request, TargetRequest
from tests.measure.test_restoring import surroundings
from tests.zoo.shrink import LEVELS, shrunk
from tests.zoo.walking import Observed, TooLongError, timed, walked

PROBE = ProbeRequest(seeds=(0,), max_seeds=1, batch=2)
LARGEST = 40e6
"""Parameters of a model that is walked through."""

SECONDS = 120
"""What a model type may take, all its sizes together."""

MEMORY = 8 * 2**30
"""Bytes of address space: a model type that wants more is told so, and the machine is spared."""


@dataclass
class Row:
    """One model type, and what came of it.

    Attributes:
        model_type: a key of ``CONFIG_MAPPING``.
        result: ``full`` (gradients and all), ``partial`` (no weighted site with a gradient), ``reason`` (refused with a
            message), ``changed`` (something is not as it was), ``crash``.
        parameters, sites, called, modules: of the model that was probed.
        level: how far it was shrunk.
        inputs: names and shapes of its dummy inputs.
        verdict: of the probe.
        detail: the message, or the traceback.
    """

    model_type: str
    result: str = "crash"
    parameters: int = 0
    sites: int = 0
    called: int = 0
    modules: int = 0
    level: str = ""
    inputs: str = ""
    verdict: str = ""
    detail: str = ""


def call(model_type: str, overrides: dict) -> str:
    """The target as one would type it."""
    return f"hf:{model_type}({', '.join(f'{key}={value!r}' for key, value in overrides.items())})"


def late(model_type: str) -> Row:
    """What is said of one that does not come to its end."""
    return Row(model_type, "reason", detail="took too long")


def walk(model_type: str) -> Row:
    """What came of the smallest configuration that is probed to its end, else of the smallest."""
    rows = []
    for level in LEVELS:
        row = Row(model_type, level=level)
        around = surroundings()
        _probe(row)
        if row.result != "reason":
            row.result = row.result if surroundings() == around else "changed"
            return row
        rows.append(row)
    return next((row for row in rows if "guessed" in row.detail), rows[0])


def _probe(row: Row) -> None:
    """Open, count, probe, and look what is different afterwards."""
    try:
        target = open_target(TargetRequest(call(row.model_type, shrunk(row.model_type, row.level))))
        row.parameters = _parameters(target)
        if row.parameters > LARGEST:
            row.result, row.detail = "reason", "too large to walk through"
            return
        observed = Observed(target)
        entry = probe_target(observed, Request(TargetRequest(row.model_type), probe=PROBE))
    except InitprobeError as error:
        row.result, row.detail = "reason", error.render()
        return
    except TooLongError:
        row.result, row.detail = "reason", "took too long"
        return
    except Exception:  # noqa: BLE001 - what this is all about
        row.detail = traceback.format_exc()
        return
    row.sites, row.called, row.modules = entry.coverage.sites, entry.coverage.called, entry.coverage.modules
    row.verdict = entry.verdict or ""
    row.inputs = ", ".join(
        f"{name}{list(tensor.shape)}" for name, tensor in observed.inputs.make(1, 0, torch.float32).kwargs.items()
    )
    weighted = [summary for summary in entry.sites if summary.site.kind == "weighted" and summary.forward]
    row.result = "full" if any(summary.backward for summary in weighted) else "partial"
    if observed.changed:
        row.result = "changed"


def _parameters(target) -> int:
    with seeded(0), torch.device("meta"), Undrawn():
        return sum(p.numel() for p in construct(target.model, target.config, target.name).parameters())


def table(rows: list[Row]) -> str:
    """The page."""
    head = Path(__file__).with_name("transformers.md").read_text(encoding="utf-8")
    count = {
        kind: sum(row.result == kind for row in rows) for kind in ("full", "partial", "reason", "changed", "crash")
    }
    numbers = {**count, "types": len(rows), "version": transformers.__version__, "torch": torch.__version__}
    lines = [f"| {row.model_type} | {_number(row.parameters)} | {row.sites or ''} | {outcome(row)} |" for row in rows]
    return head.format(**numbers) + "\n".join(lines) + "\n"


def _number(count: int) -> str:
    return f"{count:,}" if count else ""


def outcome(row: Row) -> str:
    """The last column."""
    if row.result in ("full", "partial"):
        inputs = re.sub(r"\[[^]]*\]", "", row.inputs)
        unseen = (
            "" if row.called == row.modules else f", {row.modules - row.called} of {row.modules} modules not called"
        )
        return f"**{row.result}** ({inputs}{unseen})"
    message = without_call(re.sub(r"^error\[\w+\]: ", "", row.detail.splitlines()[0]), row.model_type)
    message = re.sub(r" from '[^']*'?", "", message)  # modules say where they lie on this machine
    return f"{row.result}: {message[:160].replace('|', '/')}"


def without_call(message: str, model_type: str) -> str:
    """A message that names the type and not what was changed in it: up to the bracket that closes the call."""
    start = message.find(f"hf:{model_type}(")
    depth = 0
    for at in range(start, len(message)) if start >= 0 else ():
        depth += {"(": 1, ")": -1}.get(message[at], 0)
        if depth == 0 and message[at] == ")":
            return f"{message[:start]}hf:{model_type}{message[at + 1 :]}"
    return message


if __name__ == "__main__":
    if sys.argv[1:] == ["--table"]:
        sys.stdout.write(table([Row(**json.loads(line)) for line in sys.stdin]))
    elif sys.argv[1:]:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        for name in sys.argv[1:]:
            sys.stdout.write(json.dumps(asdict(timed(walk, name, SECONDS, late))) + "\n")
            sys.stdout.flush()
    else:
        for row in walked("tests.zoo.walk", sorted(CONFIG_MAPPING_NAMES), Row):
            sys.stdout.write(json.dumps(asdict(row)) + "\n")
            sys.stdout.flush()
