"""One layer and its output: statistics, and factors in its parameters that do to the output what they say."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from initprobe.dissect.anatomy import trace_anatomy
from initprobe.errors import UsageError
from initprobe.init.fans import UndrawableError
from initprobe.init.layerwise import find_layers, moments, rescaled, unit_moments
from initprobe.init.network import Network
from initprobe.init.slots import find_slots
from initprobe.load.inputs import DrawnInputs, InputSpec
from initprobe.subject import Subject


def layer_of(module, shape, *, without=()):
    """The module as a layer, its network, and an input; ``without`` names parameters that the scheme did not draw."""
    torch.manual_seed(0)
    model = nn.Sequential(module)
    anatomy = trace_anatomy(Subject(model, DrawnInputs((InputSpec(None, shape),)))).anatomy
    slots = list(find_slots(model, anatomy))
    network = Network(model, anatomy, 0, {slot.weight.name: slot for slot in slots})
    found = find_layers(network, [slot for slot in slots if slot.weight.name not in without])
    return found.get(module), model, torch.randn(32, *shape)


class Functional(nn.Module):
    """A layer whose activation is part of it."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 5))

    def forward(self, x):
        return torch.relu(nn.functional.linear(x, self.weight))


KINDS = {
    "linear": (lambda: nn.Linear(5, 6), (5,)),
    "sequence": (lambda: nn.Linear(5, 6), (3, 5)),
    "no bias": (lambda: nn.Linear(5, 6, bias=False), (5,)),
    "conv": (lambda: nn.Conv2d(4, 6, 3, padding=1), (4, 5, 5)),
    "grouped": (lambda: nn.Conv1d(4, 8, 3, groups=2), (4, 9)),
    "depthwise": (lambda: nn.Conv2d(4, 8, 3, groups=4), (4, 5, 5)),
    "transposed": (lambda: nn.ConvTranspose2d(4, 6, 3, stride=2), (4, 5, 5)),
    "transposed in groups": (lambda: nn.ConvTranspose1d(4, 6, 3, groups=2), (4, 5)),
    "weight norm": (lambda: parametrizations.weight_norm(nn.Linear(5, 6)), (5,)),
    "weight norm of inputs": (lambda: parametrizations.weight_norm(nn.Linear(5, 6), dim=1), (5,)),
    "one unit": (lambda: nn.Linear(5, 1), (5,)),
}


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("per_unit", [True, False])
def test_the_output_becomes_what_it_says(kind, per_unit):
    build, shape = KINDS[kind]
    module = build()
    layer, model, x = layer_of(module, shape)
    with torch.no_grad():
        before = model(x)
        units = before.shape[layer.unit_axis]
        factor = torch.rand(units).double() + 0.5 if per_unit else torch.tensor(0.7).double()
        shift = torch.randn(units).double() if per_unit else torch.tensor(-0.3).double()
        told, names = rescaled(layer, before, factor, shift)
        after = model(x)
    torch.testing.assert_close(told, after, rtol=1e-4, atol=1e-5)
    flat = [one.movedim(layer.unit_axis, 0).flatten(1).double() for one in (before, after)]
    column = [one.reshape(-1, 1) if one.dim() else one for one in (factor, shift)]
    expected = flat[0] * column[0] + (column[1] if module.bias is not None else 0.0)
    torch.testing.assert_close(flat[1], expected, rtol=1e-4, atol=1e-5)
    assert set(names) <= set(dict(model.named_parameters()))


def test_the_direction_of_a_weight_norm_stays():
    module = parametrizations.weight_norm(nn.Linear(5, 6))
    layer, model, x = layer_of(module, (5,))
    direction = module.parametrizations.weight.original1.detach().clone()
    _, names = rescaled(layer, model(x), torch.full((6,), 3.0), None)
    assert torch.equal(module.parametrizations.weight.original1, direction)
    assert names[0] == "0.parametrizations.weight.original0"


def test_a_foreign_bias_stays():
    module = nn.Linear(5, 6)
    layer, model, x = layer_of(module, (5,), without=("0.bias",))
    bias = module.bias.detach().clone()
    with torch.no_grad():
        told, names = rescaled(layer, model(x), torch.tensor(2.0), torch.tensor(1.0))
        torch.testing.assert_close(told, model(x), rtol=1e-5, atol=1e-5)
    assert torch.equal(module.bias, bias)
    assert names == ["0.weight"]


def test_what_is_no_layer():
    assert layer_of(Functional(), (5,))[0] is None
    assert layer_of(nn.LayerNorm(5), (5,))[0] is None
    assert layer_of(nn.Linear(5, 6), (5,), without=("0.weight",))[0] is None


def test_a_parametrization_that_keeps_no_values():
    layer, model, x = layer_of(parametrizations.spectral_norm(nn.Linear(5, 6)), (5,))
    with pytest.raises(UndrawableError, match="does not keep the values"):
        rescaled(layer, model(x), torch.tensor(3.0), None)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_moments_of_all_numbers_and_of_each_unit(dtype):
    layer, model, x = layer_of(nn.Conv2d(4, 6, 3), (4, 5, 5))
    output = model(x).detach().to(dtype)
    exact = output.double()
    mean, variance = moments(layer, output)
    assert float(variance) == pytest.approx(float(exact.var(correction=0)), rel=1e-5)
    assert float(mean) == pytest.approx(float(exact.mean()), abs=1e-6)
    means, variances = unit_moments(layer, output)
    torch.testing.assert_close(variances, exact.var((0, 2, 3), correction=0), rtol=1e-5, atol=0)
    torch.testing.assert_close(means, exact.mean((0, 2, 3)), rtol=1e-5, atol=1e-6)


def test_the_variance_around_a_large_mean_keeps_its_digits():
    layer, _, _ = layer_of(nn.Linear(5, 6), (5,))
    output = torch.randn(4096, 6) + 1000.0
    expected = output.double().var(0, correction=0)
    torch.testing.assert_close(unit_moments(layer, output).variance, expected, rtol=1e-5, atol=0)


def test_a_unit_that_does_not_vary_has_variance_zero():
    layer, _, _ = layer_of(nn.Linear(5, 6), (5,))
    output = torch.randn(64, 6)
    output[:, 2] = 0.1
    variance = unit_moments(layer, output).variance
    assert variance[2] == 0.0
    assert (variance > 0).sum() == 5


@pytest.mark.parametrize("measure", [moments, unit_moments])
@pytest.mark.parametrize(
    ("value", "message"),
    [(0.0, "is zero for every sample"), (3.0, "is the same for every sample"), (float("nan"), "are not finite"),
     (float("inf"), "are not finite")],
)  # fmt: skip
def test_outputs_that_no_factor_mends(measure, value, message):
    layer, _, _ = layer_of(nn.Linear(5, 6), (5,))
    with pytest.raises(UsageError, match=message) as caught:
        measure(layer, torch.full((8, 6), value))
    assert "'0'" in str(caught.value)
    assert caught.value.hint
