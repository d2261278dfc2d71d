"""A wider or deeper network that computes what the narrow one computes, to 1e-9 in float64."""

import itertools

import pytest
import torch
from torch import nn

import initprobe
from initprobe.errors import UsageError
from initprobe.init.fans import UndrawableError
from initprobe.init.widening import copies, is_copy, unit_map


def seeded(build, *args, **options) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = build(*args, **options).double()
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.5)
    return model


def grow(scheme: str, wide: nn.Module, narrow: nn.Module, inputs, seed: int = 0):
    return initprobe.initialize(wide, scheme, inputs=inputs, source=narrow, seed=seed)


def same(wide: nn.Module, narrow: nn.Module, x: torch.Tensor) -> bool:
    with torch.no_grad():
        ours, theirs = wide.eval()(x), narrow.eval()(x)
    return bool(((ours - theirs).abs().max() <= 1e-9 * theirs.abs().max()).item())


def batch(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def mlp(first: int, second: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(6, first), nn.Tanh(), nn.Linear(first, second), nn.GELU(), nn.Linear(second, 3)
    )  # fmt: skip


class Cnn(nn.Module):
    """Convolutions with batch normalization, a depthwise one, and a flattened end."""

    def __init__(self, first: int, second: int, pooled: bool = False):
        super().__init__()
        self.conv1 = nn.Conv2d(3, first, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(first)
        self.depthwise = nn.Conv2d(first, first, 3, padding=1, groups=first)
        self.conv2 = nn.Conv2d(first, second, 3, stride=2)
        self.up = nn.ConvTranspose2d(second, first, 2, stride=2)
        self.pool = nn.AdaptiveAvgPool2d(1) if pooled else nn.Identity()
        self.fc1 = nn.Linear(first * (1 if pooled else 16), second)
        self.fc2 = nn.Linear(second, 5)

    def forward(self, x):
        x = self.depthwise(torch.relu(self.norm1(self.conv1(x))))
        x = torch.relu(self.up(torch.relu(self.conv2(x))))
        return self.fc2(torch.relu(self.fc1(self.pool(x).flatten(1))))


class Residual(nn.Module):
    """A stream of one width and branches of another."""

    def __init__(self, width: int, inside: int, blocks: int = 2, norm=nn.BatchNorm1d):
        super().__init__()
        self.stem = nn.Linear(4, width)
        self.blocks = nn.ModuleList(
            nn.ModuleDict({"norm": norm(width), "up": nn.Linear(width, inside), "down": nn.Linear(inside, width)})
            for _ in range(blocks)
        )
        self.head = nn.Linear(width, 3)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = x + block["down"](torch.relu(block["up"](block["norm"](x))))
        return self.head(x)


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.RNNBase], hidden: int, **options):
        super().__init__()
        self.rnn = kind(5, hidden, num_layers=2, batch_first=True, **options)
        self.head = nn.Linear(options.get("proj_size") or hidden * (2 if options.get("bidirectional") else 1), 3)

    def forward(self, x):
        return self.head(self.rnn(x)[0])


WIDENED = {
    "mlp": (lambda: seeded(mlp, 8, 10), lambda: seeded(mlp, 13, 24), (6,)),
    "mlp, one layer": (lambda: seeded(mlp, 8, 10), lambda: seeded(mlp, 8, 17), (6,)),
    "cnn": (lambda: seeded(Cnn, 4, 6), lambda: seeded(Cnn, 7, 9), (3, 6, 6)),
    "cnn, pooled": (lambda: seeded(Cnn, 4, 6, True), lambda: seeded(Cnn, 10, 12, True), (3, 6, 6)),
    "residual": (lambda: seeded(Residual, 6, 10), lambda: seeded(Residual, 9, 25), (4,)),
    "lstm": (lambda: seeded(Recurrent, nn.LSTM, 4), lambda: seeded(Recurrent, nn.LSTM, 7), (3, 5)),
    "gru": (lambda: seeded(Recurrent, nn.GRU, 4), lambda: seeded(Recurrent, nn.GRU, 9), (3, 5)),
    "projected lstm": (
        lambda: seeded(Recurrent, nn.LSTM, 6, proj_size=3),
        lambda: seeded(Recurrent, nn.LSTM, 8, proj_size=4),
        (3, 5),
    ),
}


@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")
@pytest.mark.parametrize("case", WIDENED)
@pytest.mark.parametrize("options", ["", "(replicate_evenly=True)"])
@pytest.mark.parametrize("seed", [0, 3])
def test_a_wider_network_computes_the_same(case, options, seed):
    build_narrow, build_wide, inputs = WIDENED[case]
    narrow, wide = build_narrow(), build_wide()
    outcome = grow(f"net2net{options}", wide, narrow, inputs, seed)
    assert not outcome.skipped
    assert same(wide, narrow, batch(5, *inputs))


