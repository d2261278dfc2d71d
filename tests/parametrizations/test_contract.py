"""What every reparametrization promises, on every kind of layer that it may be put on."""

import copy
import math
import warnings
from dataclasses import replace

import pytest
import torch
from torch import nn

from initprobe.dissect.anatomy import trace_anatomy
from initprobe.init.choose import parse_scheme
from initprobe.init.initialize import initialize_model
from initprobe.init.schemes.base import SCHEMES, WeightScheme
from initprobe.load.given import open_given
from initprobe.parametrizations.base import PARAMETRIZATIONS
from initprobe.parametrizations.reparametrize import reparametrize
from initprobe.records import Anatomy, InitRequest, ProbeRequest
from tests.init.networks import CASES

CHOICES = [
    *((name, {}) for name in PARAMETRIZATIONS),
    ("equalized", {"gain": 1.0, "lr_mul": 0.01}),
    ("weight_standardization", {"scaled": False, "learned": True}),
    ("spectral_norm", {"power_iterations": 3}),
]
KEEPING = [(name, options) for name, options in CHOICES if PARAMETRIZATIONS[name].card.keeps]
SAMPLE = (3, 8, 8)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, groups=2, dilation=2, padding_mode="circular", padding=2),
        nn.Conv2d(8, 8, 3, groups=8),
        nn.ConvTranspose2d(8, 6, 4, stride=2, groups=2),
        nn.Flatten(2),
        nn.Conv1d(6, 5, 7, stride=7),
        nn.GELU(),
        nn.Linear(28, 12, bias=False),
    )


