"""Modulated convolutions against the equations of StyleGAN2, and generators that stand on them."""

import pytest
import torch
from torch.nn import functional

from initprobe.errors import SpecError
from initprobe.load.blocks.base import Signal
from initprobe.load.build import construct, plan
from initprobe.load.modules.style import ModulatedConv2d
from initprobe.load.schema import checked, read_spec

FEATURES = 5


def generator(*layers, mapping="{type: linear, out: 5}", constant="[4, 6, 6]"):
    inner = ", ".join(layers)
    return f"{{type: style_generator, mapping: [{mapping}], constant: {constant}, synthesis: [{inner}]}}"


def planned(layer, shape=(FEATURES,)):
    spec = read_spec("f", text=f"version: 1\nmodel:\n  input: {{shape: {list(shape)}}}\n  layers:\n    - {layer}\n")
    return spec, plan(spec, checked(spec).model.layers, Signal(tuple(shape)), memory=10**9)


def built(layer):
    spec, found = planned(layer)
    return construct(spec, found, 0)[0]


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("kernel", [1, 3])
def test_every_sample_has_the_filters_of_its_style(kernel, demodulate):
    """Equations 1 to 3, written out with filters for each sample."""
    model = built(
        generator(f"{{type: modulated_conv2d, out: 3, kernel: {kernel}, demodulate: {str(demodulate).lower()}}}")
    )
    (module,) = model.synthesis
    torch.nn.init.normal_(module.bias)
    z = drawn(2, FEATURES)
    scale = module.style(model.mapping(z)) + 1
    filters = scale[:, None, :, None, None] * module.conv.weight
    if demodulate:
        filters = filters / (filters.square().sum((2, 3, 4), keepdim=True) + 1e-8).sqrt()
    wanted = torch.cat(
        [functional.conv2d(model.constant[None], one, module.bias, padding=kernel // 2) for one in filters]
    )
    torch.testing.assert_close(model(z), wanted, atol=1e-5, rtol=1e-5)


def test_the_scale_of_weights_and_styles_does_not_matter():
    model = built(generator("{type: modulated_conv2d, out: 3}"))
    z = drawn(2, FEATURES)
    before = model(z)
    with torch.no_grad():
        model.synthesis[0].conv.weight.mul_(100)
    torch.testing.assert_close(model(z), before, atol=1e-4, rtol=1e-4)


def test_white_noise_keeps_its_variance():
    module = ModulatedConv2d(32, 32, 1, FEATURES, demodulate=True)
    module.memory = drawn(8, FEATURES)
    assert module(drawn(8, 32, 30, 30, seed=1)).square().mean().item() == pytest.approx(1, abs=0.02)


def test_a_generator_lends_its_own_style():
    inner = generator(
        "{type: modulated_conv2d, out: 2}", mapping="flatten, {type: linear, out: 7}", constant="[3, 2, 2]"
    )
    model = built(generator("{type: modulated_conv2d, out: 3}", inner))
    within = model.synthesis[1].synthesis[0]
    assert (model.synthesis[0].style.in_features, within.style.in_features) == (FEATURES, 7)
    assert model(drawn(4, FEATURES)).shape == (4, 2, 2, 2)
    assert within.memory is model.synthesis[0].memory is None
    with pytest.raises(RuntimeError, match="none has lent it anything"):
        within(drawn(1, 3, 2, 2))


@pytest.mark.parametrize(
    ("layer", "shape", "words", "at"),
    [
        ("{type: modulated_conv2d, out: 3}", (4, 6, 6), "reads a style, and there is none here", "{type: mod"),
        (generator("{type: modulated_conv2d, out: 3, kernel: 2}"), (5,), "needs an odd kernel", "2}]"),
        (
            generator("relu", mapping="{type: reshape, shape: [5, 1]}"),
            (5,),
            "ends with features, here it ends",
            "[{type: resh",
        ),
        (generator("relu"), (5,), "makes a style that nothing in its synthesis reads", "[relu"),
        (generator("{type: cross_attention, heads: 1}", constant="[2, 4]"), (5,), "none here", "{type: cross"),
    ],
)
def test_mistakes_are_told_at_their_node(layer, shape, words, at):
    with pytest.raises(SpecError) as caught:
        planned(layer, shape)
    (problem,) = caught.value.problems
    assert words in problem.message
    assert caught.value.spec.locate(problem.path).column == 7 + layer.index(at)
