"""GradInit: scales that make the first step of an optimizer worth most, with the gradient in bounds."""

import math

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import initprobe as ip
from initprobe.errors import UsageError
from initprobe.init.schemes.gradinit import GradInit, Scale


def chain(depth=8, width=48, norm=False):
    torch.manual_seed(0)
    layers = [nn.Linear(16, width), nn.ReLU()]
    for _ in range(depth - 2):
        layers += [nn.Linear(width, width), *([nn.BatchNorm1d(width)] if norm else []), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, 4))


def task(samples=256):
    """Real data: four classes by the signs of two inputs."""
    x = torch.randn(samples, 16, generator=torch.Generator().manual_seed(1))
    labels = (x[:, 0] > 0).long() + 2 * (x[:, 1] > 0).long()
    return x, lambda output: nn.functional.cross_entropy(output, labels)


def stepped(model, x, loss, optimizer="sgd", eta=0.1):
    """The loss behind the first step of the optimizer, and the norm of the gradient before it, by torch's own means."""
    model.zero_grad()
    loss(model(x)).backward()
    parameters = list(model.parameters())
    gradients = [parameter.grad.clone() for parameter in parameters]
    flat = torch.cat([one.flatten() for one in gradients]).double()
    norm = float(flat.abs().sum() if optimizer == "adam" else flat.norm())
    kept = [parameter.detach().clone() for parameter in parameters]
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.sub_(eta * (gradient.sign() if optimizer == "adam" else gradient / norm))
        after = float(loss(model(x)))
        for parameter, values in zip(parameters, kept, strict=True):
            parameter.copy_(values)
    model.zero_grad()
    return after, norm


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("optimizer", "options", "eta", "gamma"),
    [("sgd", "steps=80, lr=0.05", 0.1, 1.0), ("adam", "steps=80, lr=0.03, optimizer=adam, eta=0.002, gamma=60", 0.002, 60.0)],
)  # fmt: skip
@pytest.mark.parametrize("gain", ["auto", 2.0])
def test_the_first_step_is_worth_more_and_the_gradient_is_in_bounds(optimizer, options, eta, gamma, gain):
    x, loss = task()
    start, model = chain(), chain()
    spoken = "variance_scaling" if gain == "auto" else f"variance_scaling(gain={gain})"
    ip.initialize(start, spoken, inputs=x)
    outcome = ip.initialize(model, f"gradinit(gain={gain}, {options})", inputs=x, loss=loss)
    before, norm_before = stepped(start, x, loss, optimizer, eta)
    after, norm = stepped(model, x, loss, optimizer, eta)
    assert after < before
    assert norm <= gamma
    assert norm_before > gamma
    note = outcome.notes[0]
    assert f"step from {before:.4g} to {after:.4g}" in note
    assert f"norm from {norm_before:.4g} to {norm:.4g}" in note


def test_scales_alone_change():
    x, loss = task()
    start, model = chain(norm=True), chain(norm=True)
    for one in (start, model):
        nn.init.constant_(one[3].weight, 2.0)
    ip.initialize(start, "variance_scaling", inputs=x)
    outcome = ip.initialize(model, "gradinit(steps=20)", inputs=x, loss=loss)
    for (name, was), now in zip(start.named_parameters(), model.parameters(), strict=True):
        if not was.any():
            assert now.eq(0).all()
            continue
        factor = float(now.detach().norm() / was.detach().norm())
        torch.testing.assert_close(now, was * factor, rtol=1e-4, atol=1e-7)
        assert factor != pytest.approx(1.0, abs=1e-4), name
    assert not outcome.skipped  # normalizations are scaled, from what they were
    for key, buffer in model.named_buffers():
        assert torch.equal(buffer, start.get_buffer(key))


def test_adam_over_a_scale():
    # Adam on one number, written out: torch.optim.Adam is the reference.
    number = nn.Parameter(torch.ones((), dtype=torch.float64))
    reference = torch.optim.Adam([number], lr=0.05, betas=(0.9, 0.999), eps=1e-8)
    scale, product = Scale(), 1.0
    for slope in (0.3, -0.2, 0.8, 0.8, 0.01):
        number.grad = torch.tensor(slope, dtype=torch.float64)
        reference.step()
        product *= scale.step("objective", slope, 0.05, 0.01)
        assert scale.alpha == pytest.approx(float(number.detach()), rel=1e-9)
        assert product == pytest.approx(scale.alpha)
    # What is lowered has a memory of its own.
    scale.step("constraint", 1.0, 0.05, 0.01)
    assert scale.alpha == pytest.approx(float(number.detach()) - 0.05, rel=1e-6)
    for _ in range(100):
        scale.step("constraint", 1.0, 0.05, 0.01)
    assert scale.alpha == 0.01


