"""A whole model: what is written, what is left, and on what a draw depends."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

import initprobe as ip
from initprobe.errors import SpecError, TargetError, UsageError
from initprobe.init.choose import parse_scheme
from initprobe.init.initialize import initialize_model
from initprobe.init.schemes.base import SCHEMES, Filled, joined, register
from initprobe.records import Anatomy, InitRequest, Override, Part, SchemeChoice, Weight

BY_WEIGHT = [
    "constant", "kaiming_normal", "lecun_uniform", "normal", "orthogonal", "torch_default", "truncated_normal", "uniform",
    "variance_scaling", "xavier_normal", "zeros",
]  # fmt: skip
"""Schemes that look at one weight at a time; what holds for all is in ``test_contract``."""

HE = InitRequest(SchemeChoice("kaiming_normal"))


def request(default: str | None, **overrides: str) -> InitRequest:
    chosen = tuple(Override(parse_scheme(scheme), glob=glob) for glob, scheme in overrides.items())
    return InitRequest(parse_scheme(default) if default else None, chosen)


class Model(nn.Module):
    """One of everything."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(30, 16)
        self.position = nn.Parameter(torch.full((1, 8, 16), 0.5))
        self.conv = nn.Conv2d(4, 8, 3, groups=2)
        self.up = nn.ConvTranspose1d(8, 4, 4, stride=2)
        self.lstm = nn.LSTM(16, 12)
        self.norm = nn.LayerNorm(16)
        self.batch = nn.BatchNorm2d(8)
        self.act = nn.PReLU()
        self.linear = nn.Linear(16, 32)
        self.head = nn.Linear(16, 30, bias=False)
        self.head.weight = self.embed.weight
        self.linear.weight.requires_grad_(False)


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("name", BY_WEIGHT)
def test_every_parameter_is_drawn_or_skipped_once(name, anatomy_of):
    model = Model()
    before = state(model)
    outcome = initialize_model(model, anatomy_of(model), request(name), 0)
    told = [one.weight for one in (*outcome.drawn, *outcome.skipped)]
    assert sorted(told) == sorted(dict(model.named_parameters()))
    assert outcome.scheme == name
    for skipped in outcome.skipped:
        assert skipped.reason
        assert torch.equal(model.get_parameter(skipped.weight), before[skipped.weight])
    for buffer in dict(model.named_buffers()):
        assert torch.equal(model.get_buffer(buffer), before[buffer])
    assert all(parameter.isfinite().all() and parameter.grad is None for parameter in model.parameters())
    assert [name for name, one in model.named_parameters() if not one.requires_grad] == ["linear.weight"]


@pytest.mark.parametrize("name", [name for name in BY_WEIGHT if name != "torch_default"])
def test_biases_zero_norms_and_slopes_left(name, anatomy_of):
    model = Model()
    nn.init.constant_(model.norm.weight, 3.0)
    nn.init.constant_(model.norm.bias, 4.0)
    outcome = initialize_model(model, anatomy_of(model), request(name), 0)
    assert model.linear.bias.eq(0).all()
    assert model.conv.bias.eq(0).all()
    assert model.lstm.bias_hh_l0.eq(0).all()
    assert model.norm.weight.eq(3).all()
    assert model.norm.bias.eq(4).all()
    assert model.batch.weight.eq(1).all()
    assert model.act.weight.eq(0.25).all()
    skipped = {one.weight for one in outcome.skipped}
    assert {"norm.weight", "norm.bias", "batch.weight", "batch.bias", "act.weight"} <= skipped
    assert next(one.std for one in outcome.drawn if one.weight == "linear.bias") == 0.0


def test_embeddings_are_unit_normal_under_fan_schemes_and_the_schemes_own_under_plain_ones(anatomy_of):
    model = Model()
    outcome = initialize_model(model, anatomy_of(model), HE, 0)
    assert next(one.std for one in outcome.drawn if one.weight == "embed.weight") == 1.0
    initialize_model(model, anatomy_of(model), request("normal(std=0.02)"), 0)
    assert float(model.embed.weight.detach().std()) == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize("name", BY_WEIGHT)
