"""Krähenbühl et al.: the same statistics for every channel, the same relative gradient for every layer."""

import math

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

import initprobe as ip
from initprobe.errors import UsageError


def convolutional(activation=nn.ReLU):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3), activation(), nn.Conv2d(16, 32, 3, stride=2, groups=2), activation(),
        nn.ConvTranspose2d(32, 16, 3, groups=4), activation(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16 * 9, 40),
        activation(), nn.Linear(40, 10),
    )  # fmt: skip


def perceptron(activation=nn.ReLU, depth=10):
    torch.manual_seed(0)
    layers = [nn.Linear(24, 48), activation()]
    for _ in range(depth - 2):
        layers += [nn.Linear(48, 48), activation()]
    return nn.Sequential(*layers, nn.Linear(48, 10))


IMAGES, VECTORS = (16, 3, 11, 11), (128, 24)


def relative_gradients(model, batch, seed=0):
    """√(mean gradient² / mean weight²) of every layer under a random gradient of the output."""
    model.zero_grad()
    output = model(batch)
    output.backward(torch.randn(output.shape, generator=torch.Generator().manual_seed(seed)))
    weights = [layer.weight for layer in model if hasattr(layer, "weight")]
    return [math.sqrt(float(weight.grad.square().mean() / weight.square().mean().detach())) for weight in weights]


@pytest.mark.parametrize("beta", [0.1, 0.0, 1.0])
@pytest.mark.parametrize(("build", "shape"), [(convolutional, IMAGES), (perceptron, VECTORS)])
def test_every_channel_has_the_mean_and_variance_asked_for(build, shape, beta):
    model, batch = build(), torch.randn(shape) * 5 + 1
    ip.initialize(model, f"krahenbuhl(beta={beta}, equalize=False)", inputs=batch)
    x = batch
    for layer in model:
        x = layer(x).detach()
        if hasattr(layer, "weight"):
            rows = x.movedim(1, -1).flatten(0, -2).double()
            assert (rows.mean(0) - beta).abs().max() < 1e-5
            assert (rows.std(0, correction=0) - 1).abs().max() < 1e-5


@pytest.mark.parametrize(("build", "shape"), [(convolutional, IMAGES), (perceptron, VECTORS)])
def test_every_layer_has_the_same_relative_gradient(build, shape):
    model, batch = build(), torch.randn(shape) * 5 + 1
    ip.initialize(model, "krahenbuhl(equalize=False)", inputs=batch)
    uneven = relative_gradients(model, batch)
    assert max(uneven) / min(uneven) > 1.5
    output = float(model(batch).detach().std())
    outcome = ip.initialize(model, "magic_init", inputs=batch)
    assert "after 1 iteration" in outcome.notes[1]  # exact for a network that is homogeneous in every layer
    even = relative_gradients(model, batch)
    # Another random gradient than the one that was used: with few outputs the ratios depend on it.
    assert max(even) / min(even) < 1.4
    assert float(model(batch).detach().std()) == pytest.approx(output, rel=0.1)


def spread_of(outcome):
    return float(outcome.notes[1].split("within ")[1].split()[0])


@pytest.mark.parametrize("activation", [nn.ReLU, nn.LeakyReLU, nn.SiLU, nn.GELU])
def test_the_ratios_end_within_a_percent(activation):
    outcome = ip.initialize(perceptron(activation), "krahenbuhl", inputs=torch.randn(VECTORS))
    assert spread_of(outcome) < 0.01
    assert "more than" not in outcome.notes[1]


