"""The audit of parameters: bugs that shipped are found, and what is meant is left alone."""

import copy
from collections import OrderedDict

import pytest
import torch
from torch import nn

import initprobe as ip
from initprobe.errors import UsageError

QUICK = {"seeds": 2, "max_seeds": 2, "batch": 8}
DELIBERATE = (
    "fixup", "rezero", "skipinit", "t_fixup", "deepnorm", "mup", "zero_gamma", "identity", "delta_orthogonal", "sparse",
    "lsuv", "zero_identity", "layerscale", "mimetic", "gpt2", "admin",
)  # fmt: skip
"""Schemes with zeros, identities, scaled or equal weights on purpose."""


def audit(build, inputs=None, **options):
    """Code and message of every finding about parameters, those that became notes included."""
    check = {"complete": True, **options.pop("check", {})}
    findings = ip.probe(build, inputs=inputs, check=check, **{**QUICK, **options}).findings
    told = [(finding.rule.code, finding.message) for finding in findings if finding.rule.code.startswith("IP5")]
    notes = [note for finding in findings for note in finding.notes if "(IP5" in note]
    return told + [(note.partition("(")[2][:5], note) for note in notes]


def codes(build, inputs=None, **options):
    return sorted({code for code, _ in audit(build, inputs, **options)})


class Residual(nn.Module):
    """A convolutional residual network with norms, gates or neither, and a head."""

    def __init__(self, width=16, end=nn.Identity):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.first = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(4))
        self.last = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(4))
        self.end = nn.ModuleList(end() for _ in range(4))
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        x = self.stem(x)
        for first, last, end in zip(self.first, self.last, self.end, strict=True):
            x = x + end(last(torch.relu(first(x))))
        return self.head(x.mean((2, 3)))


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.alpha * x


def normalized():
    return Residual(end=lambda: nn.BatchNorm2d(16))


def gated():
    return Residual(end=Gate)


class Transformer(nn.Module):
    def __init__(self, norm_first=True, depth=4):
        super().__init__()
        self.embed = nn.Embedding(40, 32)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(32, 2, 64, 0.0, batch_first=True, norm_first=norm_first) for _ in range(depth)
        )
        self.head = nn.Linear(32, 40)

    def forward(self, tokens):
        x = self.embed(tokens)
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


@pytest.mark.untraced
@pytest.mark.parametrize("scheme", DELIBERATE)
@pytest.mark.parametrize(
    ("build", "inputs"),
    [(Residual, (3, 6, 6)), (normalized, (3, 6, 6)), (gated, (3, 6, 6)), (Transformer, "int64[6]<40")],
)
def test_no_scheme_is_accused_of_what_it_does_on_purpose(scheme, build, inputs):
    try:
        result = ip.probe(build, inputs=inputs, scheme=scheme, check={"complete": True}, **QUICK)
    except UsageError:
        return  # it says itself that it does not fit this network
    assert [
        (finding.rule.code, finding.message)
        for finding in result.findings
        if finding.rule.code.startswith("IP5") and finding.severity != "info"
    ] == []


def test_a_teacher_that_is_a_frozen_copy_is_no_clone():
    class Distilled(nn.Module):
        def __init__(self):
            super().__init__()
            self.student = nn.Linear(16, 16)
            self.teacher = copy.deepcopy(self.student).requires_grad_(requires_grad=False)

        def forward(self, x):
            return self.student(x) - self.teacher(x)

    assert codes(Distilled, (16,)) == []


def test_copies_of_a_whole_block_are_one_finding():
    def build():
        block = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))
        return nn.Sequential(*[copy.deepcopy(block) for _ in range(3)])

    ((code, message),) = audit(build, (16,))
    assert code == "IP502"
    assert message.startswith("0.0.weight is bit-identical to 1.0.weight, 2.0.weight, and so 1 other weight of each")


def test_one_layer_of_tiny_values_is_not_memory_left_over():
    def build():
        model = nn.Sequential(nn.Linear(16, 16), nn.LayerNorm(16), nn.Linear(16, 4))
        nn.init.normal_(model[0].weight, std=1e-12)
        return model

    assert codes(build, (16,)) == []


@pytest.mark.parametrize("garbage", [float("nan"), float("inf"), 1e32, 1e-42])
def test_memory_left_over_is_found_in_one_of_many_layers(garbage):
    def build():
        model = nn.Sequential(*[nn.Linear(16, 16) for _ in range(5)])
        with torch.no_grad():
            model[3].bias.fill_(garbage)
        return model

    assert "IP501" in codes(build, (16,))


def test_a_garbled_buffer_is_found_and_where_its_module_was_built():
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(8, 8)
            self.register_buffer("scale", torch.full((8,), float("nan")), persistent=False)

        def forward(self, x):
            return self.linear(x) * torch.nan_to_num(self.scale, 1.0)

    ((code, message),) = audit(Masked, (8,))
    assert code == "IP501"
    assert message == "scale was never initialized: 8 of its values are NaN"