def test_dtype_and_layout_change_nothing_but_the_rounding(name, anatomy_of):
    models = {}
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        models[dtype] = Model().to(dtype)
        initialize_model(models[dtype], anatomy_of(models[dtype]), request(name), 3)
    last = Model().to(memory_format=torch.channels_last)
    initialize_model(last, anatomy_of(last), request(name), 3)
    assert last.conv.weight.is_contiguous(memory_format=torch.channels_last)
    for weight, exact in models[torch.float64].named_parameters():
        for dtype, model in models.items():
            assert model.get_parameter(weight).dtype is dtype
            assert torch.equal(model.get_parameter(weight), exact.to(dtype))
        assert torch.equal(last.get_parameter(weight), exact.float())


@pytest.mark.parametrize("name", BY_WEIGHT)
def test_neighbours_and_order_change_nothing(name, anatomy_of):
    def build(*names: str) -> nn.ModuleDict:
        return nn.ModuleDict({name: nn.Linear(16, 16) for name in names})

    small, large = build("b"), build("x", "b", "a")
    initialize_model(small, anatomy_of(small), request(name), 5)
    torch.manual_seed(1)
    initialize_model(large, anatomy_of(large), request(name), 5)
    assert torch.equal(small["b"].weight, large["b"].weight)
    other = build("b")
    initialize_model(other, anatomy_of(other), request(name), 6)
    assert torch.equal(other["b"].weight, small["b"].weight) == (name in {"zeros", "constant"})


def test_the_global_generator_is_not_touched(anatomy_of):
    model = Model()
    before = torch.random.get_rng_state()
    initialize_model(model, anatomy_of(model), request("torch"), 0)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_schemes_share_their_draws(anatomy_of):
    he, lecun = Model(), Model()
    initialize_model(he, anatomy_of(he), HE, 0)
    initialize_model(lecun, anatomy_of(lecun), request("lecun"), 0)
    for weight in ("conv.weight", "up.weight", "lstm.weight_ih_l0", "linear.weight"):
        ours, theirs = he.get_parameter(weight), lecun.get_parameter(weight)
        torch.testing.assert_close(ours, math.sqrt(2) * theirs, rtol=1e-6, atol=0)


def test_tied_weights_are_drawn_once_under_the_first_name(anatomy_of):
    model = Model()
    outcome = initialize_model(model, anatomy_of(model), HE, 0)
    assert "head.weight" not in {one.weight for one in outcome.drawn}
    assert model.head.weight is model.embed.weight


def test_without_a_default_the_rest_keeps_its_values(anatomy_of):
    model = Model()
    before = state(model)
    outcome = initialize_model(model, anatomy_of(model), request(None, linear="zeros"), 0)
    assert [one.weight for one in outcome.drawn] == ["linear.weight", "linear.bias"]
    assert "no scheme was asked for" in outcome.skipped[0].reason
    assert torch.equal(model.conv.weight, before["conv.weight"])
    untouched = initialize_model(model, anatomy_of(model), InitRequest(), 0)
    assert (untouched.drawn, untouched.scheme) == ((), "own init")


def test_a_parameter_meant_by_name_is_drawn_whatever_it_is(anatomy_of):
    model = Model()
    chosen = {
        "norm.weight": "constant(2)",
        "*.bias": "constant(0.5)",
        "position": "normal(std=0.02)",
        "act.weight": "zeros",
    }
    initialize_model(model, anatomy_of(model), request("he", **chosen), 0)
    assert model.norm.weight.eq(2).all()
    assert model.norm.bias.eq(0.5).all()
    assert model.linear.bias.eq(0.5).all()
    assert float(model.position.detach().std()) == pytest.approx(0.02, rel=0.3)
    assert model.act.weight.eq(0).all()


