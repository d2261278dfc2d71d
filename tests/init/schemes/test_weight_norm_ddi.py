"""The data-dependent start of weight normalization: every unit has mean 0 and variance 1 on the batch."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import initprobe as ip
from initprobe.errors import UsageError


def network(wrap):
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(3, 16, 3), nn.Conv2d(16, 24, 3, stride=2, groups=4), nn.ConvTranspose2d(24, 16, 3, groups=2),
        nn.Conv2d(16, 8, 3),
    ]  # fmt: skip
    body = [part for layer in layers for part in (wrap(layer), nn.ReLU())]
    return nn.Sequential(*body, nn.Flatten(), wrap(nn.Linear(8 * 5 * 5, 32)), nn.Tanh(), wrap(nn.Linear(32, 5)))


def plain(layer):
    return layer


def unit_statistics(model, x):
    """Means and variances of the units of every layer with a bias, in order, float64."""
    for layer in model:
        x = layer(x).detach()
        if getattr(layer, "bias", None) is not None:
            rows = x.movedim(1, -1).flatten(0, -2).double()
            yield rows.mean(0), rows.var(0, correction=0)


@pytest.mark.parametrize("wrap", [plain, parametrizations.weight_norm])
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_every_unit_has_mean_zero_and_unit_variance(wrap, scale):
    model, batch = network(wrap), torch.randn(32, 3, 13, 13) * 3 + 2
    outcome = ip.initialize(model, f"weight_norm_ddi(scale={scale})", inputs=batch)
    found = list(unit_statistics(model, batch))
    assert len(found) == 6
    for mean, variance in found:
        assert mean.abs().max() < 1e-5  # the rounding of float32 over a few layers
        assert (variance / scale**2 - 1).abs().max() < 1e-4
    assert outcome.notes[0].endswith("2 forward passes")


def test_the_authors_arithmetic_on_one_layer():
    torch.manual_seed(0)
    normed, batch = parametrizations.weight_norm(nn.Linear(12, 7)), torch.randn(50, 12) * 2 + 1
    ip.initialize(nn.Sequential(normed), "weight_norm_ddi", inputs=batch)
    g, v = (normed.parametrizations.weight.original0.detach(), normed.parametrizations.weight.original1.detach())
    assert float(v.std()) == pytest.approx(0.05, rel=0.3)
    t = batch @ (v / v.norm(dim=1, keepdim=True)).T
    torch.testing.assert_close(g.flatten(), 1 / t.std(0, correction=0), rtol=1e-5, atol=0)
    torch.testing.assert_close(normed.bias.detach(), -t.mean(0) / t.std(0, correction=0), rtol=1e-4, atol=1e-5)


def test_a_plain_layer_computes_what_a_normalized_one_does():
    batch = torch.randn(32, 3, 13, 13)
    outputs = []
    for wrap in (plain, parametrizations.weight_norm):
        model = nn.Sequential(wrap(nn.Conv2d(3, 4, 3)), nn.ReLU(), wrap(nn.Conv2d(4, 4, 3)))
        ip.initialize(model, "weight_norm_ddi", inputs=batch)
        outputs.append(model(batch).detach())
    torch.testing.assert_close(*outputs, rtol=1e-3, atol=1e-4)


def test_without_a_bias_the_mean_stays_and_is_told():
    model, batch = nn.Sequential(nn.Linear(8, 8, bias=False), nn.ReLU(), nn.Linear(8, 8)), torch.randn(64, 8) + 3
    outcome = ip.initialize(model, "weight_norm_ddi", inputs=batch)
    notes = {one.weight: one.note for one in outcome.drawn}
    assert "no bias of this scheme's" in notes["0.weight"]
    assert notes["2.weight"] is None
    first = model[0](batch).detach().double()
    torch.testing.assert_close(first.var(0, correction=0), torch.ones(8).double(), rtol=1e-5, atol=0)
    assert first.mean(0).abs().max() > 1


def test_units_that_do_not_vary_keep_their_length():
    batch = torch.randn(64, 8)
    batch[:, 4:] = 1.0
    model = nn.Sequential(nn.Conv1d(8, 2, 1, groups=2))  # the second unit sees constants alone
    outcome = ip.initialize(model, "weight_norm_ddi", inputs=batch[..., None])
    assert outcome.notes[1] == "weight_norm_ddi: 1 units of '0' do not vary on this batch: length kept"
    weight = model[0].weight.detach()
    assert float(weight[1].norm()) == pytest.approx(1.0, rel=1e-5)
    assert model(batch[..., None])[:, 1].abs().max() < 1e-5


@pytest.mark.parametrize(
    ("model", "message"), [(nn.LayerNorm(8), "the network has none"), (nn.Linear(8, 8), "the same for every sample")]
)
def test_what_cannot_be_calibrated(model, message):
    model = nn.Sequential(model)
    before = model[0].weight.detach().clone()
    with pytest.raises(UsageError, match=message):
        ip.initialize(model, "weight_norm_ddi", inputs=torch.randn(1, 8).expand(16, 8))
    assert torch.equal(model[0].weight, before)


def test_the_seed_decides():
    weights = []
    for seed in (0, 0, 1):
        model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
        ip.initialize(model, "weightnorm_ddi", inputs=(8,), seed=seed)
        weights.append(model[2].weight.detach().clone())
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
