"""MetaInit: the gradient quotient against a formula, and norms that lower it."""

import math

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import initprobe as ip
from initprobe.dissect.anatomy import trace_anatomy
from initprobe.errors import UsageError
from initprobe.init.calibration import Calibration, Data
from initprobe.init.network import Network
from initprobe.init.schemes.metainit import MetaInit
from initprobe.load.inputs import GivenInputs
from initprobe.subject import Call, Subject


def chain(depth=8, width=48, activation=nn.ReLU):
    torch.manual_seed(0)
    layers = [nn.Linear(16, width), activation()]
    for _ in range(depth - 2):
        layers += [nn.Linear(width, width), activation()]
    return nn.Sequential(*layers, nn.Linear(width, 10))


def quotients(outcome):
    words = outcome.notes[0].split()
    return float(words[words.index("from") + 1]), float(words[words.index("to") + 1])


class Quadratic(nn.Module):
    """Its output is the parameter, whatever comes in."""

    def __init__(self, values):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([values]))

    def forward(self, x):
        return self.weight + 0 * x.sum()


def quotient_of(values, curvatures, eps=1e-5):
    """MetaInit's own number for the loss ½ Σ c_i θ_i²."""
    curvature = torch.tensor(curvatures)
    model = Quadratic(values)
    subject = Subject(model, GivenInputs(Call((torch.ones(2, 3),))), lambda out: 0.5 * (curvature * out**2).sum())
    calibration = Calibration(Network(model, trace_anatomy(subject).anatomy), (), Data(subject, 2))
    with calibration.running(gradients=True) as running:
        return float(MetaInit(eps=eps).quotient(calibration, running, 0).detach())


def test_the_quotient_of_a_quadratic():
    # g = c θ, H g = c² θ, so that (g - Hg) / (g + ε sign g) - 1 = -(c g + ε sign g) / (g + ε sign g).
    assert quotient_of([1.0, -2.0, 3.0], [0.1, 0.5, 2.0]) == pytest.approx((0.1 + 0.5 + 2.0) / 3, rel=1e-4)
    assert quotient_of([1.0], [0.25], eps=0.5) == pytest.approx((0.25 * 0.25 + 0.5) / 0.75, rel=1e-6)
    assert quotient_of([0.0, 1.0], [1.0, 1.0]) == pytest.approx((1 + 1) / 2, rel=1e-4)  # the sign of zero is plus


@pytest.mark.untraced
def test_a_bad_start_is_mended_in_a_hundred_steps():
    model = chain()
    outcome = ip.initialize(model, "metainit(gain=2.5, steps=100)", inputs=(16,))
    before, after = quotients(outcome)
    assert before > 1000
    assert after < before / 10
    assert after < 2
    assert "100 steps; 406 passes" in outcome.notes[0]  # two to measure of three, and four a step
    # What was an explosion by 2.5 a layer has become a network whose signal stays in bounds.
    assert float(model(torch.randn(64, 16)).detach().std()) < 5


def test_norms_alone_change():
    first, tuned = chain(), chain()
    ip.initialize(first, "variance_scaling(gain=2)", inputs=(16,))
    outcome = ip.initialize(tuned, "metainit(gain=2, steps=20)", inputs=(16,))
    for was, now in zip(first.parameters(), tuned.parameters(), strict=True):
        if was.dim() > 1:
            factor = float(now.detach().norm() / was.detach().norm())
            torch.testing.assert_close(now, was * factor, rtol=1e-4, atol=1e-7)
            assert factor != pytest.approx(1.0, abs=1e-3)
        else:
            assert now.eq(0).all()
    stds = {one.weight: one.std for one in outcome.drawn}
    assert stds["0.weight"] is None
    assert stds["0.bias"] == 0.0


def test_signs_and_momentum_of_the_steps():
    from initprobe.init.schemes.metainit import Norms

    parameter = nn.Parameter(torch.tensor([[3.0, 4.0]]))
    norms = Norms(MetaInit(lr=0.1, momentum=0.5), [("w", parameter)])
    lengths = []
    for direction in (1.0, 1.0, -1.0):
        norms.step([parameter.detach() * direction])
        lengths.append(float(parameter.detach().norm()))
    assert lengths == pytest.approx([4.9, 4.75, 4.775])


def test_a_norm_never_turns_around():
    from initprobe.init.schemes.metainit import Norms

    parameter = nn.Parameter(torch.tensor([[0.03, 0.04]]))
    norms = Norms(MetaInit(lr=1.0), [("w", parameter)])
    for _ in range(3):
        norms.step([parameter.detach().clone()])
        assert (parameter > 0).all()
    norms = Norms(MetaInit(), [("w", nn.Parameter(torch.zeros(1, 2)))])
    norms.step([torch.ones(1, 2)])
    assert norms.tuned[0][1].eq(0).all()


class Mixed(nn.Module):
    """Tokens, a recurrent layer, attention, a normalization, dropout and a parametrized layer."""

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
    outcome = ip.initialize(model, "metainit(steps=3)", inputs="int64[5]<20")
    assert torch.equal(torch.random.get_rng_state(), random)
    assert model.embed.weight.grad.eq(1).all()
    assert all(one.grad is None for name, one in model.named_parameters() if name != "embed.weight")
    assert all(module.training and not module._forward_hooks for module in model.modules())
    told = {one.weight: one for one in outcome.drawn}
    assert "it is frozen" in told["lstm.weight_hh_l0"].note
    assert told["lstm.weight_hh_l0"].std is not None
    assert told["attention.self_attn.in_proj_weight"].std is None
    assert all(math.isfinite(one) for one in quotients(outcome))


def test_an_own_loss_and_a_real_batch():
    model, batch = chain(4), torch.randn(32, 16)
    labels = torch.randint(10, (32,))
    seen = []

    def loss(output):
        seen.append(tuple(output.shape))
        return nn.functional.cross_entropy(output, labels)

    ip.initialize(model, "metainit(steps=2)", inputs=batch, loss=loss)
    assert seen == [(32, 10)] * 4


def test_the_seed_decides():
    weights = []
    for seed in (0, 0, 1):
        model = chain(3)
        ip.initialize(model, "metainit(steps=3)", inputs=(16,), seed=seed)
        weights.append(model[0].weight.detach().clone())
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


class Once(torch.autograd.Function):
    """A square that can be differentiated once."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return 2 * x * gradient


class Squares(nn.Module):
    def forward(self, x):
        return Once.apply(x)


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (lambda: nn.Sequential(nn.Linear(16, 8), Squares()), "", "cannot be differentiated twice"),
        (lambda: nn.Sequential(nn.Linear(16, 8)).requires_grad_(requires_grad=False), "", "is frozen"),
        (lambda: chain(8), "gain=1e30, ", "quotient is not finite"),
    ],
)
def test_what_cannot_be_tuned_stays_as_it_was(model, options, message):
    model = model()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    with pytest.raises(UsageError, match=message) as caught:
        ip.initialize(model, f"metainit({options}steps=2)", inputs=(16,))
    assert caught.value.hint
    assert all(torch.equal(*pair) for pair in zip(model.parameters(), before, strict=True))


def test_biases_have_no_norm_that_counts():
    model = chain(3)
    with pytest.raises(UsageError, match="tunes the norms of matrices, and it drew none"):
        ip.initialize(model, "metainit(steps=2)", inputs=(16,), only="*.bias")
