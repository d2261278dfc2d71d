"""Every number of a Trace against an independent pass over the same model."""

from __future__ import annotations

import copy
import math
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from initprobe.errors import TargetError, UsageError
from initprobe.measure import signal
from initprobe.measure.ledger import Plan
from initprobe.subject import Call, Subject
from tests.measure.reference import BATCH, Capture, leaves, moments, probe, pull_back
from tests.zoo.odd_models import (
    ODD,
    WIDTH,
    Checkpointed,
    Drawn,
    FrozenTokens,
    InplaceOnView,
    Uncalled,
    built,
    mlp,
)

MOMENTS = ("count", "nonfinite", "mean", "std", "rms", "min", "max", "absmax", "zero_fraction")
EVERY = pytest.mark.parametrize("name", list(ODD))
TWINS = pytest.mark.parametrize("name", [name for name, odd in ODD.items() if odd.twin])


def agree(measured, expected, *, close=1e-6):
    """All moments of two rows; the mean is held against the rms."""
    for name, value in expected.items():
        size = abs(float(expected["rms"])) if name == "mean" else abs(float(value))
        if name in measured and not (math.isnan(float(value)) and math.isnan(measured[name])):
            assert measured[name] == pytest.approx(float(value), rel=0, abs=close * size), name


def twin_pass(name, *, add=True):
    """The reference pass of a second copy of the model."""
    model, inputs = built(name)
    capture = Capture(model, add)
    call = Subject(model, inputs).call(BATCH, 3)
    return capture, capture.run(call)


@EVERY
def test_forward_statistics_are_those_of_a_plain_pass(name):
    trace = probe(*built(name))
    capture, _ = twin_pass(name, add=False)
    measured = {site.key: site for site in trace.sites}
    assert measured, "no site was measured"
    modules = [key for key in measured if "/" not in key]  # the others are held to another capture, test_operations.py
    for key in modules:
        site = measured[key]
        expected = moments(capture.values[key])
        assert set(MOMENTS) <= set(site.forward)
        agree(site.forward, expected)
        assert site.shape == tuple(capture.values[key].shape)
        assert site.dtype == str(capture.values[key].dtype).removeprefix("torch.")
    left_out = set(capture.values) - set(measured) - {unseen.path for unseen in trace.unseen}
    shown = [capture.values[key] for key in modules]
    for key in left_out:  # only what another site shows already
        value = capture.values[key]
        assert any(torch.equal(value.nan_to_num(0.5), one.nan_to_num(0.5)) for one in shown), key


@TWINS
def test_gradients_are_those_at_zeros_added_to_a_plain_pass(name):
    trace = probe(*built(name))
    capture, output = twin_pass(name)
    if ODD[name].signal_free:
        assert any(site.backward is None for site in trace.sites)
        return
    pull_back(output)
    close = 0.03 if name == "bfloat16" else 1e-5
    for site in trace.sites:
        if "/" in site.key:
            continue
        gradient = capture.zeros[site.key].grad
        if gradient is None or not gradient.any():
            assert site.backward is None or site.backward["rms"] == 0
            assert site.backward is not None or site.no_backward
        else:
            assert site.backward is not None, site.key
            agree(site.backward, moments(gradient), close=close)


@pytest.mark.parametrize("largest_kept", [signal.SMALL, 0])  # at 0 every gradient is let go of at once
@pytest.mark.parametrize("name", [name for name, odd in ODD.items() if odd.twin and not odd.signal_free])
def test_weight_gradients_are_those_of_backward(name, largest_kept, monkeypatch):
    monkeypatch.setattr(signal, "SMALL", largest_kept)
    trace = probe(*built(name), "weight_gradients")
    capture, output = twin_pass(name)
    pull_back(output)
    measured = {parameter.name: parameter for parameter in trace.parameters}
    close = 0.03 if name == "bfloat16" else 2e-5
    for path, parameter in capture.model.named_parameters():
        if path not in measured:
            continue  # the forward made it
        if parameter.grad is None:
            assert measured[path].gradient is None
        else:
            agree(measured[path].gradient, moments(parameter.grad), close=close)
        assert measured[path].reached is (parameter.grad is not None)


@EVERY
def test_two_probes_of_one_model_are_equal(name):
    model, inputs = built(name)
    statistics = ("weight_gradients", "exponents")
    assert repr(probe(model, inputs, *statistics)) == repr(probe(model, inputs, *statistics))


