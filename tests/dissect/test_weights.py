"""Who every weight is: role, fans, unit axis, activations around it."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrizations

from tests.dissect.networks import (
    Bare,
    ClassToken,
    HandNorm,
    OldGelu,
    Positions,
    PostActivation,
    PreActivation,
    Standardized,
    Swish,
    anatomy_of,
    table,
)
from tests.zoo.odd_models import IMAGES, SEQUENCES, WIDTH, Drawn, Uncalled, encoder, mlp

WHOLE = Drawn(((5,),), whole=11)


def test_a_perceptron():
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4, bias=False), nn.Tanh(), nn.Linear(4, 3))
    assert table(anatomy_of(model, Drawn())) == {
        "0.weight": ("linear", 6, 8, 0, "-", "relu"),
        "2.weight": ("linear", 8, 4, 0, "relu", "tanh"),
        "4.weight": ("linear", 4, 3, 0, "tanh", "-"),
    }


def test_matrices_without_a_module():
    assert table(anatomy_of(Bare(), Drawn(((4,),)))) == {
        "right": ("linear", 4, 6, 1, "-", "relu"),
        "turned": ("linear", 6, 5, 0, "relu", "tanh"),
        "again": ("linear", 5, 7, 0, "tanh", "relu"),
        "mixed": ("linear", 7, 3, 1, "relu", "gelu(approximate=tanh)"),
        "left": ("linear", 3, 9, 0, "gelu(approximate=tanh)", "-"),
    }


@pytest.mark.parametrize(
    ("apply", "name"),
    [
        (F.relu, "relu"),
        (torch.relu, "relu"),
        (lambda x: x.relu(), "relu"),
        (lambda x: x.relu_(), "relu"),
        (lambda x: F.relu(x, inplace=True), "relu"),
        (torch.sigmoid, "sigmoid"),
        (lambda x: x.tanh(), "tanh"),
        (lambda x: F.leaky_relu(x, 0.2), "leaky_relu(negative_slope=0.2)"),
        (lambda x: F.leaky_relu(x, negative_slope=0.01), "leaky_relu"),
        (lambda x: F.elu(x, alpha=2.0), "elu(alpha=2)"),
        (F.silu, "silu"),
        (F.selu, "selu"),
        (torch.sin, "sine"),
    ],
)
def test_functions_and_methods_are_activations(apply, name):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 2)

        def forward(self, x):
            return self.b(apply(self.a(x)))

    rows = table(anatomy_of(Model(), Drawn()))
    assert rows["a.weight"][5] == rows["b.weight"][4] == name


@pytest.mark.parametrize(
    ("module", "name"), [(Swish(), "silu"), (OldGelu(), "gelu(approximate=tanh)"), (nn.Identity(), "-")]
)
def test_activations_written_by_hand_are_known_by_their_values(module, name):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64), module, nn.Linear(64, 2))
    rows = table(anatomy_of(model, Drawn(((64,),))))
    assert rows["0.weight"][5] == rows["2.weight"][4] == name


def test_norms_hide_the_activation_before_a_weight_but_not_the_one_behind():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.BatchNorm2d(4), nn.Dropout(), nn.MaxPool2d(2),
        nn.Conv2d(4, 5, 1), nn.GELU(), nn.Flatten(), nn.Linear(20, 2),
    )  # fmt: skip
    anatomy = anatomy_of(model, IMAGES)
    assert table(anatomy) == {
        "0.weight": ("conv", 27, 36, 0, "-", "relu"),
        "6.weight": ("conv", 4, 5, 0, "-", "gelu"),
        "9.weight": ("linear", 20, 2, 0, "gelu", "-"),
    }
    roles = {weight.name: weight.role for weight in anatomy.weights}
    assert (roles["1.weight"], roles["1.bias"], roles["6.bias"]) == ("norm", "bias", "bias")


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([1, 2]),
    st.booleans(),
    st.fixed_dictionaries(
        {
            "kernel_size": st.integers(1, 4),
            "stride": st.integers(1, 3),
            "dilation": st.integers(1, 2),
            "groups": st.sampled_from([1, 2]),
        }
    ),
    st.integers(1, 3),
)
def test_fans_of_convolutions_are_what_the_arithmetic_sums(axes, transposed, plan, width):
    """With ones everywhere an output is its fan_in, and the gradient at an input its fan_out, away from the edges."""
    kind = getattr(nn, f"Conv{'Transpose' if transposed else ''}{axes}d")
    groups = plan["groups"]
    layer = kind(2 * groups, width * groups, **plan, bias=False)
    nn.init.ones_(layer.weight)
    x = torch.ones(1, 2 * groups, *[36] * axes, requires_grad=True)
    output = layer(x)
    output.sum().backward()
    middle, spread = output.shape[-1] // 2, 6
    inside = output[(..., *[slice(middle - spread, middle + spread)] * axes)] if output.shape[-1] > 2 * spread else None
    weight = next(iter(anatomy_of(layer, Drawn(((2 * groups, *[36] * axes),))).weights))
    if inside is not None:
        assert weight.fan_in == pytest.approx(inside.mean().item())
    assert weight.fan_out == pytest.approx(x.grad[(..., *[slice(12, 24)] * axes)].mean().item())
    assert weight.role == ("transposed" if transposed else "conv")
    assert weight.unit_axis == (1 if transposed else 0)


def test_fans_of_matrices_are_what_the_arithmetic_sums():
    for weight in anatomy_of(Bare(), Drawn(((4,),))).weights:
        if weight.role == "linear":
            sizes = sorted((weight.fan_in, weight.fan_out))
            assert sizes == sorted(weight.shape)
            assert weight.shape[weight.unit_axis] == weight.fan_out


@pytest.mark.parametrize(
    ("equation", "shape", "given", "expected"),
    [
        ("bi,io->bo", (6, 5), (6,), ("linear", 6, 5, 1)),
        ("io,bi->bo", (6, 5), (6,), ("linear", 6, 5, 1)),
        ("oi,bi->bo", (5, 6), (6,), ("linear", 6, 5, 0)),
        ("bti,ihd->bthd", (6, 2, 4), (3, 6), ("linear", 6, 8, None)),
        ("bthd,hdo->bto", (2, 4, 7), (3, 2, 4), ("linear", 8, 7, 2)),
        ("bhi,hio->bho", (2, 6, 5), (2, 6), ("linear", 6, 5, 2)),
        ("bi,eio->beo", (4, 6, 5), (6,), ("linear", 6, 20, None)),
        ("...i, io -> ...o", (6, 5), (3, 6), ("linear", 6, 5, 1)),
    ],
)
def test_an_equation_names_the_axes_of_its_weight(equation, shape, given, expected):
    class Equation(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(shape))

        def forward(self, x):
            return torch.einsum(equation, *((x, self.weight) if equation[0] in "b." else (self.weight, x)))

    (weight,) = anatomy_of(Equation(), Drawn((given,))).weights
    assert (weight.role, weight.fan_in, weight.fan_out, weight.unit_axis) == expected
    x = torch.randn(20_000, *given)
    model = Equation()
    with torch.no_grad():
        model.weight.fill_(1 / math.sqrt(weight.fan_in))
        # Equal weights sum fan_in independent numbers of variance one.
        assert model(x).var().item() == pytest.approx(1.0, rel=0.1)


@pytest.mark.parametrize(("kind", "gates"), [("LSTMCell", 4), ("GRU", 3), ("SimpleRNN", 1), ("Mixer", None)])
def test_a_hand_written_cell_holds_its_gates_side_by_side(kind, gates):
    def build(module):
        nn.Module.__init__(module)
        module.kernel = nn.Parameter(torch.randn(WIDTH, 12))

    cell = type(
        kind, (nn.Module,), {"__init__": build, "forward": lambda module, x: torch.sigmoid(x @ module.kernel)}
    )()
    (weight,) = anatomy_of(cell, Drawn()).weights
    expected = ("linear", WIDTH, 12, 1) if gates is None else ("recurrent", WIDTH, 12 / gates, 1)
    assert (weight.role, weight.fan_in, weight.fan_out, weight.unit_axis) == expected


def test_embeddings_and_tied_heads():
    anatomy = anatomy_of(Positions(), WHOLE)
    assert table(anatomy) == {
        "tokens.weight": ("embedding", 1, 8, 1, "-", "-"),
        "places.weight": ("embedding", 1, 8, 1, "-", "-"),
    }
    assert {weight.name: weight.aliases for weight in anatomy.weights}["tokens.weight"] == ("head.weight",)
    site = next(site for site in anatomy.sites if site.key == "head")
    assert (site.kind, site.weight) == ("weighted", "tokens.weight")


def test_class_tokens_and_positions_are_no_matrices():
    rows = table(anatomy_of(ClassToken(), Drawn(((5, 6),))))
    assert rows["embed.weight"] == ("linear", 6, 8, 0, "-", "-")
    assert rows["first.up.weight"] == ("linear", 8, 16, 0, "-", "gelu")
    assert rows["head.weight"] == ("linear", 8, 3, 0, "-", "-")
    assert "positions" not in rows  # it is added: a bias


def test_attention():
    anatomy = anatomy_of(encoder(), SEQUENCES)
    rows = table(anatomy)
    assert rows["layers.0.self_attn.in_proj_weight"][:4] == ("linear", 8, 8, 0)
    assert rows["layers.0.self_attn.out_proj.weight"][:4] == ("linear", 8, 8, 0)
    assert rows["layers.0.linear1.weight"] == ("linear", 8, 16, 0, "-", "relu")
    assert rows["layers.0.linear2.weight"] == ("linear", 16, 8, 0, "relu", "-")
    assert all(weight.traced for weight in anatomy.weights)
    roles = {weight.name.removeprefix("layers.0."): weight.role for weight in anatomy.weights}
    assert roles["self_attn.in_proj_bias"] == roles["norm1.bias"] == "bias"
    assert roles["norm1.weight"] == "norm"
    assert anatomy.uncalled == ("layers.0.self_attn.out_proj", "layers.1.self_attn.out_proj")


@pytest.mark.parametrize(("kind", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)])
def test_recurrent_layers(kind, gates):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = kind(8, 5, num_layers=2, batch_first=True, bidirectional=True)
            self.head = nn.Linear(10, 2)

        def forward(self, x):
            return self.head(self.rnn(x)[0])

    anatomy = anatomy_of(Model(), SEQUENCES)
    rows = table(anatomy)
    own = "tanh" if kind is nn.RNN else "-"  # behind several gates there is no one activation
    assert rows["rnn.weight_ih_l0"] == ("recurrent", 8, 5, 0, "-", own)
    assert rows["rnn.weight_hh_l0_reverse"] == ("recurrent", 5, 5, 0, own, own)
    assert rows["rnn.weight_ih_l1"] == ("recurrent", 10, 5, 0, own, own)
    assert {weight.role for weight in anatomy.weights if "bias" in weight.name} == {"bias"}
    assert all(weight.shape[0] == gates * 5 for weight in anatomy.weights if weight.role == "recurrent")
    assert [(site.units, site.unit_axis) for site in anatomy.sites if site.key == "rnn[0]"] == [(10, -1)]


@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_recurrent_cells(kind):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = kind(8, 5)

        def forward(self, x):
            state = None
            for step in x.unbind(1):
                state = self.cell(step, state)
            return state

    rows = table(anatomy_of(Model(), SEQUENCES))
    own = "tanh" if kind is nn.RNNCell else "-"
    assert rows["cell.weight_ih"] == ("recurrent", 8, 5, 0, "-", own)
    assert rows["cell.weight_hh"] == ("recurrent", 5, 5, 0, own, own)


def old(wrap):
    def build(layer):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return wrap(layer)

    return build


@pytest.mark.parametrize(
    ("wrap", "name"),
    [
        (parametrizations.weight_norm, "2.parametrizations.weight.original1"),
        (parametrizations.spectral_norm, "2.parametrizations.weight.original"),
        (parametrizations.orthogonal, "2.parametrizations.weight.original"),
        (old(nn.utils.weight_norm), "2.weight_v"),
        (old(nn.utils.spectral_norm), "2.weight_orig"),
    ],
)
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_reparametrized_weights_are_the_weights_they_make(wrap, name, mode):
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), wrap(nn.Linear(8, 8)), nn.ReLU(), nn.Linear(8, 2))
    anatomy = anatomy_of(model, Drawn(), mode=mode)
    rows = table(anatomy)
    assert rows[name] == ("linear", 8, 8, 0, "tanh", "relu")
    assert {row[0] for other, row in rows.items() if other.startswith("2.") and other != name} <= {"other"}
    assert rows["4.weight"] == ("linear", 8, 2, 0, "relu", "-")
    site = next(site for site in anatomy.sites if site.key == "2")
    assert (site.kind, site.weight) == ("weighted", name)
    assert not any(site.kind != "other" for site in anatomy.sites if "parametrizations" in site.path)


def test_standardized_weights():
    model = nn.Sequential(Standardized(3, 4, 3), nn.ReLU(), Standardized(4, 5, 3, stride=2))
    assert table(anatomy_of(model, IMAGES)) == {
        "0.weight": ("conv", 27, 36, 0, "-", "relu"),
        "2.weight": ("conv", 36, 11.25, 0, "relu", "-"),
    }


def test_a_norm_written_by_hand():
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), HandNorm(8), nn.Linear(8, 3))
    anatomy = anatomy_of(model, Drawn())
    assert table(anatomy)["3.weight"] == ("linear", 8, 3, 0, "-", "-")
    assert next(site for site in anatomy.sites if site.key == "2").kind == "norm"
    model[2].forward = lambda x: HandNorm.forward(model[2], x.float()).type_as(x)
    assert next(site for site in anatomy_of(model, Drawn()).sites if site.key == "2").kind == "norm"


def test_what_is_called_a_norm_and_only_hands_on_is_none():
    class Norm(nn.Module):
        def forward(self, x):
            return x.view_as(x)

    model = nn.Sequential(nn.Linear(6, 8), Norm(), nn.Linear(8, 8), nn.Linear(8, 3))
    anatomy = anatomy_of(model, Drawn())
    assert [stream.sites for stream in anatomy.streams] == [("0", "2", "3")]


def test_frozen_models_are_read_too():
    frozen = mlp().requires_grad_(requires_grad=False)
    assert table(anatomy_of(frozen, Drawn())) == table(anatomy_of(mlp(), Drawn()))
    assert not any(weight.trainable for weight in anatomy_of(frozen, Drawn()).weights)


def test_what_the_pass_did_not_use_is_read_off_its_shape():
    known = {weight.name: weight for weight in anatomy_of(Uncalled(), Drawn()).weights}
    assert (known["never.weight"].role, known["never.weight"].fan_in, known["never.weight"].traced) == (
        "linear",
        6,
        False,
    )
    assert known["never.bias"].role == "bias"
    assert known["loose"].role == "other"
    assert known["first.weight"].traced


@pytest.mark.parametrize(
    ("module", "inputs"),
    [
        (nn.Linear(6, 5), Drawn()),
        (nn.Conv2d(4, 6, 3, stride=2, groups=2), Drawn(((4, 9, 9),))),
        (nn.Conv2d(4, 8, 3, groups=4), Drawn(((4, 9, 9),))),
        (nn.ConvTranspose1d(4, 6, 3, stride=2, groups=2), Drawn(((4, 9),))),
        (nn.Embedding(11, 4), WHOLE),
        (nn.LSTM(8, 5, batch_first=True), SEQUENCES),
        (nn.GRUCell(6, 5), Drawn()),
        (nn.LayerNorm(6), Drawn()),
        (nn.BatchNorm1d(6), Drawn()),
    ],
)
def test_the_shape_tells_what_the_pass_would_have_told(module, inputs):
    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.m = module

        def forward(self, x):
            return x * 1.0

    used, unused = anatomy_of(nn.ModuleDict({"m": module})["m"], inputs), anatomy_of(Idle(), Drawn())
    assert [weight.traced for weight in unused.weights] == [False] * len(unused.weights)
    for seen, read in zip(used.weights, unused.weights, strict=True):
        assert (seen.role, seen.shape, seen.traced) == (read.role, read.shape, True)
        if seen.role != "bias":
            assert (seen.fan_in, seen.fan_out, seen.unit_axis) == (read.fan_in, read.fan_out, read.unit_axis)


def test_parameters_of_three_axes_are_convolutions_only_in_convolutions():
    class Experts(nn.Module):
        def __init__(self):
            super().__init__()
            self.stacked = nn.Parameter(torch.randn(4, 6, 6))
            self.token = nn.Parameter(torch.randn(1, 1, 6))

        def forward(self, x):
            return (x[:, None, :, None] * self.stacked).sum(2) + self.token

    known = {weight.name: weight for weight in anatomy_of(Experts(), Drawn()).weights}
    assert (known["stacked"].role, known["stacked"].fan_in, known["stacked"].fan_out) == ("other", None, None)
    assert known["token"].role == "bias"


@pytest.mark.parametrize(
    ("equation", "shape", "expected"),
    [
        ("btd,do->bto", (8, 3), (8, 3, 1)),
        ("od,btd->bto", (3, 8), (8, 3, 0)),
        ("btd,dhk->bthk", (8, 2, 3), (8, 6, None)),  # all heads at once
        ("btd,tdo->bto", (5, 8, 3), (8, 3, 2)),  # a matrix per position
        ("b t d, s t -> b s d", (4, 5), (5, 4, 0)),  # across positions
    ],
)
def test_an_einsum_is_a_product(equation, shape, expected):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(shape))

        def forward(self, x):
            first = equation.startswith("b")
            return torch.relu(torch.einsum(equation, *((x, self.weight) if first else (self.weight, x))))

    anatomy = anatomy_of(Model(), SEQUENCES)
    assert table(anatomy) == {"weight": ("linear", *expected, "-", "relu")}
    assert anatomy.weights[0].depth == 1


@pytest.mark.parametrize(
    ("equation", "shape"),
    [
        ("btd,td->btd", (5, 8)),  # nothing is summed
        ("btd,ed->bted", (2, 8)),
        ("btd,td->b", (5, 8)),  # nothing is made
        ("btd,do", (8, 3)),
    ],
)
def test_an_einsum_that_does_not_tell_is_other(equation, shape):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(shape))

        def forward(self, x):
            return torch.einsum(equation, x, self.weight)

    (weight,) = anatomy_of(Model(), SEQUENCES).weights
    assert (weight.role, weight.fan_in, weight.traced) == ("other", None, True)


def test_residual_branches_keep_their_activations():
    rows = table(anatomy_of(nn.Sequential(nn.Conv2d(3, 4, 1), PostActivation(4, 6), PostActivation(6)), IMAGES))
    assert rows["1.c1.weight"] == ("conv", 36, 54, 0, "-", "relu")
    assert rows["1.c2.weight"] == ("conv", 54, 54, 0, "relu", "-")
    assert rows["1.short.weight"] == ("conv", 4, 6, 0, "-", "-")
    assert rows["2.c1.weight"] == ("conv", 54, 54, 0, "relu", "relu")
    rows = table(anatomy_of(nn.Sequential(nn.Linear(6, 8), PreActivation(8), PreActivation(8)), Drawn()))
    assert rows["2.a.weight"] == ("linear", 8, 8, 0, "relu", "relu")
    assert rows["2.b.weight"] == ("linear", 8, 8, 0, "relu", "-")


def test_every_parameter_is_there_once_in_its_order():
    model = Positions()
    anatomy = anatomy_of(model, WHOLE)
    assert [weight.name for weight in anatomy.weights] == [name for name, _ in model.named_parameters()]
    assert anatomy.parameter_count == sum(math.prod(parameter.shape) for parameter in model.parameters())


class Scale(nn.LayerNorm):
    """A norm by descent alone."""


class Shift(nn.BatchNorm1d):
    def forward(self, x):
        return (x - x.mean(0)) * (x.var(0) + self.eps).rsqrt() * self.weight + self.bias


@pytest.mark.parametrize("called", [True, False])
@pytest.mark.parametrize("kind", [Scale, Shift, nn.LayerNorm])
def test_a_subclass_of_a_normalization_is_one_whatever_it_is_called(kind, called):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.norm, self.last = nn.Linear(6, 8), kind(8), nn.Linear(8, 3)

        def forward(self, x):
            x = self.first(x)
            return self.last(self.norm(x) if called else x)

    model = Net()
    roles = {weight.name: weight.role for weight in anatomy_of(model, Drawn()).weights}
    assert (roles["norm.weight"], roles["norm.bias"]) == ("norm", "bias")
