"""What schemes that look at data may do: batches, passes, losses and gradients, and no trace of them."""

import pytest
import torch
from torch import nn

from initprobe.dissect.anatomy import trace_anatomy
from initprobe.errors import TargetError, UsageError
from initprobe.init.calibration import Calibration, Data
from initprobe.init.network import Network
from initprobe.init.slots import find_slots
from initprobe.load.inputs import DrawnInputs, GivenInputs, InputSpec
from initprobe.subject import Call, Subject


def calibration_of(model, inputs=None, *, batch=16, loss=None, mode="train", width=8):
    """A calibration over all weights of a model."""
    subject = Subject(model, inputs or DrawnInputs((InputSpec(None, (width,)),)), loss)
    anatomy = trace_anatomy(subject).anatomy
    slots = tuple(find_slots(model, anatomy))
    network = Network(model, anatomy, 3, {slot.weight.name: slot for slot in slots})
    return Calibration(network, slots, Data(subject, batch, mode))


def chain(*layers):
    torch.manual_seed(0)
    return nn.Sequential(*layers)


def test_batches_depend_on_their_index_and_share_halves():
    calibration = calibration_of(chain(nn.Linear(8, 8)))
    first, second = calibration.call(0).args[0], calibration.call(1).args[0]
    assert torch.equal(first, calibration.call(0).args[0])
    assert not torch.equal(first, second)
    mixed = calibration.call(0, 1).args[0]
    assert torch.equal(mixed[:8], first[:8])
    assert torch.equal(mixed[8:], second[8:])


def test_a_batch_that_was_given_is_the_only_one():
    given = torch.randn(5, 8)
    calibration = calibration_of(chain(nn.Linear(8, 8)), GivenInputs(Call((given,))), batch=5)
    assert calibration.fixed
    for call in (calibration.call(0), calibration.call(3), calibration.call(0, 1)):
        assert torch.equal(call.args[0], given)


def test_labels_go_with_their_samples():
    calibration = calibration_of(chain(nn.Linear(8, 4)))
    output = torch.zeros(16, 4)
    output[torch.arange(16), torch.arange(16) % 4] = 30.0  # the loss of a sample tells its label

    def wrong(index, beside=None):
        each = [calibration.loss(output[place : place + 1].expand(16, 4), index, beside) for place in range(4)]
        return torch.stack(each)

    assert torch.equal(wrong(0), wrong(0))
    assert not torch.equal(wrong(0), wrong(1))
    # Half of the labels come from each batch, so that the losses lie halfway on average over the classes.
    assert float(wrong(0, 1).sum()) == pytest.approx(float(wrong(0).sum()), rel=1e-5)
    assert not torch.equal(wrong(0, 1), wrong(0))


def test_the_loss_of_one_unit_and_of_half_precision():
    calibration = calibration_of(chain(nn.Linear(8, 1)))
    assert float(calibration.loss(torch.zeros(16, 1))) == pytest.approx(1.0, abs=0.8)
    logits = torch.randn(16, 5)
    exact, rounded = calibration.loss(logits), calibration.loss(logits.half())
    assert rounded.dtype is torch.float32
    assert float(rounded) == pytest.approx(float(exact), rel=1e-2)


def test_labels_are_those_of_the_samples_in_mixed_batches():
    class Numbered:
        """Samples that are their own labels."""

        fixed = None

        def make(self, batch, seed, dtype):
            x = torch.randn(batch, 8, dtype=dtype, generator=torch.Generator().manual_seed(seed))
            return Call((x,), labels=x)

    calibration = calibration_of(chain(nn.Linear(8, 8)), Numbered(), loss=lambda y, labels: (y - labels).abs().sum())
    calibration.data.subject.labelled = True
    mixed = calibration.call(1, 2).args[0]
    assert torch.equal(mixed[:8], calibration.call(1).args[0][:8])
    assert torch.equal(mixed[8:], calibration.call(2).args[0][8:])
    assert calibration.loss(mixed, 1, 2) == 0
    assert calibration.loss(mixed, 1) > 0


def failing(_output):
    raise KeyError("labels")


