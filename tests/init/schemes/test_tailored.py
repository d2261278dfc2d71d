"""A network that computes at the start what its transformed twin computes, and has the kernel asked for."""

import itertools
import math

import pytest
import torch
from torch import nn

import initprobe
from initprobe.activations.tailoring import shaped, tailored
from initprobe.errors import UsageError
from initprobe.records import ActivationUse

ACTIVATIONS = {"tanh": nn.Tanh, "gelu": nn.GELU, "softplus": nn.Softplus, "silu": nn.SiLU, "selu": nn.SELU}


def mlp(activation, widths):
    layers = []
    for before, behind in itertools.pairwise(widths):
        layers += [nn.Linear(before, behind), activation()]
    return nn.Sequential(*layers[:-1]).double()


def conv_net(padding=0, mode="zeros"):
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=padding, padding_mode=mode), nn.Tanh(), nn.Conv2d(8, 12, 3, padding=padding, stride=2),
        nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 5),
    ).double()  # fmt: skip


def twin(model, one, x):
    """The output with weights V and no biases, and the activation transformed in the open."""
    layers = [layer for layer in model if hasattr(layer, "weight")]
    place = 0
    for layer in model:
        if hasattr(layer, "weight"):
            first, last = layer is layers[0], layer is layers[-1]
            factor = (1.0 if last else one.input_scale) * (1.0 if first else one.output_scale)
            plain = {"weight": layer.weight / factor, "bias": torch.zeros_like(layer.bias)}
            x = torch.func.functional_call(layer, plain, (x,))
            place += 1
        elif type(layer) in ACTIVATIONS.values():
            x = one.output_scale * (layer(one.input_scale * x + one.input_shift) + one.output_shift)
        else:
            x = layer(x)
    return x


