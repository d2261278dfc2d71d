"""Waves for positions, and small biases by distance."""

import math

import pytest
import torch
from torch import nn

import initprobe as ip
from initprobe.dissect.anatomy import trace_anatomy
from initprobe.init.choose import parse_scheme
from initprobe.init.initialize import initialize_model
from initprobe.load.given import open_given
from initprobe.records import InitRequest, Override, ProbeRequest

TOKENS = "int64[6]<50"


class Added(nn.Module):
    """A parameter that is added to the tokens."""

    def __init__(self, *shape):
        super().__init__()
        self.embed = nn.Embedding(50, shape[-1])
        self.table = nn.Parameter(torch.ones(shape))

    def forward(self, x):
        return self.embed(x) + self.table


def waves(count, width, base=10000.0):
    """Vaswani's formula, entry by entry."""
    table = torch.zeros(count, width)
    for position in range(count):
        for feature in range(width):
            angle = position / base ** (2 * (feature // 2) / width)
            table[position, feature] = math.cos(angle) if feature % 2 else math.sin(angle)
    return table


@pytest.mark.parametrize("width", [16, 15])
def test_it_is_the_formula(width):
    model = Added(6, width)
    outcome = ip.initialize(model, "sinusoidal", inputs=TOKENS)
    assert [(one.weight, one.std, one.note) for one in outcome.drawn] == [("table", None, None)]
    torch.testing.assert_close(model.table.detach(), waves(6, width))


def test_similarity_depends_on_the_distance_alone():
    model = Added(6, 32)
    ip.initialize(model, "sinusoidal(base=100)", inputs=TOKENS)
    table = model.table.detach()
    gram = table @ table.T
    for distance in range(6):
        torch.testing.assert_close(gram.diagonal(distance), gram[0, distance].expand(6 - distance))
    torch.testing.assert_close(gram.diagonal(), torch.full((6,), 16.0))
    torch.testing.assert_close(table, waves(6, 32, 100.0))


def test_a_lookup_of_positions_is_known_by_its_name(transformer):
    model = transformer(1, 32, 4, vocabulary=50, positions=9)
    before = model.token.weight.detach().clone()
    outcome = ip.initialize(model, "sinusoidal", inputs=TOKENS)
    assert [one.weight for one in outcome.drawn] == ["wpe.weight"]
    torch.testing.assert_close(model.wpe.weight.detach(), waves(9, 32))
    assert torch.equal(model.token.weight, before)
    reasons = {one.weight: one.reason for one in outcome.skipped}
    assert reasons["token.weight"].endswith("match the parameter by its own name to draw it")


def drawn_with(model, *overrides, default="gpt2"):
    target, _ = open_given(model, TOKENS)
    anatomy = trace_anatomy(target.build(0, ProbeRequest())).anatomy
    chosen = tuple(Override(parse_scheme(scheme), glob=glob) for glob, scheme in overrides)
    return initialize_model(model, anatomy, InitRequest(parse_scheme(default), chosen), 0)


def test_beside_another_scheme_by_an_override(transformer):
    model = transformer(1, 32, 4, vocabulary=50, positions=9)
    model.place, model.wpe = model.wpe, None
    model.forward = lambda x: model.blocks[0](model.token(x) + model.place(torch.arange(x.shape[1])))
    outcome = drawn_with(model, ("place.weight", "sinusoidal"))
    torch.testing.assert_close(model.place.weight.detach(), waves(9, 32))
    assert next(one.std for one in outcome.drawn if one.weight == "token.weight") == 0.02


def test_shapes_of_tables():
    batched = Added(1, 6, 16)
    ip.initialize(batched, "sinusoidal", inputs=TOKENS)
    torch.testing.assert_close(batched.table.detach()[0], waves(6, 16))
    upright = nn.Module()
    upright.table = nn.Parameter(torch.ones(16, 6))
    upright.embed = nn.Embedding(50, 16)
    upright.forward = lambda x: upright.embed(x) + upright.table.mT
    outcome = drawn_with(upright, ("table", "sinusoidal(axis=0)"), default="normal")
    assert "table" in {one.weight for one in outcome.drawn}
    torch.testing.assert_close(upright.table.detach().T, waves(6, 16))
    reasons = {
        one.weight: one.reason for one in drawn_with(upright, ("table", "sinusoidal(axis=2)"), default="normal").skipped
    }
    assert reasons["table"] == "a tensor of shape (16, 6) has no axis 2"


def drawn_alone(shape, scheme):
    model = nn.Module()
    model.table = nn.Parameter(torch.ones(shape))
    model.embed = nn.Embedding(50, 8)
    model.forward = lambda x: model.embed(x) + 0.0 * model.table.sum()
    outcome = drawn_with(model, ("table", scheme), default="normal")
    return model.table.detach(), {one.weight: one.reason for one in outcome.skipped}.get("table")


def test_over_an_image():
    table, reason = drawn_alone((1, 4, 5, 16), "sinusoidal(dimensions=2)")
    assert reason is None
    angle = 10000 ** (-1 / 4)
    expected = [wave(place * angle) for place in (2, 3) for wave in (math.sin, math.cos)]
    torch.testing.assert_close(table[0, 2, 3].unflatten(0, (4, 4))[:, 1], torch.tensor(expected))
    flat, _ = drawn_alone((16, 16), "sinusoidal(dimensions=2)")
    square, _ = drawn_alone((4, 4, 16), "sinusoidal(dimensions=2)")
    assert torch.equal(flat.unflatten(0, (4, 4)), square)
    with_token, _ = drawn_alone((1, 17, 16), "sinusoidal(dimensions=2)")
    assert torch.equal(with_token[0, 1:], flat)
    assert with_token[0, 0].eq(0).all()


@pytest.mark.parametrize(
    ("shape", "scheme", "reason"),
    [
        ((16,), "sinusoidal", "a tensor of shape (16,) is no table with one row per position"),
        ((4, 4, 16), "sinusoidal", "a tensor of shape (4, 4, 16) is no table with one row per position"),
        ((12, 16), "sinusoidal(dimensions=2)", "12 positions are no square of patches"),
        ((16, 18), "sinusoidal(dimensions=2)", "18 features do not fall into the four quarters of a grid of waves"),
    ],
)
def test_what_is_no_table_is_told(shape, scheme, reason):
    assert drawn_alone(shape, scheme)[1] == reason


def test_relative_positions_of_swin(same_law):
    timm = pytest.importorskip("timm")
    sizes = {"img_size": 56, "depths": (2,), "num_heads": (8,), "embed_dim": 32, "num_classes": 7}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = timm.create_model("swin_tiny_patch4_window7_224", **sizes)
    theirs = model.layers[0].blocks[0].attn.relative_position_bias_table.detach().clone()
    outcome = ip.initialize(model, "relative_position", inputs=(3, 56, 56))
    name = "layers.0.blocks.{}.attn.relative_position_bias_table"
    assert [(one.weight, one.std) for one in outcome.drawn] == [(name.format(0), 0.02), (name.format(1), 0.02)]
    assert same_law(model.get_parameter(name.format(0)), theirs)


def test_relative_positions_that_are_looked_up():
    transformers = pytest.importorskip("transformers")
    config = transformers.T5Config(d_model=32, d_ff=64, num_layers=1, num_heads=4, d_kv=8, vocab_size=50)
    model = transformers.T5EncoderModel(config)
    outcome = ip.initialize(model, "relative_position(std=0.1)", inputs="input_ids=int64[6]<50")
    (only,) = outcome.drawn
    assert only.weight.endswith("relative_attention_bias.weight")
    assert only.std == 0.1


def test_tables_without_a_name_are_known_by_the_branch_that_adds_them():
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.query_key, self.value = nn.Linear(16, 32), nn.Linear(16, 16)
            self.distance = nn.Parameter(torch.ones(6, 6))

        def forward(self, x):
            query, key = self.query_key(x).chunk(2, -1)
            return x + (query @ key.mT + self.distance).softmax(-1) @ self.value(x)

    model = nn.Sequential(Attention())
    outcome = ip.initialize(model, "relative_position", inputs=(6, 16))
    assert [one.weight for one in outcome.drawn] == ["0.distance"]
    assert "sinusoidal draws none" in ip.initialize(model, "sinusoidal", inputs=(6, 16)).notes[0]