def test_overrides_by_class_role_and_block_type(anatomy_of):
    model = Model()
    overrides = (
        Override(parse_scheme("zeros"), layer_type="conv2d"),
        Override(parse_scheme("constant(1)"), layer_type="recurrent"),
        Override(parse_scheme("constant(2)"), layer_type="dense"),
    )
    initialize_model(model, anatomy_of(model), InitRequest(HE.default, overrides), 0, layer_types={"linear": "dense"})
    assert model.conv.weight.eq(0).all()
    assert model.lstm.weight_ih_l0.eq(1).all()
    assert model.linear.weight.eq(2).all()


def test_a_depthwise_convolution_is_a_convolution_too(anatomy_of):
    model = nn.Sequential(nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 4, 1))
    known = anatomy_of(model).weights
    anatomy = Anatomy((replace(known[0], role="depthwise"), *known[1:]), (), ())
    for word, hit in (("conv", (True, True)), ("depthwise", (True, False))):
        nn.init.ones_(model[0].weight)
        nn.init.ones_(model[1].weight)
        chosen = InitRequest(None, (Override(parse_scheme("zeros"), layer_type=word),))
        initialize_model(model, anatomy, chosen, 0)
        assert tuple(bool(layer.weight.eq(0).all()) for layer in model) == hit


@pytest.mark.parametrize("scheme", ["he", "normal", "orthogonal"])
def test_the_gate_of_a_residual_branch_keeps_its_scale(anatomy_of, scheme):
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.gamma = nn.Parameter(torch.full((4, 1, 1), 1e-5))

    model = Scaled()
    anatomy = Anatomy((replace(anatomy_of(model).weights[0], role="gate"),), (), ())
    outcome = initialize_model(model, anatomy, request(scheme), 0)
    assert model.gamma.eq(1e-5).all()
    assert "the gate of a residual branch keeps its scale" in outcome.skipped[0].reason
    initialize_model(model, anatomy, request(scheme, gamma="zeros"), 0)
    assert model.gamma.eq(0).all()


def test_nothing_is_written_before_a_mistake_is_told(anatomy_of):
    model = Model()
    before = state(model)
    with pytest.raises(SpecError, match="matches no parameter"):
        initialize_model(model, anatomy_of(model), request("zeros", nowhere="he"), 0)
    with pytest.raises(UsageError, match="unknown scheme"):
        initialize_model(model, anatomy_of(model), InitRequest(SchemeChoice("hee")), 0)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_weight_without_fans_is_skipped_with_the_reason(anatomy_of):
    model = nn.Sequential(nn.Linear(3, 4))
    bare = anatomy_of(model).weights
    blind = Anatomy((type(bare[0])("0.weight", "0", "Linear", "linear", (4, 3)), bare[1]), (), ())
    outcome = initialize_model(model, blind, HE, 0)
    assert [(one.weight, one.reason) for one in outcome.skipped] == [
        ("0.weight", "it has no known fan_in: nothing was seen to use it as a weight")
    ]


def test_parameters_that_hold_no_numbers_to_draw(anatomy_of):
    model = nn.Sequential(nn.Linear(3, 4, device="meta"), nn.LazyLinear(3), nn.Linear(3, 3), nn.Linear(2, 2))
    model[2].weight = nn.Parameter(torch.zeros(3, 3, dtype=torch.int8), requires_grad=False)
    model[3].weight = nn.Parameter(torch.zeros(1).expand(2, 2))
    model.register_parameter("wave", nn.Parameter(torch.zeros(2, 2, dtype=torch.complex64)))
    outcome = initialize_model(model, anatomy_of(model), HE, 0)
    reasons = {one.weight: one.reason for one in outcome.skipped}
    assert "meta device" in reasons["0.weight"]
    assert "before the first forward pass" in reasons["1.weight"]
    assert reasons["2.weight"] == "its numbers are int8, not real"
    assert reasons["3.weight"] == "its elements share memory"
    assert reasons["wave"] == "its numbers are complex64, not real"


