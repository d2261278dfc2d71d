"""The loop over seeds, the choice of the batch, and what a probe leaves behind."""

from __future__ import annotations

import torch
from torch import nn

import initprobe as ip
from initprobe.check.rejudge import decided
from initprobe.pipeline import BATCH, affordable_batch, seeds_up_to


def deep(depth=20, width=16):
    layers = [layer for _ in range(depth) for layer in (nn.Linear(width, width), nn.ReLU())]
    return nn.Sequential(*layers)


def test_the_batch_is_the_largest_power_of_two_that_fits():
    assert affordable_batch(1.0, None) == BATCH
    assert affordable_batch(1.0, 1e9) == BATCH
    assert affordable_batch(1e6, 2 * 64 * 1e6) == 64
    assert affordable_batch(1e6, 2 * 64 * 1e6 - 1) == 32
    assert affordable_batch(1e12, 1.0) == 2, "two samples at the very least: batch normalization needs them"


def test_seeds_go_on_after_the_largest():
    assert seeds_up_to((0, 1, 2), 2) == [0, 1]
    assert seeds_up_to((5, 3), 4) == [5, 3, 6, 7]


def test_undecided_verdicts_take_more_seeds_up_to_the_limit():
    few = ip.probe(lambda: deep(50, 8), inputs=(8,), scheme="he", seeds=3, max_seeds=3, batch=8)
    more = ip.probe(lambda: deep(50, 8), inputs=(8,), scheme="he", seeds=3, max_seeds=8, batch=8)
    assert len(few.entry.seeds) == 3
    assert few.entry.seeds == more.entry.seeds[:3]
    assert len(more.entry.seeds) == 8, "a net of width 8 and depth 50 is far too noisy for three seeds"


def test_an_instance_is_one_draw_and_says_so():
    result = ip.probe(deep(), inputs=(16,), batch=8)
    assert result.entry.one_draw
    assert len(result.entry.seeds) == 1
    assert "one draw" in result.render()


def test_a_scheme_makes_many_draws_of_an_instance_and_leaves_it_as_it_was():
    model = deep()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    result = ip.probe(model, inputs=(16,), scheme="he", seeds=3, max_seeds=3, batch=8)
    assert not result.entry.one_draw
    assert len(result.entry.seeds) == 3
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_global_generators_are_not_touched():
    torch.manual_seed(7)
    expected = torch.randn(4)
    torch.manual_seed(7)
    ip.probe(deep, inputs=(16,), scheme="orthogonal", seeds=2, max_seeds=2, batch=8)
    assert torch.equal(torch.randn(4), expected)


def test_a_probe_asks_the_factory_once_per_seed():
    calls = []

    def build():
        calls.append(1)
        return deep(4)

    ip.probe(build, inputs=(16,), seeds=3, max_seeds=3, batch=8)
    assert len(calls) == 3


class Moody:
    """A factory whose draws explode until it has been asked often enough."""

    def __init__(self, bad):
        self.bad = bad
        self.calls = 0

    def __call__(self):
        self.calls += 1
        model = deep()
        for module in model:
            if isinstance(module, nn.Linear):
                nn.init.kaiming_normal_(module.weight)
                nn.init.zeros_(module.bias)
                module.weight.data.mul_(3.0 if self.calls <= self.bad else 1.0)
        return model


ACTED_ON = {"complete": True}


def test_before_a_check_fails_fresh_seeds_have_to_say_the_same():
    always = ip.probe(always_bad := Moody(1000), inputs=(16,), batch=8, check=ACTED_ON)
    assert always.verdict == "fail"
    assert always.entry.seeds == (0, 1, 2, 3, 4)
    assert always_bad.calls == 11, "five draws, one of them twice, and five fresh ones"
    assert "confirmed on 5 fresh seeds (5 to 9)" in always.entry.notes
    once = ip.probe(Moody(6), inputs=(16,), batch=8, check=ACTED_ON)
    assert once.verdict == "inconclusive"
    assert {finding.rule.code for finding in once.findings} == {"IP006"}
    assert decided(once.entry).verdict == "inconclusive", "nor does a baseline, or a saved result, lift it"


def test_nothing_is_confirmed_where_nobody_acts_or_no_seed_is_left():
    once_more = {**ACTED_ON, "ignore": ("IP005",)}
    for options in ({}, {"check": once_more, "max_seeds": 6}, {"check": {**once_more, "fail_on": "never"}}):
        factory = Moody(1000)
        ip.probe(factory, inputs=(16,), batch=8, **options)
        assert factory.calls == 5


def test_confirmation_uses_the_seeds_that_are_left():
    factory = Moody(1000)
    result = ip.probe(factory, inputs=(16,), batch=8, max_seeds=7, check=ACTED_ON)
    assert factory.calls == 8
    assert "confirmed on 2 fresh seeds (5 to 6)" in result.entry.notes


def test_a_verdict_that_took_more_seeds_is_held_against_as_many():
    def build():
        layers = [nn.Linear(16, 16, bias=False) for _ in range(20)]
        for layer in layers:  # the drift of so narrow a network differs much from draw to draw
            nn.init.normal_(layer.weight, std=1.3 * (2.0 / 16) ** 0.5)
        return nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())))

    check = {**ACTED_ON, "select": ("IP102",), "fail_on": "warning"}
    result = ip.probe(build, inputs=(16,), batch=8, check=check)
    used = len(result.entry.seeds)
    assert used in {8, 16}
    assert f"confirmed on {used} fresh seeds ({used} to {2 * used - 1})" in result.entry.notes


def test_a_check_asks_it_once_more_and_repeats_the_forward_pass_alone():
    passes = []

    class Counted(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = deep(4)

        def forward(self, x):
            passes.append(x.shape[0])
            return self.layers(x)

    def build():
        builds.append(1)
        return Counted()

    builds: list[int] = []
    asked = {}
    for complete in (False, True):
        passes.clear()
        builds.clear()
        result = ip.probe(build, inputs=(16,), seeds=3, max_seeds=3, batch=8, check={"complete": complete})
        asked[complete] = (len(builds), passes.count(8))
        assert "IP005" not in [finding.rule.code for finding in result.findings]
    assert asked[True] == (asked[False][0] + 1, asked[False][1] + 1)


def test_an_instance_that_draws_from_a_clock_is_found_by_a_check_and_left_as_it_was():
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(16, 16)

        def forward(self, x):
            return self.layer(x) + torch.randn(x.shape, generator=generator)

    generator = torch.Generator()  # the model's own: no seed of a probe reaches it
    model = Noisy()
    before = model.layer.weight.clone()
    result = ip.probe(model, inputs=(16,), batch=8, scheme="he", seeds=2, check={"complete": True})
    assert [finding.rule.code for finding in result.findings if finding.rule.code == "IP005"] == ["IP005"]
    assert torch.equal(model.layer.weight, before)
