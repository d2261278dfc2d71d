"""The spectral condition: norms as predicted, and updates of a size that does not depend on the width."""

import math

import pytest
import torch
from torch import nn

import initprobe as ip
from tests.init.stacks import plain, slope

WIDTHS = [64, 128, 256, 512, 1024]


@pytest.mark.parametrize("shape", [(512, 512), (1024, 256), (256, 1024), (10, 600)])
def test_spectral_norm(shape):
    outputs, inputs = shape
    wanted = math.sqrt(outputs / inputs)
    model = nn.Sequential(nn.Linear(inputs, outputs))
    ip.initialize(model, "spectral", inputs=(inputs,))
    ratio = float(torch.linalg.matrix_norm(model[0].weight.detach(), 2)) / wanted
    # The largest singular value of a Gaussian matrix is σ (√rows + √columns), its fluctuation far below that.
    assert ratio == pytest.approx(1 + math.sqrt(min(shape) / max(shape)), rel=0.05)
    outcome = ip.initialize(model, "spectral(orthogonal=True)", inputs=(inputs,))
    values = torch.linalg.svdvals(model[0].weight.detach())
    torch.testing.assert_close(values, torch.full_like(values, wanted), rtol=1e-5, atol=0)
    assert float(model[0].weight.detach().std()) == pytest.approx(outcome.drawn[0].std, rel=0.1)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(12, 24, 3, padding=1, padding_mode="circular", bias=False),
        nn.Conv2d(24, 12, 3, padding=1, padding_mode="circular", groups=4, bias=False),
        nn.Conv2d(12, 12, 3, padding=1, padding_mode="circular", groups=12, bias=False),
    ],
    ids=["full", "grouped", "depthwise"],
)
def test_an_orthogonal_convolution_stays_below_its_bound(layer):
    model = nn.Sequential(layer)
    ip.initialize(model, "spectral(orthogonal=True)", inputs=(layer.in_channels, 8, 8))
    basis = torch.eye(layer.in_channels * 64).unflatten(1, (layer.in_channels, 8, 8))
    with torch.no_grad():
        operator = model(basis).flatten(1)
    largest = float(torch.linalg.matrix_norm(operator, 2))
    bound = math.sqrt(layer.out_channels / layer.in_channels)
    assert 0.3 * bound < largest <= bound * 1.0001
    rows = layer.weight.detach().flatten(1).unflatten(0, (layer.groups, -1))
    gram = rows @ rows.mT
    torch.testing.assert_close(gram, gram[0, 0, 0] * torch.eye(gram.shape[-1]).expand_as(gram), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("groups", [1, 2])
def test_an_orthogonal_transposed_convolution(groups):
    model = nn.Sequential(nn.ConvTranspose2d(16, 8, 2, stride=2, groups=groups, bias=False))
    ip.initialize(model, "spectral(orthogonal=True)", inputs=(16, 4, 4))
    apart = model[0].weight.detach().reshape(groups, 16 // groups, 8 // groups, 4)
    rows = apart.movedim(2, 1).flatten(2)
    gram = rows @ rows.mT
    torch.testing.assert_close(gram, gram[0, 0, 0] * torch.eye(gram.shape[-1]).expand_as(gram), rtol=1e-5, atol=1e-6)


def test_learning_rates():
    model = nn.Sequential(nn.Embedding(30, 64), nn.Linear(64, 256), nn.LayerNorm(256), nn.Linear(256, 16))
    names = ("0.weight", "1.weight", "1.bias", "2.weight", "3.weight", "3.bias")
    for optimizer, expected in (
        ("sgd", [64.0, 4.0, 256.0, 256.0, 1 / 16, 16.0]),
        ("adam", [1.0, 1 / 64, 1.0, None, 1 / 256, 1.0]),
    ):
        outcome = ip.initialize(model, f"spectral(optimizer={optimizer})", inputs="int64[3]<30")
        told = {one.weight: one.learning_rate for one in outcome.drawn}
        assert [told.get(name) for name in names] == expected
        assert model[2].weight.eq(1).all()


def test_packed_biases_have_the_learning_rate_of_a_part():
    told = ip.initialize(
        nn.Sequential(nn.TransformerEncoderLayer(32, 2, 64, batch_first=True)), "spectral", inputs=(6, 32)
    )
    rates = told.learning_rates
    assert (rates["0.self_attn.in_proj_bias"], rates["0.linear1.bias"]) == (32.0, 64.0)
    assert "0.self_attn.in_proj_weight" not in rates


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("scheme", "lr"),
    [("spectral", 0.1), ("spectral(orthogonal=True)", 0.1), ("spectral(optimizer=adam)", 0.2)],
)
def test_three_steps_change_the_logits_alike_at_every_width(scheme, lr):
    measured = []
    for width in WIDTHS:
        change = 0.0
        for seed in range(3):
            generator = torch.Generator().manual_seed(seed)
            x, y = torch.randn(32, 16, generator=generator), torch.randint(10, (32,), generator=generator)
            model = plain(width)
            groups = ip.parameter_groups(model, ip.initialize(model, scheme, inputs=(16,), seed=seed), lr=lr)
            stepper = torch.optim.Adam(groups) if "adam" in scheme else torch.optim.SGD(groups)
            before = model(x).detach()
            for _ in range(3):
                stepper.zero_grad()
                nn.functional.cross_entropy(model(x), y).backward()
                stepper.step()
            change += float((model(x).detach() - before).abs().mean()) / 3
        measured.append(change)
    assert abs(slope(WIDTHS, measured)) < 0.1
