import gc
import random

import numpy as np
import pytest
import torch
from torch import nn

from initprobe.errors import SpecError
from initprobe.load.blocks.base import Layer, Signal
from initprobe.load.blocks.linear import Linear
from initprobe.load.build import construct, plan
from initprobe.load.schema import checked, read_spec


def planned(layers, shape=(8,), vocab=None, memory=None):
    body = "".join(f"    {line}\n" for line in layers.strip("\n").splitlines())
    given = f"{{shape: {list(shape)}" + (f", dist: tokens, vocab: {vocab}}}" if vocab else "}")
    spec = read_spec("net.yaml", text=f"version: 1\nmodel:\n  input: {given}\n  layers:\n{body}")
    return spec, plan(spec, checked(spec).model.layers, Signal(tuple(shape), vocab), memory=memory)


def built(layers, shape=(8,), vocab=None, seed=0):
    return construct(*planned(layers, shape, vocab), seed)


def refused(layers, **options):
    with pytest.raises(SpecError) as caught:
        planned(layers, **options)
    (problem,) = caught.value.problems
    return problem, caught.value.spec.locate(problem.path)


MLP = """
- {type: linear, out: 16, name: stem}
- relu
- type: repeat
  times: 3
  name: block
  layers: [{type: linear, out: 16}, relu]
- {type: linear, out: 10, name: head}
"""


def test_modules_are_called_like_their_layers():
    names = [name for name, _ in built(MLP).named_modules()]
    assert names == ["", "stem", "relu", "block"] + [
        name for number in range(3) for name in (f"block.{number}", f"block.{number}.linear", f"block.{number}.relu")
    ] + ["head"]


def test_unnamed_layers_are_numbered_where_types_repeat():
    names = [name for name, _ in built("- relu\n- tanh\n- relu\n- {type: relu, name: relu_1}\n- relu").named_children()]
    assert names == ["relu", "tanh", "relu_2", "relu_1", "relu_3"]


def test_an_alias_is_called_like_what_it_stands_for():
    assert [name for name, _ in built("- swish\n- silu").named_children()] == ["silu", "silu_1"]


def test_residual_branches_have_names():
    layers = """
- type: residual
  name: res
  layers: [{type: linear, out: 4}]
  shortcut: [{type: linear, out: 4, name: project}]
"""
    assert [name for name, _ in built(layers).named_parameters()] == [
        "res.body.linear.weight",
        "res.body.linear.bias",
        "res.shortcut.project.weight",
        "res.shortcut.project.bias",
    ]


def test_a_residual_adds():
    model = built("- type: residual\n  layers: [{type: linear, out: 8}]")
    x = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(model(x), x + model.residual.body.linear(x))


def test_a_shortcut_takes_the_place_of_the_identity():
    model = built("- type: residual\n  layers: [{type: linear, out: 4}]\n  shortcut: [{type: linear, out: 4}]")
    x = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(model(x), model.residual.shortcut(x) + model.residual.body(x))


def test_every_module_has_the_line_of_its_layer():
    spec, found = planned(MLP)
    lines = {path: (place.line, place.column) for path, place in found.places.locations.items()}
    assert lines == {
        "": (3, 3),
        "stem": (5, 7),
        "relu": (6, 7),
        "block": (7, 7),
        "head": (11, 7),
        **{f"block.{number}": (7, 7) for number in range(3)},
        **{f"block.{number}.linear": (10, 16) for number in range(3)},
        **{f"block.{number}.relu": (10, 41) for number in range(3)},
    }
    assert set(lines) == {name for name, _ in construct(spec, found, 0).named_modules()}
    place = found.places.locations["block.1.linear"]
    assert place.file == "net.yaml"
    assert place.text[place.column - 1 : place.end_column - 1] == "{type: linear, out: 16}"


def test_every_layer_has_its_type():
    _, found = planned(MLP)
    assert found.places.layer_types["block"] == "repeat"
    assert found.places.layer_types["block.2.relu"] == "relu"
    assert "block.2" not in found.places.layer_types