def test_units_are_copies_and_share_what_comes_out():
    narrow, wide = seeded(mlp, 8, 10), seeded(mlp, 13, 10)
    grow("net2net", wide, narrow, (6,))
    units = unit_map(0, 8, 13)
    assert torch.equal(wide[0].weight, narrow[0].weight[units])
    assert torch.equal(wide[0].bias, narrow[0].bias[units])
    for unit in range(8):
        torch.testing.assert_close(wide[2].weight[:, units == unit].sum(1), narrow[2].weight[:, unit])


@pytest.mark.parametrize("norm", [nn.LayerNorm, nn.RMSNorm])
def test_normalization_over_units_holds_where_all_are_copied_equally_often(norm):
    narrow, wide = seeded(Residual, 6, 10, norm=norm), seeded(Residual, 18, 10, norm=norm)
    outcome = grow("net2net(replicate_evenly=True)", wide, narrow, (4,))
    assert not any("statistics over units" in (one.note or "") for one in outcome.drawn)
    with torch.no_grad():  # the ε under the root is the same, the second moment is too
        torch.testing.assert_close(wide(batch(5, 4)), narrow(batch(5, 4)), rtol=1e-9, atol=1e-9)
    for scheme, width in (("net2net", 18), ("net2net(replicate_evenly=True)", 15)):
        wide = seeded(Residual, width, 10, norm=norm)
        outcome = grow(scheme, wide, narrow, (4,))
        noted = {one.weight for one in outcome.drawn if "statistics over units" in (one.note or "")}
        assert noted == {"blocks.0.norm.weight", "blocks.1.norm.weight"}
        assert not same(wide, narrow, batch(5, 4))


def test_running_statistics_are_told_and_can_be_taken_over_with_the_map():
    narrow, wide = seeded(Cnn, 4, 6), seeded(Cnn, 7, 9)
    narrow.train()(batch(16, 3, 6, 6))
    outcome = grow("net2net", wide, narrow, (3, 6, 6), seed=2)
    notes = {one.weight: one.note for one in outcome.drawn}
    assert "running statistics" in notes["norm1.weight"]
    assert not same(wide, narrow, batch(5, 3, 6, 6))
    units = unit_map(2, 4, 7)
    wide.norm1.running_mean.copy_(narrow.norm1.running_mean[units])
    wide.norm1.running_var.copy_(narrow.norm1.running_var[units])
    assert same(wide, narrow, batch(5, 3, 6, 6))


class Deep(nn.Module):
    def __init__(self, extra: bool, activation=nn.ReLU):
        super().__init__()
        self.layers = nn.ModuleDict({"first": nn.Conv2d(3, 4, 3)})
        if extra:
            self.layers["more"] = nn.Conv2d(4, 4, (3, 5), padding=(2, 2), dilation=(2, 1))
            self.layers["grouped"] = nn.Conv2d(4, 4, 1, groups=2)
        self.hidden = nn.ModuleDict({"first": nn.Linear(4, 6)})
        if extra:
            self.hidden["more"] = nn.Linear(6, 6)
        self.activation = activation()
        self.head = nn.Linear(6, 2)

    def forward(self, x):
        for layer in self.layers.values():
            x = self.activation(layer(x))
        x = x.mean((2, 3))
        for layer in self.hidden.values():
            x = self.activation(layer(x))
        return self.head(x)


@pytest.mark.parametrize("activation", [nn.ReLU, nn.ReLU6, nn.Hardtanh, nn.Identity])
def test_a_deeper_network_computes_the_same_behind_what_is_idempotent(activation):
    narrow, deep = seeded(Deep, False, activation), seeded(Deep, True, activation)
    outcome = grow("net2net", deep, narrow, (3, 7, 7))
    assert not outcome.skipped
    assert not any("new layer" in (one.note or "") for one in outcome.drawn)
    assert same(deep, narrow, batch(5, 3, 7, 7))


def test_what_is_not_idempotent_is_told():
    narrow, deep = seeded(Deep, False, nn.Tanh), seeded(Deep, True, nn.Tanh)
    outcome = grow("net2net", deep, narrow, (3, 7, 7))
    noted = {one.weight for one in outcome.drawn if "tanh behind it changes what it is given" in (one.note or "")}
    assert noted == {"layers.more.weight", "layers.grouped.weight", "hidden.more.weight"}
    assert torch.equal(deep.hidden["more"].weight, torch.eye(6, dtype=torch.float64))


