"""Every objective is its formula, with labels and targets that its seed alone decides."""

import math

import pytest
import torch
from torch.nn import functional as F

from initprobe.errors import TargetError
from initprobe.load.loss import chosen_loss
from initprobe.load.objectives.base import OBJECTIVES
from initprobe.records import TargetRequest
from initprobe.variates import Variates

TARGETS = Variates(3, "@targets")


def loss(text, *outputs, seed=3):
    value = chosen_loss(text, TargetRequest("")).of(seed)(outputs if len(outputs) > 1 else outputs[0])
    assert value.shape == ()
    return value.item()


def near(value):
    return pytest.approx(value, rel=1e-5)


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("shape", "text", "axis"), [((8, 5), "ce", 1), ((4, 6, 5), "cross_entropy", 2), ((4, 5, 3, 2), "ce(axis=1)", 1)]
)
def test_cross_entropy(shape, text, axis):
    z = drawn(*shape)
    labels = TARGETS.integers(tuple(size for at, size in enumerate(shape) if at != axis), 5)
    wanted = -z.log_softmax(axis).movedim(axis, -1).gather(-1, labels[..., None]).mean()
    assert loss(text, z) == near(wanted.item())
    assert loss(text, 0 * z) == near(math.log(5))


def test_mse_and_bce():
    y = drawn(6, 3)
    assert loss("mse", y) == near((y - TARGETS.normal((6, 3))).square().mean().item())
    labels = TARGETS.integers((6, 3), 2).float()
    assert loss("bce", y) == near(F.binary_cross_entropy_with_logits(y, labels).item())
    assert loss("bce(logits=False)", y.sigmoid()) == near(loss("bce", y))


def test_quantile():
    y, target = drawn(6, 3), TARGETS.normal((6, 1))
    error = target - y
    q = torch.tensor([0.05, 0.5, 0.95])
    assert loss("quantile", y) == near(torch.where(error > 0, q * error, (q - 1) * error).mean().item())
    assert loss("pinball(levels=[0.5])", y) == near((TARGETS.normal((6, 3)) - y).abs().mean().item() / 2)


def test_elbo():
    x, y, mean, v = drawn(4, 2, 3), drawn(4, 2, 3, seed=1), drawn(4, 5, seed=2), drawn(4, 5, seed=3)
    normal = torch.distributions.Normal
    kl = torch.distributions.kl_divergence(normal(mean, (v / 2).exp()), normal(0.0, 1.0)).sum() / 4
    error = (x - y).square().sum() / 8
    assert loss("elbo", y, mean, v, x) == near((error + kl).item())
    assert loss("elbo(kl_weight=0.5)", y, mean, v, x) == near((error + kl / 2).item())
    assert loss("elbo(kl_weight=0)", y, mean, v) == near((TARGETS.normal((4, 2, 3)) - y).square().sum().item() / 8)
    data = x.sigmoid()
    crossed = F.binary_cross_entropy_with_logits(y, data, reduction="sum") / 4
    assert loss("elbo(kl_weight=0, reconstruction=bce)", y, mean, v, data) == near(crossed.item())


@pytest.mark.parametrize(
    ("kind", "generator", "discriminator"),
    [
        ("non_saturating", math.log(1 + math.exp(-1)), math.log(1 + math.exp(2)) + math.log(1 + math.exp(-0.5))),
        ("hinge", -1.0, 3.0 + 0.5),
        ("wasserstein", -1.0, 2.0 - 0.5),
        ("least_squares", 0.0, 2.0 + 0.125),
    ],
)
def test_gan(kind, generator, discriminator):
    logits = torch.tensor([[1.0]]), torch.tensor([[2.0]]), torch.tensor([[0.5]])
    assert loss(f"gan({kind})", *logits) == near(generator + discriminator)
    assert loss(f"gan({kind}, generator)", logits[0], logits[2]) == pytest.approx(generator, rel=1e-5, abs=1e-7)
    assert loss(f"gan({kind}, player=discriminator)", logits[1], logits[2]) == near(discriminator)


def test_contrastive():
    first, second = drawn(4, 6), drawn(4, 6, seed=1)
    rows = F.normalize(torch.cat([first, second]))
    total = 0.0
    for a in range(8):
        cosines = [float(rows[a] @ rows[b]) / 0.5 for b in range(8) if b != a]
        total -= float(rows[a] @ rows[(a + 4) % 8]) / 0.5 - math.log(sum(math.exp(one) for one in cosines))
    assert loss("contrastive(temperature=0.5)", first, second) == near(total / 8)
    mixed = torch.stack([first, second], 1).flatten(0, 1)
    assert loss("info_nce(0.5)", mixed) == near(total / 8)
    assert loss("nt_xent", torch.ones(6, 2)) == near(math.log(5))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_seed_alone_decides_and_half_precision_is_no_hindrance(name):
    outputs = {
        "elbo": (drawn(8, 3), drawn(8, 2), drawn(8, 2, seed=1)),
        "gan": (drawn(8, 1), drawn(8, 1), drawn(8, 1)),
    }.get(name, (drawn(8, 3),))
    state = torch.get_rng_state()
    assert loss(name, *outputs) == loss(name, *outputs)
    assert torch.equal(state, torch.get_rng_state())
    if name not in ("gan", "contrastive"):
        assert loss(name, *outputs) != loss(name, *outputs, seed=4)
    assert loss(name, *(one.half() for one in outputs)) == pytest.approx(loss(name, *outputs), rel=1e-2)


@pytest.mark.parametrize(
    ("text", "outputs", "message"),
    [
        ("cross_entropy", [drawn(8, 1)], r"two or more of them; the model puts out \(1,\) for each sample"),
        ("cross_entropy(axis=2)", [drawn(8, 4)], "no axis 2 of classes"),
        ("cross_entropy(axis=0)", [drawn(8, 4)], "no axis 0 of classes"),
        ("quantile", [drawn(8, 4)], "for 3 levels"),
        ("bce(logits=False)", [drawn(8, 4)], "no probabilities"),
        ("elbo", [drawn(8, 4)], r"reconstruction, mean, log-variance"),
        ("elbo", [drawn(8, 4), drawn(8, 2), drawn(8, 2), drawn(8, 3)], r"reconstruction of shape \(8, 4\)"),
        ("gan", [drawn(8, 1)], "logits of"),
        ("gan", [drawn(8, 1), drawn(8, 1)], "cancel out"),
        ("contrastive", [drawn(8)], "two pairs"),
        ("contrastive", [drawn(3, 2)], "two pairs"),
        ("mse", [torch.ones(3, dtype=torch.int64)], "no floating-point numbers"),
    ],
)
def test_an_output_that_does_not_fit_is_told(text, outputs, message):
    with pytest.raises(TargetError, match=message):
        loss(text, *outputs)


def test_the_players_of_a_gan_are_kept_apart():
    generator, discriminator = torch.nn.Linear(3, 4), torch.nn.Linear(4, 1)
    fake = generator(drawn(8, 3))
    outputs = discriminator(fake), discriminator(fake.detach()), discriminator(drawn(8, 4, seed=1))

    def gradient(text, weight):
        value = chosen_loss(text, TargetRequest("")).of(0)(outputs)
        return torch.autograd.grad(value, weight, retain_graph=True, allow_unused=True)[0]

    for kind in ("non_saturating", "wasserstein"):
        both = gradient(f"gan({kind})", generator.weight)
        assert torch.allclose(both, gradient(f"gan({kind}, generator)", generator.weight))
        assert both.abs().max() > 1e-3
        assert gradient(f"gan({kind}, discriminator)", generator.weight) is None
