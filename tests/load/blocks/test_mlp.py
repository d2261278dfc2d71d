import pytest
import torch
from torch import nn

from initprobe.errors import SpecError
from initprobe.load.blocks.base import Signal
from initprobe.load.build import construct, plan
from initprobe.load.schema import checked, read_spec

X = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))


def built(layer, shape=(5,)):
    spec = read_spec("f", text=f"version: 1\nmodel:\n  input: {{shape: {list(shape)}}}\n  layers:\n    - {layer}\n")
    found = plan(spec, checked(spec).model.layers, Signal(shape))
    return found, construct(spec, found, 0)[0]


def refused(layer, shape=(5,)):
    with pytest.raises(SpecError) as caught:
        built(layer, shape)
    (problem,) = caught.value.problems
    place = caught.value.spec.locate(problem.path, on=problem.on)
    return problem, place


def test_it_computes_what_the_layers_compute_one_by_one():
    text = "{type: mlp, width: [8, 6], out: 2, norm: layer_norm, activation: {type: leaky_relu, negative_slope: 0.2}}"
    found, mlp = built(text)
    reference = nn.Sequential(
        nn.Linear(5, 8), nn.LayerNorm(8), nn.LeakyReLU(0.2),
        nn.Linear(8, 6), nn.LayerNorm(6), nn.LeakyReLU(0.2),
        nn.Linear(6, 2),
    )  # fmt: skip
    assert found.parameters == sum(parameter.numel() for parameter in reference.parameters())
    pairs = {"linear.0": 0, "norm.0": 1, "linear.1": 3, "norm.1": 4, "head": 6}
    for name, place in pairs.items():
        mlp.get_submodule(name).load_state_dict(reference[place].state_dict())
    torch.testing.assert_close(mlp(X), reference(X), atol=1e-6, rtol=0)


def test_a_width_and_a_depth_are_a_list_of_widths():
    one, other = built("{type: mlp, width: 8, depth: 3}")[1], built("{type: mlp, width: [8, 8, 8]}")[1]
    assert [name for name, _ in one.named_parameters()] == [
        f"linear.{n}.{p}" for n in range(3) for p in ("weight", "bias")
    ]
    assert torch.equal(one(X), other(X))
    assert isinstance(one.activation[2], nn.ReLU)
    assert one.head is None


def test_modules_and_locations_have_the_names_of_the_network():
    found, mlp = built("{type: mlp, width: 8, depth: 2, out: 3, dropout: 0.1, norm: batch_norm, bias: false}")
    paths = {f"mlp.{path}" for path, _ in mlp.named_modules() if path}
    assert paths | {"", "mlp"} == set(found.places.locations)
    assert found.places.layer_types["mlp.linear.1"] == "linear"
    assert found.places.layer_types["mlp.norm.0"] == "batch_norm"
    assert mlp.dropout[0].p == 0.1
    assert mlp.head.bias is None
    assert found.modules == len(list(mlp.modules())) + 1


def test_it_acts_along_the_last_axis():
    found, mlp = built("{type: mlp, width: 4, out: 2}", (3, 5))
    assert found.output.shape == (3, 2)
    assert mlp(torch.randn(2, 3, 5)).shape == (2, 3, 2)


@pytest.mark.parametrize(
    ("layer", "said", "column"),
    [
        ("{type: mlp}", "mlp needs 'width'", 7),
        ("{type: mlp, width: []}", "or a list with one per hidden layer", 26),
        ("{type: mlp, width: [8, 0]}", "or a list with one per hidden layer", 26),
        ("{type: mlp, width: [8, 8], depth: 2}", "has a depth already", 41),
        ("{type: mlp, width: 8, activation: rleu}", "unknown layer type 'rleu'", 41),
        ("{type: mlp, width: 8, activation: {type: leaky_relu, slope: 1}}", "unknown key 'slope'", 60),
        ("{type: mlp, width: 8, norm: {type: group_norm, groups: 3}}", "that 3 groups divide", 35),
        ("{type: mlp, width: 8, norm: embedding}", "needs 'out'", 35),
        ("{type: mlp, width: 8, activation: {type: softmax, dim: 4}}", "cannot act along axis 4", 41),
        ("{type: mlp, width: 8, depth: 100000000}", "at most 100,000 are built", 7),
    ],
)
def test_what_does_not_fit_is_told_at_its_place(layer, said, column):
    problem, place = refused(layer)
    assert said in problem.message
    assert (place.line, place.column) == (5, column)


def test_token_ids_are_refused():
    spec = read_spec("f", text="version: 1\nmodel: {input: {shape: [5]}, layers: [{type: mlp, width: 4}]}\n")
    with pytest.raises(SpecError, match="mlp takes real numbers"):
        plan(spec, checked(spec).model.layers, Signal((5,), 11))