def unit(*shape):
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return x / x.square().mean(tuple(range(1, x.dim())), keepdim=True).sqrt()


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("options", ["", "distribution=normal"])
def test_weights_and_biases_take_the_transformation_in(activation, options):
    model = mlp(ACTIVATIONS[activation], [20, 64, 48, 96, 7])
    use = ActivationUse(activation)
    for scheme, one in (
        ("dks", shaped(use, 1.5 ** (1 / 3))),
        ("tat", None if activation == "selu" else tailored(use, 0.1)),
    ):
        if one is None:
            continue
        outcome = initprobe.initialize(model, f"{scheme}({options})", inputs=(20,))
        assert not outcome.skipped
        x = unit(5, 20)
        with torch.no_grad():
            torch.testing.assert_close(model(x), twin(model, one, x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("padding", "mode"), [(0, "zeros"), (1, "circular"), (1, "zeros")])
def test_convolutions_take_it_in_too(padding, mode):
    model = conv_net(padding, mode)
    outcome = initprobe.initialize(model, "dks", inputs=(3, 9, 9))
    assert not any(one.note for one in outcome.drawn)
    one = shaped(ActivationUse("tanh"), 1.5**0.5)
    x = unit(4, 3, 9, 9)
    with torch.no_grad():
        torch.testing.assert_close(model(x), twin(model, one, x), rtol=1e-9, atol=1e-9)


def test_zero_padding_of_normal_filters_is_told():
    model = conv_net(1)
    outcome = initprobe.initialize(model, "dks(distribution=normal)", inputs=(3, 9, 9))
    assert {one.weight for one in outcome.drawn if "zero padding" in (one.note or "")} == {"2.weight"}
    assert not any(
        one.note for one in initprobe.initialize(conv_net(), "dks(distribution=normal)", inputs=(3, 9, 9)).drawn
    )


def kernel_behind(scheme, activation, cosines, width=256, layers=30):
    """Second moments at the output, and the cosines of pairs of inputs there; means over 20 pairs."""
    x, other = unit(40, width).chunk(2)
    other = other - (x * other).mean(1, keepdim=True) * x
    other = other / other.square().mean(1, keepdim=True).sqrt()
    model = mlp(activation, [width] * (layers + 2))
    initprobe.initialize(model, scheme, inputs=(width,))
    found = []
    for cosine in cosines:
        with torch.no_grad():
            first, second = model(x), model(cosine * x + math.sqrt(1 - cosine**2) * other)
        found.append(float(nn.functional.cosine_similarity(first, second).mean()))
    return float(first.square().mean()), found


@pytest.mark.parametrize("activation", [nn.Tanh, nn.GELU])
def test_a_deep_network_keeps_its_scale_and_tells_inputs_apart(activation):
    moment, cosines = kernel_behind("dks", activation, [0.0, 0.9])
    # Q'(1) = 1 lets one draw's Q wander, by some √(layers / width) of its fourth cumulant; plain gains miss by far.
    assert moment == pytest.approx(1.0, abs=0.2)
    # Means of 20 cosines are known to 4 / √(20 · 256) = 0.06, and share the weights.
    assert cosines[0] == pytest.approx(0.0, abs=0.1)
    # C is convex with C(0) = 0, C(1) = 1 and C'(1) = 1.5: C(0.9) lies between 0.85 and 0.9.
    assert 0.82 < cosines[1] < 0.93
    if activation is nn.GELU:  # as it is, it makes orthogonal inputs alike
        assert kernel_behind("orthogonal", activation, [0.0])[1][0] > 0.3


def test_a_tailored_network_bends_by_the_curvature_asked_for():
    moment, cosines = kernel_behind("tat", nn.Tanh, [0.5])
    assert moment == pytest.approx(1.0, abs=0.2)
    # C(c) = c + 0.3 (1 - c)² / 2 near 1: 0.54 at 0.5, give or take the third derivative and 0.06.
    assert cosines[0] == pytest.approx(0.5375, abs=0.08)


@pytest.mark.parametrize(("scheme", "slope"), [("dks", 1.5), ("tat", 1.0)])
def test_the_squared_gradient_grows_by_the_slope_asked_for(scheme, slope):
    model = mlp(nn.Tanh, [256] * 32)
    initprobe.initialize(model, scheme, inputs=(256,))
    x = unit(30, 256).requires_grad_()
    cotangent = torch.randn(30, 256, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    (model(x) * cotangent).sum().backward()
    assert float(x.grad.square().mean()) == pytest.approx(slope, rel=0.15)


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x):
        return self.b(torch.sin(30.0 * self.a(x)))


class Skipping(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x):
        x = self.a(x)
        return x + self.b(torch.tanh(x))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Scaled, "is more than an activation"),
        (Skipping, "a skip connection is in the way"),
        (lambda: nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 8)), r"1\.weight \(norm\)"),
        (lambda: nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 8)), "has gelu, tanh"),
        (lambda: nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8)), "has none"),
        (lambda: nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8, bias=False)), "no bias beside it"),
        (lambda: nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8)), "no scale and shift shapes the kernel of relu"),
    ],
)  # fmt: skip
def test_what_is_no_chain_of_smooth_activations_is_told(model, message):
    with pytest.raises(UsageError, match=message):
        initprobe.initialize(model(), "dks", inputs=(8,))


def test_a_softmax_at_the_output_is_left_alone():
    model = nn.Sequential(
        nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 4), nn.Softmax(-1)
    ).double()
    outcome = initprobe.initialize(model, "dks", inputs=(8,))
    assert not outcome.skipped
    stds = {one.weight: one.std for one in outcome.drawn}
    one = shaped(ActivationUse("tanh"), 1.5**0.5)
    assert stds["0.weight"] == pytest.approx(one.input_scale / math.sqrt(8))
    assert stds["2.weight"] == pytest.approx(one.input_scale * one.output_scale / 4)
    assert stds["4.weight"] == pytest.approx(one.output_scale / 4)