def test_the_seed_decides_batch_cotangent_and_dropout():
    model, inputs = built("random")
    first, second = (probe(model, inputs, seed=seed) for seed in (1, 2))
    for before, behind in zip(first.sites, second.sites, strict=True):
        assert before.forward["rms"] != behind.forward["rms"]
        assert before.backward["rms"] != behind.backward["rms"]


def test_every_parameter_is_described_even_without_a_gradient():
    model = Uncalled()
    trace = probe(model, Drawn())
    described = {parameter.name: parameter for parameter in trace.parameters}
    assert list(described) == [name for name, _ in model.named_parameters()]
    assert {name for name, one in described.items() if one.reached} == {
        "first.weight", "first.bias", "second.weight", "second.bias",
    }  # fmt: skip
    for name, parameter in model.named_parameters():
        agree(described[name].value, moments(parameter))
        assert described[name].gradient is None


def test_reachability_says_nothing_without_a_backward_pass():
    trace = probe(mlp(), Drawn(), backward=False)
    assert {parameter.reached for parameter in trace.parameters} == {None}
    assert {site.no_backward for site in trace.sites} == {"no backward pass was asked for"}


@pytest.mark.parametrize("name", ["frozen", "frozen_tokens"])
def test_frozen_parameters_are_not_reached(name):
    assert {parameter.reached for parameter in probe(*built(name)).parameters} == {False}


def test_a_frozen_model_still_passes_gradients_from_a_float_input():
    assert all(site.backward for site in probe(*built("frozen")).sites)


def test_a_site_behind_detach_says_so():
    trace = probe(*built("detached"))
    reasons = {site.key: site.no_backward for site in trace.sites}
    assert reasons["first"] == "the loss does not depend on it"
    assert reasons["second"] is None


class Hooked:
    """Counts how often the gradient of a parameter is computed."""

    def __init__(self, model):
        self.fired = []
        self.handles = [
            parameter.register_hook(lambda _, name=name: self.fired.append(name))
            for name, parameter in model.named_parameters()
            if parameter.requires_grad
        ]


def test_no_weight_gradient_is_computed_unless_asked_for():
    model = mlp()
    hooked = Hooked(model)
    probe(model, Drawn())
    assert hooked.fired == []
    probe(model, Drawn(), "weight_gradients")
    assert sorted(hooked.fired) == sorted(name for name, _ in model.named_parameters())


def test_matrix_products_are_those_of_activation_gradients_alone():
    class Products(torch.utils._python_dispatch.TorchDispatchMode):
        made = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            self.made += func in {torch.ops.aten.mm.default, torch.ops.aten.addmm.default}
            return func(*args, **(kwargs or {}))

    depth = 4
    subject = Subject(mlp(depth - 1), Drawn())
    products = {}
    for statistics in ((), ("weight_gradients",)):
        with Products() as seen:
            before = seen.made
            probe(subject.model, subject.inputs, *statistics)
            products[statistics] = seen.made - before
    # Twice forward (traced, measured), then back to the first layer's output, then one more for every weight.
    assert products[()] == 2 * depth + depth - 1
    assert products["weight_gradients",] == 2 * depth + 2 * depth - 1


def test_views_that_are_written_into_carry_the_gradients_of_an_untouched_copy():
    model = InplaceOnView()
    twin = copy.deepcopy(model)
    call = Subject(model, Drawn()).call(BATCH, 3)
    first = twin.first(call.args[0])
    first.retain_grad()
    scale, shift = torch.ones(BATCH, WIDTH), torch.zeros(BATCH * WIDTH)
    scale[:, :2], shift[::2] = 3.0, 1.0
    second = twin.second(first * scale + shift.view(BATCH, WIDTH))
    second.retain_grad()
    pull_back(second)
    sites = {site.key: site for site in probe(model, Drawn()).sites}
    agree(sites["first"].forward, moments(first))
    agree(sites["first"].backward, moments(first.grad), close=1e-5)
    agree(sites["second"].backward, moments(second.grad), close=1e-5)


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("backward", [True, False])
def test_checkpointing_counts_nothing_twice_and_changes_no_number(reentrant, backward):
    plain, checkpointed = Checkpointed(use=None), Checkpointed(use=reentrant)
    checkpointed.load_state_dict(plain.state_dict())
    traces = [probe(model, Drawn(), "weight_gradients", backward=backward) for model in (plain, checkpointed)]
    assert [site.key for site in traces[0].sites] == ["first", "drop", "block.0", "block.1", "block.2"]
    assert all((site.backward is not None) == backward for site in traces[1].sites)
    assert repr(traces[0]) == repr(traces[1])