def batch(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(4, *SAMPLE, generator=torch.Generator().manual_seed(1)).to(dtype)


@pytest.fixture(params=CHOICES, ids=lambda choice: f"{choice[0]}{list(choice[1].values()) or ''}")
def made(request):
    model = network()
    name, options = request.param
    told = reparametrize(model, name, **options)
    assert told == ("0.weight", "2.weight", "3.weight", "4.weight", "6.weight", "8.weight")
    return model


def test_the_stored_weights_get_gradients_and_nothing_else_is_a_parameter(made):
    made(batch()).square().mean().backward()
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0.0, name
    assert not [name for name, _ in made.named_parameters() if name.endswith(".weight")]


def test_a_copy_is_a_model_of_its_own(made):
    twin = copy.deepcopy(made).eval()
    made.eval()
    before = made(batch())
    assert torch.equal(twin(batch()), before)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.neg_()
    assert torch.equal(made(batch()), before)
    assert len(reparametrize(twin, _name(twin), **_options(twin))) == 6


def _carried(model):
    return model[0].parametrizations.weight[0].reparametrized_by


def _name(model):
    return _carried(model).card.name


def _options(model):
    return dict(_carried(model))


def test_the_state_comes_back(made):
    twin = network()
    reparametrize(twin, _name(made), **_options(made))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(1.5)
    twin.load_state_dict(made.state_dict())
    assert torch.equal(twin.eval()(batch()), made.eval()(batch()))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_types_differ_by_their_rounding(made, dtype):
    exact = copy.deepcopy(made).double().eval()
    rounded = copy.deepcopy(made).to(dtype).eval()
    for ours, theirs in zip(_weights(rounded), _weights(exact), strict=True):
        assert ours.dtype is dtype
        # Where a sum is rounded a few times, and a length or a singular value is made of squares.
        assert (ours.double() - theirs).abs().max() <= 16 * torch.finfo(dtype).eps * theirs.abs().max()
    output = rounded(batch(dtype))
    assert output.dtype is dtype
    assert output.isfinite().all()


def test_mixed_precision(made):
    with torch.autocast("cpu", torch.bfloat16):
        output = made(batch())
    assert output.dtype is torch.bfloat16
    output.float().square().mean().backward()
    assert all(one.grad.dtype is torch.float32 and one.grad.isfinite().all() for one in made.parameters())


def _weights(model: nn.Module) -> list[torch.Tensor]:
    return [layer.weight.detach() for layer in model if hasattr(layer, "parametrizations")]


def test_compiles_as_one_graph(made):
    torch.compiler.reset()
    made.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own deprecations while it traces
        compiled = torch.compile(made, backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(batch()), made(batch()))


@pytest.mark.parametrize(("name", "options"), CHOICES)
def test_the_global_generator_is_not_touched(name, options):
    model = network()
    before = torch.random.get_rng_state()
    reparametrize(model, name, **options)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(("name", "options"), KEEPING)
def test_what_keeps_weights_leaves_the_function_as_it_was(name, options):
    model = network()
    before = model(batch())
    reparametrize(model, name, **options)
    torch.testing.assert_close(model(batch()), before)


def described(model: nn.Module, inputs: object) -> Anatomy:
    target, _ = open_given(model, inputs)
    return trace_anatomy(target.build(0, ProbeRequest())).anatomy


def plain(name: str | None) -> str | None:
    """The name of a weight before it was parametrized."""
    if name is None or "parametrizations." not in name:
        return name
    host, _, rest = name.partition("parametrizations.")
    return host + rest.partition(".original")[0]


@pytest.mark.parametrize("name", list(PARAMETRIZATIONS))
@pytest.mark.parametrize("case", ["tanh", "convolutions", "sequence", "batchnorm", "gated", "prenorm", "separate"])
def test_the_structure_is_read_as_before(name, case):
    torch.manual_seed(0)
    model = CASES[case].build()
    before = described(model, CASES[case].inputs)
    told = reparametrize(model, name)
    after = described(model, CASES[case].inputs)

    def same(weight):
        return replace(weight, name=plain(weight.name), module="", module_type="", location=None)

    ours = {same(weight).name: same(weight) for weight in after.weights if not weight.name.endswith(".original0")}
    theirs = {weight.name: same(weight) for weight in before.weights}
    assert ours == theirs
    assert set(told) <= set(theirs)
    assert all(theirs[one].role in {"linear", "conv", "depthwise", "transposed"} for one in told)
    multiplied = {
        one.name
        for one in before.weights
        if one.role in {"linear", "conv", "depthwise", "transposed"} and "embed" not in one.name
    }
    assert set(told) == multiplied
    branches = [
        replace(branch, **{key: tuple(map(plain, getattr(branch, key))) for key in ("weights", "tails", "shortcut")})
        for branch in after.branches
    ]
    assert tuple(branches) == before.branches
    assert after.streams == before.streams
    sites = [(one.key, one.kind, plain(one.weight), one.units) for one in after.sites if "parametr" not in one.key]
    assert sites == [(one.key, one.kind, one.weight, one.units) for one in before.sites]


BY_WEIGHT = [name for name in SCHEMES if issubclass(SCHEMES[name], WeightScheme)]


@pytest.mark.parametrize("scheme", BY_WEIGHT)
@pytest.mark.parametrize(("name", "options"), KEEPING)
def test_every_scheme_draws_the_same_through_what_keeps_weights(name, options, scheme):
    if name == "weight_norm" and scheme == "zeros":
        pytest.skip("zero has no direction")
    before, after = network(), network()
    reparametrize(after, name, **options)
    for model in (before, after):
        initialize_model(model, described(model, SAMPLE), InitRequest(parse_scheme(scheme)), 3)
    for ours, theirs in zip(_weights(after), [one.weight for one in before if hasattr(one, "weight")], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", list(PARAMETRIZATIONS))
def test_cards_are_complete(name):
    card = PARAMETRIZATIONS[name].card
    assert card.name == name
    assert PARAMETRIZATIONS.aliases_of(name) == card.aliases
    assert all((card.summary, card.formula, card.when, card.reference))
    assert "\n" not in card.summary
    assert all(option.accepts and option.description for option in card.options)


def test_gains_of_the_documents():
    # relu has mean 1/√(2π) and second moment 1/2.
    assert 1 / math.sqrt(0.5 - 0.5 / math.pi) == pytest.approx(1.712859, abs=1e-6)