def test_a_weight_norm_keeps_the_drawn_weight(anatomy_of):
    plain, normed = nn.Sequential(nn.Linear(16, 16)), nn.Sequential(parametrizations.weight_norm(nn.Linear(16, 16)))
    initialize_model(plain, anatomy_of(plain), HE, 0)
    outcome = initialize_model(normed, anatomy_of(normed), HE, 0)
    torch.testing.assert_close(normed[0].weight, plain[0].weight)
    originals = [one for one in outcome.drawn if "original" in one.weight]
    assert [one.std for one in originals] == [None, None]
    assert all(isinstance(parameter, nn.Parameter) for parameter in normed.parameters())


class Doubled(nn.Module):
    """A parametrization that cannot be assigned to."""

    def forward(self, stored):
        return 2 * stored


class Raising(Doubled):
    """One that fails when it is, but for the first time, when torch tries it out."""

    tried = False

    def right_inverse(self, values):
        if self.tried:
            raise OSError("escape \x1b[31m")
        self.tried = True
        return values / 2


class Refusing(Doubled):
    """One that says that there is no inverse, which torch takes for the identity."""

    def right_inverse(self, values):
        raise NotImplementedError


class Inverting(nn.Module):
    """One that makes infinities of zeros."""

    def forward(self, stored):
        return 1 / stored

    def right_inverse(self, values):
        return values


def carrying(parametrization):
    return lambda layer: parametrize.register_parametrization(layer, "weight", parametrization())


@pytest.mark.parametrize(
    ("wrap", "scheme", "reason"),
    [
        (carrying(Raising), "normal(std=3)", "takes no values (OSError)"),
        (carrying(Inverting), "zeros", "what is not finite"),
        (parametrizations.spectral_norm, "zeros", "what is not finite"),
        (parametrizations.weight_norm, "zeros", "what is not finite"),
    ],
)
def test_a_parametrization_that_takes_no_values_is_told_and_undone(wrap, scheme, reason, anatomy_of):
    model = nn.Sequential(wrap(nn.Linear(16, 16)))
    before = state(model)
    outcome = initialize_model(model, anatomy_of(model), request(scheme), 0)
    assert {one.weight for one in outcome.skipped} == dict(model.named_parameters()).keys() - {"0.bias"}
    assert reason in outcome.skipped[0].reason
    assert "\x1b" not in outcome.skipped[0].reason
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]) or name == "0.bias"


@pytest.mark.parametrize(
    "wrap", [parametrizations.spectral_norm, parametrizations.orthogonal, carrying(Doubled), carrying(Refusing)]
)
@pytest.mark.parametrize("scheme", ["he", "xavier_uniform", "orthogonal(gain=3)"])
def test_a_parametrization_that_changes_what_is_drawn_is_drawn_as_if_it_came_later(wrap, scheme, anatomy_of):
    before, after = (nn.Sequential(nn.Linear(24, 24)) for _ in range(2))
    initialize_model(before, anatomy_of(before), request(scheme), 0)
    plain = before[0].weight.detach().clone()
    wrap(before[0])
    wrap(after[0])
    outcome = initialize_model(after, anatomy_of(after), request(scheme), 0)
    told = next(one for one in outcome.drawn if one.weight == "0.parametrizations.weight.original")
    name = type(after[0].parametrizations.weight[0]).__name__.strip("_")
    assert f"its parametrization ({name}) does not keep what is drawn" in told.note
    ours, theirs = after[0].parametrizations.weight.original, before[0].parametrizations.weight.original
    torch.testing.assert_close(ours, theirs)
    # Torch's estimate of a largest singular value starts anywhere, and ends with its fifteenth step.
    torch.testing.assert_close(after[0].weight, before[0].weight, rtol=0.1, atol=1e-6)
    seen, drawn = (float(values.detach().std(correction=0)) for values in (after[0].weight, plain))
    assert f"the layer sees about {seen / drawn:.1g} times the standard deviation that was drawn" in told.note
    if torch.equal(ours, plain):
        assert told.std == pytest.approx(float(plain.std()), rel=0.2)
    else:
        assert told.std is None