@pytest.mark.parametrize("name", ["tuple", "list", "dict", "namedtuple", "dataclass", "userdict"])
def test_every_container_is_looked_into(name):
    trace = probe(*built(name))
    assert not trace.unseen
    inner = [site for site in trace.sites if site.key.startswith("inner")]
    doubled = next(site for site in inner if site.forward["rms"] == max(one.forward["rms"] for one in inner))
    second = next(site for site in trace.sites if site.key == "second")
    assert doubled.forward["rms"] == pytest.approx(2 * second.forward["rms"])
    assert second.backward is not None


def test_a_model_output_of_transformers_is_looked_into():
    from transformers.modeling_outputs import BaseModelOutput

    class Answering(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = mlp()

        def forward(self, x):
            hidden = self.body(x)
            return BaseModelOutput(last_hidden_state=hidden, hidden_states=(x, hidden))

    keys = [site.key for site in probe(Answering(), Drawn()).sites]
    assert "(model)[hidden_states][0]" in keys
    assert "(model)[last_hidden_state]" not in keys  # the body's output itself


def test_none_and_what_cannot_be_looked_into_are_told_as_unseen():
    class Later(nn.Module):
        def forward(self, x):
            return lambda: x

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.later = mlp(1), Later()

        def forward(self, x):
            return self.later(self.body(x))()

    assert [one.path for one in probe(*built("none")).unseen] == ["sink"]
    unseen = probe(Model(), Drawn()).unseen
    assert [(one.path, one.reason) for one in unseen] == [("later", "no tensor in an output of type function")]


def test_what_has_no_statistics_is_told_with_its_reason():
    reasons = {one.path: one.reason for one in probe(*built("unmeasurable")).unseen}
    assert reasons == {
        "strange[0]": "empty tensor",
        "strange[1]": "sparse_coo layout",
        "strange[2]": "bool values",
        "strange[3]": "meta tensor, it has no values",
    }


def test_a_module_called_again_has_a_site_of_its_own():
    keys = [site.key for site in probe(*built("reused")).sites]
    assert [key for key in keys if "/" not in key] == ["first", "first#2", "first#3", "second"]


def test_an_aliased_module_is_counted_once_per_call():
    assert [site.key for site in probe(*built("one_module_two_names")).sites] == ["a", "(model)/relu", "a#2"]


def test_one_tensor_handed_on_is_one_site():
    assert [site.key for site in probe(*built("same_tensor")).sites] == ["first", "second"]


def test_parameters_outside_all_modules_are_told():
    (told,) = probe(*built("bypassed")).unseen
    assert (told.path, "plain list" in told.reason) == ("(model)", True)
    assert not probe(*built("bypassed"), backward=False).unseen  # only the graph tells


def test_inputs_are_described_wherever_they_lie():
    class Nested:
        fixed = None

        def make(self, batch, seed, dtype):
            return Call(({"deep": [torch.ones(batch, WIDTH), torch.arange(batch)]},), {"shift": torch.zeros(batch, 1)})

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = mlp(1).requires_grad_(requires_grad=False)

        def forward(self, given, shift):
            return self.body(given["deep"][0]) + shift

    trace = probe(Model(), Nested())
    assert set(trace.inputs) == {"0[deep][0]", "shift"}
    assert trace.inputs["0[deep][0]"]["rms"] == 1
    assert all(site.backward for site in trace.sites)  # though every weight is frozen


def test_a_model_may_write_into_its_input():
    class Writing(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = mlp(1)

        def forward(self, x):
            return self.body(x.mul_(2.0))

    trace = probe(Writing(), Drawn())
    assert trace.inputs["0"]["rms"] < 1.5


def test_pairs_are_those_of_the_batch_that_came():
    class Few(Drawn):
        def make(self, batch, seed, dtype):
            return super().make(min(batch, 4), seed, dtype)

    trace = probe(mlp(), Few(), batch=256)
    assert trace.sites[0].shape[0] == 4
    assert trace.sites[0].forward["pair_distance"] > 0


def squared(output):
    return F.mse_loss(output, torch.ones_like(output))


def test_an_own_loss_is_what_is_differentiated():
    model = mlp()
    twin = copy.deepcopy(model)
    trace = probe(model, Drawn(), "weight_gradients", own_loss=squared)
    squared(twin(*Subject(twin, Drawn()).call(BATCH, 3).args)).backward()
    for measured, parameter in zip(trace.parameters, twin.parameters(), strict=True):
        agree(measured.gradient, moments(parameter.grad), close=1e-5)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda output: output, "must return one number"),
        (lambda output: output.detach().sum(), "must return one number"),
        (lambda output: None, "must return one number"),
        (lambda output: output.nothing, "AttributeError"),
        (lambda output: sys.exit(0), "SystemExit"),
    ],
)
def test_a_wrong_loss_is_the_targets_mistake(loss, message):
    with pytest.raises(TargetError, match=message):
        probe(mlp(), Drawn(), own_loss=loss)


