"""Normalizer-free networks: the variance of the stream is the one that the blocks reckon with."""

import math
import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

import initprobe as ip
from initprobe.errors import UsageError
from initprobe.init.schemes.nf_resnet import standard_gain
from initprobe.records import ActivationUse
from tests.init.schemes.residual_networks import (
    RELU_GAIN,
    Branch,
    Chain,
    NormalizerFree,
    Standardization,
    Standardized,
)

WIDTH, ALPHA, DEPTH = 64, 0.5, 6


def as_parametrization(*arguments, **options) -> nn.Module:
    conv = nn.Conv2d(*arguments, **options)
    parametrize.register_parametrization(conv, "weight", Standardization())
    return conv


KINDS = {
    "layer": (Standardized, RELU_GAIN),
    "parametrization": (as_parametrization, RELU_GAIN),
    "plain": (nn.Conv2d, 1.0),
}
"""How weights are standardized, and what the model multiplies its activations by."""


def network(kind: str) -> nn.Sequential:
    conv, gamma = KINDS[kind]
    return nn.Sequential(*(NormalizerFree(WIDTH, index, ALPHA, conv, gamma) for index in range(DEPTH)))


@pytest.mark.untraced
@pytest.mark.parametrize("kind", KINDS)
def test_every_block_adds_alpha_squared(kind):
    variances = torch.zeros(DEPTH)
    for seed in range(3):
        model = network(kind)
        ip.initialize(model, "nf_resnet(skip_gain=1)", inputs=(WIDTH, 6, 6), seed=seed)
        with torch.no_grad():
            x = torch.randn(64, WIDTH, 6, 6, generator=torch.Generator().manual_seed(seed))
            for place, block in enumerate(model):
                x = block(x)
                variances[place] += x.var((0, 2, 3)).mean() / 3
    expected = 1 + ALPHA**2 * (1 + torch.arange(DEPTH))
    torch.testing.assert_close(variances, expected, rtol=0.02, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_branches_start_at_zero_and_layers_that_do_not_standardize_are_told(kind):
    model = network(kind)
    outcome = ip.initialize(model, "nf_resnet", inputs=(WIDTH, 6, 6))
    x = torch.randn(2, WIDTH, 6, 6)
    assert torch.equal(model(x), x)
    notes = {one.weight: one.note for one in outcome.drawn if one.weight.startswith("0.") and "first" in one.weight}
    weight = "0.first.parametrizations.weight.original" if kind == "parametrization" else "0.first.weight"
    assert ("does not standardize it" in (notes[weight] or "")) == (kind == "plain")
    std = next(one.std for one in outcome.drawn if one.weight == weight)
    gain = RELU_GAIN if kind == "plain" else 1.0
    assert std == pytest.approx(gain / math.sqrt(9 * WIDTH), rel=1e-6)


def test_what_is_standardized_once_has_no_mean_and_one_length_per_unit():
    model = network("plain")
    ip.initialize(model, "nf_resnet", inputs=(WIDTH, 6, 6))
    filters = model[0].last.weight.detach().double().reshape(WIDTH, -1)
    torch.testing.assert_close(filters.mean(1), torch.zeros(WIDTH).double(), atol=1e-7, rtol=0)
    torch.testing.assert_close(filters.norm(dim=1), torch.full((WIDTH,), RELU_GAIN).double(), rtol=1e-5, atol=0)


def test_gains_are_exact_where_the_code_has_estimates():
    # deepmind-research/nfnets/base.py has 1.7139588594436646, which a sample gave.
    assert standard_gain(ActivationUse("relu")) == pytest.approx(math.sqrt(2 / (1 - 1 / math.pi)), rel=1e-12)
    for name, estimate in {"gelu": 1.7015043497085571, "silu": 1.7881293296813965, "tanh": 1.5939117670059204}.items():
        assert standard_gain(ActivationUse(name)) == pytest.approx(estimate, rel=2e-3)
    assert standard_gain(None) == standard_gain(ActivationUse("softmax")) == 1.0


def test_the_head_has_a_std_of_its_own():
    model = Chain(32, [Branch(32)], classes=40)
    outcome = ip.initialize(model, "nf_resnet(head_std=0.03)", inputs=(32,))
    stds = {one.weight: one.std for one in outcome.drawn}
    assert stds["head.weight"] == 0.03
    assert float(model.head.weight.detach().std()) == pytest.approx(0.03, rel=0.1)


def test_weight_norm_is_no_standardization():
    model = nn.Sequential(nn.Linear(8, 8), Branch(8))
    for layer in model[1].layers:
        parametrizations.weight_norm(layer)
    ip.initialize(model, "nf_resnet", inputs=(8,))
    torch.testing.assert_close(model[1].layers[1].weight.mean(1), torch.zeros(8), atol=1e-6, rtol=0)


def test_timms_normalizer_free_networks_standardize():
    timm = pytest.importorskip("timm")
    model = timm.create_model("nf_resnet26", num_classes=10)
    outcome = ip.initialize(model, "nf_resnet", inputs=(3, 32, 32))
    notes = {one.weight: one.note for one in outcome.drawn if one.weight.endswith("conv3.weight")}
    assert notes
    assert not any(notes.values())


def test_normalizations_are_told_and_plain_networks_refused():
    model = nn.Sequential(nn.Linear(8, 8), Branch(8, end=lambda: nn.LayerNorm(8)))
    assert "this network has 1" in ip.initialize(model, "nf_resnet", inputs=(8,)).notes[0]
    with pytest.raises(UsageError, match="this network has none"):
        ip.initialize(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)), "nf_resnet", inputs=(4,))


class Odd(nn.Module):
    """A branch of a grouped transposed convolution, and layers of no channels and of filters of one number."""

    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose2d(8, 8, 3, padding=1, groups=4)
        self.single = nn.Conv2d(8, 8, 1, groups=8)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch says that there is nothing to draw
            self.none, self.of_none = nn.Linear(8, 0), nn.Linear(0, 8)

    def forward(self, x):
        return x + self.up(self.single(x)) + self.of_none(self.none(x.mT)).mT.mean()


def test_filters_of_grouped_transposed_convolutions_are_standardized_one_by_one():
    model = Odd()
    outcome = ip.initialize(model, "nf_resnet", inputs=(8, 8, 8))
    filters = model.up.weight.detach().unflatten(0, (4, 2)).transpose(1, 2).flatten(2)  # a group, an output, the rest
    torch.testing.assert_close(filters.mean(-1), torch.zeros(4, 2), rtol=0.0, atol=1e-6)
    torch.testing.assert_close(filters.square().sum(-1), torch.ones(4, 2))
    told = {one.weight: one.reason for one in outcome.skipped}
    assert told["single.weight"] == "a filter of one weight has no variance to standardize"
    assert told["of_none.weight"] == "its fan_in is 0"
    assert "none.weight" in {one.weight for one in outcome.drawn}
