"""What every scheme promises, over every scheme and many kinds of weights."""

import math
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from initprobe.init.choose import build_scheme, parse_scheme
from initprobe.init.fans import UndrawableError
from initprobe.init.network import Network
from initprobe.init.schemes.base import FAMILIES, SCHEMES, Scheme, WeightScheme, register
from initprobe.records import ActivationUse, Anatomy, Part, Weight
from initprobe.variates import Variates

RELU, TANH, SOFTMAX = ActivationUse("relu"), ActivationUse("tanh"), ActivationUse("softmax")
LINEAR = Weight("a.weight", "a", "Linear", "linear", (96, 64), 64.0, 96.0, 0, RELU, TANH)
WEIGHTS = [
    LINEAR,
    replace(LINEAR, shape=(64, 96), fan_in=96.0, fan_out=64.0, input_activation=SOFTMAX),
    replace(LINEAR, shape=(64, 64), fan_out=64.0, input_activation=None),
    Weight("b.weight", "b", "Conv1D", "linear", (48, 96), 48.0, 96.0, 1, None, RELU),
    Weight("c.weight", "c", "Conv1d", "conv", (64, 16, 5), 80.0, 320.0, 0, RELU, RELU),
    Weight("d.weight", "d", "Conv2d", "conv", (64, 8, 3, 3), 72.0, 144.0, 0, RELU, None),
    Weight("e.weight", "e", "Conv3d", "conv", (32, 8, 3, 3, 3), 216.0, 864.0, 0, TANH, None),
    Weight("f.weight", "f", "ConvTranspose2d", "transposed", (32, 16, 4, 4), 128.0, 256.0, 1, RELU, None),
    Weight("g.weight_hh_l0", "g", "LSTM", "recurrent", (192, 48), 48.0, 48.0, 0),
    Weight("h.weight", "h", "Embedding", "embedding", (80, 64), 1.0, 64.0, 1),
    Weight("i.table", "i", "Model", "other", (80, 64)),
    Weight("j.weight", "j", "Linear", "linear", (1, 1), 1.0, 1.0, 0),
    Weight("k.weight", "k", "Linear", "linear", (0, 5), 5.0, 0.0, 0),
    Weight("l.weight", "l", "Linear", "linear", (5, 0), 0.0, 5.0, 0),
    Weight("m.bias", "m", "Linear", "bias", (64,)),
]
WITH_FANS = WEIGHTS[:9]
BY_WEIGHT = [name for name in SCHEMES if issubclass(SCHEMES[name], WeightScheme)]
"""The schemes that need no network around a weight."""

CHOICES = [
    *BY_WEIGHT,
    "constant(value=-2)",
    "kaiming_normal(mode=fan_out)",
    "kaiming_uniform(mode=fan_avg, negative_slope=0.2)",
    "normal(std=0.5)",
    "orthogonal(gain=3)",
    "uniform(limit=0.3)",
    "variance_scaling(scale=2, mode=fan_out)",
    "variance_scaling(mode=fan_avg)",
    "variance_scaling(distribution=truncated_normal)",
    "variance_scaling(distribution=uniform, gain=1.5)",
    "xavier_uniform(gain=2)",
]


def scheme(text: str) -> Scheme:
    return build_scheme(parse_scheme(text))


def draw(text: str, weight: Weight, seed: int = 0) -> torch.Tensor:
    return scheme(text).draw(weight, Variates(seed, weight.name))


def named(weight: Weight) -> str:
    return f"{weight.module_type}{weight.shape}"


@pytest.mark.parametrize("weight", WEIGHTS, ids=named)
@pytest.mark.parametrize("text", CHOICES)
def test_draws_what_it_declares_or_says_why_not(text, weight):
    chosen = scheme(text)
    try:
        std = chosen.declared_std(weight)
    except UndrawableError:
        with pytest.raises(UndrawableError, match=r"\w"):
            chosen.draw(weight, Variates(0, weight.name))
        return
    values = chosen.draw(weight, Variates(0, weight.name))
    assert tuple(values.shape) == weight.shape
    assert values.dtype in (torch.float32, torch.float64)
    assert values.device.type == "cpu"
    assert values.isfinite().all()
    if std is not None and values.numel() > 1000:
        # A sample's standard deviation has the relative error 1/√(2n) for a normal, less for the others.
        assert abs(float(values.double().std()) - std) <= 4 * std / math.sqrt(2 * values.numel())
        assert abs(float(values.double().mean())) <= 4 * std / math.sqrt(values.numel()) or std == 0