def test_rules_ignored_on_a_layer_hold_for_all_its_repetitions_and_for_what_is_inside():
    layers = """
- type: repeat
  name: block
  times: 3
  layers:
    - {type: linear, out: 8, ignore: [{rule: dead-units, reason: on purpose}, {rule: IP103}]}
    - type: residual
      ignore: [{rule: residual-growth}]
      layers: [relu]
"""
    _, found = planned(layers)
    ignores = list(found.places.ignores.values())
    assert [(one.globs, one.rule, one.reason) for one in ignores] == [
        (("block.*.linear", "block.*.linear.*"), "dead-units", "on purpose"),
        (("block.*.linear", "block.*.linear.*"), "IP103", ""),
        (("block.*.residual", "block.*.residual.*"), "residual-growth", ""),
    ]
    assert [one.location.line for one in ignores] == [9, 9, 11]


def test_a_plan_counts_what_the_network_has():
    layers = """
- {type: conv2d, out: 4, kernel: 3, name: stem}
- batch_norm
- type: residual
  layers: [relu, {type: conv2d, out: 4, kernel: 3, padding: same}]
- prelu
- global_avg_pool
- {type: linear, out: 5}
"""
    spec, found = planned(layers, shape=(3, 8, 8))
    model = construct(spec, found, 0)
    assert found.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert found.modules == len(list(model.modules()))
    assert found.output == Signal((5,))
    sizes = []
    for module in model.modules():
        if not list(module.children()):
            module.register_forward_hook(lambda _, __, output: sizes.append(output[0].numel()))
    model(torch.zeros(2, 3, 8, 8))
    assert found.activations == 4 * (3 * 8 * 8 + sum(sizes))


def allocated():
    """Bytes of every dense tensor that is alive; other tests may have left odd ones."""
    gc.collect()
    tensors = [thing for thing in gc.get_objects() if type(thing) in (torch.Tensor, nn.Parameter)]
    dense = [tensor for tensor in tensors if tensor.layout is torch.strided and not tensor.is_nested]
    return sum(tensor.nbytes for tensor in dense if not tensor.is_meta)


def test_planning_allocates_nothing_and_draws_nothing():
    before = torch.get_rng_state()
    tensors = allocated()
    _, found = planned("- {type: linear, out: 30000}\n- {type: linear, out: 30000}", memory=10**13)
    assert found.parameters == 8 * 30_000 + 30_000**2 + 60_000
    assert allocated() <= tensors
    assert torch.equal(torch.get_rng_state(), before)


