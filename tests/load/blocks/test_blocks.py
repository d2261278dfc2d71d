"""What holds for every block that is registered, whoever brought it."""

import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from initprobe.errors import SpecError
from initprobe.load.blocks.base import BLOCKS, Signal
from initprobe.load.build import construct, plan
from initprobe.load.schema import checked, read_spec

SIGNALS = [
    Signal(()),
    Signal((8,)),
    Signal((4, 8)),
    Signal((8, 6, 6)),
    Signal((2, 4, 4, 4)),
    Signal((6,), 11),
    Signal((2, 3), 11),
]
NEEDED = {
    "out": 6,
    "width": 6,
    "kernel": 2,
    "groups": 2,
    "times": 2,
    "layers": ["relu"],
    "heads": 2,
    "patch": 2,
}
NEEDED |= {key: ["relu"] for key in ("down", "bottom", "up")}
NEEDED |= {key: ["relu"] for key in ("encoder", "decoder", "generator", "discriminator")}
NEEDED |= {"mapping": ["flatten"], "synthesis": [{"type": "modulated_conv2d", "out": 3}], "constant": [2, 4, 4]}
NEEDED |= {"latent": 8, "shape": [8], "with": "equalized", "source": 2, "factor": 2.0}
"""Values for options that have no default."""
BEFORE = {"tied_head": [{"type": "embedding", "out": 4}]}
"""Layers that a block cannot do without."""

READERS = {
    "cross_attention": {"type": "encoder_decoder", "source": 2, "encoder": ["relu"], "decoder": []},
    "transformer_decoder": {"type": "encoder_decoder", "source": 2, "encoder": ["relu"], "decoder": []},
    "modulated_conv2d": {"type": "style_generator", "mapping": ["flatten"], "constant": [2, 4, 4], "synthesis": []},
}
"""Blocks that read what another part made, and what they stand in, last."""

ESPECIALLY = {
    "clamp": {"low": -0.5},
    "parametrized": {"layers": ["flatten", {"type": "linear", "out": 6}]},
    "encoder_decoder": {"decoder": [{"type": "cross_attention", "heads": 2}]},
}
"""Values that a block needs beside or instead of them."""


def needed(name):
    """The options a block cannot do without."""
    fields = BLOCKS[name].model_fields
    keys = [field.alias or key for key, field in fields.items() if field.is_required() and key != "type"]
    return {**{key: NEEDED[key] for key in keys}, **ESPECIALLY.get(name, {})}


def planned(layers, signal):
    spec = read_spec("net.yaml", text="version: 1\nmodel: {input: {shape: [1]}, layers: [relu]}\n")
    values = {**spec.values, "model": {"input": {"shape": [1]}, "layers": layers}}
    spec = type(spec)(spec.file, values)
    return spec, plan(spec, checked(spec).model.layers, signal, memory=10**9)


def fitting(name):
    """Every signal that the block with its fewest options takes, with the plan for it."""
    for signal in SIGNALS:
        layer = {"type": name, **needed(name)}
        if signal.vocab is not None and "layers" in layer:
            layer["layers"] = ["flatten"]
        if name in READERS:
            around = READERS[name]
            layer = {**around, list(around)[-1]: [layer]}
        try:
            yield signal, *planned([*BEFORE.get(name, []), layer], signal)
        except SpecError:
            continue


def batch(signal, size=3):
    generator = torch.Generator().manual_seed(0)
    if signal.vocab is not None:
        return torch.randint(signal.vocab, (size, *signal.shape), generator=generator)
    return torch.randn((size, *signal.shape), generator=generator)


@pytest.mark.parametrize("name", BLOCKS)
def test_every_block_runs_on_what_it_takes(name):
    found = list(fitting(name))
    assert found
    for signal, spec, planned_for in found:
        model = construct(spec, planned_for, 0)
        x = batch(signal).requires_grad_(signal.vocab is None)
        output = model(x)
        outputs = output if isinstance(output, tuple) else (output,)
        output = outputs[0]
        assert tuple(output.shape[1:]) == planned_for.output.shape
        assert output.is_floating_point() == (planned_for.output.vocab is None)
        if output.is_floating_point():
            sum(one.square().sum() for one in outputs).backward()
            inputs = [] if signal.vocab is not None else [x.grad]
            gradients = inputs + [parameter.grad for parameter in model.parameters()]
            assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("name", BLOCKS)