def test_without_a_bound_every_step_is_for_the_loss():
    x, loss = task()
    outcome = ip.initialize(chain(4), "gradinit(steps=10, gamma=None)", inputs=x, loss=loss)
    assert "; 10 steps; " in outcome.notes[0]
    tight = ip.initialize(chain(4), "gradinit(steps=3, gamma=1e-3)", inputs=x, loss=loss)
    assert "3 steps, 3 of them for the bound, and 3 more" in tight.notes[0]
    assert "still above gamma = 0.001" in tight.notes[1]


def test_what_the_data_cannot_give_is_told():
    x, loss = task()
    told = " ".join(ip.initialize(chain(3), "gradinit(steps=1)", inputs=x, loss=loss).notes)
    assert "on the same samples" in told
    assert "random labels" not in told
    told = " ".join(ip.initialize(chain(3), "gradinit(steps=1)", inputs=(16,)).notes)
    assert "on the same samples" not in told
    assert "random labels" in told


class Mixed(nn.Module):
    """Tokens, a recurrent layer, attention, normalizations, dropout and a parametrized layer."""

    def __init__(self):
        super().__init__()
        self.embed, self.lstm = nn.Embedding(20, 12), nn.LSTM(12, 12, batch_first=True)
        self.attention = nn.TransformerEncoderLayer(12, 2, 16, batch_first=True)
        self.head = parametrizations.weight_norm(nn.Linear(12, 20))

    def forward(self, tokens):
        return self.head(self.attention(self.lstm(self.embed(tokens))[0]))


def test_any_architecture():
    torch.manual_seed(0)
    model = Mixed()
    model.lstm.weight_hh_l0.requires_grad_(requires_grad=False)
    model.embed.weight.grad = torch.ones(20, 12)
    random = torch.random.get_rng_state()
    outcome = ip.initialize(model, "gradinit(steps=4)", inputs="int64[5]<20")
    assert torch.equal(torch.random.get_rng_state(), random)
    assert model.embed.weight.grad.eq(1).all()
    assert all(one.grad is None for name, one in model.named_parameters() if name != "embed.weight")
    assert all(module.training and not module._forward_hooks for module in model.modules())
    told = {one.weight: one for one in outcome.drawn}
    assert "it is frozen" in told["lstm.weight_hh_l0"].note
    assert told["lstm.weight_hh_l0"].std is not None
    assert told["attention.norm1.weight"].std is None
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_the_seed_decides():
    weights = []
    for seed in (0, 0, 1):
        model = chain(3)
        ip.initialize(model, "gradinit(steps=3)", inputs=(16,), seed=seed)
        weights.append(model[0].weight.detach().clone())
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


class Pools(nn.Module):
    """Has no second derivative: torch's own bag of embeddings."""

    def __init__(self):
        super().__init__()
        self.bag, self.head = nn.EmbeddingBag(20, 8), nn.Linear(8, 4)

    def forward(self, tokens):
        return self.head(self.bag(tokens))


@pytest.mark.parametrize(
    ("build", "inputs", "options", "message"),
    [
        (Pools, "int64[5]<20", "gamma=1e-3", "cannot be differentiated twice"),
        (lambda: chain(3).requires_grad_(requires_grad=False), (16,), "gamma=1", "is frozen"),
        (lambda: chain(8), (16,), "gain=1e30", "the loss is not finite"),
        (lambda: chain(4), (16,), "eta=1e38", "the loss is not finite"),
    ],
)
def test_what_cannot_be_scaled_stays_as_it_was(build, inputs, options, message):
    model = build()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    with pytest.raises(UsageError, match=message) as caught:
        ip.initialize(model, f"gradinit({options}, steps=2)", inputs=inputs)
    assert caught.value.hint
    assert all(torch.equal(*pair) for pair in zip(model.parameters(), before, strict=True))


def test_options():
    assert math.isclose(GradInit().eta, 0.1)
    with pytest.raises(ValueError, match="greater than 0"):
        GradInit(gamma=0.0)