def test_spectral_norm_knows_the_weight_that_was_drawn(anatomy_of):
    torch.manual_seed(0)
    model = nn.Sequential(parametrizations.spectral_norm(nn.Linear(48, 96)))
    model.eval()  # no pass would mend the estimate
    initialize_model(model, anatomy_of(model), HE, 0)
    assert float(torch.linalg.matrix_norm(model[0].weight.detach(), 2)) == pytest.approx(1.0, abs=1e-3)
    assert not any(module.training for module in model.modules())


def test_spectral_norm_keeps_a_weight_that_stretches_nothing(anatomy_of):
    model = nn.Sequential(parametrizations.spectral_norm(nn.Linear(48, 96)))
    outcome = initialize_model(model, anatomy_of(model), request("orthogonal(gain=1)"), 0)
    told = outcome.drawn[-1]
    assert (told.weight, told.note) == ("0.parametrizations.weight.original", None)
    assert told.std == pytest.approx(96**-0.5)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("wrap", [nn.utils.weight_norm, nn.utils.spectral_norm])
def test_hooks_that_recompute_the_weight_are_told(wrap, anatomy_of):
    model = nn.Sequential(wrap(nn.Linear(8, 8)))
    outcome = initialize_model(model, anatomy_of(model), HE, 0)
    assert [one.weight for one in outcome.drawn] == ["0.bias"]
    assert all("recomputes it" in one.reason for one in outcome.skipped)


def test_a_parameter_that_the_anatomy_does_not_know_is_told(anatomy_of):
    model = nn.Sequential(nn.Linear(3, 4))
    outcome = initialize_model(model, Anatomy((), (), ()), HE, 0)
    assert [one.weight for one in outcome.skipped] == ["0.weight", "0.bias"]


def test_only_what_was_asked_for_is_drawn(anatomy_of):
    model = Model()
    before = state(model)
    outcome = initialize_model(model, anatomy_of(model), replace(HE, only=("lstm", "linear.w*")), 0)
    assert {one.weight for one in outcome.drawn} == {
        "linear.weight",
        *(f"lstm.{name}" for name, _ in model.lstm.named_parameters()),
    }
    left = {one.weight: one.reason for one in outcome.skipped}
    assert left["conv.weight"] == "outside of what is drawn: lstm, linear.w*"
    assert all(torch.equal(model.get_parameter(name), before[name]) for name in left)


def test_a_pattern_that_matches_nothing_is_told_before_anything_is_written(anatomy_of):
    model = Model()
    before = state(model)
    with pytest.raises(UsageError, match="'liner' matches no parameter") as told:
        initialize_model(model, anatomy_of(model), replace(HE, only=("lstm", "liner")), 0)
    assert "linear" in told.value.hint
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_scheme_that_draws_nothing_is_told(anatomy_of):
    model = nn.Sequential(nn.LayerNorm(4))
    outcome = initialize_model(model, anatomy_of(model), HE, 0)
    assert outcome.notes == ("kaiming_normal draws none of the parameters that it was asked for",)


def test_a_scheme_whose_parameters_others_take_is_told(anatomy_of):
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 4))
    outcome = initialize_model(model, anatomy_of(model), request("xavier", **{"0": "normal", "*": "he"}), 0)
    assert outcome.notes == (
        "xavier_normal draws nothing: overrides further down take all its parameters",
        "normal draws nothing: overrides further down take all its parameters",
    )
    assert not initialize_model(model, anatomy_of(model), request("xavier", **{"0": "he"}), 0).notes


