"""Measured equals predicted: 12 activations, dense and convolutional, He, Xavier, orthogonal and critical, 30 layers.

The maps of Poole et al. 2016 (arXiv 1606.05340) and Schoenholz et al. 2017 (arXiv 1611.01232) hold at infinite width. A
draw of finite width strays by what its seeds tell (Hanin & Rolnick 2018, arXiv 1803.01719), so that a gain per layer is
right within 1 % or within three standard errors over draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean, stdev

import pytest

from initprobe.predict.convolution import coverage
from initprobe.predict.critical import critical_points, half_stable_point, why_not_critical
from initprobe.predict.mean_field import c_map, chi, q_map, q_slope
from initprobe.predict.pairs import derivative_product
from initprobe.records import ActivationUse, CriticalPoint
from tests.physics.stacks import FUNCTIONS, START, Measured, Shape, agrees, run

pytestmark = pytest.mark.untraced

DEPTH, BATCH, SEEDS = 30, 24, 4
BIAS = 0.05
SHAPES = {"dense": Shape(512), "conv": Shape(128, kernel=3, size=6)}
SCHEMES = ("he", "xavier", "orthogonal", "critical")
HALF_STABLE = {"gelu", "silu", "mish"}
NEVER_CRITICAL = {"softplus"}

FAR = 4.0
"""How much the share of the gradient along the signal itself, one direction in n, may have grown where it is told."""


def critical_point(activation: str) -> CriticalPoint | None:
    """Where a signal stays and chi_1 is 1, with a bias variance of 0.05, with none, or the half-stable one."""
    use = ActivationUse(activation)
    found = [one for bias in (BIAS, 0.0) for one in critical_points(use, bias) if one.q > 0.0]
    return next((one for one in found if one.stability != "repels"), None) or half_stable_point(use)


def variances_of(scheme: str, activation: str) -> tuple[float, float]:
    """sigma_w² and sigma_b²."""
    if scheme == "critical":
        point = critical_point(activation)
        assert point is not None
        return point.weight_variance, point.bias_variance
    return {"he": 2.0, "xavier": 1.0, "orthogonal": 1.0}[scheme], 0.0


def cells():
    """Every cell; one scheme for each activation under a convolution in the default suite, the others are slow."""
    found = []
    for kind in SHAPES:
        for place, activation in enumerate(FUNCTIONS):
            schemes = [scheme for scheme in SCHEMES if scheme != "critical" or activation not in NEVER_CRITICAL]
            for scheme in schemes:
                usual = kind == "dense" or scheme == schemes[place % len(schemes)]
                marks = () if usual else pytest.mark.slow
                found.append(pytest.param((kind, activation, scheme), id=f"{kind}-{activation}-{scheme}", marks=marks))
    return found


@dataclass(frozen=True)
class Cell:
    """One cell of the grid: draws, and what theory says of their stack."""

    use: ActivationUse
    variances: tuple[float, float]
    draws: list[Measured]

    def second(self) -> list[float]:
        """Predicted second moments, layer after layer, from the inputs on."""
        weight, bias = self.variances
        found = [weight + bias]
        for _ in range(DEPTH - 1):
            found.append(q_map(self.use, found[-1], weight, bias))
        return found

    def typical(self) -> list[float]:
        """Measured second moments, the geometric mean over draws."""
        return [math.exp(fmean(math.log(draw.forward[layer]) for draw in self.draws)) for layer in range(DEPTH)]

    def cosine(self) -> list[float]:
        """Measured correlations, the mean over draws."""
        return [fmean(draw.cosine[layer] for draw in self.draws) for layer in range(DEPTH)]

    def one_layer_on(self, layer: int, cosine: float) -> float:
        """The c-map behind a layer, at the second moment that was measured there."""
        weight, bias = self.variances
        return min(1.0, c_map(self.use, min(1.0, cosine), self.typical()[layer], weight, bias))

    def steepness(self, layer: int, cosine: float) -> float:
        """dc'/dc there."""
        (weight, bias), q = self.variances, self.typical()[layer]
        return weight * derivative_product(self.use, q, min(1.0, cosine)) * q / q_map(self.use, q, weight, bias)

    def strayed(self) -> list[float]:
        """How far the mean over draws is from the c-map of the layer before."""
        mean = self.cosine()
        return [mean[layer + 1] - self.one_layer_on(layer, mean[layer]) for layer in range(DEPTH - 1)]


