"""Torch's operators, as an exported program calls them, are the functions that they are behind."""

from __future__ import annotations

import warnings
from functools import partial

import pytest
import torch
from torch import nn

from initprobe.operations import effect_of, name_of
from tests.dissect.networks import Bare, PostActivation, PreActivation, anatomy_of, table
from tests.zoo.odd_models import IMAGES, SEQUENCES, TOKENS, WIDTH, Drawn, Tied, encoder, mlp


def strided():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.LeakyReLU(0.2, inplace=True),
        nn.ConvTranspose2d(4, 6, 2, stride=2),
        nn.InstanceNorm2d(6, affine=True),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(216, 5),
    )


@pytest.mark.parametrize(
    ("build", "inputs"),
    [
        (mlp, Drawn()),
        (Bare, Drawn(((4,),))),
        (partial(PostActivation, 3), IMAGES),
        (partial(PreActivation, 8), SEQUENCES),
        (strided, IMAGES),
        (Tied, TOKENS),
        (encoder, SEQUENCES),
    ],
    ids=["perceptron", "bare matrices", "residual convolutions", "residual", "strided", "tied", "attention"],
)
def test_an_exported_program_has_the_anatomy_of_its_model(build, inputs):
    torch.manual_seed(0)
    model = build()
    call = inputs.make(2, 0, torch.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, of its own deprecations
        program = torch.export.unflatten(torch.export.export(model, call.args))
    expected, found = anatomy_of(model, inputs), anatomy_of(program, inputs)
    assert table(found) == table(expected)
    assert {weight.role for weight in found.weights} == {weight.role for weight in expected.weights}
    assert [stream.sites for stream in found.streams] == [stream.sites for stream in expected.streams]


def test_an_operator_in_place_that_no_function_is_named_after():
    assert name_of(torch.ops.aten.silu_.default) == "torch.nn.functional.silu"


def test_what_no_table_knows_keeps_its_name():
    name = name_of(torch.ops.aten.__or__.Tensor)
    assert (name, effect_of(name)) == ("torch.__or__", "other")
    assert name_of(torch.ops.prims.sin.default) == "prims.sin.default"


def test_the_order_of_arguments_is_the_operators_own():
    # F.batch_norm has the running statistics before the weight, and F.embedding the indices before the table.
    model = nn.Sequential(nn.Linear(WIDTH, 4), nn.BatchNorm1d(4))

    class Called(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = model

        def forward(self, x):
            norm = self.inner[1]
            return torch.ops.aten.batch_norm.default(
                self.inner[0](x), norm.weight, norm.bias, norm.running_mean, norm.running_var, True, 0.1, 1e-5, False
            )

    roles = {weight.name: weight.role for weight in anatomy_of(Called(), Drawn()).weights}
    assert roles["inner.1.weight"] == "norm"
    assert roles["inner.1.bias"] == "bias"
