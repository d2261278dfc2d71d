"""Every constant of the table, to eight digits; erf and the identity come as functions of a user."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from initprobe.activations.callables import adopt
from initprobe.errors import UsageError
from initprobe.predict.gaussian import gains_of, moments_of, rates_of
from initprobe.records import ActivationUse

# 15 digits of a 40-digit integration, by activation and name of the integral.
TABLE = json.loads((Path(__file__).parent / "data" / "constants.json").read_text(encoding="utf-8"))["act"]
USES = {
    "leaky_relu(0.01)": ActivationUse("leaky_relu"),
    "leaky_relu(0.2)": ActivationUse("leaky_relu", (("negative_slope", 0.2),)),
    "gelu(erf)": ActivationUse("gelu"),
    "gelu(tanh)": ActivationUse("gelu", (("approximate", "tanh"),)),
    "sin": ActivationUse("sine"),
}
GIVEN = {"linear": lambda z: 1.0 * z, "erf": np.vectorize(math.erf, otypes=[float])}


@pytest.mark.parametrize("name", TABLE)
def test_the_table(name):
    use = adopt(name, GIVEN[name]) if name in GIVEN else USES.get(name, ActivationUse(name))
    found = moments_of(use)
    gains, rates = gains_of(use, found), rates_of(use)
    ours = {
        "Ef": found.mean,
        "Ef2": found.second,
        "Edf2": found.derivative_second,
        "Var": found.variance,
        "sw2_f": gains.forward**2,
        "sw2_b": gains.backward**2,
        "chi1": rates.rms_norm,
        "Vslope": found.slope,
        "c0": found.least_cosine,
        "bn": rates.batch_norm,
        "gnf": gains.normalized,
        "mu4": found.derivative_fourth,
        "lam_norm": found.norm_mode,
        "Ezdf": found.response,
    }
    expected = {key: float(value) for key, value in TABLE[name].items()}
    assert set(ours) == set(expected)
    assert ours == pytest.approx(expected, rel=1e-8, abs=1e-8)


def test_gains_of_torch():
    leaky = ActivationUse("leaky_relu", (("negative_slope", 0.2),))
    assert gains_of(leaky, moments_of(leaky)).torch == pytest.approx(math.sqrt(2 / 1.04))
    assert gains_of(ActivationUse("gelu"), moments_of(ActivationUse("gelu"))).torch is None


def test_layer_norm_behind_an_activation_is_like_batch_norm():
    rates = rates_of(ActivationUse("relu"))
    assert rates.batch_norm == rates.layer_norm_after == pytest.approx(math.pi / (math.pi - 1), rel=1e-12)
    assert rates.rms_norm == rates.layer_norm_before == pytest.approx(1.0, rel=1e-12)


def test_what_passes_nothing_has_no_theory():
    blind = ActivationUse("threshold", (("threshold", 100.0),))
    with pytest.raises(UsageError, match="has no gain"):
        moments_of(blind)
