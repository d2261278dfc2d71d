"""DeepNorm: the betas of the paper's table, and updates that do not depend on the depth."""

import math
from functools import cache

import pytest
import torch
from torch import nn

import initprobe as ip
from tests.init.stacks import VOCABULARY, Encoder, EncoderDecoder, geometric_mean, slope, tokens

DEPTHS = [4, 8, 24]


def declared(outcome) -> dict[str, float | None]:
    return {one.weight: one.std for one in outcome.drawn}


def test_factors_of_a_stack_by_itself():
    model, plain = Encoder(6), Encoder(6)
    stds = declared(ip.initialize(model, "deepnorm", inputs=tokens()))
    xavier = declared(ip.initialize(plain, "xavier_normal", inputs=tokens()))
    beta = 48**-0.25
    for name, std in stds.items():
        if name.endswith("bias"):
            assert std == 0.0
            continue
        scaled = any(part in name for part in ("value", "out", "up", "down"))
        assert std == pytest.approx((beta if scaled else 1.0) * xavier[name])
        factor = beta if scaled else 1.0
        torch.testing.assert_close(model.get_parameter(name), factor * plain.get_parameter(name))


@pytest.mark.parametrize("norm_first", [True, False])
def test_factors_of_an_encoder_with_a_decoder(norm_first):
    encoder, decoder = 3, 2
    model = EncoderDecoder(encoder, decoder, width=64, norm_first=norm_first)
    ip.initialize(model, "deepnorm", inputs=(tokens(), tokens(seed=1)))
    plain = EncoderDecoder(encoder, decoder, width=64)
    ip.initialize(plain, "xavier_normal", inputs=(tokens(), tokens(seed=1)))
    betas = {"encoder": 0.87 * (encoder**4 * decoder) ** (-1 / 16), "decoder": (12 * decoder) ** -0.25}
    for name, parameter in model.named_parameters():
        tower = name.split(".")[0]
        if parameter.dim() < 2 or tower not in betas:
            continue
        ours, theirs = parameter, plain.get_parameter(name)
        if "in_proj" in name:
            torch.testing.assert_close(ours[:128], theirs[:128])
            ours, theirs = ours[128:], theirs[128:]
        torch.testing.assert_close(ours, betas[tower] * theirs, msg=name)
    torch.testing.assert_close(model.head.weight, plain.head.weight)


def test_the_layers_may_be_said():
    model = EncoderDecoder(2, 2)
    outcome = ip.initialize(model, "deepnorm(encoder_layers=18, decoder_layers=6)", inputs=(tokens(), tokens(seed=1)))
    stds = declared(outcome)
    xavier = math.sqrt(2 / (32 + 64))
    assert stds["encoder.layers.0.linear1.weight"] == pytest.approx(0.87 * (18**4 * 6) ** (-1 / 16) * xavier)
    assert stds["decoder.layers.0.linear1.weight"] == pytest.approx(72**-0.25 * xavier)


def test_alpha_is_told_and_never_written():
    for model, told in (
        (Encoder(8), "16 of 16 are not multiplied"),
        (Encoder(8, alpha=2.0), "is for you to check"),
        (Encoder(8, norm="pre"), "has them before the branch"),
    ):
        outcome = ip.initialize(model, "deepnorm", inputs=tokens())
        assert "α = 2:" in outcome.notes[0]
        assert any(told in note for note in outcome.notes)
        assert all(one.note is None for one in outcome.drawn)
    weighed = Encoder(2, weighed=True)
    outcome = ip.initialize(weighed, "deepnorm", inputs=tokens())
    assert weighed.layers[0].skip1.eq(1).all()
    both = ip.initialize(EncoderDecoder(3, 2), "deepnorm", inputs=(tokens(), tokens(seed=1)))
    alphas = 0.81 * (81 * 2) ** (1 / 16), 6**0.25
    assert [f"α = {alpha:.4g}" in note for alpha, note in zip(alphas, both.notes, strict=True)] == [True, True]


def loss_of(model: nn.Module, seed: int) -> torch.Tensor:
    targets = torch.randint(VOCABULARY, (32,), generator=torch.Generator().manual_seed(seed))
    return nn.functional.cross_entropy(model(tokens()).flatten(0, 1), targets)


def matrices(model: Encoder) -> list[nn.Parameter]:
    return [parameter for parameter in model.layers.parameters() if parameter.dim() > 1]


@cache
def measured(layers: int, alpha: float, scheme: str, seed: int) -> tuple[float, float]:
    """The norm of the gradients of all matrices, and what a step on them changes."""
    model = Encoder(layers, alpha=alpha)
    ip.initialize(model, scheme, inputs=tokens(), seed=seed)
    before = model(tokens()).detach()
    loss_of(model, seed).backward()
    norm = math.sqrt(sum(float(parameter.grad.square().sum()) for parameter in matrices(model)))
    torch.optim.SGD(matrices(model), 0.1).step()
    return norm, float((model(tokens()).detach() - before).square().mean().sqrt())


@pytest.mark.untraced
@pytest.mark.parametrize("place", [0, 1])
def test_gradients_and_updates_do_not_depend_on_the_depth(place):
    # The paper bounds what a step on the weight matrices changes; a sample of two seeds scatters by some per cent.
    deep = [geometric_mean(lambda s, n=n: measured(n, (2 * n) ** 0.25, "deepnorm", s)[place], 2) for n in DEPTHS]
    assert abs(slope(DEPTHS, deep)) < 0.1
    plain = [geometric_mean(lambda s, n=n: measured(n, 1.0, "xavier_normal", s)[place], 2) for n in DEPTHS]
    assert slope(DEPTHS, plain) > 0.3
