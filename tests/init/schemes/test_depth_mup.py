"""Depth-muP: the factor of the branch in its last weight is the factor itself, and nothing depends on the depth."""

import math

import pytest
import torch
from torch import nn

import initprobe as ip
from initprobe.errors import UsageError
from tests.init.stacks import Residual, plain, slope

DEPTHS = [4, 8, 16, 32, 64]


class Block(nn.Module):
    """Two layers per branch, with or without a normalization at its end, divided or not."""

    def __init__(self, width: int, factor: float, norm: bool) -> None:
        super().__init__()
        self.up, self.down, self.factor = nn.Linear(width, 2 * width), nn.Linear(2 * width, width), factor
        self.norm = nn.LayerNorm(width) if norm else nn.Identity()

    def forward(self, x):
        return x + self.factor * self.norm(self.down(torch.relu(self.up(x))))


def stack(blocks: int, factor: float = 1.0, norm: bool = False, width: int = 64) -> nn.Module:
    return nn.Sequential(
        nn.Linear(16, width), *(Block(width, factor, norm) for _ in range(blocks)), nn.Linear(width, 10)
    )


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize(("optimizer", "power"), [("adam", 1), ("sgd", 0)])
def test_the_factor_may_be_in_the_weight(norm, optimizer, power):
    # Yang et al.: x + f(x) / √L, updates of hidden weights of the branch times 1 / √L under Adam, 1 under SGD.
    count, x = 6, torch.randn(8, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    folded, explicit = stack(count, norm=norm).double(), stack(count, count**-0.5, norm).double()
    outcome = ip.initialize(folded, f"depth_mup(optimizer={optimizer})", inputs=(16,))
    ip.initialize(explicit, f"mup(optimizer={optimizer})", inputs=(16,))
    torch.testing.assert_close(folded(x), explicit(x), rtol=1e-6, atol=1e-6)
    base = 1e-3 if optimizer == "adam" else 1e-2
    inside = [parameter for name, parameter in explicit.named_parameters() if name[0] not in "07"]
    outside = [parameter for name, parameter in explicit.named_parameters() if name[0] in "07"]
    groups = [{"params": inside, "lr": base * count ** (-power / 2)}, {"params": outside, "lr": base}]
    for model, given in ((folded, ip.parameter_groups(folded, outcome, lr=base)), (explicit, groups)):
        stepper = torch.optim.Adam(given, eps=1e-30) if optimizer == "adam" else torch.optim.SGD(given)
        for _ in range(2):
            stepper.zero_grad()
            model(x).square().mean().backward()
            stepper.step()
    torch.testing.assert_close(folded(x), explicit(x), rtol=1e-5, atol=1e-6)


def test_what_carries_the_factor():
    told = {one.weight: one for one in ip.initialize(stack(4), "depth_mup", inputs=(16,)).drawn}
    assert [told[f"1.{name}"].learning_rate for name in ("up.weight", "up.bias", "down.weight", "down.bias")] == [
        0.5, 0.5, 0.25, 0.25
    ]  # fmt: skip
    assert told["1.down.weight"].std == pytest.approx(math.sqrt(2 / 128) / 2)
    assert told["0.weight"].learning_rate == told["5.weight"].learning_rate == 1.0
    relative = {one.weight: one for one in ip.initialize(stack(4), "depth_mup(base_depth=4)", inputs=(16,)).drawn}
    assert {one.learning_rate for one in relative.values()} == {1.0}
    normed = stack(4, norm=True)
    told = {one.weight: one for one in ip.initialize(normed, "depth_mup", inputs=(16,)).drawn}
    assert normed[1].norm.weight.eq(0.5).all()
    assert told["1.norm.weight"].learning_rate == 0.25
    assert (told["1.down.weight"].learning_rate, told["1.down.weight"].std) == (0.5, pytest.approx(math.sqrt(2 / 128)))


def test_a_normalization_that_is_zero_is_left_alone():
    model = stack(3, norm=True)
    nn.init.zeros_(model[1].norm.weight)
    outcome = ip.initialize(model, "depth_mup", inputs=(16,))
    assert "is unknown" in next(one.reason for one in outcome.skipped if one.weight == "1.norm.weight")
    assert model[1].norm.weight.eq(0).all()


def test_a_zero_head_and_what_is_told():
    model = stack(4, width=128)
    outcome = ip.initialize(model, "depth_mup(zero_readout=True)", inputs=(16,))
    assert model[5].weight.eq(0).all()
    assert outcome.notes == ("depth_mup: counted as 4 times deeper than the reference and 2 times wider",)
    with pytest.raises(UsageError, match="this network has none"):
        ip.initialize(plain(64), "depth_mup", inputs=(16,))


def changes(blocks: int, optimizer: str, lr: float, multiplied: bool = True) -> tuple[float, float]:
    """Mean change of the logits over three steps, and their size before, over three seeds."""
    change = size = 0.0
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        x, y = torch.randn(32, 16, generator=generator), torch.randint(10, (32,), generator=generator)
        model = Residual(blocks, 64)
        outcome = ip.initialize(model, f"depth_mup(optimizer={optimizer})", inputs=(16,), seed=seed)
        groups = (
            ip.parameter_groups(model, outcome, lr=lr)
            if multiplied
            else [{"params": list(model.parameters()), "lr": lr}]
        )
        stepper = torch.optim.Adam(groups) if optimizer == "adam" else torch.optim.SGD(groups)
        before = model(x).detach()
        for _ in range(3):
            stepper.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            stepper.step()
        change += float((model(x).detach() - before).abs().mean()) / 3
        size += float(before.std()) / 3
    return change, size


@pytest.mark.untraced
@pytest.mark.parametrize(("optimizer", "lr"), [("adam", 0.01), ("sgd", 0.1)])
def test_three_steps_change_the_logits_alike_at_every_depth(optimizer, lr):
    measured = [changes(blocks, optimizer, lr) for blocks in DEPTHS]
    assert abs(slope(DEPTHS, [change for change, _ in measured])) < 0.1
    assert abs(slope(DEPTHS, [size for _, size in measured])) < 0.1
    bare = slope(DEPTHS, [changes(blocks, optimizer, lr / 10, multiplied=False)[0] for blocks in DEPTHS])
    assert bare > 0.4