def test_a_new_residual_block_adds_nothing_and_learns():
    narrow, deep = seeded(Residual, 6, 10, 1), seeded(Residual, 9, 10, 3)
    outcome = grow("net2net", deep, narrow, (4,))
    assert {one.weight.rpartition(".")[0] for one in outcome.skipped} == {"blocks.1.norm", "blocks.2.norm"}
    assert same(deep, narrow, batch(5, 4))
    assert deep.blocks[1]["down"].weight.eq(0).all()
    # He's variance 1 / E f² over a fan of 9: 90 numbers, known to 4 · √(2 / 90) = 60 %. The branch begins linear.
    assert float(deep.blocks[1]["up"].weight.detach().var()) == pytest.approx(1 / 9, rel=0.6)
    deep.train()(batch(5, 4)).square().sum().backward()
    assert deep.blocks[1]["down"].weight.grad.abs().max() > 0


def test_noise_parts_the_copies_and_nothing_else():
    narrow, wide = seeded(mlp, 8, 10), seeded(mlp, 64, 10)
    quiet = seeded(mlp, 64, 10)
    grow("net2net", quiet, narrow, (6,))
    outcome = grow("net2net(noise=0.01)", wide, narrow, (6,))
    apart = (wide[0].weight - quiet[0].weight).detach()
    assert apart[:8].eq(0).all()
    # 56 · 6 numbers: their standard deviation is known to 4 / √(2 · 336) = 15 %.
    assert float(apart[8:].std()) == pytest.approx(0.01 * float(quiet[0].weight.detach().std(correction=1)), rel=0.15)
    assert torch.equal(wide[0].bias, quiet[0].bias)
    assert not any(one.note for one in outcome.drawn)


def test_copies_without_noise_stay_alike_and_that_is_told():
    narrow, wide = seeded(mlp, 8, 10), seeded(mlp, 13, 10)
    outcome = grow("net2net", wide, narrow, (6,))
    assert {one.weight for one in outcome.drawn if "same gradient for ever" in (one.note or "")} == {"0.weight"}
    wide(batch(5, 6)).square().sum().backward()
    units = unit_map(0, 8, 13)
    for first, second in itertools.combinations(range(13), 2):
        if units[first] == units[second]:
            torch.testing.assert_close(wide[0].weight.grad[first], wide[0].weight.grad[second])


def test_a_transformers_feed_forward_layers_grow_and_its_heads_do_not():
    def layer(width: int, inside: int) -> nn.Module:
        return nn.TransformerEncoderLayer(width, 2, inside, dropout=0.0, batch_first=True)

    narrow, wide = seeded(layer, 8, 12), seeded(layer, 8, 20)
    outcome = grow("net2net", wide, narrow, (3, 8))
    assert not outcome.skipped
    with torch.no_grad():
        torch.testing.assert_close(wide.train()(batch(2, 3, 8)), narrow.train()(batch(2, 3, 8)), rtol=1e-9, atol=1e-9)
    outcome = grow("net2net", seeded(layer, 16, 12), narrow, (3, 16))
    reasons = {one.weight: one.reason for one in outcome.skipped}
    assert "its width has to stay" in reasons["self_attn.in_proj_weight"]


class Concatenating(nn.Module):
    def __init__(self, first: int, second: int):
        super().__init__()
        self.first, self.second = nn.Linear(3, first), nn.Linear(3, second)
        self.head = nn.Linear(first + second, 2)

    def forward(self, x):
        return self.head(torch.cat([self.first(x), self.second(x)], -1))