@pytest.fixture(scope="module", params=cells())
def found(request):
    kind, activation, scheme = request.param
    variances = variances_of(scheme, activation)
    draws = [
        run(SHAPES[kind], activation, variances, depth=DEPTH, batch=BATCH, seed=seed, orthogonal=scheme == "orthogonal")
        for seed in range(SEEDS)
    ]
    return Cell(ActivationUse(activation), variances, draws)


def test_forward_gain_per_layer(found):
    second = found.second()
    expected = math.log(second[-1] / second[0])
    strayed = [math.log(draw.forward[-1] / draw.forward[0]) - expected for draw in found.draws]
    agrees([0.5 * one / (DEPTH - 1) for one in strayed], 0.01)


def test_backward_gain_per_layer(found):
    """Squared gradients are multiplied by chi_1 of the second moment that is there."""
    weight, _ = found.variances
    typical = found.typical()
    first, along = DEPTH - 1, 1.0
    while first > 0 and along < FAR:
        first -= 1
        slope, factor = q_slope(found.use, typical[first], weight), chi(found.use, typical[first], weight)
        along *= slope**2 * typical[first] / (typical[first + 1] * factor)
    layers = range(first, DEPTH - 1)
    expected = math.fsum(math.log(chi(found.use, typical[layer], weight)) for layer in layers)
    strayed = [math.log(draw.backward[first] / draw.backward[-1]) - expected for draw in found.draws]
    assert len(layers) >= 8
    agrees([0.5 * one / len(layers) for one in strayed], 0.01)


def test_correlation_one_layer_on(found):
    """A wrong map cannot hide behind what strays with depth: the errors of 29 layers have the mean 0."""
    strayed = found.strayed()
    assert abs(fmean(strayed)) <= max(0.003, 3.0 * stdev(strayed) / len(strayed) ** 0.5)
    assert max(map(abs, strayed)) < 0.06


def test_correlation_by_depth(found):
    """Within 0.02 or three standard errors.

    A cosine c of n normal numbers varies by (1 - c²) / √n; how many numbers draws, pairs and pixels amount to, the errors
    of single layers tell. What strays in a layer goes on as steeply as the map is.
    """
    weight, bias = found.variances
    room = [1.0 - cosine**2 for cosine in found.cosine()]
    apart = [one / before for one, before in zip(found.strayed(), room, strict=False) if before > 0.01]
    own, error, expected = stdev(apart), 0.0, (weight * START + bias) / (weight + bias)
    for layer, cosine in enumerate(found.cosine()):
        error = math.hypot(error, own * room[layer])
        assert abs(cosine - expected) <= max(0.02, 3.0 * error), f"layer {layer}"
        error *= found.steepness(layer, expected)
        expected = found.one_layer_on(layer, expected)


@pytest.mark.parametrize("activation", FUNCTIONS)
def test_a_critical_point_is_critical_or_there_is_none(activation):
    use, point = ActivationUse(activation), critical_point(activation)
    if activation in NEVER_CRITICAL:
        assert point is None
        assert all(not critical_points(use, bias) for bias in (0.0, BIAS, 0.5))
        assert "no fixed point" in why_not_critical(use, BIAS)
        return
    assert point is not None
    assert chi(use, point.q, point.weight_variance) == pytest.approx(1.0, abs=1e-9)
    assert q_map(use, point.q, point.weight_variance, point.bias_variance) == pytest.approx(point.q, rel=1e-9)
    assert (point.stability == "half-stable") == (activation in HALF_STABLE)
    if activation in HALF_STABLE:
        assert "the map of q repels there" in why_not_critical(use, BIAS)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_zero_padding_loses_what_it_covers(activation):
    """The mean share of taps inside a 16 x 16 image, (46/48)², is a factor on the weight variance (3 %).

    So it is while the signal fills the image; deep in a stack it keeps to the middle, where nothing is lost.
    """
    size, depth = 16, 4
    shape = Shape(64, kernel=3, size=size, padding="zeros")
    share = coverage([size, size], [3, 3], padding=[1, 1])
    assert share == pytest.approx((46 / 48) ** 2)
    use = ActivationUse(activation)
    draws = [run(shape, activation, (2.0, 0.0), depth=depth, batch=BATCH, seed=seed) for seed in range(SEEDS)]
    second = [2.0 * share]
    for _ in range(depth - 1):
        second.append(q_map(use, second[-1], 2.0 * share))
    forward = [0.5 * math.log(draw.forward[-1] / second[-1]) / depth for draw in draws]
    factor = math.fsum(math.log(chi(use, q, 2.0 * share)) for q in second[:-1])
    backward = [0.5 * (math.log(draw.backward[0] / draw.backward[-1]) - factor) / (depth - 1) for draw in draws]
    agrees(forward, 0.03)
    agrees(backward, 0.03)
