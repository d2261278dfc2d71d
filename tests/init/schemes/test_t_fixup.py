"""T-Fixup: the factors of the paper and of the authors' code, and updates that do not depend on the depth."""

import math
from functools import cache

import pytest
import torch
from torch import nn

import initprobe as ip
from tests.init.stacks import VOCABULARY, Encoder, EncoderDecoder, geometric_mean, slope, tokens

DEPTHS = [4, 8, 24]


@pytest.mark.parametrize(("alone", "factor"), [("encoder", 0.67 * 6**-0.25), ("decoder", 54**-0.25)])
def test_factors_of_a_stack_by_itself(alone, factor):
    model, plain = Encoder(6, norm="none"), Encoder(6, norm="none")
    outcome = ip.initialize(model, f"t_fixup(alone={alone})", inputs=tokens())
    ip.initialize(plain, "xavier_normal", inputs=tokens())
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1 and name != "embed.weight":
            times = factor if any(part in name for part in ("value", "out", "up", "down")) else 1.0
            torch.testing.assert_close(parameter, times * plain.get_parameter(name), msg=name)
        elif parameter.dim() == 1:
            assert parameter.eq(0).all()
    embedding = next(one for one in outcome.drawn if one.weight == "embed.weight")
    assert embedding.std == pytest.approx(54**-0.25 / math.sqrt(32))
    assert outcome.notes == ("t_fixup: T-Fixup's embeddings are drawn for a model that multiplies them by √d",)


class Separate(EncoderDecoder):
    """The decoder has an embedding of its own, with a name that says so."""

    def __init__(self) -> None:
        super().__init__(3, 2)
        self.encoder.embed, self.decoder.embed = nn.Embedding(VOCABULARY, 32), nn.Embedding(VOCABULARY, 32)
        del self.embed

    def forward(self, source, target):
        return self.head(self.decoder(self.decoder.embed(target), self.encoder(self.encoder.embed(source))))


def test_factors_of_an_encoder_with_a_decoder():
    outcome = ip.initialize(Separate(), "t_fixup(distribution=uniform)", inputs=(tokens(), tokens(seed=1)))
    stds = {one.weight: one.std for one in outcome.drawn}
    xavier = math.sqrt(2 / 96)
    assert stds["encoder.layers.2.linear2.weight"] == pytest.approx(0.67 * 3**-0.25 * xavier)
    assert stds["decoder.layers.1.linear1.weight"] == pytest.approx(18**-0.25 * xavier)
    assert stds["decoder.layers.0.multihead_attn.out_proj.weight"] == pytest.approx(18**-0.25 / math.sqrt(32))
    assert stds["encoder.embed.weight"] == pytest.approx(27**-0.25 / math.sqrt(32))
    assert stds["decoder.embed.weight"] == pytest.approx(18**-0.25 / math.sqrt(32))


def test_normalizations_are_told():
    outcome = ip.initialize(Encoder(2), "t_fixup", inputs=tokens())
    assert "this one has 4" in outcome.notes[0]
    kept = [one for one in outcome.skipped if ".norm" in one.weight]
    assert len(kept) == 8
    assert all("without this normalization" in one.reason for one in kept)


@cache
def measured(n: int, seed: int) -> tuple[float, float]:
    """The norm of the gradients of all matrices, and what a step on them changes."""
    model = Encoder(n, norm="none")
    ip.initialize(model, "t_fixup", inputs=tokens(), seed=seed)
    targets = torch.randint(VOCABULARY, (32,), generator=torch.Generator().manual_seed(seed))
    before = model(tokens())
    nn.functional.cross_entropy(before.flatten(0, 1), targets).backward()
    matrices = [parameter for parameter in model.layers.parameters() if parameter.dim() > 1]
    norm = math.sqrt(sum(float(parameter.grad.square().sum()) for parameter in matrices))
    torch.optim.SGD(matrices, 0.1).step()
    return norm, float((model(tokens()) - before).detach().square().mean().sqrt())


@pytest.mark.parametrize("place", [0, 1])
def test_gradients_and_updates_do_not_depend_on_the_depth(place):
    values = [geometric_mean(lambda s, n=n: measured(n, s)[place], 2) for n in DEPTHS]
    assert abs(slope(DEPTHS, values)) < 0.1


def test_xavier_explodes_without_normalization():
    norms = []
    for depth in (2, 8):
        model = Encoder(depth, norm="none")
        ip.initialize(model, "xavier_normal", inputs=tokens())
        norms.append(float(model(tokens()).detach().square().mean()))
    assert norms[1] > 100 * norms[0]
