"""What walks through whole libraries share: one model at a time, within its time, in processes that are born anew."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from tests.measure.test_restoring import state_of

CHUNK = 40
"""Models that one process walks through."""

ROOT = Path(__file__).parents[2]

Row = TypeVar("Row")


class TooLongError(Exception):
    """A model that takes longer than its share."""


class Observed:
    """A target that remembers what its model was like before it was probed."""

    def __init__(self, target):
        self.target, self.name, self.sections, self.one_draw = target, target.name, None, False
        self.model = self.inputs = self.before = None

    def build(self, seed, probe):
        subject = self.target.build(seed, probe)
        self.model, self.inputs = subject.model, subject.inputs
        self.before = state_of(subject.model)
        return subject

    @property
    def changed(self) -> bool:
        """Whether the model is other than it was."""
        return state_of(self.model) != self.before


def timed(walk: Callable[[str], Row], name: str, seconds: int, late: Callable[[str], Row]) -> Row:
    """What ``walk`` says of a model, or ``late`` where it takes too long; a library's warnings are not our business."""

    def ring(*_):
        raise TooLongError

    signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return walk(name)
    except TooLongError:
        return late(name)
    finally:
        signal.alarm(0)


def walked(module: str, names: Iterable[str], row: Callable[..., Row]) -> Iterator[Row]:
    """A row for each name, from ``python -m module NAME ...``: memory that a model leaves behind is given back."""
    pending = list(names)
    while pending:
        chunk, pending = pending[:CHUNK], pending[CHUNK:]
        command = [sys.executable, "-m", module, *chunk]
        finished = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT, check=False
        )
        rows = [row(**json.loads(line)) for line in finished.stdout.splitlines()]
        yield from rows
        if len(rows) < len(chunk):  # the process died of the one behind the last
            yield row(chunk[len(rows)], detail=f"the process ended with {finished.returncode}")
            pending = chunk[len(rows) + 1 :] + pending
