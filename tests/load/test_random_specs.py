"""Five hundred networks drawn at random over all blocks: what the grammar and the plan accept runs, both ways."""

import warnings

import pytest
import torch
from jsonschema import Draft202012Validator

from initprobe.load.blocks.base import BLOCKS
from initprobe.load.build import construct
from initprobe.load.json_schema import spec_json_schema
from initprobe.load.parse import parse
from tests.load.random_specs import blocks, drawn, planned, spec_text

NETWORKS = 500
AT_ONCE = 25


def batch(signal, size=3):
    generator = torch.Generator().manual_seed(0)
    if signal.vocab is not None:
        return torch.randint(signal.vocab, (size, *signal.shape), generator=generator)
    return torch.randn((size, *signal.shape), generator=generator).requires_grad_()


def first(output):
    """What ends a network has several outputs."""
    return output[0] if isinstance(output, tuple) else output


def run(layers, signal):
    """Build the network, run it forward and backward, and hold it to its plan."""
    spec, found = planned(list(layers), signal)
    model = construct(spec, found, 0)
    shapes = {}
    for path in found.signals:
        model.get_submodule(path).register_forward_hook(
            lambda _, __, output, path=path: shapes.update({path: tuple(first(output).shape[1:])})
        )
    x = batch(signal)
    output = model(x)
    assert tuple(first(output).shape) == (3, *found.output.shape)
    assert shapes == {path: one.shape for path, one in found.signals.items()}
    assert found.parameters == sum(parameter.numel() for parameter in model.parameters())
    sum(one.square().sum() for one in (output if isinstance(output, tuple) else (output,))).backward()
    if signal.vocab is None:
        assert x.grad.shape == x.shape
    assert any(parameter.grad is not None for parameter in model.parameters()) or signal.vocab is None


@pytest.mark.untraced
@pytest.mark.parametrize("first", range(0, NETWORKS, AT_ONCE))
def test_random_networks_run_forward_and_backward(first):
    for number in range(first, first + AT_ONCE):
        name, layers, signal = drawn(number)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Using padding='same'|LSTM with projections")
            try:
                run(layers, signal)
            except Exception as error:
                error.add_note(f"network {number}, drawn around {name}:\n{spec_text(list(layers), signal)}")
                raise


def test_every_block_is_drawn():
    assert set(blocks()) == set(BLOCKS)
    assert {drawn(number)[0] for number in range(len(blocks()))} == set(blocks())


@pytest.mark.untraced
def test_the_json_schema_accepts_what_was_drawn():
    validator = Draft202012Validator(spec_json_schema())
    for number in range(0, NETWORKS, 5):
        _, layers, signal = drawn(number)
        validator.validate(parse(spec_text(list(layers), signal), "net.yaml").values)
