"""A probe leaves no trace: state, modes, gradients, hooks, generators and flags, also when it is cut short."""

from __future__ import annotations

import gc
import random
import weakref

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.parameter import is_lazy

from initprobe.dissect.anatomy import trace_anatomy
from initprobe.errors import TargetError
from initprobe.hooks import ROOT, Watch, undisturbed, watching
from initprobe.measure.signal import measure_signal
from initprobe.records import ProbeRequest
from initprobe.subject import Subject, run_model
from tests.measure.reference import BATCH, leaves, probe
from tests.zoo.odd_models import ODD, Drawn, Learned, built, mlp

EVERY = pytest.mark.parametrize("name", list(ODD))
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks", "_state_dict_hooks")


def values_of(tensor):
    """Bytes of a tensor, so that nan equals nan and -0 is not 0; None where it has no numbers."""
    if tensor is None or is_lazy(tensor) or tensor.is_meta:
        return None
    plain = tensor.detach().to_dense() if tensor.layout is not torch.strided else tensor.detach()
    return plain.contiguous().reshape(-1).clone().view(torch.uint8).numpy().tobytes()


def state_of(model):
    """Everything that a probe could disturb, in comparable form; objects by identity."""
    modules = {}
    for path, module in model.named_modules():
        attributes = {name: id(value) for name, value in vars(module).items() if name != "training"}
        members = {kind: [(name, id(one)) for name, one in getattr(module, kind).items()] for kind in
                   ("_parameters", "_buffers", "_modules", *HOOKS)}  # fmt: skip
        modules[path] = (module.training, attributes, members)
    tensors = {}
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        hooks = len(tensor._backward_hooks or ()) if tensor.is_leaf else 0
        gradient = None if tensor.grad is None else (id(tensor.grad), values_of(tensor.grad))
        tensors[name] = (values_of(tensor), tensor.requires_grad, gradient, hooks)
    return modules, tensors, surroundings()


