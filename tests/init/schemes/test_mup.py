"""muP: the paper's table, and updates of a size that does not depend on the width."""

import math

import pytest
import torch
from torch import nn

import initprobe as ip
from initprobe.errors import UsageError
from initprobe.records import Drawn
from tests.init.stacks import Encoder, plain, slope, tokens

WIDTHS = [64, 128, 256, 512, 1024]


def rates(model: nn.Module, scheme: str, inputs, **options) -> dict[str, Drawn]:
    return {one.weight: one for one in ip.initialize(model, scheme, inputs=inputs, **options).drawn}


@pytest.mark.parametrize(
    ("optimizer", "expected"), [("adam", [1.0, 0.25, 0.25, 1.0, 1.0]), ("sgd", [4.0, 1.0, 0.25, 4.0, 1.0])]
)
@pytest.mark.parametrize("source", [True, False])
def test_the_table(optimizer, expected, source):
    given = {"source": plain(64)} if source else {}
    told = rates(plain(256), f"mup(optimizer={optimizer})", (16,), **given)
    names = ("0.weight", "2.weight", "6.weight", "0.bias", "6.bias")
    assert [told[name].learning_rate for name in names] == expected
    assert told["0.weight"].std == pytest.approx(1 / 4)
    assert told["2.weight"].std == pytest.approx(math.sqrt(2) / 16)
    assert told["6.weight"].std == pytest.approx(math.sqrt(2) / 16 / 2)  # variance 1 / fan_in², fan_in from 64 on


def test_at_the_width_of_the_reference_nothing_changes():
    model, standard = plain(64), plain(64)
    told = rates(model, "mup", (16,))
    ip.initialize(standard, "variance_scaling", inputs=(16,))
    assert {one.learning_rate for one in told.values()} == {1.0}
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter, standard.get_parameter(name))
    same = rates(model, "mup", (16,), source=plain(64))
    assert {one.learning_rate for one in same.values()} == {1.0}


def test_zero_readout_and_zero_queries():
    model = Encoder(2)
    outcome = ip.initialize(model, "mup(zero_readout=True, zero_query=True)", inputs=tokens())
    assert model.head.weight.eq(0).all()
    assert all(layer.query.weight.eq(0).all() and layer.key.weight.ne(0).any() for layer in model.layers)
    assert any("divides attention scores" in note for note in outcome.notes)
    packed = nn.TransformerEncoderLayer(32, 2, 64, batch_first=True)
    outcome = ip.initialize(packed, "mup(zero_query=True)", inputs=(6, 32))
    assert "32 / 64" in outcome.notes[0]  # without a head the residual stream tells the width
    assert packed.self_attn.in_proj_weight[:32].eq(0).all()
    assert packed.self_attn.in_proj_weight[32:].ne(0).all()


def test_behind_an_embedding_the_first_layer_is_hidden():
    told = rates(Encoder(2, width=128), "mup", tokens())
    assert (told["embed.weight"].std, told["embed.weight"].learning_rate) == (1.0, 1.0)
    assert told["layers.0.query.weight"].learning_rate == 0.5
    assert told["layers.0.up.weight"].learning_rate == 0.5
    assert told["head.weight"].std == pytest.approx(1 / math.sqrt(128 * 2))


