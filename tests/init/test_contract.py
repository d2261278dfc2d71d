"""What every scheme promises, over real networks of every kind of layer, with the structure that is really traced."""

import copy
import math
import warnings
from functools import cache

import pytest
import torch
from torch import nn

import initprobe as ip
from initprobe.dissect.anatomy import trace_anatomy
from initprobe.errors import TargetError, UsageError
from initprobe.init.calibration import Data
from initprobe.init.choose import parse_scheme
from initprobe.init.initialize import initialize_model
from initprobe.init.schemes.base import SCHEMES
from initprobe.load.given import open_given
from initprobe.records import Anatomy, InitRequest, Outcome, ProbeRequest
from initprobe.subject import Subject
from tests.init.networks import CASES

BATCH = 8

OPTIONS = {
    "metainit": "metainit(steps=2)",
    "gradinit": "gradinit(steps=2)",
}
"""Options that make a long scheme short."""

SOURCED = {"net2net"}
"""Schemes that grow out of another network."""

GROWING = {name for name in SCHEMES if SCHEMES[name].card.family == "growing"}
"""Schemes that start from numbers that are there, and depend on them."""


@cache
def traced(case: str) -> tuple[Subject, Anatomy]:
    """The network under its own seed, and its anatomy; both are only read."""
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that a projected LSTM is slow
        torch.manual_seed(0)
        target, _ = open_given(CASES[case].build(), CASES[case].inputs)
        subject = target.build(0, ProbeRequest())
        return subject, trace_anatomy(subject).anatomy


@cache
def reused(case: str, dtype: torch.dtype) -> nn.Module:
    """A copy of the network that every draw begins anew in: copying takes longer than drawing."""
    return copy.deepcopy(traced(case)[0].model).to(dtype)


def as_built(case: str, dtype: torch.dtype = torch.float32) -> nn.Module:
    """That copy, with the numbers of the network."""
    model, original = reused(case, dtype), traced(case)[0].model
    with torch.no_grad():
        for tensor, was in zip(numbers(model), numbers(original), strict=True):
            tensor.copy_(was)
    return model


def numbers(model: nn.Module) -> list[torch.Tensor]:
    return [*model.parameters(), *model.buffers()]


def drawn(name: str, case: str, model: nn.Module, seed: int = 0) -> Outcome:
    """Draw a copy of the network by the scheme.

    Raises:
        UsageError: the scheme does not fit it.
    """
    subject, anatomy = traced(case)
    choice = parse_scheme(OPTIONS.get(name, name))
    source = dict(subject.model.named_parameters()) if name in SOURCED else None
    data = Data(Subject(model, subject.inputs), BATCH)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return initialize_model(model, anatomy, InitRequest(choice), seed, data=data, source=source)


@cache
def exact(name: str, case: str) -> dict[str, torch.Tensor]:
    """What the scheme draws in float64."""
    model = copy.deepcopy(traced(case)[0].model).to(torch.float64)
    drawn(name, case, model)
    return dict(model.named_parameters())


@cache
def attempt(name: str, case: str) -> tuple[nn.Module, Outcome] | UsageError:
    """What ``drawn`` answers with under the first seed, or how it refuses; it is only read."""
    random = torch.random.get_rng_state()
    try:
        model = copy.deepcopy(traced(case)[0].model)
        outcome = drawn(name, case, model)
    except UsageError as error:
        return error
    if not torch.equal(torch.random.get_rng_state(), random):
        raise RuntimeError("the global generator was used")
    return model, outcome


# One test for each pair, whatever is asked of it: fifteen hundred pairs, and half of each test would be pytest's.
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", SCHEMES)
def test_a_scheme_draws_what_it_declares_or_says_in_a_line_why_it_does_not_fit(name, case):
    made = attempt(name, case)
    if isinstance(made, UsageError):
        assert len(str(made)) > 30
        assert "\n" not in str(made)
        assert made.hint
        return
    model, outcome = made
    every_parameter_is_drawn_or_left_with_a_reason(case, model, outcome)
    moments_are_those_declared(case, model, outcome)
    the_same_seed_gives_the_same_numbers_and_norms_stay(name, case, model, outcome)


