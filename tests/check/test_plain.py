"""Runs of layers whose scale decides."""

from __future__ import annotations

from dataclasses import replace

from initprobe.check.case import Case, Facts
from initprobe.check.plain import plain_runs
from initprobe.check.rules.base import RULES
from initprobe.check.signals import Signals
from initprobe.records import ActivationUse


def runs(make, gain, *, head=False, kind="pre-activation", role="linear"):
    chain = make.chain(8, head=head, kind=kind)
    relu = ActivationUse("relu")
    weights = tuple(
        replace(one, role=role, head=one.module == "head", input_activation=None if i == 0 else relu)
        for i, one in enumerate(chain.weights)
    )
    chain = replace(chain, weights=weights)
    evidences = make.evidences(chain, make.geometric(gain, 8))
    segments = make.judge(evidences).segments
    facts = Facts(tuple(evidences), chain, Signals.of(evidences), segments)
    return list(plain_runs(Case(facts, RULES["IP506"].card)))


def test_a_run_is_troubled_where_its_signal_drifts(make):
    (steady,), (shrinking,) = runs(make, 1.0), runs(make, 0.4)
    assert not steady.troubled
    assert shrinking.troubled
    assert [weight.name for _, weight in steady.layers] == [f"block.{i}.linear.weight" for i in range(8)]
    assert steady.activation == ActivationUse("relu")


def test_the_head_and_what_is_no_product_are_left_out(make):
    (run,) = runs(make, 1.0, head=True)
    assert [site.key for site, _ in run.layers] == [f"block.{i}.linear" for i in range(7)]
    assert runs(make, 1.0, role="recurrent") == []
    assert runs(make, 1.0, kind="residual") == []
