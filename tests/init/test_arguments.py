"""What Python hands to an initialization beside model and scheme."""

import numpy as np
import pytest
import torch
from torch import nn

import initprobe as ip
from initprobe.errors import TargetError, UsageError


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4))


def batch(value: float) -> torch.Tensor:
    return torch.full((8, 6), value)


@pytest.mark.parametrize(
    ("scheme", "given", "message"),
    [
        (None, {}, "a scheme is text such as .* not NoneType"),
        (nn.init.kaiming_normal_, {}, "a scheme is text such as .* not function"),
        ("he", {"only": 3}, "only takes shell patterns, not int"),
        ("he", {"only": ["0", None]}, "only takes shell patterns, not NoneType"),
        ("he", {"only": ""}, "an empty pattern matches no parameter"),
        ("he", {"seed": -1}, r"a seed is a whole number from 0 to 2\^63 - 1, not -1"),
        ("he", {"seed": 1.5}, "a seed is a whole number .* not 1.5"),
        ("he", {"seed": 2**63}, "a seed is a whole number"),
        ("he", {"seed": None}, "a seed is a whole number .* not None"),
        ("gradinit", {"loss": "ce"}, "loss is a function of the model's output, not str"),
        ("net2net", {"source": "narrow.pt"}, "source is a model, or a mapping from names to tensors, not str"),
        ("net2net", {"source": {"0.weight": 1}}, "source is .* not a mapping of something else"),
        *(
            (scheme, {"inputs": batch(float("nan"))}, "input 0 of the batch holds nan")
            for scheme in (
                "lsuv",
                "krahenbuhl",
                "weight_norm_ddi",
                "autoinit",
                "gradinit(steps=2)",
                "metainit(steps=2)",
            )
        ),
    ],
)
def test_mistakes_are_told_before_anything_is_written(scheme, given, message):
    model = mlp()
    before = [value.clone() for value in model.parameters()]
    with pytest.raises(UsageError, match=message):
        ip.initialize(model, scheme, **{"inputs": (6,), **given})
    assert all(torch.equal(*pair) for pair in zip(model.parameters(), before, strict=True))


@pytest.mark.parametrize("loss", [nn.functional.cross_entropy, nn.CrossEntropyLoss(), lambda output, labels: output])
def test_a_loss_that_takes_more_than_the_output_is_told_with_what_to_write(loss):
    with pytest.raises(TargetError, match="cannot be called with the model's output alone") as told:
        ip.initialize(mlp(), "gradinit(steps=2)", inputs=(6,), loss=loss)
    assert "loss=lambda output" in str(told.value.hint)
    assert not told.value.trace


def test_a_loss_that_fails_is_told_with_its_own_lines():
    def loss(output):
        return nn.functional.cross_entropy(output, torch.zeros(3, dtype=torch.long))

    with pytest.raises(TargetError, match="the loss function failed: ValueError") as told:
        ip.initialize(mlp(), "gradinit(steps=2)", inputs=(6,), loss=loss)
    assert "cross_entropy(output" in told.value.trace


def test_patterns_seeds_and_sources_in_many_forms():
    assert len(ip.initialize(mlp(), "he", inputs=(6,), only=(one for one in ["0"])).drawn) == 2
    drawn = [mlp(), mlp()]
    for model, seed in zip(drawn, (3, np.int64(3)), strict=True):
        ip.initialize(model, "he", inputs=(6,), seed=seed)
    assert torch.equal(drawn[0][0].weight, drawn[1][0].weight)
    for source in (drawn[0], drawn[0].state_dict()):
        grown = mlp()
        ip.initialize(grown, "net2net", inputs=(6,), source=source)
        assert torch.equal(grown[0].weight, drawn[0][0].weight)


def test_what_was_given_and_is_not_looked_at_is_told():
    def loss(output):
        return output.mean()

    notes = ip.initialize(mlp(), "he", inputs=(6,), loss=loss, source=mlp()).notes
    assert notes == (
        "loss was given, and kaiming_normal does not look at it",
        "source was given, and kaiming_normal does not look at it",
    )
    assert not any("was given, and" in one for one in ip.initialize(mlp(), "mup", inputs=(6,), source=mlp()).notes)
    gradinit = ip.initialize(mlp(), "gradinit(steps=2)", inputs=(6,), loss=loss)
    assert not any("was given, and" in one for one in gradinit.notes)


def test_infinite_numbers_are_told_weight_by_weight_where_moments_are_derived():
    outcome = ip.initialize(mlp(), "autoinit", inputs=batch(float("inf")))
    assert {one.note for one in outcome.drawn if one.note} == {"not scaled: its input has second moment nan"}


def test_a_network_without_parameters_is_told():
    assert ip.initialize(nn.Sequential(nn.ReLU()), "fixup", inputs=(6,)).notes == (
        "the model has no parameters: there is nothing to draw",
    )
