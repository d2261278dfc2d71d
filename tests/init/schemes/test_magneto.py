"""Magneto: the gammas of the paper, and gradients that hardly depend on the depth under Sub-LN."""

import math

import pytest
import torch
from torch import nn

import initprobe as ip
from tests.init.stacks import VOCABULARY, Encoder, EncoderDecoder, geometric_mean, slope, tokens

DEPTHS = [4, 8, 24]


def test_factors_of_a_stack_by_itself():
    model, plain = Encoder(6, norm="sub"), Encoder(6, norm="sub")
    outcome = ip.initialize(model, "magneto", inputs=tokens())
    assert outcome.notes == ()
    ip.initialize(plain, "xavier_normal", inputs=tokens())
    gamma = math.sqrt(math.log(12))
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1:
            factor = gamma if any(part in name for part in ("value", "out", "up", "down")) else 1.0
            torch.testing.assert_close(parameter, factor * plain.get_parameter(name), msg=name)


def test_factors_of_an_encoder_with_a_decoder():
    pair = tokens(), tokens(seed=1)
    model, plain = EncoderDecoder(3, 2, width=64, norm_first=True), EncoderDecoder(3, 2, width=64, norm_first=True)
    ip.initialize(model, "magneto", inputs=pair)
    ip.initialize(plain, "xavier_normal", inputs=pair)
    gammas = {"encoder": math.sqrt(math.log(6) * math.log(6) / 3), "decoder": math.sqrt(math.log(6))}
    for name, parameter in model.named_parameters():
        tower = name.split(".")[0]
        if parameter.dim() < 2:
            continue
        gamma = 1.0 if "multihead_attn" in name else gammas.get(tower, 1.0) if "layers" in name else 1.0
        ours, theirs = parameter, plain.get_parameter(name)
        if "in_proj" in name:
            torch.testing.assert_close(ours[:128], theirs[:128])
            ours, theirs = ours[128:], theirs[128:]
        torch.testing.assert_close(ours, gamma * theirs, msg=name)


@pytest.mark.parametrize("norm", ["pre", "post", "none"])
def test_branches_without_the_second_normalization_are_told(norm):
    outcome = ip.initialize(Encoder(2, norm=norm), "magneto", inputs=tokens())
    assert "4 of 4 branches have none there, layers.0.out.weight among them" in outcome.notes[0]


def norm_of_gradients(n: int, scheme: str, norm: str, seed: int) -> float:
    model = Encoder(n, norm=norm)
    ip.initialize(model, scheme, inputs=tokens(), seed=seed)
    targets = torch.randint(VOCABULARY, (32,), generator=torch.Generator().manual_seed(seed))
    nn.functional.cross_entropy(model(tokens()).flatten(0, 1), targets).backward()
    matrices = [parameter for parameter in model.layers.parameters() if parameter.dim() > 1]
    return math.sqrt(sum(float(parameter.grad.square().sum()) for parameter in matrices))


@pytest.mark.untraced
def test_gradients_hardly_depend_on_the_depth():
    slopes = {
        (scheme, norm): slope(
            DEPTHS,
            [geometric_mean(lambda s, n=n, w=(scheme, norm): norm_of_gradients(n, *w, s), 2) for n in DEPTHS],
        )
        for scheme, norm in (("magneto", "sub"), ("xavier_normal", "pre"))
    }
    assert abs(slopes["magneto", "sub"]) < 0.15
    assert slopes["xavier_normal", "pre"] > 0.2
