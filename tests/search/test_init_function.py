"""The text to paste draws what the scheme draws: it is run, and the weights are held against the declared ones."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from initprobe.api import probe
from initprobe.errors import TargetError
from initprobe.init.choose import parse_scheme
from initprobe.load.sources.python import python_target
from initprobe.pipeline import probe_target
from initprobe.records import InitRequest, Override, ProbeRequest, Request, TargetRequest
from initprobe.search.init_function import InexpressibleError, calling_function, plain_function
from initprobe.search.pasted import PastedTarget, apply_function


class Mixed(nn.Module):
    """Layers of every kind: embedding, convolution, packed attention, a tied head, a gate of its own."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(60, 64, padding_idx=0)
        self.attention = nn.MultiheadAttention(64, 4, batch_first=True)
        self.norm = nn.LayerNorm(64)
        self.conv = nn.Conv1d(64, 64, 3, padding=1, groups=4)
        self.layers = nn.ModuleList(nn.Linear(64, 64, bias=place > 0) for place in range(3))
        self.alpha = nn.Parameter(torch.ones(1))
        self.last = nn.Linear(64, 48)
        self.head = nn.Linear(64, 60, bias=False)
        self.head.weight = self.table.weight

    def forward(self, ids):
        x = self.table(ids)
        x = x + self.attention(self.norm(x), x, x)[0]
        x = torch.relu(self.conv(x.mT).mT)
        for layer in self.layers:
            x = x + self.alpha * torch.relu(layer(x))
        return self.head(x).mean(1), self.last(x)


def drawn(init):
    """A network that a scheme drew, once, as an entry."""
    request = TargetRequest("Mixed", inputs=("int64[6]<60",))
    target = python_target(Mixed, name="Mixed", request=request)
    return probe_target(target, Request(request, init=init, probe=ProbeRequest(seeds=(0,), max_seeds=1, batch=2)))


SCHEMES = [
    "kaiming_normal", "kaiming_uniform", "xavier_normal", "xavier_uniform", "lecun_normal(gain=1.3)", "normal(std=0.02)",
    "variance_scaling", "variance_scaling(distribution='uniform', mode='fan_out')",
    "variance_scaling(distribution='truncated_normal')", "zeros", "constant(value=0.25)", "branch_scaling",
    "zero_init_residual",
]  # fmt: skip


@pytest.mark.parametrize("scheme", SCHEMES)
def test_it_draws_every_parameter_as_the_scheme_does(scheme):
    init = InitRequest(parse_scheme(scheme), (Override(parse_scheme("normal(std=0.5)"), glob="layers.1.weight"),))
    entry = drawn(init)
    code = plain_function(init, entry)
    assert "initprobe" not in code
    model = Mixed()
    for kept in (*model.norm.parameters(), model.alpha):
        nn.init.constant_(kept, 7.0)
    torch.manual_seed(0)
    apply_function(code, model)
    parameters = dict(model.named_parameters())
    declared = {one.weight: one.std for one in entry.outcome.drawn}
    for summary in entry.weights:
        name, values = summary.weight.name, parameters[summary.weight.name].detach()
        if name == "table.weight":  # its first row is padding
            assert (values[0] == 0.0).all()
            values = values[1:]
        if name not in declared:
            assert (values == 7.0).all(), name
        elif declared[name] == 0.0:
            value = 0.25 if scheme.startswith("constant") and "bias" not in name else summary.value["mean"].mean
            assert torch.allclose(values, torch.full_like(values, value)), name
        else:
            # The standard deviation of n normal numbers is off by 1 / sqrt(2 n): five of these.
            assert abs(float(values.std()) / declared[name] - 1.0) < 5.0 / math.sqrt(2.0 * values.numel()), name


class OwnLayerNorm(nn.LayerNorm):
    pass


class OwnBatchNorm(nn.BatchNorm1d):
    pass


class OwnLinear(nn.Linear):
    pass


def with_subclasses():
    return nn.Sequential(
        nn.Linear(16, 16), nn.LayerNorm(16), OwnLayerNorm(16), OwnLinear(16, 16), nn.BatchNorm1d(16), OwnBatchNorm(16)
    )


@pytest.mark.parametrize(
    ("globs", "kept"),
    [
        (("0", "1.*", "4.*"), '{"OwnLayerNorm", "OwnLinear", "OwnBatchNorm"}:'),
        (("0", "1.*", "3"), '{"OwnLayerNorm", "OwnBatchNorm"}:'),  # either may be a kind of it
        (("0",), '== "OwnLinear":'),
        (("0", "3"), ""),
    ],
)
def test_what_is_kept_stays_though_the_class_that_it_derives_from_is_drawn(globs, kept):
    init = InitRequest(None, tuple(Override(parse_scheme("normal(std=0.5)"), glob=glob) for glob in globs))
    request = TargetRequest("model", inputs=("16",))
    target = python_target(with_subclasses, name="model", request=request)
    probed = ProbeRequest(seeds=(0,), max_seeds=1, batch=4)
    entry = probe_target(target, Request(request, init=init, probe=probed))
    code = plain_function(init, entry)
    assert (kept in code) if kept else ("pass" not in code)
    model = with_subclasses()
    before = copy.deepcopy(model.state_dict())
    apply_function(code, model)
    changed = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    drawn = {one.weight for one in entry.outcome.drawn}
    assert changed == drawn
    assert not any(name.startswith(("2", "5")) for name in changed)


