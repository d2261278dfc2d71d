"""What ``check`` says of models that people use: no error but those that ``docs/zoo.md`` gives the reason of."""

from __future__ import annotations

import pytest

from tests.zoo import test_transformers, test_vision
from tests.zoo.judged import judged

pytestmark = pytest.mark.untraced

NATIVE = {
    "attention": set(),
    "convolutions": set(),
    "decoder": {"IP502"},
    "embedding": set(),
    "encoder": {"IP502"},
    "encoder_norm_first": {"IP502"},
    "gru": set(),
    "lstm": set(),
    "perceptron": {"IP201"},
    "rnn": set(),
    "transformer": set(),
}
"""torch's own layers, and the warnings that are true of them: copies of one layer, and torch's default under gelu."""

ERRORS = {"hf:llava": {"IP004"}}
"""The last layer of its image encoder feeds nothing."""


def codes(name: str, severity: str) -> set[str]:
    """What is found at a severity."""
    return {one.rule.code for one in judged(name).findings if one.severity == severity}


@pytest.mark.parametrize("name", NATIVE)
def test_a_layer_of_torch(name):
    entry = judged(f"tests.zoo.native:{name}")
    assert entry.verdict == "pass"
    assert {one.rule.code for one in entry.findings if one.severity != "info"} == NATIVE[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*test_vision.SAMPLE, *(f"hf:{name}" for name in test_transformers.SAMPLE)])
def test_a_sample_of_models(name):
    assert codes(name, "error") == ERRORS.get(name, set())
