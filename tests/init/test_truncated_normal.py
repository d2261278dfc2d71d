"""The truncated normal: its two conventions, and torch's."""

import math

import pytest
import torch

from initprobe.errors import UsageError
from initprobe.init.choose import build_scheme, parse_scheme
from initprobe.records import Weight
from initprobe.variates import Variates

WEIGHT = Weight("w", "", "Linear", "linear", (200, 100), 100.0, 200.0, 0)


def draw(text: str) -> torch.Tensor:
    return build_scheme(parse_scheme(text)).draw(WEIGHT, Variates(0, "w"))


def declared(text: str) -> float:
    return build_scheme(parse_scheme(text)).declared_std(WEIGHT)


def test_corrected_keeps_the_width_and_uncorrected_the_bounds():
    assert declared("truncated_normal") == 0.02
    assert float(draw("truncated_normal").std()) == pytest.approx(0.02, rel=0.02)
    assert draw("truncated_normal").abs().max() <= 2 * 0.02 / 0.87962566103423978
    assert declared("truncated_normal(corrected=False)") == pytest.approx(0.02 * 0.87962566103423978, rel=1e-14)
    assert draw("truncated_normal(corrected=False)").abs().max() <= 0.04


@pytest.mark.parametrize(("low", "high"), [(-2.0, 2.0), (-1.0, 0.5), (-100.0, 100.0), (1.0, 3.0)])
def test_uncorrected_is_torchs_with_absolute_bounds(low, high, ks_distance):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = torch.nn.init.trunc_normal_(torch.empty(200, 100), std=0.5, a=0.5 * low, b=0.5 * high)
    ours = draw(f"truncated_normal(std=0.5, a={low}, b={high}, corrected=False)")
    assert ks_distance(ours, theirs) < 1.95 / math.sqrt(10_000)
    assert float(ours.std()) == pytest.approx(declared(f"truncated_normal(0.5, {low}, {high}, False)"), rel=0.03)


def test_ends_in_the_wrong_order():
    with pytest.raises(UsageError, match="a is 1 and must be below b"):
        parse_scheme("truncated_normal(a=1, b=0.5)")
    with pytest.raises(UsageError, match="'a' of scheme 'truncated_normal' is 40; it takes number <= 30"):
        parse_scheme("truncated_normal(a=40, b=50)")
