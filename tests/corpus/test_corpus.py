"""Every defective model is found, by the right rule at the right layer; no healthy one is accused."""

from __future__ import annotations

import pytest

from initprobe.check.rules.base import RULES
from tests.corpus.judging import judge
from tests.corpus.page import PAGE
from tests.corpus.reading import Model, corpus

pytestmark = pytest.mark.untraced

BASES = 20

NOT_OF_A_MODEL = {
    "IP006": "what stays open after all seeds is no defect",
    "IP007": "it is about what a person ignores, not about a model",
    "IPR01": "a change takes two models",
    "IPR02": "a change takes two models",
    "IPR03": "a change takes two models",
}


def as_parameter(model: Model):
    marks = [] if model.unsolved is None else [pytest.mark.xfail(reason=model.unsolved)]
    return pytest.param(model, id=f"{model.kind}-{model.name}", marks=marks)


MODELS = [as_parameter(model) for model in corpus()]


def judged(model, bases):
    if model.missing is not None:
        pytest.skip(model.missing)
    wrong = {base: faults for base in bases if (faults := judge(model, base).wrong(model))}
    assert not wrong, f"{len(wrong)} of {len(bases)} base seeds"


@pytest.mark.parametrize("model", MODELS)
def test_a_model_is_judged_rightly(model):
    judged(model, [0])


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_a_model_is_judged_rightly_from_every_base_seed(model):
    judged(model, range(BASES))


def test_there_are_enough_of_both():
    kinds = [model.kind for model in corpus()]
    assert kinds.count("defective") >= 40
    assert kinds.count("healthy") >= 40


@pytest.mark.parametrize("code", sorted({leaf.card.code for leaf in RULES.values()} - set(NOT_OF_A_MODEL)))
def test_every_rule_has_a_model_that_it_must_find(code):
    assert [model.name for model in corpus() if any(code in wanted.codes for wanted in model.wanted)]


def test_the_page_tells_of_every_model():
    page = PAGE.read_text(encoding="utf-8")
    assert [model.name for model in corpus() if f"| {model.name} |" not in page] == []
