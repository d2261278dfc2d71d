"""Fixup: a function that moves by the learning rate at any depth, and the recipe of the authors' code."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import initprobe as ip
from initprobe.errors import UsageError
from tests.init.networks import CASES
from tests.init.schemes.residual_networks import Branch, Chain, FixupBlock, Images, PostActivation, Scale

WIDTH = 16


def slope(values: dict[int, float]) -> float:
    """Of log value against log depth, by least squares."""
    x, y = (torch.tensor([math.log(one) for one in side]) for side in (values, values.values()))
    return float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum())


def moved(scheme: str, depth: int, weights: int, rate: float = 1e-3) -> float:
    """How far one step of SGD on the branches moves a readout of the stream."""
    model = Chain(WIDTH, [Branch(WIDTH, weights) for _ in range(depth)]).double()
    ip.initialize(model, scheme, inputs=(WIDTH,))
    generator = torch.Generator().manual_seed(0)
    x, readout = (torch.randn(1, WIDTH, generator=generator).double() for _ in range(2))
    before = (model(x) * readout).sum()
    before.backward()
    with torch.no_grad():
        for parameter in model.blocks.parameters():
            parameter.sub_(rate * parameter.grad)
        return abs(float((model(x) * readout).sum() - before)) / rate


@pytest.mark.untraced
@pytest.mark.parametrize("weights", [2, 3])
def test_a_step_moves_the_output_by_the_learning_rate_at_any_depth(weights):
    depths = (4, 16, 64)
    rescaled = {depth: moved("fixup", depth, weights) for depth in depths}
    assert abs(slope(rescaled)) < 0.15, rescaled
    plain = {depth: moved("zero_init_residual(gain=1.41421356)", depth, weights) for depth in depths}
    assert slope(plain) == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("depth", [10, 100, pytest.param(1000, marks=pytest.mark.slow)])
def test_signals_and_gradients_do_not_know_the_depth(depth):
    model = Chain(WIDTH, [Branch(WIDTH, end=lambda: Scale(1)) for _ in range(depth)], classes=5)
    ip.initialize(model, "fixup", inputs=(WIDTH,))
    x = torch.randn(8, WIDTH, generator=torch.Generator().manual_seed(0))
    stream = model.features(x)
    assert torch.equal(stream[-1], stream[0])
    logits = model.head(stream[-1])
    assert logits.eq(0).all()
    loss = F.cross_entropy(logits, torch.arange(8) % 5)
    assert loss.item() == pytest.approx(math.log(5), rel=1e-6)
    loss.backward()
    # The head's gradient is that of a network without any block: softmax minus labels, times the stem's output.
    share = torch.full((8, 5), 0.2) - F.one_hot(torch.arange(8) % 5, 5)
    torch.testing.assert_close(model.head.weight.grad, share.T @ stream[0].detach() / 8, rtol=1e-4, atol=1e-7)
    # And with a head that is not zero, all branches together get a gradient that does not grow.
    model.zero_grad()
    model.features(x)[-1].square().mean().backward()
    total = sum(float(block.layers[-1].weight.grad.square().sum()) for block in model.blocks)
    single = Chain(WIDTH, [Branch(WIDTH, end=lambda: Scale(1))], classes=5)
    ip.initialize(single, "fixup", inputs=(WIDTH,))
    single.features(x)[-1].square().mean().backward()
    assert total == pytest.approx(float(single.blocks[0].layers[-1].weight.grad.square().sum()), rel=0.5)


@pytest.mark.parametrize(("kernels", "power"), [((3, 3), -0.5), ((1, 3, 1), -0.25), ((1, 1, 1, 3), -1 / 6)])
def test_the_recipe_of_the_authors_code(kernels, power):
    depth, width = 4, 32
    model = Images(width, [FixupBlock(width, kernels) for _ in range(depth)])
    outcome = ip.initialize(model, "fixup(mode=fan_out)", inputs=(3, 8, 8))
    stds = {one.weight: one.std for one in outcome.drawn}
    for place, block in enumerate(model.blocks):
        for index, (conv, kernel) in enumerate(zip(block.convs, kernels, strict=True)):
            values = conv.weight.detach()
            if index == len(kernels) - 1:
                assert values.eq(0).all()
                continue
            std = math.sqrt(2 / (width * kernel**2)) * depth**power
            assert stds[f"blocks.{place}.convs.{index}.weight"] == pytest.approx(std)
            assert float(values.std()) == pytest.approx(std, rel=4 / math.sqrt(2 * values.numel()))
    assert stds["stem.weight"] == pytest.approx(math.sqrt(2 / (width * 9)))
    assert model.head.weight.eq(0).all()
    assert model.head.bias.eq(0).all()


def test_scalars_start_at_one_and_zero_and_learn_at_a_tenth():
    model = Images(8, [FixupBlock(8) for _ in range(3)])
    outcome = ip.initialize(model, "fixup", inputs=(3, 8, 8))
    scalars = {name for name, one in model.named_parameters() if one.numel() == 1}
    assert {name for name, rate in outcome.learning_rates.items() if rate == pytest.approx(0.1)} == scalars
    for name in scalars:
        assert float(model.get_parameter(name).detach()) == (1.0 if name.endswith("scale") else 0.0)
    assert outcome.notes == ()
    x = torch.randn(4, 3, 8, 8)
    stream = model.features(x)
    assert torch.equal(stream[-1], stream[0])
    assert model(x).eq(0).all()


def test_branches_of_different_length_are_rescaled_each_by_its_own():
    blocks = [Branch(WIDTH, weights) for weights in (2, 3, 2, 4)]
    model = Chain(WIDTH, blocks)
    outcome = ip.initialize(model, "fixup", inputs=(WIDTH,))
    stds = {one.weight: one.std for one in outcome.drawn}
    for place, weights in enumerate((2, 3, 2, 4)):
        expected = math.sqrt(2 / WIDTH) * 4 ** (-1 / (2 * weights - 2))
        assert stds[f"blocks.{place}.layers.0.weight"] == pytest.approx(expected)


class Gated(nn.Module):
    """A gated unit: the product of two layers, and one more."""

    def __init__(self):
        super().__init__()
        self.gate, self.value, self.down = (nn.Linear(WIDTH, WIDTH) for _ in range(3))

    def forward(self, x):
        return x + self.down(F.silu(self.gate(x)) * self.value(x))


def test_attention_is_one_way_and_a_gated_unit_two_factors():
    model = nn.Sequential(nn.Linear(WIDTH, WIDTH), Gated(), Gated())
    outcome = ip.initialize(model, "fixup", inputs=(WIDTH,))
    stds = {one.weight: one.std for one in outcome.drawn}
    assert stds["1.gate.weight"] == stds["1.value.weight"] == pytest.approx(math.sqrt(2 / WIDTH) * 2**-0.25)
    model = CASES["normless"].build()
    outcome = ip.initialize(model, "fixup", inputs=CASES["normless"].inputs)
    stds = {one.weight: one.std for one in outcome.drawn}
    assert stds["blocks.0.attention.in_proj_weight"] == pytest.approx(math.sqrt(2 / 32) * 4**-0.5)
    assert stds["blocks.0.attention.out_proj.weight"] == 0.0


def test_what_the_paper_adds_and_the_network_has_not_is_told():
    model = nn.Sequential(nn.Conv2d(3, 8, 1), PostActivation(8), PostActivation(8), nn.Flatten(), nn.Linear(128, 3))
    outcome = ip.initialize(model, "fixup", inputs=(3, 4, 4))
    told = "\n".join(outcome.notes)
    assert "this network has 4" in told
    assert "2 of 2 residual branches have no scalar multiplier" in told
    assert "a scalar bias in front of every layer" in told
    outcome = ip.initialize(Chain(WIDTH, [Branch(WIDTH, 1)]), "fixup", inputs=(WIDTH,))
    assert any("1 branches have one weight" in note for note in outcome.notes)


def test_a_classifier_that_is_the_embedding_is_not_zero():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(20, WIDTH)
            self.block = Branch(WIDTH)
            self.head = nn.Linear(WIDTH, 20, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, tokens):
            return self.head(self.block(self.embed(tokens)))

    model = Tied()
    outcome = ip.initialize(model, "fixup", inputs=torch.arange(6).reshape(2, 3))
    assert float(model.embed.weight.detach().std()) == pytest.approx(1.0, rel=0.2)
    assert "classifier too" in next(one.note for one in outcome.drawn if one.weight == "embed.weight")


def test_a_plain_network_is_refused():
    with pytest.raises(UsageError, match="residual branches, and this network has none") as refused:
        ip.initialize(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)), "fixup", inputs=(4,))
    assert "variance_scaling" in refused.value.hint