def test_orthogonal_matrices_are_orthogonal():
    def build():
        return nn.Sequential(nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 12))

    init = InitRequest(parse_scheme("orthogonal(gain=1.5)"))
    code = plain_function(
        init, probe(build, inputs=(24,), scheme="orthogonal(gain=1.5)", seeds=1, max_seeds=1, batch=4).entry
    )
    assert code.count("nn.init.orthogonal_(module.weight, gain=1.5)") == 1
    model = build()
    apply_function(code, model)
    for layer in (model[0], model[2]):
        product = layer.weight.detach() @ layer.weight.detach().T
        assert torch.allclose(product, 2.25 * torch.eye(len(product)), atol=1e-5)


def test_it_is_as_short_as_the_network_is_regular():
    def build():
        return nn.Sequential(*(nn.Linear(16, 16) for _ in range(5)), nn.Linear(16, 4, bias=False))

    he = InitRequest(parse_scheme("kaiming_normal"))
    entry = probe(build, inputs=(16,), scheme="kaiming_normal", seeds=1, max_seeds=1, batch=4).entry
    assert plain_function(he, entry) == (
        "import torch\nfrom torch import nn\n\n\n@torch.no_grad()\ndef init_weights(model: nn.Module) -> None:\n"
        '    """Draws the weights: kaiming_normal."""\n'
        "    for name, module in model.named_modules():\n"
        "        if isinstance(module, nn.Linear):\n"
        '            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")\n'
        "            if module.bias is not None:\n"
        "                nn.init.zeros_(module.bias)\n"
    )


@pytest.mark.parametrize("scheme", ["t_fixup", "delta_orthogonal", "gpt2", "orthogonal"])
def test_what_torch_has_no_words_for_is_not_said(scheme):
    init = InitRequest(parse_scheme(scheme))
    entry = (
        drawn(init)
        if scheme != "delta_orthogonal"
        else replace(drawn(InitRequest(parse_scheme("zeros"))), outcome=None)
    )
    with pytest.raises(InexpressibleError):
        plain_function(init, entry)


def test_the_other_function_calls_initprobe():
    code = calling_function(InitRequest(parse_scheme("lsuv"), only=("layers.*",)))
    model = Mixed()
    before = copy.deepcopy(model)
    apply_function(code, model, (torch.randint(0, 60, (8, 6)),))
    assert not torch.equal(model.layers[0].weight, before.layers[0].weight)
    assert torch.equal(model.last.weight, before.last.weight)
    with pytest.raises(InexpressibleError):
        calling_function(InitRequest(parse_scheme("lsuv"), (Override(parse_scheme("zeros"), glob="head"),)))


def test_names_of_any_kind_cannot_break_out():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            for name in ('a"b', "c'd", '"""\n\\', "{}", "lambda"):
                self.add_module(name, nn.Linear(8, 8))
            self.register_parameter("class", nn.Parameter(torch.randn(8, 8)))

        def forward(self, x):
            for layer in self.children():
                x = layer(x)
            return x @ self.get_parameter("class")

    zeros = Override(parse_scheme("zeros"), glob="c'd.weight")
    init = InitRequest(parse_scheme("normal(std=0.5)"), (zeros, Override(parse_scheme("zeros"), glob="{}.weight")))
    request = TargetRequest("Odd", inputs=("8",))
    target = python_target(Odd, name="Odd", request=request)
    entry = probe_target(target, Request(request, init=init, probe=ProbeRequest(seeds=(0,), max_seeds=1, batch=2)))
    model = Odd()
    apply_function(plain_function(init, entry), model)
    stds = {name: float(parameter.detach().std()) for name, parameter in model.named_parameters() if "bias" not in name}
    assert {name for name, std in stds.items() if std == 0.0} == {"c'd.weight", "{}.weight"}
    assert all(0.3 < std < 0.7 for std in stds.values() if std)


def test_a_function_that_does_not_fit_is_told():
    with pytest.raises(TargetError, match="does not fit this network: AttributeError"):
        apply_function("def init_weights(model):\n    model.nowhere\n", nn.Linear(2, 2))


@pytest.mark.untraced
@pytest.mark.parametrize("name", ["vanishing", "exploding", "saturating", "odd", "residual", "dead"])
def test_the_function_printed_for_a_defective_model_makes_its_check_pass(probed, suggested, name):
    target, before = probed(name)
    code = suggested(name)[0].entries[0].change.python
    assert code
    pasted = PastedTarget(target, code, takes_inputs="inputs" in code)
    request = replace(before.request, probe=replace(before.request.probe, seeds=(20, 21, 22), max_seeds=8))
    entry = probe_target(pasted, request)
    assert entry.verdict == "pass"
    assert pasted.name == name