class Grouped(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.stem, self.grouped = nn.Conv1d(2, width, 1), nn.Conv1d(width, width, 3, groups=2)
        self.head = nn.Conv1d(width, 1, 1)

    def forward(self, x):
        return self.head(self.grouped(self.stem(x)))


class Tied(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.embed, self.head = nn.Embedding(9, width), nn.Linear(width, 9, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x):
        return self.head(self.embed(x.long().clamp(0, 8)))


@pytest.mark.parametrize(
    ("narrow", "wide", "inputs", "weight", "reason"),
    [
        (lambda: Concatenating(4, 5), lambda: Concatenating(8, 9), (3,), "head.weight", "several layers' side by side"),
        (lambda: Grouped(4), lambda: Grouped(8), (2, 5), "grouped.weight", "copies of channels would land"),
        (lambda: Tied(4), lambda: Tied(8), (3,), "embed.weight", "used in several places"),
        (lambda: mlp(9, 4), lambda: mlp(8, 4), (6,), "0.weight", "only more can be copies"),
        (lambda: nn.Sequential(nn.Linear(3, 4)), lambda: nn.Sequential(nn.Linear(3, 6)), (3,), "0.weight", "6 outputs"),
        (lambda: nn.Sequential(nn.Linear(3, 4)), lambda: nn.Sequential(nn.Linear(5, 4)), (5,), "0.weight", "no layer before it"),
        (lambda: nn.Sequential(nn.Conv1d(2, 2, 3)), lambda: nn.Sequential(nn.Conv1d(2, 2, 5)), (2, 9), "0.weight", "are no units"),
        (lambda: nn.Sequential(nn.Linear(3, 3)), lambda: nn.Sequential(nn.Conv1d(2, 2, 5)), (2, 9), "0.weight", "its shape is"),
        (
            lambda: Recurrent(nn.LSTM, 4, bidirectional=True),
            lambda: Recurrent(nn.LSTM, 6, bidirectional=True),
            (3, 5),
            "head.weight",
            "several layers' side by side",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_left_with_a_reason(narrow, wide, inputs, weight, reason):
    model = wide()
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    outcome = initprobe.initialize(model, "net2net", inputs=inputs, source=narrow())
    reasons = {one.weight: one.reason for one in outcome.skipped}
    assert reason in reasons[weight]
    assert torch.equal(model.get_parameter(weight), before[weight])


def test_a_new_layer_that_cannot_be_the_identity_is_left_with_a_reason():
    narrow = nn.ModuleDict({"head": nn.Linear(6, 2)})

    class Longer(nn.Module):
        def __init__(self):
            super().__init__()
            self.new, self.head = nn.Linear(4, 6), nn.Linear(6, 2)

        def forward(self, x):
            return self.head(self.new(x))

    outcome = initprobe.initialize(Longer(), "net2net", inputs=(4,), source=narrow)
    assert "no identity has its shape" in {one.weight: one.reason for one in outcome.skipped}["new.weight"]


def test_names_of_a_mapping_say_what_grew_out_of_what():
    narrow = seeded(nn.Sequential, nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    deep = seeded(nn.Sequential, nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    source = {f"{'4' if name[0] == '2' else '0'}{name[1:]}": tensor for name, tensor in narrow.state_dict().items()}
    outcome = initprobe.initialize(deep, "net2net", inputs=(4,), source=source)
    assert not outcome.skipped
    assert same(deep, narrow, batch(5, 4))


def test_what_of_the_source_has_no_place_is_told():
    deep = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6))
    outcome = initprobe.initialize(nn.Sequential(*deep[:3]), "net2net", inputs=(6,), source=deep)
    assert outcome.notes == (
        "net2net: 2 parameters of the source have no place in this network (first: 4.weight): what they did is lost",
    )
    norm = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6))
    assert not initprobe.initialize(norm, "net2net", inputs=(6,), source=norm.state_dict()).notes


def test_without_a_source_there_is_nothing_to_grow():
    with pytest.raises(UsageError, match="grows a network out of another one"):
        initprobe.initialize(mlp(4, 4), "net2net", inputs=(6,))
    with pytest.raises(UsageError, match="no parameter of the source has the name"):
        initprobe.initialize(mlp(4, 4), "net2net", inputs=(6,), source={"elsewhere": torch.zeros(2)})


@pytest.mark.parametrize("even", [False, True])
def test_the_map_keeps_the_old_units_and_depends_on_seed_and_widths_alone(even):
    units = unit_map(4, 7, 31, even=even)
    assert torch.equal(units[:7], torch.arange(7))
    assert torch.equal(units, unit_map(4, 7, 31, even=even))
    assert not torch.equal(units, unit_map(5, 7, 31, even=even))
    counts = copies(units)
    assert counts.reciprocal().sum().item() == pytest.approx(7)
    assert not even or set(counts.tolist()) == {4, 5}
    assert int(is_copy(units).sum()) == 24
    assert not is_copy(units)[:7].any()
    assert torch.equal(unit_map(4, 5, 5, even=even), torch.arange(5))
    with pytest.raises(UndrawableError):
        unit_map(4, 7, 6)


def test_random_copies_are_spread_evenly_over_the_units():
    # 100 000 draws of 10 units: each count is within 4 · √(n p (1 - p)) of its mean.
    counts = unit_map(0, 10, 100_010).bincount()
    assert (counts - 10_001).abs().max() < 4 * (100_000 * 0.1 * 0.9) ** 0.5