def every_parameter_is_drawn_or_left_with_a_reason(case: str, model: nn.Module, outcome: Outcome) -> None:
    original = traced(case)[0].model
    told = [one.weight for one in (*outcome.drawn, *outcome.skipped)]
    assert sorted(told) == sorted(dict(model.named_parameters()))
    for one in outcome.skipped:
        assert len(one.reason) > 10
        assert torch.equal(model.get_parameter(one.weight), original.get_parameter(one.weight)), one.weight
    for key, parameter in model.named_parameters():
        was = original.get_parameter(key)
        assert (parameter.shape, parameter.dtype, parameter.requires_grad) == (was.shape, was.dtype, was.requires_grad)
        assert parameter.grad is None
        assert parameter.isfinite().all(), key
    for key, buffer in model.named_buffers():
        if "parametrizations" not in key:  # spectral norm keeps its estimate there
            assert torch.equal(buffer, original.get_buffer(key)), key
    assert [module.training for module in model.modules()] == [module.training for module in original.modules()]
    assert not any(module._forward_hooks for module in model.modules())


def moments_are_those_declared(case: str, model: nn.Module, outcome: Outcome) -> None:
    for one in outcome.drawn:
        values = model.get_parameter(one.weight).detach().double()
        if one.std is None or values.numel() < 300:
            continue
        if one.weight == "embed.weight":
            values = values[1:] if case == "recurrent" else values  # the padding row is zero
        if one.std == 0.0:
            assert values.var() == 0.0, one.weight
            continue
        # The standard error of a standard deviation is 1/√(2n) of it for a normal, less for what has shorter tails.
        deviation = abs(float(values.std()) / one.std - 1.0)
        assert deviation <= 4.0 / math.sqrt(2.0 * values.numel()), (one.weight, float(values.std()), one.std)


def the_same_seed_gives_the_same_numbers_and_norms_stay(
    name: str, case: str, first: nn.Module, outcome: Outcome
) -> None:
    torch.manual_seed(11)
    model = as_built(case)
    assert drawn(name, case, model) == outcome
    for key, parameter in model.named_parameters():
        assert torch.equal(parameter, first.get_parameter(key)), key
    anatomy = traced(case)[1]
    norms = {weight.name for weight in anatomy.weights if weight.role == "norm"}
    card = SCHEMES[name].card
    if norms & {one.weight for one in outcome.drawn}:
        assert "norm" in f"{card.summary} {card.formula}".lower(), "a scheme that draws normalizations says so"


class Registered(nn.Module):
    """Three layers that are registered in this or that order, and run in one."""

    def __init__(self, order: str) -> None:
        super().__init__()
        for name in order:
            self.add_module(name, nn.Linear(16, 16))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.c(torch.relu(self.b(x + torch.relu(self.a(x)))))


@pytest.mark.parametrize("name", [name for name in SCHEMES if name not in GROWING])
def test_the_order_of_modules_changes_nothing(name):
    models, drawn = {}, set()
    for order in ("abc", "cab"):
        torch.manual_seed(0 if order == "abc" else 1)
        models[order] = Registered(order)
        try:
            outcome = ip.initialize(models[order], OPTIONS.get(name, name), inputs=torch.ones(4, 16).cumsum(1))
        except UsageError:
            return
        drawn = {one.weight for one in outcome.drawn}  # the rest keeps what the constructor drew, in its order
    first, second = models.values()
    for key in drawn:
        parameter = first.get_parameter(key)
        torch.testing.assert_close(parameter, second.get_parameter(key), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in SCHEMES if not SCHEMES[name].calibrates and name not in GROWING])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_types_get_the_same_numbers_rounded(name, dtype):
    for case in ("relu", "convolutions", "recurrent", "prenorm", "residual"):
        if isinstance(attempt(name, case), UsageError):
            continue
        rounded = as_built(case, dtype)
        drawn(name, case, rounded)
        for key, parameter in rounded.named_parameters():
            assert parameter.dtype is dtype
            assert torch.equal(parameter, exact(name, case)[key].to(dtype)), key


@pytest.mark.parametrize("name", list(SCHEMES))
def test_some_network_suits_every_scheme(name):
    assert any(not isinstance(attempt(name, case), UsageError) for case in CASES)


def test_layers_without_a_shape_are_told_in_one_message():
    with pytest.raises(TargetError, match="have no shape yet"):
        ip.initialize(nn.Sequential(nn.LazyLinear(8), nn.ReLU()), "he", inputs=(4,))