def surroundings():
    """The process around the model."""
    return (
        values_of(torch.get_rng_state()),
        np.random.get_state()[1].tobytes(),  # noqa: NPY002
        random.getstate(),
        torch.backends.mha.get_fastpath_enabled(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.get_default_dtype(),
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        len(torch.overrides._get_current_function_mode_stack()),
    )


def prepared(name):
    """A model in mixed modes, some parameters with gradients, with a hook of its own."""
    model, inputs = built(name)
    for index, module in enumerate(model.modules()):
        module.training = index % 2 == 0
    for index, parameter in enumerate(model.parameters()):
        if index % 2 and parameter.requires_grad:
            parameter.grad = torch.full_like(parameter, 0.5)
    model.register_forward_hook(lambda *_: None)
    return model, inputs


@EVERY
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_everything_is_as_it_was(name, mode):
    model, inputs = prepared(name)
    torch.rand(3), np.random.rand(), random.random()  # noqa: NPY002
    before = state_of(model)
    probe(model, inputs, "weight_gradients", mode=mode)
    assert state_of(model) == before


class Interrupting:
    """Raises in the k-th call of any module."""

    def __init__(self, model, error, when):
        self.error, self.when, self.calls = error, when, 0
        self.handles = [module.register_forward_pre_hook(self.count) for module in model.modules()]

    def count(self, *_):
        self.calls += 1
        if self.calls == self.when:
            raise self.error


CUT = ["inplace_relu", "counting", "batch_norm", "random", "encoder", "learned_positions", "reweighted", "checkpointed"]


ERRORS = [(ValueError("mine"), TargetError), (KeyboardInterrupt(), KeyboardInterrupt), (SystemExit(0), TargetError)]


@pytest.mark.parametrize("name", CUT)
def test_everything_is_as_it_was_after_a_failure_in_any_call(name):
    model, inputs = prepared(name)
    counting = Interrupting(model, None, 0)
    probe(model, inputs)
    total = counting.calls
    assert total > 4
    before = state_of(model)
    for when in range(1, total + 1):
        counting.calls, counting.when = 0, when
        counting.error, expected = ERRORS[when % 3]
        with pytest.raises(expected):
            probe(model, inputs)
        assert state_of(model) == before, when


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt()], ids=lambda e: type(e).__name__)
def test_everything_is_as_it_was_after_a_failure_in_the_backward_pass(error):
    class Breaking(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            raise error

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.learned = nn.BatchNorm1d(6), Learned()

        def forward(self, x):
            return Breaking.apply(self.norm(x)) + self.learned.head.bias.sum()

    model = Model()
    before = state_of(model)
    with pytest.raises((TargetError, KeyboardInterrupt)):
        probe(model, Drawn())
    assert state_of(model) == before


@EVERY
def test_the_output_is_the_same_bit_by_bit_under_watch(name):
    model, inputs = built(name)
    subject = Subject(model, inputs)
    outputs = []
    for watched in (False, True):
        with undisturbed(model, mode="train", seed=1):
            call = subject.call(BATCH, 1)
            if watched:
                with watching(model, lambda visit: None):
                    outputs.append(run_model(model, call))
            else:
                outputs.append(run_model(model, call))
    plain, seen = (leaves(output) for output in outputs)
    assert [place for place, _ in plain] == [place for place, _ in seen]
    assert [values_of(tensor) for _, tensor in plain] == [values_of(tensor) for _, tensor in seen]
    assert type(outputs[0]) is type(outputs[1])


@pytest.fixture
def few_objects():
    """The collector looks at new objects only, which makes it a hundred times faster."""
    gc.collect()
    gc.freeze()


@EVERY
@pytest.mark.usefixtures("few_objects")
def test_nothing_is_kept_alive(name):
    model, inputs = built(name)
    subject = Subject(model, inputs)
    anatomy = trace_anatomy(subject).anatomy
    made = []

    def remember(_module, _args, output):
        made.extend(weakref.ref(tensor) for _, tensor in leaves(output) if tensor.grad_fn is not None)

    handles = [module.register_forward_hook(remember) for module in model.modules()]
    trace = measure_signal(subject, anatomy, ProbeRequest(statistics=("weight_gradients",)), seed=0, batch=BATCH)
    for handle in handles:
        handle.remove()
    gc.collect()
    assert [one() for one in made if one() is not None] == []
    gone = weakref.ref(model)
    del model, subject, handles
    gc.collect()
    assert gone() is None
    assert trace.sites


def test_activations_go_without_the_garbage_collector():
    model = mlp()
    subject = Subject(model, Drawn())
    made = []
    model[0].register_forward_hook(lambda _m, _a, output: made.append(weakref.ref(output)) or None)
    gc.collect()
    gc.disable()
    try:
        anatomy = trace_anatomy(subject).anatomy
        measure_signal(subject, anatomy, ProbeRequest(), seed=0, batch=BATCH)
        assert made[-1]() is None
    finally:
        gc.enable()


def test_a_cache_that_the_user_keeps_carries_no_hook_of_ours():
    kept = []

    class Keeping(nn.Module):
        def __init__(self):
            super().__init__()
            self.lin = nn.Linear(6, 6)

        def forward(self, x):
            kept.append(self.lin(x))
            return kept[-1] * 2

    probe(Keeping(), Drawn())
    assert kept[-1].grad_fn is not None
    assert not kept[-1]._backward_hooks


def test_a_watch_names_what_it_has_seen():
    model, inputs = built("uncalled")
    keys = []
    call = Subject(model, inputs).call(BATCH, 0)
    with watching(model, lambda visit: keys.append(visit.key)) as watch:
        model(*call.args)
    assert isinstance(watch, Watch)
    assert keys == ["first", "second", ROOT]
    assert watch.uncalled() == ("never",)
    assert watch.called == {"first": 1, "second": 1, "": 1}
