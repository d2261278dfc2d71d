import pytest
import torch

from initprobe.errors import SpecError
from initprobe.load.blocks.base import Signal
from initprobe.load.build import construct, plan
from initprobe.load.schema import checked, read_spec


def planned(layer, shape=(6, 8)):
    text = f"version: 1\nmodel:\n  input: {{shape: {list(shape)}}}\n  layers:\n    - {layer}\n"
    spec = read_spec("net.yaml", text=text)
    return spec, plan(spec, checked(spec).model.layers, Signal(tuple(shape)), memory=10**9)


@pytest.mark.parametrize("norm", ["layer", "none"])
def test_a_mixer_sums_over_tokens_and_over_features(norm):
    spec, found = planned(f"{{type: mixer, token_hidden: 5, ratio: 2, norm: {norm}}}")
    module = construct(spec, found, 0)[0]
    tokens, channels = 2 * 6 * 5 + 5 + 6, 2 * 8 * 16 + 16 + 8
    assert found.parameters == tokens + channels + (32 if norm == "layer" else 0)
    norm1, norm2 = (module.norm1, module.norm2) if norm == "layer" else (torch.nn.Identity(), torch.nn.Identity())
    x = torch.randn(3, 6, 8, generator=torch.Generator().manual_seed(0))
    y = x + module.tokens(norm1(x).mT).mT
    torch.testing.assert_close(module(x), y + module.channels(norm2(y)), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("layer", "shape", "said", "place"),
    [
        ("{type: mixer, token_ratio: 0.1}", (6, 8), "no hidden units with 8 features", "5:34"),
        ("{type: mixer, ratio: 0.1}", (6, 8), "no hidden units with 8 features", "5:28"),
        ("{type: mixer}", (3, 4, 4), "(length, features), here it is (3, 4, 4)", "5:7"),
        ("{type: mixer, activation: swiglu}", (6, 8), "'activation' must be", "5:33"),
    ],
)
def test_what_does_not_fit_is_told_at_its_place(layer, shape, said, place):
    with pytest.raises(SpecError) as caught:
        planned(layer, shape)
    text = caught.value.render()
    assert text.count("error[") == 1
    assert said in text
    assert f"--> net.yaml:{place}\n" in text
