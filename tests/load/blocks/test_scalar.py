"""One learned number per layer."""

import pytest
import torch

from initprobe.errors import SpecError
from initprobe.load.blocks.base import Signal
from initprobe.load.build import construct, plan
from initprobe.load.schema import checked, read_spec


def only(layer, shape=(3, 4, 4)):
    spec = read_spec("f", text=f"version: 1\nmodel:\n  input: {{shape: {list(shape)}}}\n  layers:\n    - {layer}\n")
    return construct(spec, plan(spec, checked(spec).model.layers, Signal(shape)), 0)[0]


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ("scalar_bias", lambda x: x),
        ("{type: scalar_bias, value: 0.5}", lambda x: x + 0.5),
        ("scalar_scale", lambda x: x),
        ("{type: scalar_scale, value: 0.0}", lambda x: 0 * x),
    ],
)
def test_one_number(layer, expected):
    module, x = only(layer), torch.randn(2, 3, 4, 4)
    assert [parameter.shape for parameter in module.parameters()] == [(1,)]
    torch.testing.assert_close(module(x), expected(x))


def test_a_fixed_number():
    module, x = only("{type: multiply, factor: 22.6}"), torch.randn(2, 3, 4, 4)
    assert not list(module.parameters())
    assert "22.6" in repr(module)
    torch.testing.assert_close(module(x), 22.6 * x)


def test_words_are_no_numbers():
    with pytest.raises(SpecError, match="a number") as caught:
        only("{type: scalar_bias, value: x}")
    assert "f:5:" in caught.value.render()
