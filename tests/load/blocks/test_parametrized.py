"""Layers whose weights are computed in every pass."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import initprobe as ip
from initprobe.errors import SpecError
from initprobe.load.target import open_target
from initprobe.parametrizations.base import PARAMETRIZATIONS, carried
from initprobe.records import ProbeRequest, TargetRequest

LAYERS = "layers: [{type: linear, out: 6}, relu, {type: linear, out: 5}]"


def spec(tmp_path, options, times=2):
    file = tmp_path / "net.yaml"
    layer = f"{{type: parametrized, {options}}}"
    file.write_text(
        "version: 1\nmodel:\n  input: {shape: [5]}\n  layers:\n"
        f"    - type: repeat\n      times: {times}\n      layers: [{layer}]\nprobe: {{seeds: 2, max_seeds: 2, batch: 16}}\n"
    )
    return file


def built(file):
    target = open_target(TargetRequest(str(file)))
    model = target.build(0, ProbeRequest()).model
    assert target.plan.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert target.plan.modules >= len(list(model.modules()))
    return model


@pytest.mark.parametrize("name", PARAMETRIZATIONS)
def test_every_linear_layer_carries_it(tmp_path, name):
    file = spec(tmp_path, f"with: {name}, {LAYERS}")
    model = built(file)
    linears = [module for module in model.modules() if isinstance(module, nn.Linear)]
    assert len(linears) == 4
    assert all(carried(module, "weight").card.name == name for module in linears)
    result = ip.probe(file, scheme="kaiming_normal")
    assert result.verdict == "pass"
    assert not result.entry.coverage.unseen


def test_it_is_what_torch_makes_of_the_same_layers(tmp_path):
    model = built(spec(tmp_path, f"with: weight_norm, {LAYERS}", times=1)).repeat[0].parametrized
    reference = nn.Sequential(
        parametrizations.weight_norm(nn.Linear(5, 6)), nn.ReLU(), parametrizations.weight_norm(nn.Linear(6, 5))
    )
    for (name, own), (_, other) in zip(model.named_parameters(), reference.named_parameters(), strict=True):
        assert own.shape == other.shape, name
        other.data.copy_(own.data)
    x = torch.randn(4, 5)
    assert torch.allclose(model(x), reference(x), atol=1e-6)


def test_options_are_those_of_the_one_that_is_chosen(tmp_path):
    model = built(spec(tmp_path, f"with: equalized, lr_mul: 0.01, gain: 1, {LAYERS}"))
    first = next(module for module in model.modules() if isinstance(module, nn.Linear))
    assert carried(first, "weight").lr_mul == 0.01
    assert first.parametrizations.weight[0].scale == pytest.approx(0.01 * 5**-0.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (f"with: spectral_nrm, {LAYERS}", "'with' must be"),
        (f"with: spectral_norm, lr_mul: 0.1, {LAYERS}", "parametrized is wrong: parametrization 'spectral_norm' has no option 'lr_mul'"),
        (f"with: equalized, lr_mul: -1.0, {LAYERS}", "'lr_mul' is wrong: Input should be greater than 0"),
        (f"with: equalized, lr: 0.1, {LAYERS}", "unknown key 'lr'"),
        ("with: equalized, layers: [relu]", "parametrized cannot carry equalized: the model has no weight"),
        (LAYERS, "parametrized needs 'with'"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(tmp_path, options, message):
    with pytest.raises(SpecError) as caught:
        open_target(TargetRequest(str(spec(tmp_path, options))))
    (problem,) = caught.value.problems
    assert problem.message.startswith(message)
    place = caught.value.spec.locate(problem.path, on=problem.on)
    assert place.line == 7
    assert place.column >= 16