@pytest.mark.parametrize("weight", WITH_FANS, ids=named)
@pytest.mark.parametrize("text", CHOICES)
def test_depends_on_the_seed_and_the_name_alone(text, weight):
    try:
        first = draw(text, weight)
    except UndrawableError:
        return
    before = torch.random.get_rng_state()
    torch.manual_seed(7)
    assert torch.equal(draw(text, weight), first)
    assert torch.equal(draw(text, replace(weight, module="elsewhere", trainable=False)), first)
    torch.random.set_rng_state(before)
    if scheme(text).declared_std(weight):
        assert not torch.equal(draw(text, weight, seed=1), first)
        assert not torch.equal(draw(text, replace(weight, name="another")), first)


@pytest.mark.parametrize("name", BY_WEIGHT)
def test_the_global_generator_is_not_touched(name):
    before = torch.random.get_rng_state()
    draw(name, LINEAR)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("name", list(SCHEMES))
def test_cards_are_complete(name):
    card = SCHEMES[name].card
    assert card.name == name
    assert SCHEMES.aliases_of(name) == card.aliases
    assert all((card.summary, card.formula, card.assumes, card.when, card.reference))
    assert card.family in FAMILIES
    assert "\n" not in card.summary
    for option in card.options:
        assert option.accepts
        assert option.description
    assert scheme(name) == SCHEMES[name](**{option.name: option.default for option in card.options})


def test_the_aliases_of_the_interface():
    expected = {
        "he": "kaiming_normal",
        "kaiming": "kaiming_normal",
        "xavier": "xavier_normal",
        "glorot": "xavier_normal",
        "lecun": "lecun_normal",
        "torch": "torch_default",
    }
    assert {alias: SCHEMES.canonical(alias) for alias in expected} == expected


def test_cards_are_read_without_torch():
    code = (
        "import sys; from initprobe.init.choose import parse_scheme; parse_scheme('he'); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("weight", WITH_FANS, ids=named)
def test_he_is_root_two_times_lecun_on_the_same_numbers(weight):
    torch.testing.assert_close(draw("he", weight), math.sqrt(2) * draw("lecun", weight), rtol=1e-6, atol=0)
    uniform = draw("kaiming_uniform", weight), math.sqrt(2) * draw("lecun_uniform", weight)
    torch.testing.assert_close(*uniform, rtol=1e-6, atol=0)


@pytest.mark.parametrize("weight", WITH_FANS, ids=named)
def test_variance_scaling_is_the_family(weight):
    pairs = {
        "lecun_normal": "variance_scaling(gain=1)",
        "kaiming_normal(mode=fan_out)": "variance_scaling(scale=2, gain=1, mode=fan_out)",
        "xavier_uniform": "variance_scaling(gain=1, mode=fan_avg, distribution=uniform)",
    }
    for special, general in pairs.items():
        torch.testing.assert_close(draw(special, weight), draw(general, weight), rtol=1e-6, atol=0)


def test_auto_is_he_behind_a_relu_and_lecun_behind_nothing():
    torch.testing.assert_close(draw("variance_scaling", LINEAR), draw("he", LINEAR), rtol=1e-6, atol=0)
    plain = replace(LINEAR, input_activation=None)
    torch.testing.assert_close(draw("variance_scaling", plain), draw("lecun", plain), rtol=1e-6, atol=0)


ORTHOGONAL_SHAPES = [
    ((64, 96), 0), ((96, 64), 0), ((50, 50), 0), ((48, 96), 1), ((16, 8, 3, 3), 0), ((64, 2, 3), 0), ((32, 16, 4, 4), 1)
]  # fmt: skip


@pytest.mark.parametrize(("shape", "axis"), ORTHOGONAL_SHAPES)
@pytest.mark.parametrize("gain", [1.0, 2.5])
def test_orthogonal_is_semi_orthogonal(shape, axis, gain):
    weight = Weight("w", "", "M", "conv", shape, unit_axis=axis)
    matrix = draw(f"orthogonal(gain={gain})", weight).movedim(axis, 0).reshape(shape[axis], -1)
    gram = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    torch.testing.assert_close(gram, gain**2 * torch.eye(len(gram), dtype=gram.dtype), atol=1e-6, rtol=0)


def test_orthogonal_takes_each_gate_by_itself():
    gates = tuple(Part(str(gate), 0, ((32 * gate, 32 * gate + 32),), 32.0, 32.0) for gate in range(4))
    weight = Weight("w", "", "LSTM", "recurrent", (4 * 32, 32), 32.0, 32.0, 0, parts=gates)
    filled = scheme("orthogonal").fill_chosen(
        weight, Network(nn.Module(), Anatomy((weight,), (), ())), Variates(0, "w")
    )
    assert filled.std == pytest.approx(1 / math.sqrt(32))
    for gate in filled.values.chunk(4):
        torch.testing.assert_close(gate @ gate.T, torch.eye(32, dtype=gate.dtype), atol=1e-6, rtol=0)


def test_orthogonal_is_haar_not_just_any_qr():
    # Without the sign correction LAPACK's diagonal of Q leans to one side.
    weight = Weight("w", "", "Linear", "linear", (4, 4), 4.0, 4.0, 0)
    diagonals = torch.stack([draw("orthogonal", weight, seed).diagonal() for seed in range(300)])
    assert diagonals.mean(0).abs().max() < 4 * 0.5 / math.sqrt(300)


def test_orthogonal_uses_the_gain_of_the_activation_before_it():
    weight = replace(LINEAR, shape=(64, 64), fan_out=64.0, input_activation=TANH)
    matrix = draw("orthogonal", weight)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(64, dtype=matrix.dtype) / 0.394294490397841)


