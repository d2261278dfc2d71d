"""Models of the transformers library, from a configuration alone: no weights, no network, no code of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from initprobe.errors import UsageError
from initprobe.load.huggingface.configuration import configure, read_configuration
from initprobe.load.huggingface.inputs import dummy_inputs
from initprobe.load.huggingface.library import confined, transformers
from initprobe.load.huggingface.model import Build, builder, check_size, construct
from initprobe.load.reference import parse_call
from initprobe.load.sources.base import Opener, Source, Target, placed, requested_inputs, source
from initprobe.load.usercode import seeded
from initprobe.records import ProbeRequest, TargetRequest
from initprobe.subject import Inputs, Subject

_FORMS = "write hf:gpt2, hf:gpt2(n_layer=4, n_embd=64), or hf:DIR with a config.json in it"


@dataclass(frozen=True, slots=True)
class ConfiguredTarget:
    """A configuration that models are built from, one per seed.

    Attributes:
        name: the reference as typed.
        config: the configuration; every model gets a copy.
        model: builds one.
        inputs: what the command line says about inputs, None where it says nothing.
        guessed: the dummy inputs, once a first model was there to try them on.
    """

    name: str
    config: Any
    model: Build
    inputs: Inputs | None = None
    guessed: list[Inputs] = field(default_factory=list)
    one_draw: bool = False
    sections: None = None

    def build(self, seed: int, probe: ProbeRequest) -> Subject:
        """One draw under the model's own init; see ``sources.base.Target``."""
        with seeded(seed):
            model = construct(self.model, self.config, self.name)
        inputs = self.inputs or self._guess(model, probe)
        return Subject(placed(model, probe), inputs)

    def _guess(self, model: nn.Module, probe: ProbeRequest) -> Inputs:
        if not self.guessed:
            with confined():
                self.guessed.append(dummy_inputs(model, model.config, self.name, mode=probe.mode))
        return self.guessed[0]


def open_hf(reference: str, request: TargetRequest, opener: Opener) -> Target:  # noqa: ARG001 - leads nowhere else
    """Open ``hf:MODEL_TYPE[CALL]`` or ``hf:PATH[CALL]``; see ``sources.base.Source``."""
    place, overrides = _taken_apart(reference, request.text)
    auto = overrides.pop("auto", None)
    if auto is not None and not isinstance(auto, str):
        raise UsageError(f"auto is the name of an auto class of transformers, not {auto!r}")
    path = _path(place)
    inputs = requested_inputs(request)
    transformers()
    values: Mapping[str, Any] = {"model_type": place} if path is None else read_configuration(path)
    config = configure(values["model_type"], values, overrides, request.text)
    build_model = builder(config, auto, request.text)
    check_size(build_model, config, request.text)
    return ConfiguredTarget(_short(place, path, reference), config, build_model, inputs)


def _taken_apart(reference: str, text: str) -> tuple[str, dict[str, Any]]:
    """The place and the overrides behind it; a path that is there may itself hold parentheses."""
    cuts = [len(reference), *(at for at, char in enumerate(reference) if char == "(")]
    there = [at for at in cuts if _path(reference[:at].strip()) is not None]
    cut = max(there, default=min(cuts))
    place, call = reference[:cut].strip(), reference[cut:].strip()
    if not place:
        raise UsageError(f"{text!r} names no model", hint=_FORMS)
    args, kwargs = parse_call(call) if call else ((), {})
    if args:
        raise UsageError(f"the arguments of {text!r} need names", hint=_FORMS)
    return place, kwargs


def _path(place: str) -> Path | None:
    """The file or directory of that name, None where there is none.

    A directory called ``bert`` that holds no configuration does not hide the model type.
    """
    path = Path(place)
    try:
        there = path.exists() and (len(path.parts) > 1 or place.endswith(".json") or (path / "config.json").exists())
    except (OSError, ValueError):  # a name that no file system takes
        return None
    return path if there else None


def _short(place: str, path: Path | None, reference: str) -> str:
    """A path is called by its last part, a ``config.json`` by its directory; the overrides stay."""
    called = reference.strip()
    if path is None:
        return f"hf:{called}"
    whole = path.resolve()
    name = whole.parent.name if whole.name == "config.json" and whole.parent.name else whole.name
    return f"hf:{name}{called[len(place) :].strip()}"


HF = source(
    Source(
        name="hf",
        form="hf:MODEL_TYPE or hf:DIR, with overrides behind it: hf:gpt2(n_layer=4)",
        open=open_hf,
        code=False,
    )
)
