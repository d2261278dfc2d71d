"""The Python face: probe, compare, initialize, reparametrize, theory.

A function here that measures answers with a ``Result``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from initprobe.commands import compare_schemes, probe_opened
from initprobe.dissect.anatomy import trace_anatomy
from initprobe.errors import UsageError
from initprobe.init.arguments import checked_loss, checked_seed, globs_of, parameters_of, unread_told
from initprobe.init.calibration import Data
from initprobe.init.choose import parse_scheme, parse_schemes
from initprobe.init.initialize import initialize_model
from initprobe.init.learning_rates import groups_by_rate
from initprobe.load.activation import open_activation
from initprobe.load.given import Build, open_given, own_parameters
from initprobe.load.in_place import in_place
from initprobe.load.stack import stack
from initprobe.parametrizations.reparametrize import reparametrize
from initprobe.pipeline import Listener, choose_batch
from initprobe.predict.theory import theory_of
from initprobe.records import (
    InitRequest,
    Outcome,
    TargetRequest,
    Theory,
)
from initprobe.report.facade import Result
from initprobe.search.suggest import find_fixes
from initprobe.settings import Flags, given_seeds, known_options, split_options
from initprobe.subject import Loss

__all__ = [
    "Result",
    "UnhealthyInitError",
    "assert_healthy_init",
    "compare",
    "initialize",
    "parameter_groups",
    "probe",
    "reparametrize",
    "suggest",
    "theory",
]


def probe(  # noqa: PLR0913 - each is a keyword of the Python face
    target: Build,
    *,
    inputs: Any = None,
    weights: str | Path | None = None,
    scheme: str | None = None,
    seeds: int | Sequence[int] | None = None,
    listen: Listener = lambda _line: None,
    check: dict[str, Any] | None = None,
    **options: Any,
) -> Result:
    """Measure one network and judge it.

    Args:
        target: a factory, an ``nn.Module`` (one draw), a target string, or the path of a spec.
        inputs: shape of one sample (``(3, 224, 224)``), inputs as the command line takes them, or a batch: a tensor, a
            tuple of tensors, or a dict of keyword arguments.
        weights: a checkpoint that is loaded into the network, which is then one draw: ``.safetensors``, ``.pt`` ...
        scheme: what draws the weights (``"kaiming_normal"``, ``"normal(std=0.02)"``); None keeps the target's own.
        seeds: how many, or which; None for what a spec's ``probe:`` section says, or 5.
        listen: hears what happens next, line by line.
        check: fields of ``records.CheckRequest``.
        options: fields of ``records.ProbeRequest`` (``batch``, ``dtype``, ``mode``, ``backward`` ...).

    Raises:
        UsageError: something asked for is not there.
        TargetError: the network cannot be built or run.
    """
    flags = _flags(scheme, known_options({**given_seeds(seeds), **options}), check or {})
    return Result(probe_opened("run", [open_given(target, inputs, weights)], flags, listen))


def _flags(scheme: str | None, measuring: Mapping[str, Any], judging: Mapping[str, Any]) -> Flags:
    return Flags(None if scheme is None else parse_scheme(scheme), measuring, judging)


class UnhealthyInitError(AssertionError):
    """A network whose signals would not survive.

    Attributes:
        result: everything that was measured; the message is its findings.
    """

    def __init__(self, result: Result) -> None:
        super().__init__(result.render("full"))
        self.result = result


def assert_healthy_init(
    target: Build,
    inputs: Any = None,
    *,
    weights: str | Path | None = None,
    scheme: str | None = None,
    seeds: int | Sequence[int] | None = None,
    **options: Any,
) -> Result:
    """What ``initprobe check`` does, for a test: measure, judge, confirm, and fail where signals would not survive.

    Args:
        target: as ``probe`` takes it; a factory is drawn once per seed, a model is one draw.
        inputs: as ``probe`` takes them.
        weights: as ``probe`` takes them.
        scheme: what draws the weights; None keeps the target's own init.
        seeds: how many, or which.
        options: fields of ``records.ProbeRequest`` (``batch``, ``dtype``, ``mode`` ...) and of ``records.CheckRequest``
            (``fail_on="warning"``, ``ignore=["dead-units"]``, ``strict=True``, ``thresholds={...}`` ...).

    Returns:
        What was measured, for further assertions.

    Raises:
        UnhealthyInitError: the verdict is ``fail``; an ``AssertionError`` whose message is the findings.
        UsageError: something asked for is not there.
        TargetError: the network cannot be built or run.
    """
    __tracebackhide__ = True  # pytest then shows the line of the test
    measuring, judging = split_options({**given_seeds(seeds), **options})
    flags = _flags(scheme, measuring, {**judging, "complete": True})
    result = Result(probe_opened("check", [open_given(target, inputs, weights)], flags, lambda _line: None))
    if result.verdict == "fail":
        raise UnhealthyInitError(result)
    return result


def suggest(  # noqa: PLR0913 - each is a keyword of the Python face
    target: Build,
    *,
    inputs: Any = None,
    weights: str | Path | None = None,
    scheme: str | None = None,
    seeds: int | Sequence[int] | None = None,
    listen: Listener = lambda _line: None,
    check: dict[str, Any] | None = None,
    **options: Any,
) -> Result:
    """Inits with which the check of one network passes, the best first, behind an entry for the network as it is.

    Takes, and raises, what ``probe`` does.
    """
    flags = _flags(scheme, known_options({**given_seeds(seeds), **options}), {"complete": True, **(check or {})})
    opened, request = open_given(target, inputs, weights)
    before = probe_opened("run", [(opened, request)], flags, listen)
    return Result(find_fixes(before, listen, target=opened).report)


def compare(
    schemes: Sequence[str], *, on: Build | None = None, inputs: tuple[int, ...] | str | None = None, **options: Any
) -> Result:
    """The same network under several schemes, drawn from the same base variates.

    Args:
        schemes: two or more schemes.
        on: the network; None for ``depth`` biased linear layers of ``width`` with ``activation`` between them.
        inputs: shape of one sample, where the network does not say.
        options: ``depth``, ``width``, ``activation`` of the built-in network; ``seeds``; fields of ``ProbeRequest``.

    Raises:
        UsageError: something asked for is not there.
        TargetError: the network cannot be built or run.
    """
    shape = {name: options.pop(name) for name in ("depth", "width", "activation") if name in options}
    flags = Flags(None, known_options({**options, **given_seeds(options.get("seeds"))}))
    if on is not None and shape:
        raise UsageError(f"{', '.join(shape)} describe the built-in network; with `on` the network is given")
    opened, request = open_given(on, inputs) if on is not None else (stack(**shape), TargetRequest("stack"))
    return Result(compare_schemes(opened, request, parse_schemes(schemes), flags))


def initialize(  # noqa: PLR0913 - each is a keyword of the Python face
    model: nn.Module,
    scheme: str,
    *,
    inputs: Any = None,
    seed: int = 0,
    only: str | Sequence[str] = (),
    loss: Loss | None = None,
    source: nn.Module | Mapping[str, torch.Tensor] | None = None,
) -> Outcome:
    """Draw a model's parameters, in place.

    Args:
        model: any module; its structure is read off one traced pass. Names are those of the layers as they were
            written, whatever compiles them or spreads them over devices.
        scheme: ``"kaiming_normal"``, ``"orthogonal(gain=1.5)"`` ...
        inputs: shape of one sample (``(3, 224, 224)``) for that pass, where the model has no ``example_input_array``;
            or a real batch for schemes that look at data: a tensor, a tuple of tensors, or a dict of keyword arguments.
        seed: the same seed gives the same numbers, whatever the order of modules, dtype or memory layout.
        only: shell patterns over module paths and parameter names (``"head.*"``); everything else stays as it is.
        loss: takes the model's output and answers with a scalar, for schemes that look at gradients. Without one they
            use cross-entropy with random labels over the last axis of the output.
        source: the network that this one grows out of, or its parameters by name, for schemes that grow.

    Returns:
        What was drawn, and what was skipped and why.

    Raises:
        UsageError: there is no such scheme or option, it does not fit the network, or nothing says what the input is.
        TargetError: the model cannot be run.
    """
    request = InitRequest(parse_scheme(scheme), only=globs_of(only))
    grown, seed, loss = (
        parameters_of(own_parameters(source) if isinstance(source, nn.Module) else source),
        checked_seed(seed),
        checked_loss(loss),
    )
    with in_place(model, inputs) as subject:
        subject.loss = loss
        traced = trace_anatomy(subject, seed=seed)
        batch, _ = choose_batch(subject, None, traced.bytes_per_sample)
        data = Data(subject, batch)
        outcome = initialize_model(subject.model, traced.anatomy, request, seed, data=data, source=grown)
    return unread_told(outcome, request, loss=loss, source=source)


def parameter_groups(model: nn.Module, outcome: Outcome, *, lr: float, **defaults: Any) -> list[dict[str, Any]]:
    """The parameters of a model in groups, one for each learning rate that a scheme asks for.

    ``torch.optim.Adam(parameter_groups(model, outcome, lr=1e-3, weight_decay=0.1))``: every parameter is in one group,
    tied ones too, in the order of the model; groups come in the order of their first parameters.

    Args:
        model: that was initialized.
        outcome: what ``initialize`` answered with.
        lr: the learning rate of a parameter with the multiplier 1.
        defaults: other options of the optimizer, the same for all groups.

    Raises:
        UsageError: the outcome is that of another model.
    """
    return groups_by_rate(own_parameters(model), outcome.learning_rates, lr, defaults)


def theory(
    activation: str | Callable[..., Any], *, weight_variance: float | None = None, bias_variance: float = 0.0
) -> Theory:
    """What mean-field theory says of an activation: moments, gains, fixed points, critical points, depth scales.

    Args:
        activation: its name (``"leaky_relu(0.2)"``), ``"file.py:fn"``, a function of an array or a tensor, or a module.
        weight_variance: sigma_w², the variance of a weight times its fan_in; None for 1 / E f².
        bias_variance: sigma_b².

    Raises:
        UsageError: there is no such activation, or the function is none.
        TargetError: it cannot be found or called.
    """
    return theory_of(open_activation(activation), weight_variance, bias_variance)
