"""Sub-pixel layers that start as nearest-neighbour upsampling."""

import math

import pytest
import torch
from torch import nn

import initprobe
from initprobe.dissect.anatomy import trace_anatomy
from initprobe.errors import UsageError
from initprobe.init.choose import parse_scheme
from initprobe.init.initialize import initialize_model
from initprobe.load.given import open_given
from initprobe.records import InitRequest, Override, ProbeRequest


class Functional(nn.Module):
    """A shuffle that is no module."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.conv = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 8, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.pixel_shuffle(torch.relu(self.conv(self.stem(x))), 2)


def cells_are_equal(model, shape, factor):
    out = model.eval()(torch.randn(2, *shape)).detach()
    first = out[..., ::factor, ::factor]
    nearest = first.repeat_interleave(factor, -1).repeat_interleave(factor, -2)
    return torch.allclose(out, nearest, atol=1e-6) and float(first.std()) > 0.01


def upsampler(factor, **options):
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4 * factor**2, 3, padding=1, **options), nn.ReLU(),
        nn.PixelShuffle(factor),
    )  # fmt: skip


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_every_cell_is_of_one_colour(factor):
    model = upsampler(factor)
    initprobe.initialize(model, "he", inputs=(3, 6, 6))
    assert not cells_are_equal(model, (3, 6, 6), factor)
    outcome = initprobe.initialize(model, "icnr", inputs=(3, 6, 6))
    assert cells_are_equal(model, (3, 6, 6), factor)
    notes = {one.weight: one.note for one in outcome.drawn}
    assert notes["2.weight"] == f"a sub-pixel layer: every kernel stands there {factor**2} times"
    assert notes["0.weight"] is None


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2d(4, 16, 3, padding=1, groups=2), (4, 6, 6)),
        (nn.ConvTranspose2d(4, 8, 3, padding=1), (4, 6, 6)),
        (nn.Conv2d(4, 8, 3, padding=1, bias=False), (4, 6, 6)),
    ],
)
def test_kinds_of_layers_and_a_norm_between(layer, shape):
    channels = layer.out_channels
    model = nn.Sequential(layer, nn.BatchNorm2d(channels), nn.LeakyReLU(), nn.PixelShuffle(2))
    initprobe.initialize(model, "icnr", inputs=shape)
    assert cells_are_equal(model, shape, 2)


def test_several_stages_each_have_their_factor():
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.PixelShuffle(2), nn.Conv2d(4, 18, 3, padding=1), nn.PixelShuffle(3)
    )
    outcome = initprobe.initialize(model, "icnr", inputs=(3, 4, 4))
    notes = {one.weight: one.note for one in outcome.drawn}
    assert ("4 times" in notes["0.weight"], "9 times" in notes["2.weight"]) == (True, True)


def test_the_numbers_are_hes():
    model = upsampler(2)
    outcome = initprobe.initialize(model, "icnr", inputs=(3, 6, 6))
    independent = model[2].weight.detach()[::4]
    expected = math.sqrt(2 / 72)
    assert float(independent.std()) == pytest.approx(expected, rel=4 / (2 * independent.numel()) ** 0.5)
    assert {one.weight: one.std for one in outcome.drawn}["2.weight"] == pytest.approx(expected)


def test_a_shuffle_that_is_no_module_takes_its_factor_from_the_option():
    model = Functional()
    with pytest.raises(UsageError, match="no such module was seen") as told:
        initprobe.initialize(model, "icnr", inputs=(3, 5, 5))
    assert "upscale" in told.value.hint
    outcome = initprobe.initialize(model, "icnr(upscale=2)", inputs=(3, 5, 5))
    assert cells_are_equal(model, (3, 5, 5), 2)
    assert {one.weight: one.note for one in outcome.drawn}["stem.weight"] is None


def test_a_factor_that_is_not_seen_is_told():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = Functional(), nn.Sequential(nn.Conv2d(2, 8, 1), nn.PixelShuffle(2))

        def forward(self, x):
            return self.second(self.first(x))

    outcome = initprobe.initialize(Both(), "icnr", inputs=(3, 5, 5))
    notes = {one.weight: one.note for one in outcome.drawn}
    assert "whose factor is not seen" in notes["first.conv.weight"]
    assert "4 times" in notes["second.0.weight"]


def test_a_layer_may_be_meant_by_its_name():
    class Hidden(nn.Module):
        """Something between the layer and the shuffle that hides one from the other."""

        def __init__(self):
            super().__init__()
            self.conv, self.drop, self.shuffle = nn.Conv2d(3, 8, 1), nn.Dropout(), nn.PixelShuffle(2)

        def forward(self, x):
            return self.shuffle(self.drop(self.conv(x)))

    model = Hidden()
    subject = open_given(model, (3, 5, 5))[0].build(0, ProbeRequest())
    chosen = InitRequest(None, (Override(parse_scheme("icnr(upscale=2)"), glob="conv.*"),))
    initialize_model(model, trace_anatomy(subject).anatomy, chosen, 0)
    assert cells_are_equal(model, (3, 5, 5), 2)


def test_groups_that_cut_through_a_cell_are_told():
    model = nn.Sequential(nn.Conv2d(4, 4, 1, groups=2), nn.PixelShuffle(2))
    outcome = initprobe.initialize(model, "icnr", inputs=(4, 5, 5))
    assert "make no cells of 4 pixels" in {one.weight: one.note for one in outcome.drawn}["0.weight"]
