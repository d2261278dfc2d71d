"""Layers that hand on what they get."""

import pytest
import torch
from torch import nn

import initprobe

# Circular padding, so that the edges of an image are like its middle.
WRAPPED = {"padding": 1, "padding_mode": "circular"}


def notes(outcome):
    return {one.weight: one.note for one in outcome.drawn}


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (nn.Sequential(*(nn.Linear(16, 16) for _ in range(5))), (16,)),
        (nn.Sequential(*(nn.Conv1d(6, 6, 3, padding=1) for _ in range(3))), (6, 9)),
        (nn.Sequential(nn.Conv2d(8, 8, 3, groups=4, **WRAPPED), nn.Conv2d(8, 8, 5, padding=2, groups=8)), (8, 7, 7)),
        (nn.Sequential(nn.Conv2d(4, 4, 3, padding=2, dilation=2), nn.ConvTranspose2d(4, 4, 3, padding=1)), (4, 7, 7)),
        (nn.Sequential(nn.Conv3d(2, 2, 3, padding=1)), (2, 5, 5, 5)),
    ],
)
def test_the_output_is_the_input(model, shape):
    outcome = initprobe.initialize(model, "identity", inputs=shape)
    signal = torch.randn(3, *shape)
    assert torch.equal(model(signal), signal)
    assert set(notes(outcome).values()) == {None}


@pytest.mark.parametrize(
    ("build", "groups"), [(lambda: nn.Conv2d(6, 6, 3), 1), (lambda: nn.Conv1d(8, 12, 5, groups=4), 4)]
)
def test_convolutions_are_torchs_dirac(build, groups):
    layer = build()
    model = nn.Sequential(layer)
    initprobe.initialize(model, "dirac", inputs=(layer.in_channels, *[9] * (layer.weight.dim() - 2)))
    expected = nn.init.dirac_(torch.empty_like(layer.weight), groups)
    assert torch.equal(layer.weight.detach(), expected)


def test_layers_of_other_widths_are_torchs_eye_and_say_what_is_lost():
    model = nn.Sequential(nn.Linear(6, 10), nn.Linear(10, 4))
    outcome = initprobe.initialize(model, "eye(scale=0.5)", inputs=(6,))
    for layer in model:
        assert torch.equal(layer.weight.detach(), 0.5 * nn.init.eye_(torch.empty_like(layer.weight)))
    assert notes(outcome)["0.weight"] == "4 outputs are zero: there are too few inputs"
    assert notes(outcome)["1.weight"] == "6 inputs are not handed on: too few outputs"


def test_a_relu_lets_only_what_is_not_negative_through():
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU())
    initprobe.initialize(model, "identity", inputs=(8,))
    signal = torch.randn(5, 8)
    assert torch.equal(model(signal), signal.relu())


def test_an_even_kernel_shifts_and_says_so():
    model = nn.Sequential(nn.Conv1d(2, 2, 4, padding=2))
    outcome = initprobe.initialize(model, "identity", inputs=(2, 6))
    assert "no middle tap" in notes(outcome)["0.weight"]
    signal = torch.randn(1, 2, 6)
    assert torch.equal(model(signal)[..., :6], signal)


def test_a_strided_transposed_convolution_puts_zeros_between():
    model = nn.Sequential(nn.ConvTranspose1d(3, 3, 3, stride=2, padding=1))
    initprobe.initialize(model, "identity", inputs=(3, 5))
    signal = torch.randn(1, 3, 5)
    out = model(signal)
    assert torch.equal(out[..., ::2], signal)
    assert out[..., 1::2].eq(0).all()


def test_every_gate_has_its_own():
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(6, 6, batch_first=True)

        def forward(self, x):
            return self.gru(x)[0]

    model = Gated()
    initprobe.initialize(model, "identity(scale=2)", inputs=(4, 6))
    for gate in (*model.gru.weight_hh_l0.chunk(3), *model.gru.weight_ih_l0.chunk(3)):
        assert torch.equal(gate, 2 * torch.eye(6))
