"""Models of torchvision, by name, never pretrained: ``torchvision:resnet18``, ``torchvision:s3d(num_classes=10)``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from initprobe.errors import TargetError, UsageError
from initprobe.load.construction import definition
from initprobe.load.factory import Factory
from initprobe.load.inputs import DrawnInputs, InputSpec
from initprobe.load.library import extents, handed_on, import_library, unknown_model
from initprobe.load.reference import parse_name, written
from initprobe.load.sources.base import FactoryTarget, Opener, Source, Target, requested_inputs, source
from initprobe.records import TargetRequest

_LOADS = ("pretrained", "pretrained_backbone", "weights", "weights_backbone")
"""Arguments that bring trained weights from the network."""

_FRAMES = 16
"""Frames of a clip: what the video models of torchvision were trained on."""


def open_torchvision(reference: str, request: TargetRequest, opener: Opener) -> Target:  # noqa: ARG001 - leads nowhere else
    """Look up ``NAME[CALL]``; see ``sources.base.Source``."""
    name, kwargs = parse_name(reference)
    label = f"torchvision:{name}"
    _check(name, kwargs)
    inputs = requested_inputs(request)
    models = import_library("torchvision", label).models
    if name not in models.list_models():
        raise unknown_model("torchvision", name, models.list_models())
    builder = models.get_model_builder(name)
    if _kind(builder) == "detection":
        raise TargetError(
            f"{label} is a detector: it takes lists of images with boxes, and initprobe sends batches of tensors",
            hint="probe its backbone, like torchvision:resnet50",
        )
    factory = Factory(
        label,
        functools.partial(builder, **_untrained(builder)),
        kwargs=kwargs,
        defined=definition(builder),
        handed_on=handed_on(builder),
    )
    known = functools.partial(_known_input, kind=_kind(builder), size=_crop(models, name), kwargs=kwargs)
    return FactoryTarget(f"{label}({written((), kwargs)})" if kwargs else label, factory, inputs, known)


def _check(name: str, kwargs: dict[str, Any]) -> None:
    """Only what torchvision holds, with random weights that are real numbers.

    ``weights=None`` is what initprobe says anyway; it is taken out of the arguments.

    Raises:
        UsageError: the name cannot be one, or an argument asks for trained or for integer weights.
    """
    if not name.isidentifier():
        raise UsageError(
            f"cannot read the target {f'torchvision:{name}'!r}",
            hint="torchvision:resnet18 or torchvision:resnet18(num_classes=10)",
        )
    for argument in _LOADS:
        if kwargs.pop(argument, None):
            raise UsageError(
                f"torchvision:{name} is probed with the weights that its own code draws: {argument} is not taken",
                hint="a function that loads weights is a target too: FILE.py:build",
            )
    if kwargs.get("quantize"):
        raise UsageError(
            f"torchvision:{name} with quantize=True has integer weights, which carry no gradient",
            hint="leave quantize away",
        )


def _untrained(builder: Callable[..., Any]) -> dict[str, Any]:
    """The arguments that keep a model random; a backbone would be trained by default.

    ``init_weights=True`` is the default wherever it is taken; where it is not said, GoogLeNet warns on every call.
    """
    taken = {*inspect.signature(builder).parameters, *handed_on(builder)}
    said = {"weights": None, "weights_backbone": None, "init_weights": True}
    return {name: value for name, value in said.items() if name in taken}


def _kind(builder: Callable[..., Any]) -> str:
    """The package of ``torchvision.models`` that a model lives in (``video``); empty for classification."""
    return builder.__module__.removeprefix("torchvision.models.").rpartition(".")[0]


def _crop(models: Any, name: str) -> tuple[int, ...]:
    """Height and width that the first weights of a model were made for; later ones were often tuned on larger images.

    Nothing is loaded: it stands beside the address of the weights.
    """
    first = next(iter(models.get_model_weights(name)), None)
    size = getattr(getattr(first, "transforms", None), "keywords", {}).get("crop_size", 224)
    return extents(size, 2) or (224, 224)


def _known_input(model: nn.Module, kind: str, size: tuple[int, ...], kwargs: Mapping[str, Any]) -> DrawnInputs:
    """The input: as large as an argument says, else as the first weights say. Optical flow is between two images."""
    if kind == "optical_flow":
        return DrawnInputs((InputSpec(None, (3, 128, 128)), InputSpec(None, (3, 128, 128))))
    asked = kwargs.get("input_size") or getattr(model, "image_size", None)
    size = extents(asked, len(size)) or size
    frames = (_FRAMES,) if kind == "video" else ()
    return DrawnInputs((InputSpec(None, (3, *frames, *size)),))


TORCHVISION = source(
    Source(
        name="torchvision",
        form="torchvision:NAME, with a call if it takes arguments",
        open=open_torchvision,
        code=False,
    )
)
