"""What mean-field theory says of an activation, and of a deep network that is made with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Stability = Literal["attracts", "repels", "half-stable", "neutral"]
"""What a fixed point does to a second moment beside it: ``half-stable`` draws from one side and pushes away on the
other, ``neutral`` keeps whatever there is."""

Phase = Literal["ordered", "critical", "chaotic"]
"""Whether two inputs come together layer after layer (chi_1 < 1), keep their distance, or move apart (chi_1 > 1)."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Gaussian integrals of an activation for a standard normal z.

    Attributes:
        mean: E f(z).
        second: E f(z)².
        variance: E f² - (E f)².
        derivative_second: E f'(z)².
        derivative_fourth: E f'(z)⁴.
        response: E z f'(z).
        slope: dq'/dq at q = 1 with the weight variance 1 / E f², which makes q = 1 a fixed point: above 1 it repels.
        least_cosine: (E f)² / E f², the cosine behind one layer of two orthogonal inputs.
        norm_mode: (E z f f' - E f E z f') / Var f, what a deviation of one sample's norm from the batch's is multiplied
            by per layer under batch normalization; above 1 the norms spread.
    """

    mean: float
    second: float
    variance: float
    derivative_second: float
    derivative_fourth: float
    response: float
    slope: float
    least_cosine: float
    norm_mode: float


@dataclass(frozen=True, slots=True)
class Gains:
    """Factors on 1 / √fan_in, and what common schemes take for this activation.

    Attributes:
        forward: 1 / √E f², which keeps the second moment of the pre-activations.
        backward: 1 / √E f'², which keeps that of the gradients.
        normalized: 1 / √Var f, which keeps the variance where weights are standardized or batches normalized.
        he: √2.
        xavier: 1, in a square layer.
        torch: ``torch.nn.init.calculate_gain`` where torch has one for this activation, else None.
    """

    forward: float
    backward: float
    normalized: float
    he: float
    xavier: float
    torch: float | None


@dataclass(frozen=True, slots=True)
class Rates:
    """What normalization makes of the squared gradient: its factor per layer from the output back.

    Attributes:
        batch_norm: with batch normalization before the activation and a large batch, E f'² / Var f.
        layer_norm_before: with layer normalization before the activation, E f'² / E f².
        layer_norm_after: with layer normalization behind the activation, E f'² / Var f.
        rms_norm: with RMS normalization on either side, E f'² / E f².
    """

    batch_norm: float
    layer_norm_before: float
    layer_norm_after: float
    rms_norm: float


@dataclass(frozen=True, slots=True)
class FixedPoint:
    """A second moment of the pre-activations that a layer reproduces, and what happens around it.

    Attributes:
        q: the second moment; 1 stands for every one where the point is neutral.
        stability: what it does to its neighbours.
        slope: dq'/dq, the factor on a small error of q per layer.
        chi: chi_1, the factor on the squared gradient, and on a small squared distance of two inputs, per layer.
        phase: what chi_1 means.
        correlation: c*, the correlation that two inputs end with; None where q is 0.
        correlation_slope: dc'/dc there.
        depth_q: layers over which an error of q falls by e; infinite where it does not.
        depth_c: layers over which the correlation comes e times nearer to c*.
        depth_gradient: layers over which the squared gradient changes by e.
        trainable_depth: about 6 depth_c (Schoenholz et al. 2017); None where q is 0 or q repels.
    """

    q: float
    stability: Stability
    slope: float
    chi: float
    phase: Phase
    correlation: float | None
    correlation_slope: float | None
    depth_q: float
    depth_c: float | None
    depth_gradient: float
    trainable_depth: float | None


@dataclass(frozen=True, slots=True)
class CriticalPoint:
    """Weight and bias variances with chi_1 = 1 at a fixed point.

    Attributes:
        weight_variance: sigma_w², the variance of a weight times its fan_in.
        bias_variance: sigma_b².
        q: the fixed point.
        slope: dq'/dq there.
        stability: whether a signal stays there.
    """

    weight_variance: float
    bias_variance: float
    q: float
    slope: float
    stability: Stability


@dataclass(frozen=True, slots=True)
class Theory:
    """What mean-field theory says of one activation.

    Attributes:
        activation: as text, with its options.
        summary: the function, one line.
        reason: why there is no theory, where the activation is no function of one number; all else is then None.
        moments: Gaussian integrals at q = 1.
        gains: what keeps signals.
        rates: what normalization makes of gradients.
        weight_variance: sigma_w² that the fixed points are those of.
        bias_variance: sigma_b².
        fixed_points: all of them, by q.
        settled: the one that a signal of second moment 1 ends at; None where it explodes.
        small: what a vanishing second moment is multiplied by per layer; infinite where it does not vanish.
        large: what an exploding one is multiplied by.
        critical: all points with chi_1 = 1 at this bias variance, those where a signal stays first.
        half_stable: the point at which chi_1 = 1 and dq'/dq = 1 at once, or None.
        no_critical: why no signal stays at a critical point, or empty.
        warnings: what to know before using it.
    """

    activation: str
    summary: str
    reason: str = ""
    moments: Moments | None = None
    gains: Gains | None = None
    rates: Rates | None = None
    weight_variance: float = 1.0
    bias_variance: float = 0.0
    fixed_points: tuple[FixedPoint, ...] = ()
    settled: FixedPoint | None = None
    small: float = 0.0
    large: float = 0.0
    critical: tuple[CriticalPoint, ...] = ()
    half_stable: CriticalPoint | None = None
    no_critical: str = ""
    warnings: tuple[str, ...] = ()