def state(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_a_seed_decides_every_weight():
    torch.manual_seed(1)
    first = state(built(MLP, seed=3))
    torch.manual_seed(2)
    assert same(first, state(built(MLP, seed=3)))
    assert not same(first, state(built(MLP, seed=4)))


def test_torch_itself_draws_the_weights():
    model = built("- {type: linear, out: 16}", seed=5)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        expected = nn.Linear(8, 16)
    assert torch.equal(model.linear.weight, expected.weight)


def test_building_leaves_generators_and_defaults_alone():
    torch.set_default_dtype(torch.float64)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    try:
        model = built(MLP)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert {parameter.device.type for parameter in model.parameters()} == {"cpu"}
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before[1:]  # noqa: NPY002


def test_repetitions_have_weights_of_their_own():
    model = built(MLP)
    assert len({parameter.data_ptr() for parameter in model.parameters()}) == 10
    assert not torch.equal(model.block[0].linear.weight, model.block[1].linear.weight)


def test_shapes_are_inferred_through_repetitions():
    model = built(MLP, shape=(5,))
    assert (model.stem.in_features, model.block[0].linear.in_features, model.head.in_features) == (5, 16, 16)


def test_tokens_pass_an_embedding():
    model = built("- {type: embedding, out: 4}\n- flatten\n- {type: linear, out: 3}", shape=(6,), vocab=11)
    assert (model.embedding.num_embeddings, model.linear.in_features) == (11, 24)
    assert model(torch.randint(11, (2, 6))).shape == (2, 3)


def test_tokens_can_be_flattened_first():
    model = built("- flatten\n- {type: embedding, out: 4}", shape=(2, 3), vocab=11)
    assert model(torch.randint(11, (5, 2, 3))).shape == (5, 6, 4)


def test_a_shape_that_does_not_fit_is_told_with_both_shapes_and_the_line():
    problem, place = refused("- {type: linear, out: 4}\n- {type: conv2d, out: 3, kernel: 3}", shape=(784,))
    assert problem.message == "conv2d needs an input of shape (channels, height, width), here it is (4,)"
    assert (place.line, place.column) == (6, 7)


def test_what_torch_refuses_is_told_in_one_line():
    problem, place = refused("- relu\n- {type: batch_norm}", shape=(2, 2, 2, 2, 2))
    assert problem.message == "batch_norm needs an input of one to four axes, here it is (2, 2, 2, 2, 2)"
    assert place.line == 6


@pytest.mark.parametrize(
    ("layers", "said", "line"),
    [
        ("- relu\n- {type: repeat, times: 100000, layers: [relu]}", "200,003 modules", 6),
        ("- {type: repeat, times: 999999999999999999, layers: [relu]}", "modules", 5),
        ("- {type: repeat, times: 9999, layers: [{type: repeat, times: 9999, layers: [relu]}]}", "modules", 5),
    ],
)
def test_too_many_modules_are_refused_by_arithmetic(layers, said, line):
    problem, place = refused(layers)
    assert said in problem.message
    assert "100,000" in problem.message
    assert place.line == line


@pytest.mark.parametrize(
    ("layers", "shape", "said", "line"),
    [
        ("- {type: linear, out: 1000000}\n- {type: linear, out: 1000000}\n- relu", (8,), "needs 4.0 TB for weights", 6),
        ("- {type: embedding, out: 1000000}", (1,), "for weights", 5),
        ("- {type: conv2d, out: 8, kernel: 1, padding: 1000000}", (3, 4, 4), "TB for the smallest batch", 5),
        ("- {type: repeat, times: 1000, layers: [{type: linear, out: 30000}]}", (30_000,), "3.6 TB for weights", 5),
    ],
)
def test_networks_that_do_not_fit_are_refused_at_the_heaviest_line(layers, shape, said, line):
    problem, place = refused(layers, shape=shape, vocab=10**6 if "embedding" in layers else None, memory=22 * 10**9)
    assert said in problem.message
    assert "22.0 GB available" in problem.message
    assert place.line == line


def test_an_input_that_does_not_fit_is_refused_at_the_input():
    problem, place = refused("- relu", shape=(1000, 1000), memory=1000)
    assert (problem.path, place.line) == (("model", "input"), 3)


def test_a_network_that_fits_exactly_is_accepted():
    weights, batch = 4 * (8 * 4 + 4), 2 * 4 * (8 + 4)
    assert planned("- {type: linear, out: 4}", memory=weights + batch)
    refused("- {type: linear, out: 4}", memory=weights + batch - 1)


def test_sizes_beyond_counting_are_refused():
    problem, place = refused("- {type: linear, out: 999999999999999999}\n- {type: linear, out: 999999999999999999}")
    assert "more numbers than can be counted" in problem.message
    assert place.line == 5


def test_a_layer_is_planned_once_for_each_shape(monkeypatch):
    builds = []
    build = Linear.build
    monkeypatch.setattr(
        Linear, "build", lambda layer, incoming: builds.append(incoming.shape) or build(layer, incoming)
    )
    _, found = planned("- {type: repeat, times: 2000, layers: [{type: linear, out: 16}, relu]}", memory=10**12)
    assert builds == [(8,), (16,)]
    assert found.modules == 6002
    assert found.parameters == 8 * 16 + 16 + 1999 * (16 * 16 + 16)


class Odd(Layer):
    """A layer of a third party: it answers with a module and leaves the shape to be found out."""

    module: object = None

    def build(self, incoming):
        return self.module


def surveyed(module, shape=(8,)):
    spec = read_spec("f", text="version: 1\nmodel:\n  input: {shape: [8]}\n  layers:\n    - relu\n")
    layers = [Odd(type="linear", module=module)]
    return spec, plan(spec, layers, Signal(shape))


def test_a_layer_that_does_not_know_its_shape_is_run_on_the_meta_device():
    with torch.device("meta"):
        module = nn.Bilinear(8, 8, 3)
    double = nn.Sequential(nn.Flatten(), nn.Linear(8, 5, device="meta"))
    _, found = surveyed(double)
    assert found.output == Signal((5,))
    assert found.parameters == 45
    with pytest.raises(SpecError, match=r"linear does not take an input of shape \(8,\)") as caught:
        surveyed(module)
    assert "torch says: TypeError" in caught.value.problems[0].hint


def test_a_layer_that_mixes_samples_is_refused():
    with pytest.raises(SpecError, match="does not keep the samples of a batch apart"):
        surveyed(nn.Flatten(0))