def test_zero_gamma_at_the_end_of_a_branch_is_meant_and_in_front_of_a_relu_it_is_dead():
    def at_the_end():
        model = normalized()
        for norm in model.end:
            nn.init.zeros_(norm.weight)
        return model

    def in_front():
        model = nn.Sequential(nn.Linear(16, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4))
        nn.init.zeros_(model[1].weight)
        return model

    assert codes(at_the_end, (3, 6, 6)) == []
    assert codes(in_front, (16,)) == ["IP508"]


def test_query_and_key_that_are_both_zero_are_a_dead_end_and_the_query_alone_is_not():
    class Attention(nn.Module):
        def __init__(self, both):
            super().__init__()
            self.query, self.key, self.value = (nn.Linear(16, 16, bias=False) for _ in range(3))
            nn.init.zeros_(self.query.weight)
            if both:
                nn.init.zeros_(self.key.weight)

        def forward(self, x):
            return nn.functional.scaled_dot_product_attention(self.query(x), self.key(x), self.value(x))

    assert codes(lambda: Attention(both=False), (5, 16)) == []
    assert codes(lambda: Attention(both=True), (5, 16)) == ["IP508"]


def test_a_gradient_that_underflows_is_no_dead_end():
    """SAM's image encoder is drawn with 1e-10, and its relative positions are zero: one update, and they move."""

    class Faint(nn.Module):
        def __init__(self, std):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(16, 16, bias=False) for _ in range(5))
            self.gate = nn.Parameter(torch.zeros(16))
            for layer in self.layers:
                nn.init.normal_(layer.weight, std=std)

        def forward(self, x):
            for layer in self.layers:
                x = layer(x)
            return x * (1 + self.gate)

    found = audit(lambda: Faint(1e-10), (16,))
    assert not [message for code, message in found if code == "IP508"]


def test_nothing_is_a_dead_end_where_weight_gradients_were_not_measured():
    def build():
        model = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4))
        nn.init.zeros_(model[0].weight)
        nn.init.zeros_(model[0].bias)
        return model

    assert codes(build, (16,)) == ["IP508"]
    assert not [one for one in ip.probe(build, inputs=(16,), **QUICK).findings if one.rule.code == "IP508"]


def test_a_depthwise_kernel_with_a_dense_fan_is_told_where_no_norm_hides_it():
    def build(norm):
        layers = []
        for _ in range(6):
            conv = nn.Conv2d(16, 16, 3, padding=1, padding_mode="circular", groups=16, bias=False)
            nn.init.normal_(conv.weight, std=(2.0 / (16 * 9)) ** 0.5)
            layers += [conv, nn.BatchNorm2d(16)] if norm else [conv]
            layers += [nn.ReLU()]
        return nn.Sequential(*layers)

    assert codes(lambda: build(norm=True), (16, 6, 6)) == []
    assert codes(lambda: build(norm=False), (16, 6, 6)) == ["IP505"]


def test_a_fan_that_is_right_and_a_gain_that_is_not_is_the_scheme():
    def build():
        model = nn.Sequential(*[part for _ in range(20) for part in (nn.Linear(64, 64), nn.ReLU())])
        for layer in model[::2]:
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        return model

    ((code, message),) = audit(build, (64,))
    assert code == "IP506"
    assert message.endswith(
        "variance times fan_in is a linear unit's, 1 (Xavier, LeCun, orthogonal); behind relu it takes 2"
    )


def test_the_weights_of_another_activation_are_named_with_what_would_help():
    def build():
        model = nn.Sequential(*[part for _ in range(20) for part in (nn.Linear(64, 64), nn.ReLU())])
        for layer in model[::2]:
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
        nn.init.normal_(model[0].weight, std=0.3)
        return model

    (found,) = ip.probe(build, inputs=(64,), check={"complete": True, "select": ("IP506",)}, seeds=5).findings
    assert found.label == "2 … 36 (18 layers)", "the first has no relu in front of it"
    assert found.measured.endswith("over 18 weights behind relu, 5 seeds")
    assert found.notes == ("multiply the standard deviations by 1.41, or draw them with kaiming_normal",)


def test_biases_and_default_init_of_one_stack_are_notes_on_one_finding():
    def build():
        return nn.Sequential(*[part for _ in range(16) for part in (nn.Linear(64, 64), nn.ReLU())])

    findings = ip.probe(build, inputs=(64,), check={"complete": True}, seeds=5).findings
    assert [finding.rule.code for finding in findings] == ["IP201", "IP401"]
    assert {note.partition("(")[2][:5] for note in findings[0].notes} >= {"IP510", "IP513"}