def test_a_scheme_may_tell_of_the_network_as_a_whole(anatomy_of):
    class Telling(SCHEMES["zeros"]):
        """Zeros, with a remark."""

        card = replace(SCHEMES["zeros"].card, name="telling_of_a_test", aliases=(), options=())

        def remarks(self, network):
            return (f"{len(network.slots)} parameters",)

    register(Telling)
    try:
        model = nn.Sequential(nn.Linear(3, 4))
        outcome = initialize_model(model, anatomy_of(model), request("telling_of_a_test"), 0)
        assert outcome.notes == ("telling_of_a_test: 2 parameters",)
    finally:
        SCHEMES._leaves.pop("telling_of_a_test")


def test_what_holds_for_all_parts_of_a_parameter_is_told_once():
    def notes(model: nn.Module, inputs: tuple[int, ...], scheme: str) -> dict[str, str | None]:
        outcome = ip.initialize(model, scheme, inputs=inputs)
        return {one.weight: one.note for one in outcome.drawn}

    wide = notes(nn.LSTM(4, 12, batch_first=True), (5, 4), "identity")
    assert wide["weight_ih_l0"] == "8 outputs are zero: there are too few inputs"
    assert wide["weight_hh_l0"] is None
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    attention = notes(layer, (5, 8), "scaled_ws")["self_attn.in_proj_weight"]
    assert attention == notes(layer, (5, 8), "scaled_ws")["linear1.weight"]


def test_what_holds_for_some_parts_names_them():
    weight = Weight(
        "w", "", "M", "linear", (3, 2), parts=tuple(Part(name, 0, ((at, at + 1),)) for at, name in enumerate("abc"))
    )
    filled = [Filled(torch.zeros(1, 2), 0.0, note=note) for note in ("too few", None, "too few")]
    assert joined(weight, list(zip(weight.parts, filled, strict=True))).note == "a, c: too few"


class Strange(nn.Module):
    """A layer beside a parameter that nobody can write."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.expanded = nn.Parameter(torch.zeros(1).expand(4))

    def forward(self, x):
        return self.layer(x) + self.expanded.sum()


@pytest.mark.parametrize("scheme", ["kaiming_normal", "gradinit(steps=2)", "metainit(steps=2)", "lsuv", "mup"])
def test_what_nobody_can_write_stays_as_it_is(scheme):
    model = Strange()
    outcome = ip.initialize(model, scheme, inputs=(4,))
    reasons = {one.weight: one.reason for one in outcome.skipped}
    assert reasons["expanded"] == "its elements share memory"
    assert "layer.weight" in {one.weight for one in outcome.drawn}


def test_a_failure_is_not_hidden_by_what_nobody_can_write():
    model = Strange()
    before = model.layer.weight.detach().clone()
    with pytest.raises(TargetError, match="the loss function failed"):
        ip.initialize(model, "gradinit(steps=2)", inputs=(4,), loss=lambda _output: 1 / 0)
    assert torch.equal(model.layer.weight, before)
    assert ip.probe(model, inputs=(4,), scheme="kaiming_normal", seeds=1).entry.outcome is not None


def test_a_model_without_parameters_is_told():
    outcome = ip.initialize(nn.Sequential(nn.ReLU(), nn.Flatten()), "fixup", inputs=(4,))
    assert outcome.notes == ("the model has no parameters: there is nothing to draw",)


@pytest.mark.parametrize("scheme", ["kaiming_normal", "shrink_perturb"])
def test_a_source_that_nobody_looks_at_is_told(scheme):
    model, source = nn.Linear(4, 4), nn.Linear(4, 4)
    assert ip.initialize(model, scheme, inputs=(4,), source=source).notes == (
        f"source was given, and {scheme} does not look at it",
    )
    for other in ("mup", "net2net"):
        notes = ip.initialize(model, other, inputs=(4,), source=source).notes
        assert not any("source" in note for note in notes)