@pytest.mark.parametrize(
    ("loss", "message"), [(failing, "the loss function failed: KeyError"), (lambda _: 3.0, "must return one number")]
)
def test_a_loss_that_is_none(loss, message):
    calibration = calibration_of(chain(nn.Linear(8, 4)), loss=loss)
    with pytest.raises(TargetError, match=message):
        calibration.loss(torch.zeros(16, 4))


def test_an_own_loss_may_have_a_shape():
    calibration = calibration_of(chain(nn.Linear(8, 4)), loss=lambda output: output.sum().reshape(1))
    assert calibration.loss(torch.ones(2, 4)).shape == ()


def test_an_output_without_numbers():
    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 4)

        def forward(self, x):
            return self.layer(x).argmax(-1)

    with pytest.raises(UsageError, match="puts out no floating-point numbers"):
        calibration_of(Counts()).loss(torch.zeros(3, dtype=torch.int64))


class Noisy(nn.Module):
    """Keeps count, normalizes over the batch, and drops."""

    def __init__(self):
        super().__init__()
        self.layer, self.norm, self.drop = nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Dropout(0.5)
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return self.drop(self.norm(self.layer(x)))


@pytest.mark.parametrize("noise", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_runs_leave_no_trace(noise, training):
    model = Noisy().train(training)
    model.layer.weight.grad = torch.ones(8, 8)
    calibration = calibration_of(model)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random = torch.random.get_rng_state()
    with calibration.running(gradients=True, noise=noise) as running:
        output = calibration.output(running, calibration.call())
        assert bool((output == 0).any()) == noise
        # Either way the batch's own statistics are used.
        kept = output.detach()[output != 0] if noise else output.detach()
        assert float(kept.mean()) == pytest.approx(0.0, abs=0.3)
        calibration.gradients(calibration.loss(output), list(running.parameters()), graph=True)
    assert calibration.passes == 2
    assert torch.equal(torch.random.get_rng_state(), random)
    assert (model.training, model.norm.training, model.drop.training, model.calls) == (training,) * 3 + (0,)
    assert torch.equal(model.layer.weight.grad, torch.ones(8, 8))
    assert model.layer.bias.grad is None
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_evaluation_is_evaluation():
    calibration = calibration_of(Noisy(), mode="eval")
    with calibration.running(gradients=True, noise=False) as model:
        assert not any(module.training for module in model.modules())


def test_every_run_has_the_same_noise():
    calibration = calibration_of(Noisy())
    outputs = []
    for _ in range(2):
        with calibration.running() as model:
            outputs.append(calibration.output(model, calibration.call()))
    assert torch.equal(*outputs)
    assert not outputs[0].requires_grad


def test_gradients_are_zero_where_nothing_depends():
    model = chain(nn.Linear(8, 4))
    calibration = calibration_of(model)
    other = nn.Parameter(torch.ones(3))
    with calibration.running(gradients=True):
        value = calibration.output(model, calibration.call()).sum()
        weight, spare = calibration.gradients(value, [model[0].weight, other])
    assert spare.eq(0).all()
    expected = calibration.call().args[0].sum(0).expand(4, 8)
    torch.testing.assert_close(weight, expected, rtol=1e-4, atol=1e-4)


class Twice(torch.autograd.Function):
    """A function that can be differentiated once."""

    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        return 2 * gradient


class Broken(torch.autograd.Function):
    """A function whose derivative is a mistake."""

    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, gradient):
        raise ZeroDivisionError("no such luck")


class Applies(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.layer, self.function = nn.Linear(8, 4), function

    def forward(self, x):
        return self.function(self.layer(x).square())


def energy(model):
    """The squared length of the gradient, and the parameters."""
    calibration = calibration_of(model)
    parameters = list(model.parameters())
    with calibration.running(gradients=True) as running:
        loss = calibration.loss(calibration.output(running, calibration.call()))
        first = calibration.gradients(loss, parameters, graph=True)
        return calibration.gradients(sum(one.square().sum() for one in first), parameters)


@pytest.mark.parametrize(
    "function",
    [Twice.apply, lambda x: nn.functional.embedding_bag(torch.zeros(4, 1, dtype=torch.int64), x) @ torch.ones(4, 4)],
)
def test_an_operation_without_a_second_derivative(function):
    with pytest.raises(UsageError, match="cannot be differentiated twice") as caught:
        energy(Applies(function))
    assert "lsuv" in caught.value.hint


def test_a_backward_pass_that_fails():
    with pytest.raises(TargetError, match="the backward pass failed: ZeroDivisionError: no such luck"):
        energy(Applies(Broken.apply))


@pytest.mark.parametrize("forward", [torch.no_grad(), torch.inference_mode()])
def test_a_forward_without_gradients(forward):
    with pytest.raises(UsageError, match="depends on no parameter that is trained"):
        energy(Applies(forward(lambda x: x + 1)))


def test_attention_and_recurrent_layers_have_second_derivatives():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(8, 8, batch_first=True)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x):
            x, _ = self.lstm(x.reshape(-1, 1, 8))
            x, _ = self.attention(x, x, x, need_weights=False)
            return nn.functional.scaled_dot_product_attention(x, x, x)

    assert all(one.isfinite().all() for one in energy(Both()))


