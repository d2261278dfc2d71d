import numpy as np
import pytest
import torch
from torch import nn

from initprobe.activations.base import ACTIVATIONS
from initprobe.errors import SpecError
from initprobe.load.blocks.base import BLOCKS, Signal
from initprobe.load.build import construct, plan
from initprobe.load.schema import checked, read_spec

OPTIONED = [(name, option) for name in ACTIVATIONS for option in ACTIVATIONS[name].options]


def built(text, shape=(8,)):
    spec = read_spec("f", text=f"version: 1\nmodel:\n  input: {{shape: {list(shape)}}}\n  layers:\n    - {text}\n")
    return construct(spec, plan(spec, checked(spec).model.layers, Signal(shape)), 0)[0]


def test_every_activation_of_torch_is_a_layer():
    usable = {
        name for name, leaf in ACTIVATIONS.items() if any(module.startswith("torch.nn.") for module in leaf.modules)
    }
    assert usable | {"sine"} <= set(BLOCKS)
    assert len(usable) > 20


@pytest.mark.parametrize(
    "name", [name for name in ACTIVATIONS if ACTIVATIONS[name].value is not None and name in BLOCKS]
)
def test_a_layer_computes_its_activation(name):
    module = built(name).eval()
    z = torch.linspace(-3, 3, 41)
    expected = ACTIVATIONS[name].value(z.double().numpy(), **ACTIVATIONS[name].options)
    with torch.no_grad():
        np.testing.assert_allclose(module(z).numpy(), expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize(("name", "option"), OPTIONED)
def test_options_reach_the_module(name, option):
    default = ACTIVATIONS[name].options[option]
    other = "tanh" if isinstance(default, str) else -2 if isinstance(default, int) else 0.3
    module = built(f"{{type: {name}, {option}: {other}}}", shape=(4, 8))
    found = module.weight.item() if option == "init" else getattr(module, option)
    assert found == pytest.approx(other)


def test_aliases_are_layers_as_well():
    assert isinstance(built("swish"), nn.SiLU)
    assert torch.equal(built("sin")(torch.ones(2)), torch.sin(torch.ones(2)))


def test_inplace_is_there_where_torch_has_it():
    assert built("{type: relu, inplace: true}").inplace
    assert "inplace" not in BLOCKS["tanh"].model_fields


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("{type: rrelu, lower: 0.5}", "lower"),
        ("{type: softshrink, lambd: -0.5}", "lambd"),
        ("{type: celu, alpha: 0.0}", "alpha"),
    ],
)
def test_options_that_torch_refuses_only_when_it_runs_are_refused_at_their_line(text, key):
    with pytest.raises(SpecError) as caught:
        built(text)
    (problem,) = caught.value.problems
    assert problem.path[-1] == key