def test_uniform_stays_inside_its_limit():
    assert draw("uniform", LINEAR).abs().max() <= 1 / 8
    assert draw("uniform(limit=0.3)", LINEAR).abs().max() <= 0.3
    assert draw("xavier_uniform", LINEAR).abs().max() <= math.sqrt(6 / 160)


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("normal(std=0.5)", lambda w: torch.nn.init.normal_(w, std=0.5)),
        ("uniform(limit=0.3)", lambda w: torch.nn.init.uniform_(w, -0.3, 0.3)),
        ("kaiming_normal", lambda w: torch.nn.init.kaiming_normal_(w, nonlinearity="relu")),
        (
            "kaiming_uniform(mode=fan_out)",
            lambda w: torch.nn.init.kaiming_uniform_(w, mode="fan_out", nonlinearity="relu"),
        ),
        ("kaiming_normal(negative_slope=0.2)", lambda w: torch.nn.init.kaiming_normal_(w, a=0.2)),
        ("xavier_normal", torch.nn.init.xavier_normal_),
        ("xavier_uniform(gain=2)", lambda w: torch.nn.init.xavier_uniform_(w, gain=2.0)),
        ("orthogonal(gain=2)", lambda w: torch.nn.init.orthogonal_(w, gain=2.0)),
    ],
)
def test_distributions_are_torchs(text, reference, ks_distance):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = torch.cat([reference(torch.empty(96, 64)).flatten() for _ in range(4)])
    ours = torch.cat([draw(text, LINEAR, seed).flatten() for seed in range(4)])
    n = ours.numel() * theirs.numel() / (ours.numel() + theirs.numel())
    assert ks_distance(ours, theirs) < 1.95 / math.sqrt(n)  # passes by chance but once in a thousand


def test_a_third_party_scheme_is_one_class():
    card = replace(SCHEMES["zeros"].card, name="ones_of_a_test", aliases=(), options=())

    class Ones(WeightScheme):
        """Ones."""

        def declared_std(self, weight):
            return None

        def draw(self, weight, variates):
            return torch.ones(weight.shape)

    Ones.card = card
    register(Ones)
    try:
        assert scheme("ones_of_a_test").draw(LINEAR, Variates(0, "w")).eq(1).all()
        with pytest.raises(ValueError, match="two schemes are called"):
            register(Ones)
    finally:
        SCHEMES._leaves.pop("ones_of_a_test")