def test_frozen_parameters_are_told_and_not_tuned():
    model = chain(nn.Linear(8, 8), nn.Linear(8, 4))
    model[0].requires_grad_(requires_grad=False)
    calibration = calibration_of(model)
    assert [name for name, _ in calibration.tunable()] == ["1.weight", "1.bias"]
    assert [name for name, _ in calibration.trained()] == ["1.weight", "1.bias"]
    assert "frozen" in calibration.notes["0.weight"]
    model.requires_grad_(requires_grad=False)
    with pytest.raises(UsageError, match="every parameter that is to be calibrated is frozen"):
        calibration.tunable()


def halve(calibration):
    """Multiply every layer by a half, and keep what was seen on the way."""
    seen = {}

    def adjust(layer, output):
        seen[layer.weight.weight.name] = (layer.entered.clone(), output.clone())
        return calibration.rescale(layer, output, torch.tensor(0.5), torch.tensor(1.0))

    return seen, calibration.walk(adjust)


def test_a_walk_adjusts_each_layer_behind_its_adjusted_predecessors():
    model = chain(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 4, bias=False))
    calibration = calibration_of(model)
    x = calibration.call().args[0]
    seen, done = halve(calibration)
    assert [slot.weight.name for slot in done] == ["0.weight", "2.weight"]
    assert calibration.passes == 1
    assert calibration.changed == {"0.weight", "0.bias", "2.weight"}
    torch.testing.assert_close(seen["2.weight"][0], torch.tanh(model[0](x)))
    torch.testing.assert_close(seen["2.weight"][1] / 2, model(x))  # without a bias there is no shift
    torch.testing.assert_close(model[0](x), seen["0.weight"][1] / 2 + 1)


class Shares(nn.Module):
    """A layer that runs twice, one that shares its weight, one that never runs, one that is called as a function."""

    def __init__(self):
        super().__init__()
        self.twice, self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.second.weight = self.first.weight
        self.never, self.functional = nn.Linear(8, 8), nn.Linear(8, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.lstm = nn.LSTM(8, 8, batch_first=True)

    def forward(self, x):
        x = self.second(self.first(self.twice(self.twice(x))))
        x = nn.functional.linear(x, self.functional.weight)[:, None]
        return self.lstm(self.attention(x, x, x)[0])[0]


def test_what_a_walk_does_not_reach_is_told():
    calibration = calibration_of(Shares())
    _, done = halve(calibration)
    assert [slot.weight.name for slot in done] == ["twice.weight", "first.weight"]
    notes = calibration.notes
    assert notes["twice.weight"] == "runs 2 times in a pass: calibrated on the first"
    assert notes["first.weight"] == "shared with 'second.weight': calibrated where 'first' uses it"
    alone = "not calibrated: no module puts out its product alone"
    names = ("never.weight", "functional.weight", "attention.in_proj_weight", "attention.out_proj.weight")
    for name in (*names, "lstm.weight_ih_l0", "lstm.weight_hh_l0"):
        assert notes[name] == alone


def test_a_failure_in_a_walk_leaves_no_hook():
    model = chain(nn.Linear(8, 8))
    calibration = calibration_of(model)

    def adjust(_layer, _output):
        raise UsageError("stop here")

    with pytest.raises(UsageError, match="stop here"):
        calibration.walk(adjust)
    assert not model[0]._forward_hooks
