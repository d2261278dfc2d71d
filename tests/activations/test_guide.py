"""Which scheme for which activation in which architecture."""

import math
import subprocess
import sys

import pytest

from initprobe.activations import moments
from initprobe.activations.advice import ADVICE, ARCHITECTURES
from initprobe.activations.base import ACTIVATIONS
from initprobe.activations.behaviour import behaviour, fate
from initprobe.activations.guide import recommend, recommended_for, table, tenfold
from initprobe.errors import UsageError
from initprobe.init.choose import parse_scheme
from initprobe.init.schemes.base import SCHEMES
from initprobe.records import ActivationUse

PLANNED = {
    "fixup", "gpt2", "t_fixup", "deepnorm", "bert", "vit_timm", "siren", "delta_orthogonal", "recurrent_orthogonal",
    "chrono", "scaled_ws", "lsuv", "equalized_lr",
}  # fmt: skip
"""Schemes that the guide may name before they are there."""


@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
def test_every_activation_has_an_answer_everywhere(architecture):
    answers = table(architecture)
    assert set(answers) == {"none", *ACTIVATIONS}
    for answer in answers.values():
        assert answer.architecture == architecture
        assert answer.reason
        assert answer.sources
        assert not any("{" in text for text in (answer.scheme, answer.reason, *answer.warnings, *answer.alternatives))


@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
def test_every_scheme_it_names_is_there(architecture):
    for answer in table(architecture).values():
        for text in (answer.scheme, *answer.alternatives):
            name = text.partition("(")[0]
            if name in PLANNED and name not in SCHEMES:
                continue
            assert parse_scheme(text).name == name


def test_the_whole_table_is_filled():
    kinds = {kind for column in ADVICE.values() for kind in column}
    assert set(ADVICE) == set(ARCHITECTURES)
    assert all(set(column) == kinds for column in ADVICE.values())


@pytest.mark.parametrize(
    ("activation", "scheme", "gain_squared"),
    [
        ("relu", "kaiming_normal", 2.0),
        ("leaky_relu", "kaiming_normal(negative_slope=0.01)", 1.99980002),
        ("elu", "variance_scaling", 1.55051880807),
        ("gelu", "variance_scaling", 2.35171561407),
        ("silu", "variance_scaling", 2.81076112407),
        ("mish", "variance_scaling", 2.21071572994),
        ("selu", "lecun_normal", 1.0),
        ("tanh", "orthogonal(gain=1)", 1.0),
        ("sigmoid", "variance_scaling", 3.40855984162),
        ("softmax", "lecun_normal", 1.0),
        ("glu", "lecun_normal(gain=1.84623)", 3.40855984162),
        (None, "orthogonal(gain=1)", 1.0),
    ],
)
def test_gains_are_the_activations_own(activation, scheme, gain_squared):
    answer = recommend(activation)
    assert answer.scheme == scheme
    assert answer.gain**2 == pytest.approx(gain_squared, rel=1e-8)


def test_options_of_the_activation_count():
    answer = recommend(ActivationUse("leaky_relu", (("negative_slope", 0.2),)))
    assert answer.scheme == "kaiming_normal(negative_slope=0.2)"
    assert answer.gain**2 == pytest.approx(1.92307692308)


@pytest.mark.parametrize(
    ("activation", "drift"), [("gelu", 1.14406319687), ("silu", 1.1725940541), ("mish", 1.0763388)]
)
def test_no_stable_fixed_point_is_told_where_nothing_normalizes(activation, drift):
    assert behaviour(ActivationUse(activation)).drift == pytest.approx(drift, rel=1e-7)
    assert "no stable fixed point" in recommend(activation).warnings[0]
    assert "lsuv" in recommend(activation).alternatives
    assert not any("fixed point" in text for text in recommend(activation, "normalized").warnings)


@pytest.mark.parametrize("activation", ["relu", "elu", "selu", "tanh", "sigmoid"])
def test_stable_ones_are_not_warned_of(activation):
    assert behaviour(ActivationUse(activation)).drift <= 1.0 + 1e-9
    assert not any("no stable fixed point" in text for text in recommend(activation).warnings)