def test_ratios_are_those_of_torchs_own_gradients():
    from initprobe.dissect.anatomy import trace_anatomy
    from initprobe.init.calibration import Calibration, Data
    from initprobe.init.network import Network
    from initprobe.init.schemes.krahenbuhl import ratios
    from initprobe.init.slots import find_slots
    from initprobe.load.inputs import GivenInputs
    from initprobe.subject import Call, Subject
    from initprobe.variates import Variates

    model, batch = perceptron(depth=4), torch.randn(VECTORS)
    ip.initialize(model, "krahenbuhl", inputs=batch)
    subject = Subject(model, GivenInputs(Call((batch,))))
    anatomy = trace_anatomy(subject).anatomy
    slots = {slot.weight.name: slot for slot in find_slots(model, anatomy)}
    calibration = Calibration(Network(model, anatomy, 0, slots), tuple(slots.values()), Data(subject, 128))
    matrices = [slot for slot in slots.values() if len(slot.weight.shape) > 1]
    found, std = ratios(calibration, matrices)
    output = model(batch)
    output.backward(Variates(calibration.seed, "@top").normal(tuple(output.shape)))
    squares = [(one.weight.grad.square().mean(), one.weight.detach().square().mean()) for one in model[::2]]
    expected = [math.sqrt(float(gradient / weight)) for gradient, weight in squares]
    assert list(found.values()) == pytest.approx(expected, rel=1e-5)
    assert max(found.values()) / min(found.values()) < 1.01
    assert std == pytest.approx(float(output.detach().std(0, correction=0).mean()), rel=1e-5)


def test_what_does_not_settle_says_so():
    class Sine(nn.Module):
        def forward(self, x):
            return torch.sin(30 * x)

    outcome = ip.initialize(perceptron(Sine, 4), "krahenbuhl(iterations=2)", inputs=torch.randn(VECTORS))
    assert outcome.notes[1].endswith("after 2 iterations: more than the 0.01 that was asked for")


def test_frozen_layers_and_missing_biases_are_told():
    model = perceptron(depth=4)
    model[0].weight.requires_grad_(requires_grad=False)
    model[2] = nn.Linear(48, 48, bias=False)
    outcome = ip.initialize(model, "krahenbuhl", inputs=torch.randn(VECTORS))
    notes = {one.weight: one.note for one in outcome.drawn}
    assert notes["0.weight"] == "channels alone: it is frozen, so that it has no relative gradient"
    assert "no bias of this scheme's" in notes["2.weight"]
    assert spread_of(outcome) < 0.01
    model.requires_grad_(requires_grad=False)
    outcome = ip.initialize(model, "krahenbuhl", inputs=torch.randn(VECTORS))
    assert "fewer than two layers are trained" in outcome.notes[1]


def test_weight_norm():
    torch.manual_seed(0)
    model = nn.Sequential(*(parametrizations.weight_norm(nn.Linear(24, 24)) for _ in range(3)))
    outcome = ip.initialize(model, "krahenbuhl", inputs=torch.randn(VECTORS))
    assert spread_of(outcome) < 0.01


def test_a_layer_that_takes_no_values_is_told_and_left():
    torch.manual_seed(0)
    layers = [nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 24)]
    parametrize.register_parametrization(layers[2], "weight", Standardized())
    outcome = ip.initialize(nn.Sequential(*layers), "krahenbuhl", inputs=torch.randn(VECTORS))
    told = [*((one.weight, one.note) for one in outcome.drawn), *((one.weight, one.reason) for one in outcome.skipped)]
    assert "parametrization" in dict(told)["2.parametrizations.weight.original"]
    assert "2 layers, every channel" in outcome.notes[0]
    assert spread_of(outcome) < 0.01


class Standardized(nn.Module):
    """Takes only weights whose rows have mean 0 and variance 1."""

    def forward(self, stored):
        return (stored - stored.mean(1, keepdim=True)) / stored.std(1, keepdim=True)

    def right_inverse(self, values):
        return values


def test_nothing_is_left_behind():
    model = perceptron()
    random = torch.random.get_rng_state()
    ip.initialize(model, "krahenbuhl", inputs=VECTORS[1:])
    assert torch.equal(torch.random.get_rng_state(), random)
    assert all(parameter.grad is None for parameter in model.parameters())
    again = perceptron()
    ip.initialize(again, "krahenbuhl", inputs=VECTORS[1:])
    assert all(torch.equal(*pair) for pair in zip(model.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize(
    ("model", "message"), [(nn.LayerNorm(8), "the network has none"), (nn.Linear(8, 8), "the same for every sample")]
)
def test_what_cannot_be_calibrated(model, message):
    model = nn.Sequential(model)
    before = model[0].weight.detach().clone()
    with pytest.raises(UsageError, match=message):
        ip.initialize(model, "krahenbuhl", inputs=torch.randn(1, 8).expand(16, 8))
    assert torch.equal(model[0].weight, before)
