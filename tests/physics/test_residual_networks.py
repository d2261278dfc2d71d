"""Signal propagation in residual networks, as it was published.

De & Smith 2020: in front of each branch a normalization makes the variance grow linearly, E x_l² = l + 1. Brock, De &
Smith 2021: it resets at transitions; in a normalizer-free network with scaled weight standardization every block adds
alpha², and the squared mean of the channels, which grows where weights are not centred, is gone. Without a
normalization He's branches double the variance at every join.
"""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import initprobe as ip
from initprobe.report.plots.base import PLOTS

pytestmark = pytest.mark.untraced

ALPHA = 0.5
WIDTH = 64


class PreActivation(nn.Module):
    def __init__(self, width=WIDTH, *, norm=True):
        super().__init__()
        self.norm = nn.BatchNorm2d(width) if norm else nn.Identity()
        self.first = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.last = nn.Conv2d(width, width, 3, padding=1, bias=False)

    def forward(self, x):
        return x + self.last(F.relu(self.first(F.relu(self.norm(x)))))


class PostActivation(nn.Module):
    def __init__(self, width, stride=1, *, project=False):
        super().__init__()
        self.first, self.bn1 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.last, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        shortcut = nn.Sequential(nn.Conv2d(width, width, 1, stride, bias=False), nn.BatchNorm2d(width))
        self.shortcut = shortcut if project else nn.Identity()

    def forward(self, x):
        y = self.bn2(self.last(F.relu(self.bn1(self.first(x)))))
        y += self.shortcut(x)
        return F.relu(y)


class Standardized(nn.Conv2d):
    """Scaled weight standardization (Brock et al. 2021, equation 1)."""

    def forward(self, x):
        fan_in = self.weight[0].numel()
        variance, mean = torch.var_mean(self.weight, dim=(1, 2, 3), keepdim=True)
        weight = (self.weight - mean) / (variance * fan_in).sqrt()
        return F.conv2d(x, weight, None, self.stride, self.padding)


class NormalizerFree(nn.Module):
    """x + alpha f(x / beta), with the gain of relu inside f (Brock et al. 2021, section 3.2)."""

    def __init__(self, index, conv):
        super().__init__()
        self.beta = math.sqrt(1 + index * ALPHA**2)
        self.first, self.last = (conv(WIDTH, WIDTH, 3, padding=1, padding_mode="zeros", bias=False) for _ in range(2))

    def forward(self, x):
        gain = math.sqrt(2 / (1 - 1 / math.pi))
        y = self.first(F.relu(x / self.beta) * gain)
        return x + ALPHA * self.last(F.relu(y) * gain)


def he(model):
    for module in model.modules():
        if type(module) is nn.Conv2d:
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    return model


def probed(build, **options):
    return ip.probe(
        build, inputs=(WIDTH, 12, 12), seeds=3, max_seeds=3, batch=16,
        statistics=("channel_mean", "channel_std"), **options,
    ).entry  # fmt: skip


def variances(entry):
    return [block.variance.mean for stream in entry.residual for block in stream.blocks]


def channels(entry, statistic):
    sites = {summary.site.key: summary for summary in entry.sites}
    return [
        sites[block.join].forward[statistic].mean ** 2 for stream in entry.residual for block in stream.blocks
    ]  # fmt: skip


def test_a_normalization_in_front_of_each_branch_makes_growth_linear():
    depth = 12
    entry = probed(lambda: he(nn.Sequential(*[PreActivation() for _ in range(depth)])))
    (stream,) = entry.residual
    assert stream.growth.law == "linear"
    # The borders of a 12 x 12 image, where padding takes from the fan-in, keep the branch below its size elsewhere.
    branch = variances(entry)[0] - 1
    assert branch == pytest.approx(0.85, abs=0.2)
    for place, variance in enumerate(variances(entry)):
        assert variance == pytest.approx(1 + (place + 1) * branch, rel=0.12)
    assert stream.blocks[0].ratio is None, "what the first branch is added to is the model's input"
    for place, block in enumerate(stream.blocks[1:], 1):
        assert block.ratio.mean == pytest.approx(math.sqrt(branch / (1 + place * branch)), rel=0.12)


def test_without_a_normalization_it_is_exponential():
    entry = probed(lambda: he(nn.Sequential(*[PreActivation(norm=False) for _ in range(10)])))
    (stream,) = entry.residual
    assert stream.growth.law == "exponential"
    assert 1.6 < stream.growth.per_block < 2.1


def test_transitions_reset_the_variance_of_a_post_activation_network():
    def build():
        stages = [[PostActivation(WIDTH, project=True), *[PostActivation(WIDTH) for _ in range(4)]] for _ in range(2)]
        return he(nn.Sequential(nn.BatchNorm2d(WIDTH), nn.ReLU(), *[block for stage in stages for block in stage]))

    entry = probed(build)
    first, second = entry.residual
    assert (len(first.blocks), len(second.blocks)) == (5, 5)
    assert first.growth.law == second.growth.law == "linear"
    within = channels(entry, "channel_std")
    for stage in (within[:5], within[5:]):
        assert stage[0] == pytest.approx(2.0, rel=0.02), "two batch-normalized operands"
        assert stage[1] < stage[2] < stage[3] < stage[4]
    assert all(block.ratio.mean == pytest.approx(1.0, rel=0.02) for block in (first.blocks[0], second.blocks[0]))


def test_scaled_weight_standardization_removes_the_mean_shift_and_adds_alpha_squared():
    depth = 8
    free = probed(lambda: nn.Sequential(*[NormalizerFree(place, Standardized) for place in range(depth)]))
    plain = probed(lambda: he(nn.Sequential(*[NormalizerFree(place, nn.Conv2d) for place in range(depth)])))
    (stream,) = free.residual
    assert stream.growth.law == "linear"
    shift = {name: channels(entry, "channel_mean")[-1] / variances(entry)[-1]
             for name, entry in (("standardized", free), ("plain", plain))}  # fmt: skip
    assert shift["standardized"] < 0.03
    assert shift["plain"] > 5 * shift["standardized"]
    added = variances(free)[0] - 1
    assert added == pytest.approx(ALPHA**2, rel=0.3)
    for place, variance in enumerate(variances(free)):
        assert variance == pytest.approx(1 + (place + 1) * added, rel=0.12)


def test_tokens_propagate_like_images():
    """Pre-norm blocks on (batch, tokens, channels): the plot's statistics count channels on the last axis."""

    class PreNorm(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.LayerNorm(WIDTH)
            self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH, bias=False), nn.Linear(4 * WIDTH, WIDTH, bias=False)

        def forward(self, x):
            return x + self.down(F.relu(self.up(self.norm(x))))

    result = ip.probe(
        lambda: nn.Sequential(*[PreNorm() for _ in range(8)]), inputs=(9, WIDTH), scheme="he", seeds=3, max_seeds=3,
        batch=32, statistics=("channel_mean", "channel_std"),
    )  # fmt: skip
    (stream,) = result.entry.residual
    assert stream.growth.law == "linear"
    assert stream.growth.per_block == pytest.approx(2 / 3, rel=0.15), "one, and each branch adds two"
    variance, mean = channels(result.entry, "channel_std"), channels(result.entry, "channel_mean")
    # A batch of tokens has no mean of its own: what all of them share is bias, and there is none.
    assert all(one + other == pytest.approx(total, rel=0.05) for one, other, total in
               zip(variance, mean, variances(result.entry), strict=True))  # fmt: skip
    assert PLOTS["propagation"].draw([result.entry]) is not None
