"""The selection guide as a table: what to draw with, for every architecture and every kind of activation.

Numbers stand in braces and are filled in from the activation: ``forward`` is 1 / √(E f²), ``origin`` 1 / f'(0),
``slope`` the slope of the leaky rectifier with the same gain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from initprobe.activations.behaviour import Kind

Architecture = Literal[
    "plain", "convolutional", "normalized", "residual", "residual_normalized", "transformer_pre_norm",
    "transformer_post_norm", "transformer_unnormalized", "vision_transformer", "recurrent", "gated_recurrent",
    "coordinate", "adversarial",
]  # fmt: skip

ARCHITECTURES: Mapping[Architecture, str] = {
    "plain": "linear layers one after the other, no normalization and no skips",
    "convolutional": "convolutions one after the other, no normalization and no skips",
    "normalized": "a normalization behind every weight, no skips",
    "residual": "residual branches without normalization",
    "residual_normalized": "residual branches with normalization",
    "transformer_pre_norm": "a transformer with its normalization at the start of every branch",
    "transformer_post_norm": "a transformer with its normalization behind every sum",
    "transformer_unnormalized": "a transformer without normalization",
    "vision_transformer": "a transformer over patches of images, normalization at the start of every branch",
    "recurrent": "a recurrent network without gates",
    "gated_recurrent": "LSTM, GRU",
    "coordinate": "an implicit representation: coordinates in, values out",
    "adversarial": "generator and discriminator with batch normalization",
}


@dataclass(frozen=True, slots=True)
class Advice:
    """One cell of the guide.

    Attributes:
        scheme: as it is typed.
        gain: which gain that comes to; ``none`` where the scheme is not a matter of gains.
        reason: why.
        sources: papers and equations.
        alternatives: other schemes.
        warnings: what no number tells.
    """

    scheme: str
    gain: Literal["forward", "origin", "unit", "none"]
    reason: str
    sources: tuple[str, ...]
    alternatives: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


SAXE = "Saxe et al. 2014 (arXiv 1312.6120)"
PENNINGTON = "Pennington et al. 2017 (arXiv 1711.04735)"
HE = "He et al. 2015 (arXiv 1502.01852), eq. 10 and 14"
SCHOENHOLZ = "Schoenholz et al. 2017 (arXiv 1611.01232)"
POOLE = "Poole et al. 2016 (arXiv 1606.05340)"
YANG = "Yang et al. 2019 (arXiv 1902.08129)"
XIAO = "Xiao et al. 2018 (arXiv 1806.05393)"

PLAIN: Mapping[Kind, Advice] = {
    "linear": Advice(
        "orthogonal(gain=1)",
        "unit",
        "an orthogonal linear network keeps every length at every depth; a normal one keeps it on average, while its "
        "singular values spread with depth",
        (SAXE, PENNINGTON),
        ("lecun_normal",),
    ),
    "rectifier": Advice(
        "kaiming_normal(negative_slope={slope})",
        "forward",
        "it keeps the same share of the second moment at every scale, so that one gain keeps signal and gradient at "
        "once (chi_1 = 1)",
        (HE,),
        ("orthogonal", "lsuv"),
    ),
    "self_normalizing": Advice(
        "lecun_normal",
        "unit",
        "with gain 1 mean 0 and variance 1 are a fixed point that attracts",
        ("Klambauer et al. 2017 (arXiv 1706.02515), theorem 1",),
        ("orthogonal(gain=1)",),
    ),
    "odd": Advice(
        "orthogonal(gain={origin})",
        "origin",
        "near zero it is linear; the gain 1 / f'(0) keeps the gradient at any depth (chi_1 tends to 1), and orthogonal "
        "weights keep the singular values together as well",
        (PENNINGTON, SCHOENHOLZ),
        ("variance_scaling", "xavier_normal", "dks"),
    ),
    "settling": Advice(
        "variance_scaling",
        "forward",
        "its own gain, 1 / √(E f²) = {forward}, makes a second moment of 1 a fixed point that attracts: errors shrink "
        "to {drift} per layer",
        (POOLE,),
        ("orthogonal", "lsuv", "dks"),
    ),
    "drifting": Advice(
        "variance_scaling",
        "forward",
        "its own gain, 1 / √(E f²) = {forward}, holds a second moment of 1, though not against disturbances",
        (POOLE,),
        ("lsuv", "dks", "orthogonal"),
    ),
    "gated": Advice(
        "lecun_normal(gain={forward})",
        "forward",
        "the logistic factor takes its share of the second moment: 1 / √(E σ²) = {forward} makes up for it",
        ("Dauphin et al. 2017 (arXiv 1612.08083); E (a σ(b))² = E a² E σ(b)² for independent halves",),
    ),
    "joint": Advice(
        "lecun_normal",
        "unit",
        "it looks at many numbers at once, so that no gain of one number applies; as an output or inside of an "
        "attention it needs none",
        ("LeCun et al. 1998, Efficient BackProp, section 4.6",),
        ("xavier_normal",),
    ),
}

DELTA = Advice(
    "delta_orthogonal(gain={origin})",
    "origin",
    "only the middle tap is set, to an orthogonal matrix: the convolution keeps the energy of every image, in its "
    "place; independent taps diffuse it, and a flattened orthogonal matrix is an isometry of patches only",
    (XIAO,),
    ("orthogonal(gain={origin})", "variance_scaling"),
)
CONVOLUTIONAL: Mapping[Kind, Advice] = {
    **PLAIN,
    "linear": replace(DELTA, scheme="delta_orthogonal(gain=1)", gain="unit", alternatives=("orthogonal(gain=1)",)),
    "odd": DELTA,
}


def _with(
    base: Mapping[Kind, Advice], reason: str, sources: tuple[str, ...], alternatives: tuple[str, ...] = ()
) -> Mapping[Kind, Advice]:
    """The same schemes for another reason."""
    return {
        kind: replace(advice, reason=reason, sources=(*sources, *advice.sources), alternatives=alternatives)
        for kind, advice in base.items()
    }


def _whatever(advice: Advice) -> Mapping[Kind, Advice]:
    """The same scheme for every activation."""
    return dict.fromkeys(PLAIN, advice)


NORMED: Mapping[Kind, Advice] = {**PLAIN, "odd": replace(PLAIN["settling"])}
"""Behind a normalization pre-activations have variance 1, so that the gain is that of second moment 1."""

RESIDUAL = Advice(
    "fixup",
    "none",
    "each branch adds its variance to the stream, and under a scheme for plain networks the signal doubles per block; "
    "fixup ends every branch in zeros and shrinks the layers before by depth",
    ("Zhang et al. 2019 (arXiv 1901.09321), section 3",),
    ("scaled_ws", "lsuv"),
)
PRE_NORM = Advice(
    "gpt2",
    "none",
    "normal numbers of a small width, and the last weight of each of the branches divided by the root of their number, "
    "so that what they add does not depend on depth",
    ("Radford et al. 2019, section 2.3", "Xiong et al. 2020 (arXiv 2002.04745), lemma 2"),
    ("bert", "vit_timm"),
)
POST_NORM = Advice(
    "bert",
    "none",
    "what post-norm transformers were trained with; the gradient of the last layers does not fall with depth, so "
    "that they need a warm-up of the learning rate",
    ("Devlin et al. 2019 (arXiv 1810.04805), appendix A.2", "Xiong et al. 2020 (arXiv 2002.04745)"),
    ("deepnorm",),
    ("beyond some twenty layers take deepnorm, and scale the skip path as it asks for",),
)
UNNORMALIZED = Advice(
    "t_fixup",
    "none",
    "values, outputs and feed-forward weights are shrunk by depth, so that the first updates stay bounded without "
    "normalization and without warm-up",
    ("Huang et al. 2020, Improving Transformer Optimization Through Better Initialization",),
)
VISION = Advice(
    "vit_timm",
    "none",
    "normal numbers of width 0.02 in every linear layer, which leaves the branches small beside the stream",
    ("Dosovitskiy et al. 2021 (arXiv 2010.11929)", "timm"),
    ("gpt2",),
)
RECURRENT = Advice(
    "recurrent_orthogonal",
    "none",
    "the same matrix acts at every step, so that its eigenvalues decide: orthogonal ones keep the length of the state",
    (SAXE, "Le et al. 2015 (arXiv 1504.00941)"),
    warnings=("an activation that saturates forgets all the same; over hundreds of steps take gates",),
)
GATED = Advice(
    "recurrent_orthogonal",
    "none",
    "an orthogonal matrix for every gate by itself, and a forget gate that is open at first",
    (SAXE, "Jozefowicz et al. 2015"),
    ("chrono",),
    ("where the longest dependency is known, chrono spreads the gates over all spans up to it",),
)
SIREN = Advice(
    "siren",
    "none",
    "uniform numbers that keep the sine's pre-activations near normal at every depth",
    ("Sitzmann et al. 2020 (arXiv 2006.09661), theorem 1.8",),
)
COORDINATE: Mapping[Kind, Advice] = {
    kind: replace(
        advice,
        alternatives=("siren",),
        warnings=("it learns low frequencies first: feed it Fourier features, or take a sine and siren",),
    )
    for kind, advice in PLAIN.items()
}
ADVERSARIAL = Advice(
    "dcgan",
    "none",
    "what DCGAN was trained with; batch normalization makes up for the width, which keeps no variance by itself",
    ("Radford et al. 2016 (arXiv 1511.06434), section 4",),
    ("equalized_lr", "kaiming_normal(negative_slope=0.2)"),
)

ADVICE: Mapping[Architecture, Mapping[Kind, Advice]] = {
    "plain": PLAIN,
    "convolutional": CONVOLUTIONAL,
    "normalized": _with(
        NORMED,
        "the normalization takes the scale of the weights out again; what it leaves to them is how fast they turn, as "
        "the learning rate over their squared norm",
        (YANG,),
    ),
    "residual": _whatever(RESIDUAL),
    "residual_normalized": _with(
        NORMED,
        "each branch starts from a normalized signal and adds a variance of about 1: the stream grows with depth, not "
        "with its power, and the branch of block l has a share of 1 / (l + 1) in it",
        ("De & Smith 2020 (arXiv 2002.10444), section 3",),
        ("zero_gamma", "fixup"),
    ),
    "transformer_pre_norm": _whatever(PRE_NORM),
    "transformer_post_norm": _whatever(POST_NORM),
    "transformer_unnormalized": _whatever(UNNORMALIZED),
    "vision_transformer": _whatever(VISION),
    "recurrent": _whatever(RECURRENT),
    "gated_recurrent": _whatever(GATED),
    "coordinate": COORDINATE,
    "adversarial": _whatever(ADVERSARIAL),
}

HABITS: Mapping[str, Mapping[str, float]] = {
    "relu": {"xavier": 1.0, "torch's default": 1.0 / 3.0},
    "tanh": {"xavier": 1.0, "calculate_gain('tanh') of torch": 25.0 / 9.0},
    "sigmoid": {"xavier": 1.0, "he": 2.0},
    "softplus": {"xavier": 1.0, "he": 2.0},
    "selu": {"calculate_gain('selu') of torch": 9.0 / 16.0, "he": 2.0},
    "elu": {"xavier": 1.0, "he": 2.0},
    "gelu": {"xavier": 1.0, "he": 2.0},
    "silu": {"xavier": 1.0, "he": 2.0},
    "mish": {"xavier": 1.0, "he": 2.0},
    "hardswish": {"xavier": 1.0, "he": 2.0},
}
"""Gains that are in common use for an activation and are not its own, squared, in a square layer."""
