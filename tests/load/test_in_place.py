"""Models of the user's that are written where they stand: wrapped ones, Keras', and what is no model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import initprobe as ip
from initprobe.errors import InitprobeError, TargetError, UsageError


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))


class PartlyCompiled(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = torch.compile(nn.Linear(6, 8), backend="eager")
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        return self.head(torch.relu(self.body(x)))


@pytest.mark.parametrize("wrap", [lambda net: torch.compile(net, backend="eager"), nn.DataParallel])
@pytest.mark.parametrize("scheme", ["he", "lsuv", "gradinit(steps=2)"])
def test_what_compiles_or_spreads_a_model_is_looked_through(wrap, scheme):
    net, bare = mlp(), mlp()
    outcome = ip.initialize(wrap(net), scheme, inputs=(6,))
    assert outcome == ip.initialize(bare, scheme, inputs=(6,))
    assert [one.weight for one in outcome.drawn] == [name for name, _ in net.named_parameters()]
    assert all(torch.equal(*pair) for pair in zip(net.parameters(), bare.parameters(), strict=True))


def test_compiled_parts_are_drawn_and_stay_compiled():
    model = PartlyCompiled()
    body = model.body
    outcome = ip.initialize(model, "he", inputs=(6,))
    assert [one.weight for one in outcome.drawn] == ["body.weight", "body.bias", "head.weight", "head.bias"]
    assert model.body is body
    assert not model.body.bias.any()
    with pytest.raises(UsageError):
        ip.initialize(model, "fixup", inputs=(6,))
    assert model.body is body


@pytest.mark.parametrize("wrap", [lambda net: torch.compile(net, backend="eager"), nn.DataParallel])
def test_learning_rates_are_found_in_a_wrapped_model(wrap):
    net = nn.Sequential(nn.Linear(6, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 4))
    outcome = ip.initialize(net, "mup", inputs=(6,))
    plain = [group["lr"] for group in ip.parameter_groups(net, outcome, lr=1.0)]
    assert [group["lr"] for group in ip.parameter_groups(wrap(net), outcome, lr=1.0)] == plain == [1.0, 0.25]


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated")
def test_a_model_that_cannot_be_copied_is_drawn_all_the_same():
    model = nn.Sequential(nn.utils.weight_norm(nn.Linear(6, 8)), nn.ReLU(), nn.Linear(8, 4))
    outcome = ip.initialize(model, "he", inputs=(6,))
    assert {"2.weight", "2.bias"} <= {one.weight for one in outcome.drawn}
    new = parametrizations.weight_norm(nn.Linear(6, 8))
    assert len(ip.initialize(new, "he", inputs=(6,)).drawn) == 3


def test_dtype_and_modes_stay():
    model = mlp().double().eval()
    ip.initialize(model, "lsuv", inputs=(6,))
    assert {value.dtype for value in model.parameters()} == {torch.float64}
    assert not any(module.training for module in model.modules())


@pytest.mark.parametrize(
    ("model", "what"), [(mlp, "function"), (nn.Linear, "a class"), ("preset:deep-mlp", "str"), (None, "NoneType")]
)
def test_what_is_no_model_cannot_be_drawn(model, what):
    with pytest.raises(UsageError, match=rf"^{what} is no nn\.Module") as told:
        ip.initialize(model, "he", inputs=(6,))
    assert "build the model first" in str(told.value.hint)


@pytest.mark.filterwarnings("ignore:.*torch.jit.* is deprecated")
def test_models_without_numbers_are_told():
    with torch.device("meta"):
        model = mlp()
    with pytest.raises(TargetError, match="meta device"):
        ip.initialize(model, "he", inputs=(6,))
    with pytest.raises(TargetError, match="ScriptModule"):
        ip.initialize(torch.jit.trace(mlp(), torch.zeros(1, 6)), "he", inputs=(6,))


@pytest.mark.parametrize(
    ("model", "hint"),
    [
        (mlp(), "inputs=(6,)"),
        (nn.Conv2d(3, 4, 3), "inputs=(3, 32, 32)"),
        (nn.Embedding(30, 4), 'inputs="int64[128]<30"'),
        (nn.LazyLinear(4), "inputs=(3, 224, 224)"),
    ],
)
def test_the_hint_for_inputs_is_written_in_python(model, hint):
    with pytest.raises(UsageError, match="nothing says what the input of") as told:
        ip.initialize(model, "he")
    assert str(told.value.hint).startswith(hint + ",")


@pytest.mark.parametrize("inputs", [6, [6], (6,), "6", torch.zeros(2, 6), np.zeros((2, 6)), (np.zeros((2, 6), "f"),)])
def test_inputs_in_many_forms(inputs):
    assert len(ip.initialize(mlp(), "he", inputs=inputs).drawn) == 4


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        ("foo", UsageError, "cannot read the input 'foo'"),
        ((6.5,), UsageError, "cannot read the input '6.5'"),
        ((-6,), UsageError, "cannot read the input '-6'"),
        ({6}, UsageError, "inputs are a shape or a batch, not set"),
        (True, UsageError, "inputs are a shape or a batch, not bool"),
        (torch.zeros(0, 6), TargetError, "hold no sample"),
        (np.array(["a"]), TargetError, "are no tensors but ndarray"),
    ],
)
def test_inputs_that_are_none(inputs, error, message):
    with pytest.raises(error, match=message) as told:
        ip.initialize(mlp(), "he", inputs=inputs)
    assert "--" not in str(told.value.hint)


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")  # Keras and numpy 2
def test_a_keras_model_is_drawn_where_it_stands():
    keras = pytest.importorskip("keras")
    layers = keras.layers

    def build():
        hidden = [layers.Dense(64, activation="relu", name=f"hidden_{at}") for at in range(4)]
        return keras.Sequential([keras.Input((32,)), *hidden, layers.Dense(10, name="head")])

    model, again = build(), build()
    outcome = ip.initialize(model, "he")
    assert [one.weight for one in outcome.drawn][:2] == ["hidden_0.kernel", "hidden_0.bias"]
    assert not outcome.skipped
    assert model.weights[2].value.detach().std().item() == pytest.approx((2 / 64) ** 0.5, rel=0.05)
    ip.initialize(again, "he")
    assert all(torch.equal(a.value, b.value) for a, b in zip(model.weights, again.weights, strict=True))
    before = [weight.value.clone() for weight in model.weights]
    for wrong in ("fixup", "lsuv"):
        with pytest.raises(InitprobeError):
            ip.initialize(model, wrong)
    assert all(torch.equal(weight.value, old) for weight, old in zip(model.weights, before, strict=True))
    with pytest.raises(InitprobeError, match="is not built"):
        ip.initialize(keras.Sequential([layers.Dense(3)]), "he", inputs=(4,))
