"""The arguments of a call, and what a failing model is told."""

from __future__ import annotations

import sys
from collections import namedtuple

import pytest
import torch
from torch import nn

from initprobe.errors import TargetError
from initprobe.subject import Call, Subject, run_model
from tests.zoo.odd_models import Drawn, mlp

Pair = namedtuple("Pair", ["left", "right"])  # noqa: PYI024 the untyped one is what models take


def test_every_tensor_of_a_call_is_changed_at_its_place():
    seen = []

    def double(place, tensor):
        seen.append(place)
        return tensor * 2

    one = torch.ones(1)
    call = Call((one, [one, (one, "text")], None), {"mask": {"x": one}, "pair": Pair(one, 3)})
    made = call.changed(double)
    assert seen == ["0", "1[0]", "1[1][0]", "mask[x]", "pair[0]"]
    assert made.args[1][1][0].item() == 2
    assert made.args[2] is None
    assert isinstance(made.kwargs["pair"], Pair)
    assert made.kwargs["pair"].left.item() == 2
    assert one.item() == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_inputs_come_in_the_dtype_of_the_weights(dtype):
    call = Subject(mlp().to(dtype), Drawn()).call(3, 0)
    assert call.args[0].dtype is dtype
    assert Subject(nn.Embedding(5, 2).to(dtype), Drawn(((2,),), whole=5)).call(3, 0).args[0].dtype is torch.int64


def test_a_model_without_parameters_gets_float32_on_the_cpu():
    call = Subject(nn.ReLU(), Drawn()).call(3, 0)
    assert (call.args[0].dtype, call.args[0].device.type) == (torch.float32, "cpu")


def test_inputs_follow_the_model_to_its_device():
    assert Subject(mlp().to("meta"), Drawn()).call(3, 0).args[0].device.type == "meta"


class Raising(nn.Module):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def forward(self, x):
        raise self.error


@pytest.mark.parametrize("error", [ValueError("mine"), RecursionError("deep"), SystemExit(0), MemoryError()])
def test_what_a_forward_raises_is_the_targets_mistake(error):
    with pytest.raises(TargetError, match=f"the model's forward failed: {type(error).__name__}") as caught:
        run_model(Raising(error), Call((torch.ones(1),)))
    assert "test_subject.py" in caught.value.trace
    assert caught.value.__cause__ is error


def test_an_interruption_passes():
    with pytest.raises(KeyboardInterrupt):
        run_model(Raising(KeyboardInterrupt()), Call((torch.ones(1),)))


@pytest.mark.parametrize(
    ("model", "args", "hint"),
    [
        (nn.Embedding(5, 2), (torch.ones(2, 3),), "token inputs are whole numbers"),
        (nn.BatchNorm1d(3), (torch.ones(1, 3),), "more than one sample"),
        (
            Raising(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")),
            (torch.ones(1),),
            "--batch",
        ),
        (nn.Linear(3, 2), (torch.ones(2, 4),), None),
    ],
)
def test_well_known_failures_carry_a_hint(model, args, hint):
    with pytest.raises(TargetError) as caught:
        run_model(model, Call(args))
    assert caught.value.hint == hint if hint is None else hint in caught.value.hint


def test_a_bug_of_ours_is_not_blamed_on_the_model():
    def ours():
        """Fails inside initprobe itself."""
        from initprobe.activations.moments import second_moment

        second_moment(None)

    class Calling(nn.Module):
        def forward(self, x):
            ours()

    with pytest.raises(AttributeError):
        run_model(Calling(), Call((torch.ones(1),)))


def test_the_exit_of_a_forward_ends_nothing():
    class Leaving(nn.Module):
        def forward(self, x):
            sys.exit(0)

    with pytest.raises(TargetError, match="SystemExit"):
        run_model(Leaving(), Call((torch.ones(1),)))
