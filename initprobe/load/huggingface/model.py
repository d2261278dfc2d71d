"""From a configuration to what its model would cost, and to the model."""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_module_registration_hook

from initprobe.errors import InitprobeError, TargetError, UsageError, first_line
from initprobe.load.huggingface.library import confined, unloadable
from initprobe.load.limits import MAX_MODULES, free_memory, readable
from initprobe.load.survey import Undrawn, cost_of
from initprobe.load.usercode import running, seeded

Build = Callable[..., nn.Module]
"""Takes a configuration and the options of ``from_config``."""

ATTENTION = "eager"
"""The attention that writes out its scores and its softmax as operations of their own: one fused kernel shows neither.

Both compute the same function, up to the order of roundings; experts of a mixture likewise.
"""


def builder(config: Any, auto: str | None, where: str) -> Build:
    """What builds the model of a configuration.

    Args:
        config: the configuration.
        auto: name of the auto class; None takes ``AutoModel``, else the first one that knows the configuration.
        where: what the configuration is called in messages.

    Raises:
        UsageError: there is no such auto class, or none that knows the configuration, or the model does not load.
    """
    from transformers.models.auto import modeling_auto

    families = {name: value for name, value in vars(modeling_auto).items() if name.startswith("AutoModel")}
    if auto is not None and auto not in families:
        near = get_close_matches(auto, families, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(list(families)[:12])} ..."
        raise UsageError(f"transformers has no {auto!r}", hint=hint)
    kind = type(config)
    knowing = [name for name in ("AutoModel", *families) if kind in families[name]._model_mapping]  # noqa: SLF001
    if auto is not None and auto not in knowing:
        others = f"there is: {', '.join(dict.fromkeys(knowing))}" if knowing else None
        raise UsageError(f"{auto} has no model for {where}", hint=others)
    try:
        with confined():
            if not knowing:
                return _part(kind, where)
            family = families[auto or knowing[0]]
            family._model_mapping[kind]  # noqa: SLF001 - imports its module
    except InitprobeError:
        raise
    except Exception as error:
        raise unloadable(f"the model of {where}", error) from error
    return partial(family.from_config, trust_remote_code=False)


def _part(kind: Any, where: str) -> Build:
    """The class of a configuration that no auto class knows: it belongs to a part of some model."""
    name = kind.__module__.replace(".configuration_", ".modeling_")
    module = importlib.import_module(name) if ".modeling_" in name and importlib.util.find_spec(name) else None
    own = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and getattr(value, "config_class", None) is kind
        and value.__module__ == name
        and not value.__name__.endswith("PreTrainedModel")
    ]
    if not own:
        raise UsageError(f"transformers has no model for {where}", hint="name the model that it is part of")
    build: Build = min(own, key=lambda value: not value.__name__.endswith("Model"))._from_config  # type: ignore[attr-defined]  # noqa: SLF001
    return build


def check_size(build: Build, config: Any, where: str, *, memory: int | None = None, modules: int = MAX_MODULES) -> None:
    """Build the model on the meta device, where nothing is allocated, and add up its weights.

    Args:
        build: builds the model from it.
        config: its configuration.
        where: what it is called in messages.
        memory: bytes that the weights may use; what is free now when not given.
        modules: how many there may be.

    Raises:
        UsageError: it is too large, or cannot be built.
    """
    try:
        # Some constructors draw from the global generators on the meta device, too.
        with seeded(0), torch.device("meta"), Undrawn(), _counted(where, modules):
            model = construct(build, config, where)
    except TargetError as error:
        raise UsageError(str(error)) from error
    cost = cost_of(model)
    memory = free_memory() if memory is None else memory
    if memory is not None and cost.weights > memory:
        sizes = {name: parameter.nbytes for name, parameter in model.named_parameters()}
        heaviest = max(sizes, key=lambda name: sizes[name], default="its buffers")
        raise UsageError(
            f"{where} needs {readable(cost.weights)} for its {cost.parameters:,} parameters, "
            f"{readable(memory)} available",
            hint=f"{heaviest} takes {readable(sizes.get(heaviest, cost.weights))}; "
            "write smaller numbers behind it: hf:gpt2(n_layer=4, n_embd=128)",
        )


@contextmanager
def _counted(where: str, limit: int) -> Iterator[None]:
    """Refuses to build without end."""
    built = 0

    def count(module: nn.Module, name: str, child: nn.Module | None) -> None:  # noqa: ARG001
        nonlocal built
        built += 1
        if built > limit:
            raise UsageError(f"{where} has more than {limit:,} modules")

    handle = register_module_module_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()


def construct(build: Build, config: Any, where: str) -> nn.Module:
    """A model with weights that its own code draws from the global generators, in float32.

    Raises:
        UsageError: it needs a package that is not there.
        TargetError: its code raised.
    """
    own = copy.deepcopy(config)
    try:
        with confined(), running(f"{where}"):
            options = {"dtype": torch.float32, "attn_implementation": ATTENTION, "experts_implementation": ATTENTION}
            model = build(own, **options)
    except InitprobeError as error:
        cause = error.__cause__
        if isinstance(cause, ImportError):
            raise unloadable(where, cause) from cause
        if isinstance(cause, (MemoryError, OverflowError)) or "can't allocate memory" in str(cause):
            raise UsageError(f"{where} does not fit: {first_line(cause or error)}") from cause
        raise
    return model