def test_batch_normalization_is_no_cure_for_depth():
    warning = recommend("relu", "normalized").warnings[0]
    assert "1.4669" in warning  # π / (π - 1)
    assert behaviour(ActivationUse("relu")).batch_rate == pytest.approx(math.pi / (math.pi - 1), rel=1e-10)
    assert recommend("sigmoid", "normalized").warnings == ()


def test_habits_that_do_not_hold_are_told():
    # theory: tanh at 25/9 has q* 1.17848049 and chi_1 1.209831; sigmoid at 1 has .264686875 and .055721.
    held = fate(ActivationUse("tanh"), 25 / 9)
    assert (held.ends, held.q, held.chi) == ("settles", pytest.approx(1.17848049), pytest.approx(1.209831, rel=1e-6))
    held = fate(ActivationUse("sigmoid"), 1.0)
    assert (held.q, held.chi) == (pytest.approx(0.264686875), pytest.approx(0.055721, rel=1e-5))
    assert any("0.5 per layer" in text and text.startswith("he ") for text in recommend("gelu").warnings)
    assert any("0.05572" in text for text in recommend("sigmoid").warnings)
    assert any("calculate_gain('selu')" in text for text in recommend("selu").warnings)


@pytest.mark.parametrize(
    ("activation", "gain_squared", "ends", "rate"),
    [
        ("relu", 2.0, "settles", 1.0),
        ("relu", 1.0, "shrinks", 0.5),
        ("gelu", 2.0, "shrinks", 0.5),
        ("mish", 2.0, "shrinks", 0.72),
        ("tanh", 1.0, "creeps", 0.99),
        ("relu", 3.0, "grows", 1.5),
    ],
)
def test_a_signal_is_followed(activation, gain_squared, ends, rate):
    found = fate(ActivationUse(activation), gain_squared)
    assert found.ends == ends
    assert found.rate == pytest.approx(rate, abs=1e-3)


def test_the_slope_of_the_map_is_its_derivative():
    for name, leaf in ACTIVATIONS.items():
        if leaf.value is None or name == "hardshrink":  # jumps make differences of integrals coarse
            continue
        use, step = ActivationUse(name), 1e-4
        ahead, behind = moments.second_moment(use, 1.7 + step), moments.second_moment(use, 1.7 - step)
        assert moments.second_moment_slope(use, 1.7) == pytest.approx((ahead - behind) / (2 * step), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("centre", "variance"), [(0.0, 1.0), (0.7, 2.0), (-3.0, 0.25), (2.0, 0.0)])
def test_moments_around_another_mean(centre, variance):
    # relu of N(m, s²): m Φ(m/s) + s φ(m/s), and (m² + s²) Φ(m/s) + m s φ(m/s)
    s = math.sqrt(variance)
    ratio = centre / s if s else math.inf
    below, density = 0.5 * math.erfc(-ratio / math.sqrt(2)), math.exp(-ratio * ratio / 2) / math.sqrt(2 * math.pi)
    mean, second = moments.moments_around(ActivationUse("relu"), centre, variance)
    assert mean == pytest.approx(centre * below + s * density, rel=1e-12)
    assert second == pytest.approx((centre**2 + variance) * below + centre * s * density, rel=1e-12)


def test_what_a_scheme_is_recommended_for():
    found = recommended_for("kaiming_normal")
    assert "relu" in found["plain"]
    assert "gelu" not in found["plain"]
    assert "residual" not in found
    assert recommended_for("zeros") == {}


def test_tenfold_is_a_number_of_layers():
    assert 1.2 ** (tenfold(1.2) / 2) == pytest.approx(10)
    assert tenfold(1.0) == math.inf
    assert tenfold(0.0) == 0.0


def test_mistakes_are_told():
    with pytest.raises(UsageError, match="unknown architecture 'plan'"):
        recommend("relu", "plan")
    with pytest.raises(UsageError, match="unknown activation"):
        recommend("rellu")
    with pytest.raises(UsageError, match="no gain"):
        recommend(ActivationUse("hardtanh", (("min_val", 0.0), ("max_val", 0.0))))


def test_it_is_read_without_torch():
    code = "import sys; from initprobe.activations.guide import recommend; recommend('gelu'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
