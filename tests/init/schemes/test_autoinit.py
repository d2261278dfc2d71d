"""What is derived for a signal is what is measured, and every weight keeps it at mean 0 and variance 1."""

import math
import warnings

import pytest
import torch
from torch import nn

import initprobe
from initprobe.init.moment_rules import own_moments
from initprobe.init.propagation import Propagation


class Block(nn.Module):
    def __init__(self, width: int, activation: nn.Module):
        super().__init__()
        self.up, self.down, self.activation = nn.Linear(width, 2 * width), nn.Linear(2 * width, width), activation

    def forward(self, x):
        return x + self.down(self.activation(self.up(x)))


class Gated(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.gate, self.value, self.out = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(2 * width, width)

    def forward(self, x):
        y = torch.sigmoid(self.gate(x)) * self.value(x)
        return self.out(torch.cat([y, 0.5 * torch.relu(self.gate(x)) - 1.0], -1))


def mlp(activation=nn.GELU):
    layers = [nn.Linear(256, 256), activation(), nn.Dropout(0.3), nn.Linear(256, 512), activation(), nn.LayerNorm(512)]
    return nn.Sequential(*layers, nn.Linear(512, 256))


def cnn():
    return nn.Sequential(
        nn.Conv2d(3, 32, 5, padding=2), nn.SiLU(), nn.AvgPool2d(2), nn.Conv2d(32, 64, 3, padding=1, groups=4),
        nn.BatchNorm2d(64), nn.Softplus(), nn.Dropout2d(0.2), nn.MaxPool2d(2), nn.ConvTranspose2d(64, 32, 4, 2, 1),
        nn.Sigmoid(), nn.Flatten(), nn.Linear(32 * 64, 64), nn.Tanh(), nn.Linear(64, 256),
    )  # fmt: skip


NETWORKS = {
    "mlp, gelu": (mlp, (256,)),
    "mlp, softplus": (lambda: mlp(nn.Softplus), (256,)),
    "mlp, sigmoid": (lambda: mlp(nn.Sigmoid), (256,)),
    "mlp, hardshrink": (lambda: mlp(nn.Hardshrink), (256,)),
    "cnn": (cnn, (3, 16, 16)),
    "residual": (lambda: nn.Sequential(nn.Linear(32, 256), *(Block(256, nn.ReLU()) for _ in range(5))), (32,)),
    "gated": (lambda: nn.Sequential(nn.Linear(32, 300), Gated(300), Gated(300)), (32,)),
}


def run(model: nn.Module, inputs: tuple[int, ...], batch: int = 256):
    """Derived and measured moments of every module's output, under other inputs than it was drawn on."""
    pairs = {}
    tape = Propagation(model)
    x = torch.randn(batch, *inputs, generator=torch.Generator().manual_seed(9))
    tape.add_input(x)

    def hook(name):
        def keep(_module, _args, output):
            pairs[name] = tape.moments_of(output), own_moments(output)

        return keep

    handles = [module.register_forward_hook(hook(name)) for name, module in model.named_modules()]
    with torch.no_grad(), torch.random.fork_rng(), tape:
        torch.manual_seed(0)
        model(x)
    for handle in handles:
        handle.remove()
    return pairs


@pytest.mark.parametrize("case", NETWORKS)
def test_derived_moments_are_the_measured_ones(case):
    build, inputs = NETWORKS[case]
    model = build()
    initprobe.initialize(model, "autoinit", inputs=inputs)
    for name, (derived, (mean, variance)) in run(model, inputs).items():
        # The width is 256 and more: one draw's variance is known to 4 · √(5 / width) per layer, means to 4 / √width.
        assert derived.variance == pytest.approx(variance, rel=0.25, abs=1e-3), name
        assert derived.mean == pytest.approx(mean, abs=0.25 * math.sqrt(derived.second)), name


@pytest.mark.parametrize("case", ["mlp, gelu", "mlp, softplus", "mlp, sigmoid", "mlp, hardshrink", "cnn", "gated"])
def test_every_weight_puts_out_mean_zero_and_variance_one(case):
    build, inputs = NETWORKS[case]
    model = build()
    outcome = initprobe.initialize(model, "autoinit", inputs=inputs)
    assert not any(one.note for one in outcome.drawn)
    for name, module in model.named_modules():
        if isinstance(module, (nn.Linear, nn.modules.conv._ConvNd)) and module.weight.shape[0] >= 64:
            mean, variance = run(model, inputs)[name][1]
            assert variance == pytest.approx(1.0, rel=0.25), name
            assert abs(mean) < 0.25, name


@pytest.mark.parametrize(
    ("activation", "second"),
    [(nn.ReLU, 0.5), (nn.GELU, 0.42522148257), (nn.SiLU, 0.355775519817), (nn.Softplus, 0.921245908859)],
)
def test_behind_a_unit_pre_activation_it_is_one_over_the_second_moment(activation, second):
    model = nn.Sequential(nn.Linear(200, 300), activation(), nn.Linear(300, 400))
    initprobe.initialize(model, "autoinit(distribution=normal)", inputs=(200,))
    # 120 000 numbers, standard deviation known to 4 / √(2 n) = 0.8 %.
    assert float(model[2].weight.detach().std()) == pytest.approx(1 / math.sqrt(300 * second), rel=0.009)


def test_a_residual_stream_grows_by_one_per_block():
    build, inputs = NETWORKS["residual"]
    model = build()
    initprobe.initialize(model, "autoinit", inputs=inputs)
    for block in range(1, 6):
        derived, _ = run(model, inputs)[str(block)]
        assert derived.variance == pytest.approx(1 + block, rel=0.06)  # 8192 weights in the stem: 4 · 1.6 %


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_dropout_adds_what_the_mean_is_worth(share):
    # ν' = (ν + p μ²) / (1 - p): of relu, μ² = 1 / 2π and ν = 1/2 - 1 / 2π.
    model = nn.Sequential(nn.Linear(300, 300), nn.ReLU(), nn.Dropout(share))
    initprobe.initialize(model, "autoinit", inputs=(300,))
    derived, (_, variance) = run(model, (300,))["2"]
    square = 1 / (2 * math.pi)
    assert derived.variance == pytest.approx((0.5 - square + share * square) / (1 - share), rel=0.02)
    assert derived.variance == pytest.approx(variance, rel=0.1)
    model.eval()
    assert run(model, (300,))["2"][0].variance == pytest.approx(0.5 - square, rel=0.02)


def test_zero_padding_counts_for_nothing():
    model = nn.Sequential(nn.Conv2d(64, 64, 3, padding=1, bias=False), nn.Conv2d(64, 64, 3, bias=False))
    initprobe.initialize(model, "autoinit(distribution=normal)", inputs=(64, 4, 4))
    # On a 4×4 map 100 of 144 taps lie inside; 36 864 numbers are known to 4 / √(2 n) = 1.5 %; the batch likewise.
    assert float(model[0].weight.detach().std()) == pytest.approx(math.sqrt(1.44 / 576), rel=0.02)
    assert float(model[1].weight.detach().std()) == pytest.approx(math.sqrt(1 / 576), rel=0.03)


class Exotic(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(200, 300), nn.Linear(300, 300)

    def forward(self, x):
        y = self.one(x)
        return self.two(y * torch.sigmoid(y) + torch.cumsum(y, -1) / 300)


def test_what_has_no_formula_is_measured_and_told():
    model = Exotic()
    outcome = initprobe.initialize(model, "autoinit", inputs=(200,))
    # y · σ(y) looks independent and is not: both factors come from one layer.
    assert outcome.notes == ("autoinit: measured, as no formula says what they make of a signal: mul, cumsum, add",)
    assert run(model, (200,))["two"][1][1] == pytest.approx(1.0, rel=0.25)


def test_weights_whose_product_is_hidden_are_told():
    model = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
    outcome = initprobe.initialize(model, "autoinit", inputs=(6, 32))
    noted = {one.weight for one in outcome.drawn if one.note}
    assert noted == {"self_attn.in_proj_weight", "self_attn.out_proj.weight"}
    lstm = nn.LSTM(8, 16)
    outcome = initprobe.initialize(lstm, "autoinit", inputs=(5, 8))
    assert {one.weight for one in outcome.drawn if one.note} == {"weight_ih_l0", "weight_hh_l0"}
    assert next(one.std for one in outcome.drawn if one.weight == "weight_ih_l0") == pytest.approx(1 / math.sqrt(8))


def test_a_real_batch_counts_with_its_own_moments():
    x = 3 + 2 * torch.randn(512, 200, generator=torch.Generator().manual_seed(0))
    model = nn.Sequential(nn.Linear(200, 300))
    initprobe.initialize(model, "autoinit(distribution=normal)", inputs=x)
    # The second moment is 13; 60 000 weights are known to 4 / √(2 n) = 1.2 %.
    assert float(model[0].weight.detach().std()) == pytest.approx(1 / math.sqrt(200 * 13), rel=0.015)


def test_only_some_layers_are_drawn_among_others():
    model = nn.Sequential(nn.Linear(300, 300), nn.ReLU(), nn.Linear(300, 300))
    nn.init.normal_(model[0].weight, std=0.2)
    initprobe.initialize(model, "autoinit(distribution=normal)", inputs=(300,), only="2.*")
    # Var z = 300 · 0.04 = 12, plus torch's bias of variance 1 / 900; E relu² is half of that.
    assert float(model[2].weight.detach().std()) == pytest.approx(1 / math.sqrt(300 * 6), rel=0.03)


def test_a_silent_input_is_told():
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
    outcome = initprobe.initialize(model, "autoinit", inputs=torch.zeros(4, 8))
    notes = {one.weight: one.note for one in outcome.drawn if one.note}
    assert notes["0.weight"] == "not scaled: its input has second moment 0"


def test_layers_without_units_are_derived_too():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that there is nothing to draw
        model = nn.Sequential(nn.Linear(8, 0), nn.Linear(0, 64), nn.Tanh(), nn.Linear(64, 64))
    outcome = initprobe.initialize(model, "autoinit", inputs=(8,))
    assert {one.weight for one in outcome.drawn} >= {"0.weight", "3.weight"}
    assert all(parameter.isfinite().all() for parameter in model.parameters())