def test_a_loss_that_is_asked_for_and_missing_is_named():
    with pytest.raises(TargetError, match="no loss function of its own") as caught:
        probe(mlp(), Drawn(), loss="own")
    assert "--loss" in caught.value.hint


def test_a_failing_backward_is_the_targets_mistake():
    class Broken(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            raise ValueError("no way back")

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = mlp(1)

        def forward(self, x):
            return Broken.apply(self.body(x))

    with pytest.raises(TargetError, match="the backward pass failed: ValueError: no way back"):
        probe(Model(), Drawn())


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("name", ["plain", "frozen", "counting"])
def test_a_caller_without_gradients_gets_the_same_trace(around, name):
    expected = probe(*built(name), own_loss=squared if name == "plain" else None)
    model, inputs = built(name)
    with around():
        assert repr(probe(model, inputs, own_loss=squared if name == "plain" else None)) == repr(expected)
        assert not torch.is_grad_enabled()


def test_unknown_statistics_are_named():
    with pytest.raises(UsageError, match="unknown statistic 'rmss'"):
        Plan.of(["rmss"])


def test_frozen_tokens_with_an_own_loss_are_refused_in_words():
    with pytest.raises(TargetError, match="depends on the model's output"):
        probe(FrozenTokens(), ODD["tied"].inputs, own_loss=lambda output: output.sum())


def test_modes_are_the_ones_asked_for():
    model, inputs = built("random")
    training = [probe(model, inputs, mode=mode) for mode in ("train", "eval")]
    zeros = [[site.forward["zero_fraction"] for site in trace.sites if site.key == "drop"] for trace in training]
    assert zeros[0][0] > 0.2
    assert zeros[1] == []  # in eval mode a dropout hands its input on
    model.train(mode=False)
    assert repr(probe(model, inputs, mode="as-is")) == repr(training[1])


def test_an_output_without_tensors_leaves_no_gradients():
    class Text(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = mlp(1)

        def forward(self, x):
            self.body(x)
            return "done"

    trace = probe(Text(), Drawn())
    assert [one.reason for one in trace.unseen] == ["no tensor in an output of type str"]
    assert not any(site.backward for site in trace.sites)
    assert {parameter.reached for parameter in trace.parameters} == {False}


def test_capture_of_the_reference_sees_all_places():
    """The reference itself: every tensor once, in order, wherever it is held."""
    value = {"a": [torch.ones(1), (torch.zeros(1), None)], "b": torch.ones(2)}
    assert [place for place, _ in leaves(value)] == ["[a][0]", "[a][1][0]", "[b]"]


def test_float_buffers_are_described_as_they_were_before_the_pass():
    norm = nn.BatchNorm1d(16)
    norm.register_buffer("steps", torch.arange(3))
    trace = probe(nn.Sequential(nn.Linear(16, 16), norm), Drawn(((16,),)), "nan_count")
    assert set(trace.buffers) == {"1.running_mean", "1.running_var"}
    assert trace.buffers["1.running_mean"]["rms"] == 0.0
    assert trace.buffers["1.running_var"]["mean"] == 1.0
    assert trace.buffers["1.running_var"]["nan_count"] == 0.0
    assert not trace.effective
