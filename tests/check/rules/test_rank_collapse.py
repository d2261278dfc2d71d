"""IP403 on records written by hand."""

from dataclasses import replace

import numpy as np
import pytest

from initprobe.records import Branch

DEPTH = 8


def judged(make, residual, *, anatomy=None, seeds=5, noise=0.01, **options):
    """A chain whose sites have these residuals, a trace of noise over seeds."""
    chain = anatomy or make.chain(DEPTH, kind="residual")
    rms, rng = np.ones(DEPTH), np.random.default_rng(3)
    evidences = []
    for seed in range(seeds):
        factor = np.exp(noise * rng.standard_normal(DEPTH))
        extra = {
            site.key: {"token_residual": float(residual[i] * factor[i])}
            for i, site in enumerate(chain.sites)
            if residual[i] is not None
        }
        evidences.append(make.evidence(chain, rms, seed=seed, extra=extra))
    return [one for one in make.judge(evidences, **options).findings if one.rule.code == "IP403"]


def test_tokens_that_become_one_are_told_from_where_on(make):
    (found,) = judged(make, [0.98, 0.9, 0.5, 0.3, 0.2, 0.05, 0.02, 0.01])
    assert found.severity == "warning"
    assert found.sites == ("block.5.linear", "block.6.linear", "block.7.linear")
    assert found.message.startswith("the tokens of a sequence become one: 0.0099 of their norm tells them apart at ")
    assert found.message.endswith(" at block.7.linear, 0.985 did at block.0.linear")
    assert found.measured == "residual without the mean token, 5 seeds; warning below 0.1 of the largest before"


@pytest.mark.parametrize(
    "residual",
    [
        [0.98, 0.9, 0.5, 0.4, 0.3, 0.25, 0.22, 0.2],
        [0.98, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.9],
        [0.05] * DEPTH,
        [0.001, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9],
        [0.0] * DEPTH,
        [None] * 7 + [0.001] * 1,
    ],
    ids=[
        "kept",
        "lost and found",
        "alike from the start",
        "told apart later",
        "one token throughout",
        "nothing before",
    ],
)
def test_what_is_no_collapse_is_not_told(make, residual):
    residual = [None if one is None else max(one, 0.0) for one in residual]
    assert judged(make, residual) == []


def test_equal_tokens_have_collapsed_too(make):
    (found,) = judged(make, [0.98, 0.9, 0.5, 0.3, 0.0, 0.0, 0.0, 0.0])
    assert found.sites[0] == "block.4.linear"


def test_seeds_that_differ_leave_it_open(make):
    assert judged(make, [0.98] + [0.09] * 7, noise=0.5) == []
    assert judged(make, [0.98] + [0.09] * 7, noise=0.001) != []


def test_the_limit_can_be_moved(make):
    residual = [0.98, 0.9, 0.5, 0.4, 0.3, 0.25, 0.22, 0.2]
    assert judged(make, residual, thresholds=(("rank_collapse.residual", 0.5),)) != []


def test_what_a_branch_puts_out_is_not_looked_at(make):
    chain = make.chain(DEPTH)
    inside = replace(
        chain,
        weights=tuple(replace(weight, branch=0 if i > 3 else None) for i, weight in enumerate(chain.weights)),
        branches=(Branch(0, "block", None, (), ()),),
    )
    residual = [0.98, 0.9, 0.9, 0.9, 0.01, 0.01, 0.01, 0.01]
    assert judged(make, residual, anatomy=chain) != []
    assert judged(make, residual, anatomy=inside) == []


def test_a_join_inside_a_branch_is_not_looked_at(make):
    chain = make.chain(DEPTH, kind="residual")
    inner = replace(chain, branches=(Branch(0, "a", None, (), ()), Branch(1, "b", "block.7.linear", (), (), within=0)))
    residual = [0.98] * 7 + [0.01]
    assert judged(make, residual, anatomy=chain) != []
    assert judged(make, residual, anatomy=inner) == []


def test_an_embedding_that_is_one_for_all_tokens_has_collapsed_nothing(make):
    chain = make.chain(DEPTH, kind="residual")
    types = replace(chain, sites=(*chain.sites[:-1], replace(chain.sites[-1], kind="embedding")))
    extra = {site.key: {"token_residual": 1e-16 if site.kind == "embedding" else 0.9} for site in types.sites}
    evidences = [make.evidence(types, np.ones(DEPTH), seed=seed, extra=extra) for seed in range(5)]
    assert not [one for one in make.judge(evidences).findings if one.rule.code == "IP403"]