def test_a_tied_table_that_the_model_scales_makes_no_large_logits():
    class Scaled(nn.Module):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor
            self.embed = nn.Embedding(50, 64)
            self.norm = nn.LayerNorm(64)
            self.head = nn.Linear(64, 50, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, tokens):
            return self.head(self.factor * self.norm(self.embed(tokens)))

    assert codes(lambda: Scaled(64**-0.5), "int64[6]<50") == []
    assert codes(lambda: Scaled(1.0), "int64[6]<50") == ["IP511"]


class Positioned(nn.Module):
    """Tokens of N(0, 0.02), perhaps scaled, beside types and a table of positions."""

    def __init__(self, scale, positions):
        super().__init__()
        self.embed, self.types, self.head = nn.Embedding(50, 64), nn.Embedding(50, 64), nn.Linear(64, 50)
        nn.init.normal_(self.embed.weight, std=0.02)
        nn.init.normal_(self.types.weight, std=0.001)
        self.scale = scale
        self.register_buffer("positions", positions * torch.randn(6, 64))

    def forward(self, tokens):
        looked_up = self.scale(self.embed(tokens)) + self.types(tokens)
        return self.head(nn.functional.layer_norm(looked_up + self.positions, (64,)))


@pytest.mark.parametrize(
    ("scale", "positions", "told"),
    [
        (lambda x: x, 0.7, ["IP511"]),
        (lambda x: x * 8.0, 0.7, []),
        (lambda x: x / 0.125, 0.7, []),
        (lambda x: x * torch.tensor(8.0), 0.7, []),
        (lambda x: x / 8.0, 0.1, ["IP511"]),
        (lambda x: x, 0.1, []),
    ],
    ids=["drowned", "scaled", "divided", "by a tensor", "made smaller", "small positions"],
)
def test_a_table_that_positions_drown_is_told_unless_the_model_scales_it(scale, positions, told):
    assert codes(lambda: Positioned(scale, positions), "int64[6]<50", check={"select": ["IP511"]}) == told


def test_a_weight_that_is_scaled_as_the_last_one_of_its_branch_and_is_none_is_told():
    ratio = 8**-0.5

    class Block(nn.Module):
        def __init__(self, stds):
            super().__init__()
            self.attention = nn.MultiheadAttention(32, 2, batch_first=True)
            self.gate, self.up, self.down = nn.Linear(32, 64), nn.Linear(32, 64), nn.Linear(64, 32)
            weights = (self.attention.in_proj_weight, self.attention.out_proj.weight)
            for weight, std in zip(
                (*weights, *(one.weight for one in (self.gate, self.up, self.down))), stds, strict=True
            ):
                nn.init.normal_(weight, std=std)

        def forward(self, x):
            h = nn.functional.layer_norm(x, (32,))
            x = x + self.attention(h, h, h, need_weights=False)[0]
            h = nn.functional.layer_norm(x, (32,))
            return x + self.down(nn.functional.silu(self.gate(h)) * self.up(h))

    def told(*stds):
        return audit(lambda: nn.Sequential(*[Block(stds) for _ in range(4)]), (6, 32))

    ((code, message),) = told(0.1, 0.1 * ratio, 0.1, 0.1 * ratio, 0.1 * ratio)
    assert code == "IP509"
    assert message.endswith("and no last ones: 0.up.weight and 3 like it")
    assert told(0.1, 0.1 * ratio, 0.1, 0.1, 0.1 * ratio) == []
    assert told(0.1, 0.1 * ratio, 0.1, 0.06, 0.1 * ratio) == []


def test_an_odd_layer_is_named_and_a_pattern_of_two_is_not():
    def build(odd):
        layers = [nn.Linear(32, 32) for _ in range(8)]
        for index, layer in enumerate(layers):
            nn.init.normal_(layer.weight, std=0.05 if index in odd else 0.02)
        return nn.Sequential(*[part for layer in layers for part in (layer, nn.LayerNorm(32), nn.GELU())])

    ((code, message),) = audit(lambda: build({5}), (32,))
    assert code == "IP507"
    assert message.startswith("15.weight has a standard deviation of 0.05")
    assert codes(lambda: build({1, 3, 5, 7}), (32,)) == []


def test_layers_that_are_numbered_in_their_names_are_one_kind_unless_a_list_of_blocks_numbers_them():
    def stack(stds):
        layers = {f"fc{index}": nn.Linear(32, 32) for index in range(len(stds))}
        for layer, std in zip(layers.values(), stds, strict=True):
            nn.init.normal_(layer.weight, std=std)
        return nn.Sequential(
            OrderedDict(
                (f"{name}{end}", part)
                for name, layer in layers.items()
                for end, part in (("", layer), ("_norm", nn.LayerNorm(32)), ("_act", nn.GELU()))
            )
        )

    ((code, message),) = audit(lambda: stack([0.02] * 5 + [0.05] + [0.02] * 2), (32,))
    assert code == "IP507"
    assert message.startswith("fc5.weight has a standard deviation of 0.05")
    assert codes(lambda: nn.Sequential(*[stack([0.02, 0.02, 0.02, 0.05]) for _ in range(3)]), (32,)) == []