def test_every_block_counts_what_it_becomes(name):
    for _, spec, planned_for in fitting(name):
        model = construct(spec, planned_for, 0)
        assert planned_for.modules == len(list(model.modules()))
        assert planned_for.modules <= 1 + sum(layer.modules() for layer in planned_for.layers)
        assert planned_for.parameters == sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", BLOCKS)
def test_every_block_says_what_it_is(name):
    layer = BLOCKS[name]
    assert layer.summary.endswith(".")
    assert all(field.description or hasattr(layer, "defaults") for field in layer.model_fields.values())


@pytest.mark.parametrize("name", BLOCKS)
def test_every_name_is_a_name_for_a_module(name):
    nn.Sequential().add_module(name, nn.Identity())


small = st.integers(1, 4)
per_axis = small | st.lists(small, min_size=1, max_size=3)
OPTIONS = {
    "out": st.integers(1, 6),
    "kernel": per_axis,
    "stride": per_axis,
    "dilation": per_axis,
    "groups": small,
    "axes": small,
    "padding": st.integers(0, 3)
    | st.lists(st.integers(0, 3), min_size=1, max_size=3)
    | st.sampled_from(["same", "valid"]),
    "padding_mode": st.sampled_from(["zeros", "reflect", "replicate", "circular"]),
    "dim": st.integers(-5, 5),
    "affine": st.booleans(),
    "bias": st.booleans(),
    "p": st.sampled_from([0.0, 0.5]),
    "times": st.integers(1, 3),
    "factor": small,
    "multiplier": small,
    "growth": small,
    "output_padding": st.integers(0, 2),
    "gate": st.sampled_from(["none", "rezero", "skipinit", "scalar", "layerscale"]),
    "drop_path": st.sampled_from([0.0, 0.5, 1.0]),
    "pre_activation": st.booleans(),
    "norm": st.sampled_from(["batch_norm", "group_norm", "none"]),
    "squeeze": st.sampled_from([0.25, 1.0]),
    "expand": st.sampled_from([0.5, 1.0, 6.0]),
    "vocab": st.integers(1, 20),
    "shape": st.sampled_from([[8], [32], [4, 8], [8, 6, 6], [1, 8]]),
    "low": st.just(-0.5),
}


def layers(names):
    ends = {name for name in names if BLOCKS[name].ends}
    inner = {"layers", "down", "decoder", "mapping"}
    leaf = st.sampled_from([name for name in names if name not in ends and not inner & set(BLOCKS[name].model_fields)])
    nested = sorted(set(names) & {"repeat", "residual", "sequential", "unet"})

    @st.composite
    def layer(draw, depth=0):
        name = draw(st.sampled_from(nested)) if depth < 2 and nested and draw(st.integers(0, 3)) == 0 else draw(leaf)
        given = {"type": name}
        for key, field in BLOCKS[name].model_fields.items():
            if key in ("layers", "down", "bottom", "up") or (key == "shortcut" and name == "residual"):
                if key != "shortcut" or draw(st.booleans()):
                    given[key] = [draw(layer(depth + 1)) for _ in range(draw(st.integers(1, 2)))]
            elif key in OPTIONS and (field.is_required() or draw(st.booleans())):
                value = draw(OPTIONS[key])
                if not isinstance(value, str) or "conv" in name or key != "padding":
                    given[key] = value
        return given

    return st.lists(layer(), min_size=1, max_size=4)


@settings(max_examples=200, deadline=None)
@given(layers=layers(list(BLOCKS)), signal=st.sampled_from(SIGNALS))
def test_what_was_planned_runs_and_has_the_planned_shapes(layers, signal):
    try:
        spec, found = planned(layers, signal)
    except SpecError:
        return
    model = construct(spec, found, 0)
    shapes = {}
    for path in found.signals:
        module = model.get_submodule(path)
        module.register_forward_hook(lambda _, __, output, path=path: shapes.update({path: tuple(output.shape[1:])}))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Using padding='same'|LSTM with projections")
        model(batch(signal, 2))
    assert {path: signal.shape for path, signal in found.signals.items()} == shapes
    assert found.modules == len(list(model.modules())) <= 1 + sum(layer.modules() for layer in found.layers)
    assert found.parameters == sum(math.prod(parameter.shape) for parameter in model.parameters())
