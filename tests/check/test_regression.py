"""Did the init change? Redraws pass; what a refactor does to an init is found and named."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

import initprobe as ip
from initprobe.check.regression import against, difference
from initprobe.errors import UsageError
from initprobe.records import Report

DEPTH, WIDTH = 6, 32


class Block(nn.Module):
    """A residual branch whose last weight GPT-2 scales by 1/sqrt(2L) (Radford et al. 2019, section 2.3)."""

    def __init__(self, scale: float, std: float, gamma: float, bias: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.up = nn.Linear(WIDTH, WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)
        nn.init.normal_(self.up.weight, std=std)
        nn.init.normal_(self.proj.weight, std=0.1 * scale)
        nn.init.constant_(self.norm.weight, gamma)
        nn.init.constant_(self.up.bias, bias)
        nn.init.zeros_(self.proj.bias)

    def forward(self, x):
        return x + self.proj(torch.relu(self.up(self.norm(x))))


def build(*, scaled=True, std=0.1, gamma=1.0, bias=0.0, moved=2, renamed=False, depth=DEPTH):
    """A stack of blocks; ``std``, ``gamma`` and ``bias`` are those of one of them."""

    def factory():
        scale = 1 / math.sqrt(2 * depth) if scaled else 1.0
        own = [(std, gamma, bias) if place == moved else (0.1, 1.0, 0.0) for place in range(depth)]
        stack = nn.Sequential(*(Block(scale, *each) for each in own))
        return Renamed(stack) if renamed else stack, torch.randn(64, WIDTH)

    return factory


class Renamed(nn.Module):
    def __init__(self, stack: nn.Module) -> None:
        super().__init__()
        self.backbone = stack

    def forward(self, x):
        return self.backbone(x)


def measured(factory, base=0, seeds=5, **options):
    return ip.probe(factory, seeds=range(base, base + seeds), max_seeds=seeds, **options).entry


@pytest.fixture(scope="module")
def golden():
    return measured(build())


def test_another_draw_is_no_change(golden):
    found = [difference(golden, measured(build(), base)) for base in (100, 200)]
    assert [one.verdict for one in found] == ["pass"] * 2
    assert found[0].compared > 100
    assert 1.02 < found[0].resolution < 1.2


def test_the_same_draws_are_no_change(golden):
    found = difference(golden, measured(build()))
    assert (found.verdict, found.shifts) == ("pass", ())


@pytest.mark.parametrize("base", [0, 100], ids=["same seeds", "other seeds"])
def test_a_residual_scaling_that_is_never_applied(golden, base):
    found = difference(golden, measured(build(scaled=False), base))
    first = found.shifts[0]
    assert found.verdict == "fail"
    assert (first.quantity, first.names) == ("std", tuple(f"{n}.proj.weight" for n in range(DEPTH)))
    assert first.new / first.old == pytest.approx(math.sqrt(2 * DEPTH), rel=0.1)
    assert 0.9 * math.sqrt(2 * DEPTH) < first.low <= first.high < 1.1 * math.sqrt(2 * DEPTH)
    assert first.location is not None
    assert first.location.text.strip().startswith("self.proj = nn.Linear")


@pytest.mark.parametrize("base", [0, 100], ids=["same seeds", "other seeds"])
def test_the_std_of_one_layer_is_a_fifth_larger(golden, base):
    found = difference(golden, measured(build(std=0.12), base))
    assert found.verdict == "fail"
    assert found.shifts[0].names == ("2.up.weight",)
    assert found.shifts[0].new / found.shifts[0].old == pytest.approx(1.2, rel=0.05)


def test_under_the_same_draws_one_percent_is_found(golden):
    found = difference(golden, measured(build(std=0.101)))
    assert [(shift.quantity, shift.names) for shift in found.shifts] == [("std", ("2.up.weight",))]


def test_a_gamma_that_is_no_longer_one(golden):
    found = difference(golden, measured(build(gamma=0.99), 100))
    assert [(shift.quantity, shift.names, shift.old) for shift in found.shifts] == [("mean", ("2.norm.weight",), 1.0)]
    assert found.shifts[0].new == pytest.approx(0.99)


def test_a_bias_that_is_no_longer_zero(golden):
    found = difference(golden, measured(build(bias=0.01), 100))
    (first, *_) = found.shifts
    assert (first.quantity, first.names, first.old) == ("mean", ("2.up.bias",), 0.0)
    assert math.isnan(first.low), "from zero there is no factor"


def test_a_constant_that_became_a_draw(golden):
    def factory():
        model, x = build()()
        nn.init.normal_(model[3].norm.weight, mean=1.0, std=0.1)
        return model, x

    (first, *_) = difference(golden, measured(factory, 100)).shifts
    assert (first.quantity, first.names, first.old) == ("std", ("3.norm.weight",), 0.0)


def test_a_signal_that_changed_with_the_weights_as_they_were(golden):
    def factory():
        model, x = build()()
        return model, 2 * x

    found = difference(golden, measured(factory, 100))
    assert {shift.quantity for shift in found.shifts} == {"forward RMS"}, "behind a norm, the scale is gone"
    assert found.shifts[0].new / found.shifts[0].old == pytest.approx(2, rel=0.1)


def test_names_that_changed_and_nothing_else_are_told_as_renamed(golden):
    found = difference(golden, measured(build(renamed=True), 100))
    assert found.verdict == "pass"
    assert ("0.up.weight", "backbone.0.up.weight") in found.renamed
    assert (found.missing, found.added) == ((), ())
    moved = difference(golden, measured(build(renamed=True, bias=0.01), 100))
    assert moved.shifts[0].names == ("backbone.2.up.bias",)


def test_layers_that_came_or_went_are_a_change(golden):
    deeper = measured(build(depth=DEPTH + 1))
    found = difference(golden, deeper)
    assert found.verdict == "fail"
    assert "6.up.weight" in found.added
    assert not found.missing
    assert "6.up.weight" in difference(deeper, golden).missing


def test_a_layer_of_another_width_is_told_and_not_compared(golden):
    weight = golden.weights[0].weight
    other = replace(
        golden, weights=(replace(golden.weights[0], weight=replace(weight, shape=(7,))), *golden.weights[1:])
    )
    found = difference(golden, other)
    assert (found.verdict, found.reshaped, found.shifts) == ("fail", (weight.name,), ())


def test_what_was_measured_otherwise_is_told(golden):
    found = difference(golden, replace(golden, batch=7, loss="own"))
    assert found.notes == (
        "measured otherwise: batch 64 before, 7 now",
        "gradients are not compared: the loss was gaussian, and is own",
    )
    assert found.verdict == "pass"


def test_single_seeds_of_other_draws_have_no_spread(golden):
    one, other = measured(build(), 0, seeds=1), measured(build(), 7, seeds=1)
    with pytest.raises(UsageError, match="no spread"):
        difference(one, other)
    assert difference(one, one).verdict == "pass"


def test_networks_are_told_apart_by_name_and_scheme(golden):
    he, normal = replace(golden, name="a", scheme="he"), replace(golden, name="a", scheme="normal")
    other = replace(golden, name="b", scheme="he")
    old, new = Report("run", (he, normal, other)), Report("run", (replace(normal), replace(he)))
    compared = against(old, new, complete=False)
    assert [entry.difference.against for entry in compared.entries] == ["a · normal", "a · he"]
    gone = against(old, new, complete=True).entries[-1]
    assert (gone.name, gone.difference.verdict) == ("b", "fail")
    unknown = against(old, Report("run", (replace(golden, name="c"),)), complete=False)
    assert unknown.entries[0].difference.verdict == "fail"
    alone = against(Report("run", (he,)), Report("run", (other,)), complete=True)
    assert [entry.difference.verdict for entry in alone.entries] == ["pass"], "one on each side is the same network"


def test_an_empty_result_is_nothing_to_compare_with(golden):
    with pytest.raises(UsageError, match="nothing that was measured"):
        against(Report("run", ()), Report("run", (golden,)), complete=False)


def test_more_seeds_of_the_same_draws_are_compared_draw_by_draw(golden):
    more = measured(build(std=0.101), seeds=8)
    found = difference(golden, more)
    assert [(shift.quantity, shift.names) for shift in found.shifts] == [("std", ("2.up.weight",))]
    assert difference(golden, measured(build(), seeds=8)).verdict == "pass"


def test_other_draws_under_the_same_seeds_are_no_change(golden):
    def factory():
        torch.rand(1)  # a refactor that draws something first
        return build()()

    found = difference(golden, measured(factory))
    assert (found.verdict, found.shifts) == ("pass", ())


def with_rms(entry, values):
    """The first site's RMS, seed by seed."""
    first, *rest = entry.sites
    rms = replace(first.forward["rms"], per_seed=values)
    return replace(entry, sites=(replace(first, forward={**first.forward, "rms": rms}), *rest))


def test_a_signal_that_is_lost_or_zero_is_another_one(golden):
    zero, lost = with_rms(golden, (0.0,) * 5), with_rms(golden, (math.inf,) * 5)
    for other in (zero, lost):
        (shift,) = difference(golden, other).shifts
        assert (shift.quantity, shift.names) == ("forward RMS", (golden.sites[0].site.key,))
        assert math.isnan(shift.low)
        assert difference(other, other).verdict == "pass"
    assert difference(zero, lost).verdict == "fail"


def test_a_scheme_that_says_another_std_is_a_change_however_small(golden):
    gamma, beta, first, *rest = golden.weights
    now = replace(golden, weights=(gamma, beta, replace(first, declared_std=0.1003), *rest))
    before = replace(golden, weights=(gamma, beta, replace(first, declared_std=0.1), *rest))
    (shift,) = difference(before, now).shifts
    assert (shift.quantity, shift.names) == ("std", (first.weight.name,))
    assert difference(before, before).verdict == "pass"
