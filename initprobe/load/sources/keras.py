"""Saved Keras models: ``net.keras``. An archive is code: its layers may be Python functions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from initprobe.errors import CodeNotAllowedError, TargetError
from initprobe.load.files import existing_file
from initprobe.load.keras_model import adopted, check_backend
from initprobe.load.sources.base import Opener, Source, Target, placed, requested_inputs, resolved_inputs, source
from initprobe.load.usercode import keras_session, running
from initprobe.records import ProbeRequest, TargetRequest
from initprobe.subject import Inputs, Subject

PREFIX = "keras:"


@dataclass(frozen=True, slots=True)
class ArchiveTarget:
    """A saved model: one draw, read anew for every probe.

    Attributes:
        name: the file's name.
        path: the file.
        inputs: what the command line says about inputs, None where it says nothing.
    """

    name: str
    path: Path
    inputs: Inputs | None = None
    one_draw: bool = True
    sections: None = None

    def build(self, seed: int, probe: ProbeRequest) -> Subject:  # noqa: ARG002 - the weights are what they are
        """The same weights for every seed; see ``sources.base.Target``."""
        model = adopted(self._read(), self.inputs, self.name)
        return Subject(placed(model, probe), resolved_inputs(model, self.inputs))

    def _read(self) -> Any:
        with running("importing Keras"):
            import keras
        try:
            with running(f"reading {self.name}"), keras_session():
                # Safe mode has been bypassed again and again, so it is the command line that allows a file to run.
                model = keras.saving.load_model(self.path, compile=False, safe_mode=False)
        except TargetError as error:
            error.hint = error.hint or "classes of your own: name a function that loads the file, FILE.py:load"
            raise
        check_backend(model, self.name)
        return model


def open_keras(reference: str, request: TargetRequest, opener: Opener) -> Target:  # noqa: ARG001 - leads nowhere else
    """Open ``FILE.keras``; see ``sources.base.Source``.

    Raises:
        CodeNotAllowedError: the command line has not allowed files to run code.
        UsageError: there is no such file.
    """
    path = existing_file(reference.removeprefix(PREFIX))
    if not request.allow_code:
        raise CodeNotAllowedError(
            f"{str(path)!r} is a Keras archive, which can run code when it is read",
            hint="add --allow-code if you trust it",
        )
    return ArchiveTarget(path.name, path, requested_inputs(request))


def is_archive(text: str) -> bool:
    """Whether a target without a prefix is a saved Keras model."""
    return text.lower().endswith(".keras") and not text.startswith(PREFIX)


KERAS = source(Source(name="keras", form="FILE.keras", open=open_keras, accepts=is_archive))
