"""What every activation promises, checked on every leaf against torch itself."""

import functools

import numpy as np
import pytest
import torch
from torch.overrides import resolve_name

from initprobe.activations.base import ACTIVATIONS, Activation

ELEMENTWISE = [name for name, leaf in ACTIVATIONS.items() if leaf.value is not None]
CONTEXT = ["glu", "log_softmax", "softmax", "softmin"]
OTHER_OPTIONS = {  # where torch keeps a constant in float32, one that float32 holds exactly
    "leaky_relu": {"negative_slope": 0.2},
    "prelu": {"init": 0.125},
    "rrelu": {"lower": 0.1, "upper": 0.5},
    "elu": {"alpha": 1.7},
    "celu": {"alpha": 0.5},
    "gelu": {"approximate": "tanh"},
    "hardtanh": {"min_val": -0.3, "max_val": 2.0},
    "hardshrink": {"lambd": 1.1},
    "softshrink": {"lambd": 1.1},
    "softplus": {"beta": 3.0, "threshold": 4.0},
    "threshold": {"threshold": 0.4, "value": -2.0},
}


def attribute(name: str) -> object:
    return functools.reduce(getattr, name.split(".")[1:], torch)


def compute(leaf: Activation, options: dict, z: torch.Tensor) -> torch.Tensor:
    if leaf.name == "sine":
        return torch.sin(z)
    return attribute(leaf.modules[0])(**options).double().eval()(z)


def test_every_activation_of_torch_nn_is_there():
    known = {name.rsplit(".", 1)[1] for leaf in ACTIVATIONS.values() for name in leaf.modules}
    listed = {name for name in torch.nn.modules.activation.__all__ if name != "MultiheadAttention"}
    assert listed <= known
    assert sorted(name for name, leaf in ACTIVATIONS.items() if leaf.value is None) == CONTEXT


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_qualified_names_are_torchs(name):
    leaf = ACTIVATIONS[name]
    assert leaf.name == name
    assert leaf.summary
    for module in leaf.modules:
        assert issubclass(attribute(module), torch.nn.Module)
    for function, parameters in leaf.functions.items():
        assert callable(attribute(function))
        assert resolve_name(attribute(function)) in leaf.functions
        assert parameters[0] == "input"


@pytest.mark.parametrize("name", [name for name, leaf in ACTIVATIONS.items() if leaf.modules])
def test_options_are_the_attributes_of_the_module(name):
    leaf = ACTIVATIONS[name]
    built = attribute(leaf.modules[0])(**leaf.options)
    for option, default in leaf.options.items():
        assert getattr(built, option) == default
    if name not in (*CONTEXT, "threshold"):  # torch has no defaults for those
        plain = attribute(leaf.modules[0])()
        assert {option: getattr(plain, option) for option in leaf.options} == dict(leaf.options)


def test_no_callable_belongs_to_two_activations():
    names = [name for leaf in ACTIVATIONS.values() for name in (*leaf.modules, *leaf.functions)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("options", ["default", "other"])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_value_and_derivative_are_torchs(name, options):
    leaf = ACTIVATIONS[name]
    chosen = dict(leaf.options) if options == "default" else {**leaf.options, **OTHER_OPTIONS.get(name, {})}
    kinks = np.array(leaf.kinks(**chosen))
    grid = np.concatenate([np.linspace(-9.0, 9.0, 721), [-1e4, -300.0, -30.0, 30.0, 300.0, 1e4]])
    grid = grid[(np.abs(grid[:, None] - kinks) > 1e-9).all(axis=1)]
    z = torch.tensor(grid, requires_grad=True)
    f = compute(leaf, chosen, z)
    (slope,) = torch.autograd.grad(f.sum(), z)
    ours, ours_slope = leaf.value(grid, **chosen), leaf.derivative(grid, **chosen)
    assert ours.dtype == ours_slope.dtype == np.float64
    np.testing.assert_allclose(ours, f.detach().numpy(), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(ours_slope, slope.numpy(), rtol=1e-7, atol=2e-12)  # torch's 1/6 is float32


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_finite_without_a_warning_far_out(name):
    leaf = ACTIVATIONS[name]
    z = np.array([[-1e4, -745.0, -0.0, 0.0], [1e-300, 710.0, 1e4, 1e4]])
    for function in (leaf.value, leaf.derivative, leaf.value_square, leaf.derivative_square):
        if function is not None:
            assert function(z, **leaf.options).shape == z.shape
            assert np.isfinite(function(z, **leaf.options)).all()


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_dead_means_exactly_zero_on_a_half_line(name):
    leaf = ACTIVATIONS[name]
    silent = any(
        (leaf.value(side, **leaf.options) == 0.0).all() for side in (-np.geomspace(6, 30, 9), np.geomspace(6, 30, 9))
    )
    assert leaf.dead == silent


def test_rrelu_squares_average_over_the_slope():
    leaf = ACTIVATIONS["rrelu"]
    z = np.array([-2.0, 3.0])
    slopes = np.linspace(1 / 8, 1 / 3, 200_001)
    np.testing.assert_allclose(leaf.value_square(z), [np.mean((slopes * -2.0) ** 2), 9.0], rtol=2e-6)
    np.testing.assert_allclose(leaf.derivative_square(z), [np.mean(slopes**2), 1.0], rtol=2e-6)
