"""Models of timm, by name, never pretrained: ``timm:resnet50``, ``timm:vit_tiny_patch16_224(img_size=96)``."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

from torch import nn

from initprobe.errors import UsageError
from initprobe.load.construction import definition
from initprobe.load.factory import Factory
from initprobe.load.inputs import DrawnInputs, InputSpec
from initprobe.load.library import extents, handed_on, import_library, unknown_model
from initprobe.load.reference import parse_name, written
from initprobe.load.sources.base import FactoryTarget, Opener, Source, Target, requested_inputs, source
from initprobe.records import TargetRequest

_NAME = re.compile(r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_.]+)?")
_LOADS = ("checkpoint_path", "pretrained")
"""Arguments that bring trained weights, from this machine or from another."""


def open_timm(reference: str, request: TargetRequest, opener: Opener) -> Target:  # noqa: ARG001 - leads nowhere else
    """Look up ``NAME[CALL]``; see ``sources.base.Source``."""
    name, kwargs = parse_name(reference)
    _check(name, kwargs)
    inputs = requested_inputs(request)
    timm = import_library("timm", f"timm:{name}")
    entry = timm.models.model_entrypoint(_architecture(timm, name))
    label = f"timm:{name}"
    factory = Factory(
        label,
        functools.partial(timm.create_model, name, pretrained=False),
        kwargs=kwargs,
        defined=definition(entry),
        handed_on=handed_on(entry),
    )
    shown = f"{label}({written((), kwargs)})" if kwargs else label
    return FactoryTarget(shown, factory, inputs, functools.partial(_known_input, kwargs=kwargs))


def _check(name: str, kwargs: dict[str, Any]) -> None:
    """Only what timm itself holds, and only with random weights.

    ``pretrained=False`` is what initprobe says anyway; it is taken out of the arguments.

    Raises:
        UsageError: the name leads elsewhere, or an argument asks for trained weights.
    """
    if ":" in name or "/" in name:
        raise UsageError(
            f"timm:{name} names a file or a hub, and initprobe neither downloads nor loads a model",
            hint="name an architecture that timm holds, like timm:resnet50",
        )
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"cannot read the target {f'timm:{name}'!r}", hint="timm:resnet50 or timm:resnet50(in_chans=1)"
        )
    for argument in _LOADS:
        if kwargs.pop(argument, None):
            raise UsageError(
                f"timm:{name} is probed with the weights that its own code draws: {argument} is not taken",
                hint="a function that loads weights is a target too: FILE.py:build",
            )


def _architecture(timm: Any, name: str) -> str:
    """The name without the tag of its pretrained weights, which still decides the input size.

    Raises:
        TargetError: timm does not know it; the message has close matches.
    """
    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        raise unknown_model("timm", architecture, timm.list_models())
    if tag and name not in (tagged := timm.list_pretrained(f"{architecture}.*")):
        raise unknown_model("timm", name, [architecture, *tagged])
    return architecture


def _known_input(model: nn.Module, kwargs: Mapping[str, Any]) -> DrawnInputs | None:
    """What the model's configuration says of its input, with what the arguments changed."""
    config = getattr(model, "pretrained_cfg", None) or getattr(model, "default_cfg", None) or {}
    channels, *size = config.get("input_size") or (3, 224, 224)
    size = extents(kwargs.get("img_size"), len(size)) or size
    return DrawnInputs((InputSpec(None, (kwargs.get("in_chans") or channels, *size)),))


TIMM = source(Source(name="timm", form="timm:NAME, with a call if it takes arguments", open=open_timm, code=False))
