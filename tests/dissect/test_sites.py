"""What every call site is, and which sites follow one another."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from initprobe.dissect.anatomy import SAMPLES, trace_anatomy
from initprobe.errors import TargetError
from initprobe.records import Location
from initprobe.subject import Subject
from tests.dissect.networks import (
    Bare,
    ClassToken,
    Positions,
    PostActivation,
    PreActivation,
    PreNorm,
    anatomy_of,
    kinds,
    streams,
)
from tests.zoo.odd_models import IMAGES, ODD, SEQUENCES, TOKENS, WIDTH, Drawn, Two, built, encoder, mlp


def test_a_perceptron_is_one_stream():
    anatomy = anatomy_of(mlp(2), Drawn())
    assert kinds(anatomy) == {"0": "weighted", "1": "activation", "2": "weighted", "3": "activation", "4": "weighted"}
    (stream,) = anatomy.streams
    assert (stream.kind, stream.sites, stream.ends_model) == ("pre-activation", ("0", "2", "4"), True)
    assert [site.order for site in anatomy.sites] == list(range(6))
    assert anatomy.sites[-1].alias_of == "4"
    assert anatomy.modules == 5


def test_units_and_their_axis():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.GroupNorm(2, 4), nn.Flatten(2), nn.Linear(36, 5),
        nn.LayerNorm(5), nn.Flatten(), nn.Linear(20, 2),
    )  # fmt: skip
    found = {site.key: (site.units, site.unit_axis) for site in anatomy_of(model, IMAGES).sites}
    assert found["0"] == found["1"] == found["2"] == found["3"] == (4, -3)
    assert found["4"] == (None, None)  # channels and pixels are one axis apart
    assert found["5"] == found["6"] == (5, -1)
    assert found["7"] == (20, -1)
    assert found["8"] == (2, -1)


def test_units_of_tokens_and_of_matrices_on_the_left():
    anatomy = anatomy_of(Positions(), TOKENS)
    assert {(site.key, site.units, site.unit_axis) for site in anatomy.sites} >= {
        ("tokens", 8, -1), ("norm", 8, -1), ("head", 11, -1),
    }  # fmt: skip
    *_, site = anatomy_of(Bare(), Drawn(((4,),))).sites
    assert (site.kind, site.weight, site.units, site.unit_axis) == ("weighted", "left", 9, -2)


def test_a_bias_that_is_added_afterwards_does_not_hide_the_product():
    class Shifted(nn.Module):
        def __init__(self):
            super().__init__()
            self.kernel, self.bias = nn.Parameter(torch.randn(8, 4)), nn.Parameter(torch.zeros(4))

        def forward(self, x):
            return (x @ self.kernel).contiguous() + self.bias.reshape(1, 1, 4)

    anatomy = anatomy_of(nn.Sequential(Shifted(), nn.ReLU(), nn.Linear(4, 3)), SEQUENCES)
    sites = {site.key: site for site in anatomy.sites}
    product = sites["0/matmul"]
    assert (product.kind, product.weight, product.units) == ("weighted", "0.kernel", 4)
    assert streams(anatomy, "pre-activation") == [("0/matmul", "2")]


@pytest.mark.parametrize(
    ("turn", "axis"),
    [
        (lambda x: x.permute(0, 2, 1), -2),
        (lambda x: x.permute(0, -1, -2), -2),
        (lambda x: x.transpose(1, 2), -2),
        (lambda x: x.mT, -2),
        (lambda x: x.permute(1, 2, 0), -2),
        (lambda x: x.permute(2, 0, 1), -3),
        (lambda x: x.transpose(0, 1), -1),
    ],
)
def test_the_unit_axis_turns_with_its_tensor(turn, axis):
    class Turned(nn.Module):
        def forward(self, x):
            return turn(x)

    anatomy = anatomy_of(nn.Sequential(nn.Linear(8, 5), Turned()), SEQUENCES)
    site = next(site for site in anatomy.sites if site.key == "1")
    assert (site.units, site.unit_axis) == (5, axis)


def test_norms_cut_streams():
    model = nn.Sequential(*[layer for _ in range(3) for layer in (nn.Linear(6, 6), nn.Tanh())], nn.LayerNorm(6),
                          *[layer for _ in range(2) for layer in (nn.Linear(6, 6), nn.Dropout(), nn.Tanh())])  # fmt: skip
    anatomy = anatomy_of(model, Drawn())
    assert streams(anatomy, "pre-activation") == [("0", "2", "4"), ("7", "10")]
    assert [stream.ends_model for stream in anatomy.streams] == [False, True]


def test_pooling_flattening_and_scaling_do_not():
    class Scaled(nn.Module):
        def forward(self, x):
            return 0.5 * x.flatten(1)

    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AvgPool2d(2), Scaled(), nn.Linear(16, 5), nn.Linear(5, 2))
    assert streams(anatomy_of(model, IMAGES), "pre-activation") == [("0", "4", "5")]


def test_reused_layers_are_steps_of_one_stream():
    anatomy = anatomy_of(*built("reused"))
    assert streams(anatomy, "pre-activation") == [("first", "first#2", "first#3", "second")]


def test_a_sum_inside_a_branch_is_on_no_stream_around_it():
    """A branch in parts, each added to the next part of what goes in (Res2Net, EdgeNeXt)."""

    class InParts(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.out = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(6, 6)

        def forward(self, x):
            left, right = x.chunk(2, dim=-1)
            left = self.first(left)
            right = self.second(right + left)
            return x + 1e-6 * self.out(torch.cat([left, right], dim=-1))

    anatomy = anatomy_of(nn.Sequential(*[InParts() for _ in range(3)]), Drawn())
    assert "1/add" in kinds(anatomy)
    assert streams(anatomy, "residual") == [("0", "1", "2")]


def test_post_activation_blocks():
    """A join inside a block is a site, also where it is written in place; a projection shortcut starts a stream."""
    model = nn.Sequential(
        nn.Conv2d(3, 4, 1), PostActivation(4), PostActivation(4), PostActivation(4, 6), PostActivation(6)
    )
    anatomy = anatomy_of(model, IMAGES)
    assert streams(anatomy, "residual") == [("1/add", "2/add"), ("3/add", "4/add")]
    found = kinds(anatomy)
    assert {key for key, kind in found.items() if kind == "join"} == {"1/add", "2/add", "3/add", "4/add"}
    assert found["1.act"] == found["1.act#2"] == "activation"
    assert found["3.short"] == "weighted"
    assert not any(stream.ends_model for stream in anatomy.streams)


def test_pre_norm_blocks():
    model = nn.Sequential(nn.Linear(6, 8), *[PreNorm(8) for _ in range(4)], nn.LayerNorm(8), nn.Linear(8, 3))
    anatomy = anatomy_of(model, Drawn())
    assert streams(anatomy, "residual") == [("1", "2", "3", "4")]
    assert streams(anatomy, "pre-activation") == [(f"{n}.up", f"{n}.down") for n in range(1, 5)]
    assert [kinds(anatomy)[str(n)] for n in range(1, 5)] == ["join"] * 4


def test_scaled_branches_behind_an_activation():
    model = nn.Sequential(nn.Linear(6, 8), *[PreActivation(8) for _ in range(3)])
    anatomy = anatomy_of(model, Drawn())
    assert streams(anatomy, "residual") == [("1", "2", "3")]
    assert streams(anatomy, "pre-activation")[0] == ("0", "1.a", "1.b")
    assert not any(stream.ends_model for stream in anatomy.streams)  # the output is a join


@pytest.mark.parametrize(
    "join",
    [
        lambda x, y: x + y,
        lambda x, y: y + x,
        torch.add,
        lambda x, y: x.add_(y),
        lambda x, y: y.add(x, alpha=0.5),
        lambda x, y: F.dropout(y, 0.1) + x,
        lambda x, y: x - y,
        lambda x, y: 0.9 * x + 0.1 * y,
    ],
)
def test_however_it_is_written_a_join_is_a_join(join):
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.lin = nn.Linear(8, 8)

        def forward(self, x):
            return join(x, torch.tanh(self.lin(x)))

    anatomy = anatomy_of(nn.Sequential(nn.Linear(6, 8), Block(), Block(), Block()), Drawn())
    assert streams(anatomy, "residual") == [("1", "2", "3")]


def test_encoders():
    first = anatomy_of(encoder(norm_first=True), SEQUENCES)
    assert streams(first, "residual") == [("layers.0/add", "layers.0", "layers.1/add", "layers.1")]
    post = anatomy_of(encoder(), SEQUENCES)
    assert streams(post, "residual") == []  # a norm behind every join resets it
    assert streams(post, "pre-activation") == [
        ("layers.0.linear1", "layers.0.linear2"),
        ("layers.1.linear1", "layers.1.linear2"),
    ]


def test_tokens_plus_positions_are_no_join():
    anatomy = anatomy_of(Positions(), TOKENS)
    assert anatomy.streams == ()
    assert kinds(anatomy) == {
        "tokens": "embedding", "places": "embedding", "(model)/add": "other", "norm": "norm", "head": "weighted",
    }  # fmt: skip
    anatomy = anatomy_of(ClassToken(), Drawn(((5, 6),)))
    assert streams(anatomy, "residual") == [("first", "second")]


def test_a_forward_that_is_called_directly_leaves_its_module_uncalled():
    assert anatomy_of(*built("bypassed")).uncalled == ("first",)


def test_two_towers_that_meet_are_no_join():
    class Towers(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right, self.head = mlp(1), mlp(1), nn.Linear(3, 2)

        def forward(self, x, y):
            return self.head(self.left(x) + self.right(y))

    anatomy = anatomy_of(Towers(), Drawn(((WIDTH,), (WIDTH,))))
    assert "join" not in kinds(anatomy).values()
    assert streams(anatomy, "pre-activation") == [("left.0", "left.2"), ("right.0", "right.2")]


def test_a_small_gpt2_of_transformers():
    from transformers import GPT2Config, GPT2Model

    config = GPT2Config(n_layer=3, n_embd=64, n_head=4, vocab_size=97, n_positions=32, bos_token_id=0, eos_token_id=0)
    torch.manual_seed(0)
    model = GPT2Model(config)
    anatomy = anatomy_of(model, Drawn(((7,),), whole=97))
    assert streams(anatomy, "residual") == [("h.0/add", "h.0", "h.1/add", "h.1", "h.2/add", "h.2")]
    assert streams(anatomy, "pre-activation") == [(f"h.{n}.mlp.c_fc", f"h.{n}.mlp.c_proj") for n in range(3)]
    weights = {weight.name: weight for weight in anatomy.weights}
    for name, fans in (
        ("attn.c_attn", (64, 64)),
        ("attn.c_proj", (64, 64)),
        ("mlp.c_fc", (64, 256)),
        ("mlp.c_proj", (256, 64)),
    ):
        weight = weights[f"h.1.{name}.weight"]
        assert (weight.role, weight.fan_in, weight.fan_out, weight.unit_axis) == ("linear", *fans, 1)
    assert str(weights["h.2.mlp.c_fc.weight"].output_activation) == "gelu(approximate=tanh)"
    assert str(weights["h.2.mlp.c_proj.weight"].input_activation) == "gelu(approximate=tanh)"
    assert weights["wpe.weight"].role == weights["wte.weight"].role == "embedding"
    assert kinds(anatomy)["h.0.mlp.act"] == "activation"
    assert all(weight.traced for weight in anatomy.weights)


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
def test_checkpointed_blocks_are_seen_through(reentrant):
    class Block(PreActivation):
        def forward(self, x):
            return checkpoint(super().forward, x, use_reentrant=reentrant)

    anatomy = anatomy_of(nn.Sequential(nn.Linear(6, 8), Block(8), Block(8), nn.Linear(8, 2)), Drawn())
    assert streams(anatomy, "residual") == [("1", "2")]
    assert [site.key for site in anatomy.sites if site.alias_of is None] == [
        "0", "1/relu", "1.a", "1/relu#2", "1.b", "1/mul", "1", "2/relu", "2.a", "2/relu#2", "2.b", "2/mul", "2", "3",
    ]  # fmt: skip


@pytest.mark.parametrize("name", list(ODD))
def test_every_odd_model_has_an_anatomy(name):
    model, inputs = built(name)
    first, second = (anatomy_of(model, inputs) for _ in range(2))
    assert first == second
    assert [weight.name for weight in first.weights] == [name for name, _ in model.named_parameters()]
    keys = [site.key for site in first.sites]
    assert len(set(keys)) == len(keys)
    assert {site for stream in first.streams for site in stream.sites} <= set(keys)
    for site in first.sites:
        assert (site.units is None) == (site.unit_axis is None)
        assert site.unit_axis is None or site.unit_axis < 0
        assert (site.weight is not None) == (site.kind in {"weighted", "embedding"})
    for stream in first.streams:
        assert len(stream.sites) > 1
        assert [keys.index(key) for key in stream.sites] == sorted(keys.index(key) for key in stream.sites)


DEEP = 2000


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("build", "kind"),
    [
        (
            lambda: nn.Sequential(*[layer for _ in range(DEEP) for layer in (nn.Linear(2, 2), nn.Tanh())]),
            "pre-activation",
        ),
        (lambda: nn.Sequential(nn.Linear(2, 2), *[PreActivation(2) for _ in range(DEEP // 2)]), "residual"),
    ],
)
def test_two_thousand_layers_are_no_recursion(build, kind):
    found = streams(anatomy_of(build(), Drawn(((2,),))), kind)
    assert [len(sites) for sites in found] == [DEEP if kind == "pre-activation" else DEEP // 2]


@pytest.mark.untraced
def test_sums_of_long_lines_that_never_meet_take_no_square_of_their_length():
    """Each looks back along both lines to the start, unless it is told that they have nothing in common."""

    class Lines(Two):
        def forward(self, x, y):
            total = 0
            for _ in range(1500):
                x, y = torch.tanh(x), torch.tanh(y)
                total = total + (x + y).sum()
            return self.first(x + y)

    assert anatomy_of(Lines(), Drawn(((WIDTH,), (WIDTH,)))).streams == ()


def test_failures_of_the_operation_itself_are_the_targets_mistake():
    model = nn.Sequential(nn.Linear(6, 5), nn.Linear(6, 5))
    with pytest.raises(TargetError, match="cannot be multiplied"):
        anatomy_of(model, Drawn())


def test_lazy_layers_are_refused_in_words():
    model = nn.Sequential(nn.LazyLinear(5), nn.LazyLinear(5), nn.LazyConv2d(3, 1))
    with pytest.raises(TargetError, match=r"6 parameters have no shape yet: 0.weight, 0.bias, 1.weight ...") as caught:
        anatomy_of(model, Drawn())
    assert "call the model once" in caught.value.hint


def test_a_fixed_batch_is_traced_whole():
    class Fixed(Drawn):
        def make(self, batch, seed, dtype):
            assert batch == (self.fixed or SAMPLES)
            return super().make(batch, seed, dtype)

    shapes = []
    model = mlp()
    model[0].register_forward_hook(lambda _m, args, _o: shapes.append(len(args[0])))
    anatomy_of(model, Fixed())
    anatomy_of(model, Fixed(fixed=7))
    assert shapes == [SAMPLES, 7]


def test_locations_are_those_of_the_nearest_module():
    places = {"": Location("net.py", 1), "1": Location("net.py", 7)}
    subject = Subject(nn.Sequential(nn.Linear(6, 6), nn.Sequential(nn.Linear(6, 6))), Drawn(), locations=places)
    anatomy = trace_anatomy(subject).anatomy
    assert {site.key: site.location.line for site in anatomy.sites if site.alias_of is None} == {"0": 1, "1.0": 7}
    assert {weight.name: weight.location.line for weight in anatomy.weights}["1.0.bias"] == 7


def test_the_memory_of_a_pass_is_told_per_sample():
    traced = trace_anatomy(Subject(nn.Sequential(nn.Linear(6, 10), nn.ReLU()), Drawn()))
    assert traced.bytes_per_sample == 2 * 10 * 4
    assert trace_anatomy(Subject(nn.Flatten(), Drawn(((2, 3),)))).bytes_per_sample == 0
