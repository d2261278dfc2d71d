"""What is recognized in the autograd graph of a loss, and what is not."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from initprobe.load.objectives.cross_entropy import CrossEntropy
from tests.measure.reference import BATCH, probe

CLASSES, WIDTH = 5, 8
LABELS = torch.arange(BATCH) % CLASSES


class Net(nn.Module):
    """Logits of every position; what comes behind them is given."""

    def __init__(self, behind=lambda x: x, out=CLASSES):
        super().__init__()
        torch.manual_seed(0)
        self.trunk, self.head, self.behind = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, out), behind

    def forward(self, x):
        return self.behind(self.head(torch.tanh(self.trunk(x))))


def output(loss=None, behind=lambda x: x, shape=(BATCH, WIDTH), out=CLASSES, **options):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    model = Net(behind, out)
    return model, x, probe(model, _Fixed(x), own_loss=loss, **options).output


class _Fixed:
    """Inputs that are always the same."""

    def __init__(self, x):
        self.x, self.fixed = x, len(x)

    def make(self, batch, seed, dtype):
        from initprobe.subject import Call

        return Call((self.x.to(dtype),))


def smooth(z):
    return F.cross_entropy(z, LABELS, label_smoothing=0.1)


@pytest.mark.parametrize(
    "loss",
    [
        lambda z: F.cross_entropy(z, LABELS),
        lambda z: F.nll_loss(z.log_softmax(-1), LABELS),
        lambda z: F.nll_loss(z.log_softmax(1), LABELS),
        lambda z: CrossEntropy().loss(z, seed=0),
    ],
    ids=["cross entropy", "its two halves", "the axis by its number", "the objective"],
)
def test_a_plain_cross_entropy_has_a_chance_level(loss):
    model, x, found = output(loss)
    logits = model(x)
    assert found.loss == pytest.approx(loss(logits).item(), rel=1e-6)
    assert found.chance == math.log(CLASSES)
    assert (found.site, found.classes) == ("head", CLASSES)
    assert found.logits["class_spread"] == pytest.approx(logits.double().std(-1, correction=0).mean().item(), rel=1e-5)


@pytest.mark.parametrize(
    "loss",
    [
        lambda z: F.cross_entropy(z, LABELS, reduction="sum"),
        lambda z: F.cross_entropy(z, LABELS, weight=torch.arange(1.0, CLASSES + 1)),
        lambda z: F.cross_entropy(z, LABELS) / 3 + 0.1 * z.square().mean(),
        lambda z: -z.log_softmax(-1).gather(1, LABELS[:, None]).mean(),
        smooth,
    ],
    ids=["summed", "weighted", "with another term", "by hand", "smoothed"],
)
def test_of_other_kinds_the_logits_are_known_and_no_chance_level(loss):
    _, _, found = output(loss)
    assert (found.chance, found.site, found.classes) == (None, "head", CLASSES)
    assert found.loss is not None
    assert 0.0 < found.logits["class_entropy"] < 1.0


def test_every_position_of_a_sequence_is_classified_where_the_axis_says_so():
    labels = (torch.arange(BATCH * 3) % CLASSES).reshape(BATCH, 3)
    model, x, found = output(lambda z: F.cross_entropy(z.transpose(1, 2), labels), shape=(BATCH, 3, WIDTH))
    assert (found.site, found.classes, found.chance) == ("head", CLASSES, math.log(CLASSES))
    logits = model(x)
    assert found.logits["class_spread"] == pytest.approx(logits.double().std(-1, correction=0).mean().item(), rel=1e-5)


def test_a_shifted_language_model_is_one_too():
    labels = (torch.arange(BATCH * 2) % CLASSES).reshape(-1)
    _, _, found = output(lambda z: F.cross_entropy(z[:, :-1].reshape(-1, CLASSES), labels), shape=(BATCH, 3, WIDTH))
    assert (found.site, found.classes, found.chance) == ("head", CLASSES, math.log(CLASSES))


@pytest.mark.parametrize("behind", [lambda z: z.log_softmax(-1), lambda z: z.softmax(-1)], ids=["log", "plain"])
def test_a_model_that_ends_in_a_softmax_says_so_under_a_random_cotangent(behind):
    model, x, found = output(behind=behind)
    assert (found.loss, found.chance, found.classes) == (None, None, CLASSES)
    assert found.site is not None
    logits = model.head(torch.tanh(model.trunk(x))).double()
    assert found.logits["class_spread"] == pytest.approx(logits.std(-1, correction=0).mean().item(), rel=1e-4)


def test_a_yes_or_no_has_the_chance_level_of_two():
    answers = (torch.arange(BATCH) % 2).float()[:, None]
    model, x, found = output(lambda z: F.binary_cross_entropy_with_logits(z, answers), out=1)
    assert found.loss == pytest.approx(F.binary_cross_entropy_with_logits(model(x), answers).item(), rel=1e-6)
    assert (found.chance, found.site, found.classes) == (math.log(2), "head", None)
    _, _, found = output(lambda z: F.binary_cross_entropy(z, answers), behind=torch.sigmoid, out=1)
    assert found.chance == math.log(2)


@pytest.mark.parametrize(
    "loss",
    [
        lambda z: F.mse_loss(z, torch.ones(BATCH, CLASSES)),
        lambda z: F.cross_entropy(F.normalize(z) @ F.normalize(z).T / 0.1, torch.arange(BATCH)),
    ],
    ids=["regression", "contrastive"],
)
def test_a_loss_that_classifies_something_else_than_the_output_has_its_value_alone(loss):
    model, x, found = output(loss)
    assert found.loss == pytest.approx(loss(model(x)).item(), rel=1e-5)
    assert (found.chance, found.site, found.classes, found.logits) == (None, None, None, {})


def test_a_random_cotangent_on_plain_numbers_says_nothing():
    _, _, found = output()
    assert (found.loss, found.chance, found.site, found.classes, found.logits) == (None, None, None, None, {})


def test_attention_inside_is_no_output():
    _, _, found = output(behind=lambda z: z.softmax(-1) @ torch.ones(CLASSES, 3))
    assert found.classes is None


def test_without_a_backward_pass_there_is_no_graph_to_read():
    assert output(lambda z: F.cross_entropy(z, LABELS), backward=False)[2] is None


def test_half_precision_is_recognized_through_its_conversion():
    model = Net().bfloat16()
    x = torch.randn(BATCH, WIDTH).bfloat16()
    found = probe(model, _Fixed(x), own_loss=lambda z: CrossEntropy().loss(z, seed=0)).output
    assert (found.site, found.classes, found.chance) == ("head", CLASSES, math.log(CLASSES))
