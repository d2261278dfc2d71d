"""Branches over √L: a stream whose variance is bounded in depth."""

import math

import pytest
import torch
from torch import nn

import initprobe as ip
from initprobe.errors import UsageError
from tests.init.schemes.residual_networks import Branch, Chain, NormalizerFree, PostActivation, Scale, Standardized

WIDTH = 128


def growth(scheme: str, depth: int) -> float:
    """Second moment behind all blocks over that in front of them, mean of a few draws."""
    ratios = []
    for seed in range(4):
        blocks = nn.Sequential(*(Branch(WIDTH) for _ in range(depth)))
        ip.initialize(blocks, scheme, inputs=(WIDTH,), seed=seed)
        with torch.no_grad():
            x = torch.randn(256, WIDTH, generator=torch.Generator().manual_seed(seed))
            ratios.append(float(blocks(x).square().mean() / x.square().mean()))
    return sum(ratios) / len(ratios)


@pytest.mark.untraced
@pytest.mark.parametrize("depth", [4, 16, 64])
def test_the_stream_grows_to_e_instead_of_two_to_the_depth(depth):
    assert growth("branch_scaling", depth) == pytest.approx((1 + 1 / depth) ** depth, rel=0.08)


def test_without_it_every_block_doubles_the_variance():
    assert growth("variance_scaling", 8) == pytest.approx(2**8, rel=0.3)
    assert growth("branch_scaling(exponent=0)", 8) == growth("variance_scaling", 8)


def test_stds_are_hes_and_the_last_ones_are_scaled():
    model = Chain(WIDTH, [Branch(WIDTH, end=lambda: Scale(1)), *(Branch(WIDTH) for _ in range(8))], classes=4)
    outcome = ip.initialize(model, "branch_scaling(exponent=1)", inputs=(WIDTH,))
    stds = {one.weight: one.std for one in outcome.drawn}
    assert stds["blocks.2.layers.0.weight"] == pytest.approx(1 / math.sqrt(WIDTH))
    assert stds["blocks.2.layers.1.weight"] == pytest.approx(math.sqrt(2 / WIDTH) / 9)
    assert stds["head.weight"] == pytest.approx(1 / math.sqrt(WIDTH))
    assert outcome.notes == ("branch_scaling: 1 branches have a gate, which scales them once more and is kept",)
    assert float(model.blocks[0].end.alpha.detach()) == 0.5


def test_a_normalization_at_the_end_is_scaled_instead_of_the_weight_before_it():
    depth = 16
    model = nn.Sequential(*(Branch(WIDTH, end=lambda: nn.BatchNorm1d(WIDTH)) for _ in range(depth)))
    outcome = ip.initialize(model, "branch_scaling", inputs=(WIDTH,))
    stds = {one.weight: one.std for one in outcome.drawn}
    assert stds["3.layers.1.weight"] == pytest.approx(math.sqrt(2 / WIDTH))
    torch.testing.assert_close(model[3].end.weight.detach(), torch.full((WIDTH,), depth**-0.5))
    assert {one.weight for one in outcome.skipped} == {f"{place}.end.bias" for place in range(depth)}
    x = torch.randn(256, WIDTH, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert float(model(x).var()) == pytest.approx(2.0, rel=0.1)


def test_only_normalizations_that_end_a_branch_are_touched():
    model = nn.Sequential(nn.Conv2d(3, 8, 1), PostActivation(8, project=True), PostActivation(8))
    ip.initialize(model, "branch_scaling", inputs=(3, 8, 8))
    assert model[1].bn1.weight.eq(1).all()
    assert model[1].shortcut[1].weight.eq(1).all()
    torch.testing.assert_close(model[1].bn2.weight.detach(), torch.full((8,), 0.5**0.5))


def test_branches_inside_a_branch_count_on_their_own_level():
    class Nested(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.first, self.last = Branch(8), nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x):
            return x + self.last(self.inner(torch.relu(self.first(x))))

    model = nn.Sequential(*(Nested() for _ in range(4)))
    outcome = ip.initialize(model, "branch_scaling(gain=1)", inputs=(8,))
    stds = {one.weight: one.std for one in outcome.drawn}
    assert stds["0.inner.layers.1.weight"] == pytest.approx(1 / math.sqrt(8))
    assert stds["0.last.weight"] == pytest.approx(0.5 / math.sqrt(8))


def test_a_weight_that_its_layer_standardizes_is_told():
    blocks = [NormalizerFree(8, index, 0.5, Standardized, 1.7) for index in range(2)]
    for scheme, noted in (("branch_scaling", "last"), ("fixup", "first")):
        outcome = ip.initialize(nn.Sequential(nn.Conv2d(3, 8, 1), *blocks), scheme, inputs=(3, 6, 6))
        notes = {one.weight: one.note for one in outcome.drawn if one.note}
        assert set(notes) == {f"{place}.{noted}.weight" for place in (1, 2)}
        assert "its layer standardizes it" in notes[f"1.{noted}.weight"]


def test_a_plain_network_is_refused():
    with pytest.raises(UsageError, match="this network has none"):
        ip.initialize(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)), "branch_scaling", inputs=(4,))