class Tied(nn.Module):
    """An embedding that is the head too."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(20, 128), nn.Linear(128, 20, bias=False)
        self.head.weight = self.embed.weight
        self.middle = nn.Linear(128, 128)

    def forward(self, x):
        return self.head(torch.relu(self.middle(self.embed(x))))


def test_a_tied_head_is_told():
    told = rates(Tied(), "mup", "int64[5]<20")
    assert "divides by the width" in told["embed.weight"].note
    assert told["middle.weight"].learning_rate == 0.5


def test_convolutions_and_depthwise_ones():
    model = nn.Sequential(
        nn.Conv2d(3, 128, 3), nn.ReLU(), nn.Conv2d(128, 128, 3, groups=128), nn.Conv2d(128, 128, 1),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10),
    )  # fmt: skip
    for optimizer, expected in (("adam", [1.0, 1.0, 0.5, 0.5]), ("sgd", [2.0, 2.0, 1.0, 0.5])):
        told = rates(model, f"mup(optimizer={optimizer})", (3, 8, 8))
        assert [told[name].learning_rate for name in ("0.weight", "2.weight", "3.weight", "6.weight")] == expected
    reference = nn.Sequential(
        nn.Conv2d(3, 64, 3), nn.ReLU(), nn.Conv2d(64, 64, 3, groups=64), nn.Conv2d(64, 64, 1),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip
    exact = rates(model, "mup(optimizer=sgd)", (3, 8, 8), source=reference)
    assert [exact[name].learning_rate for name in ("0.weight", "2.weight", "3.weight", "6.weight")] == expected


def test_references_that_do_not_fit():
    told = rates(plain(256), "mup", (16,), source={"2.weight": torch.zeros(64, 64)})
    assert told["2.weight"].learning_rate == 0.25
    assert told["4.weight"].learning_rate == 1.0
    assert "no such parameter" in told["4.weight"].note
    with pytest.raises(UsageError, match="2 axes, and 1 in the reference"):
        ip.initialize(plain(256), "mup", inputs=(16,), source={"2.weight": torch.zeros(64)})


@pytest.mark.parametrize("scheme", ["mup", "depth_mup"])
def test_a_reference_of_another_kind_is_refused_before_anything_is_written(scheme):
    model = Encoder(2, norm="pre")
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    last = {**before, "head.weight": torch.zeros(2)}
    with pytest.raises(UsageError, match=r"head\.weight has 2 axes, and 1 in the reference"):
        ip.initialize(model, scheme, inputs=tokens(), source=last)
    with pytest.raises(UsageError, match="no parameter of the reference network has the name"):
        ip.initialize(model, scheme, inputs=tokens(), source={"another": torch.zeros(2)})
    assert all(torch.equal(parameter, before[name]) for name, parameter in model.named_parameters())


class Headless(nn.Module):
    """Its output is made by no weight alone."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x):
        return self.a(x) * torch.softmax(self.b(x), -1)


def test_a_network_of_unknown_width():
    with pytest.raises(UsageError, match="width of this network is unknown"):
        ip.initialize(Headless(), "mup", inputs=(8,))
    assert ip.initialize(Headless(), "mup(width=128)", inputs=(8,)).drawn


def changes(width: int, scheme: str, adam: bool, lr: float) -> tuple[float, float]:
    """Mean change of the logits over three steps, and their size before, over three seeds."""
    change = size = 0.0
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        x, y = torch.randn(32, 16, generator=generator), torch.randint(10, (32,), generator=generator)
        model = plain(width)
        outcome = ip.initialize(model, scheme, inputs=(16,), seed=seed)
        groups = ip.parameter_groups(model, outcome, lr=lr)
        optimizer = torch.optim.Adam(groups) if adam else torch.optim.SGD(groups)
        before = model(x).detach()
        for _ in range(3):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        change += float((model(x).detach() - before).abs().mean()) / 3
        size += float(before.std()) / 3
    return change, size


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("scheme", "adam", "lr"), [("mup", True, 0.003), ("mup(optimizer=sgd)", False, 0.1)], ids=["adam", "sgd"]
)
def test_three_steps_change_the_logits_alike_at_every_width(scheme, adam, lr):
    measured = [changes(width, scheme, adam, lr) for width in WIDTHS]
    assert abs(slope(WIDTHS, [change for change, _ in measured])) < 0.12
    # Three draws of an initial function scatter by a few per cent around the root of the width.
    assert slope(WIDTHS, [size for _, size in measured]) == pytest.approx(-0.5, abs=0.1)
    standard = slope(WIDTHS, [changes(width, "kaiming_normal", adam, lr)[0] for width in WIDTHS])
    assert standard > (0.8 if adam else 0.5)
