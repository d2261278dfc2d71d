"""Keras models on the torch backend: whose weights are whose, what they are called, and how they are run."""

from __future__ import annotations

import math
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import torch

import initprobe as ip
from initprobe.dissect.anatomy import trace_anatomy
from initprobe.errors import TargetError, UsageError
from initprobe.init.calibration import Data
from initprobe.init.choose import parse_scheme
from initprobe.init.initialize import initialize_model
from initprobe.init.schemes.base import SCHEMES
from initprobe.load.keras_model import KerasNetwork, check_backend
from initprobe.load.sources.python import python_target
from initprobe.load.target import open_target
from initprobe.measure.signal import measure_signal
from initprobe.records import InitRequest, ProbeRequest, SchemeChoice, TargetRequest
from tests.measure.test_restoring import state_of

MODELS = Path(__file__).parents[1] / "zoo" / "keras_models.py"
EVERY = pytest.mark.parametrize("name", ["perceptron", "pyramid", "tagger", "attention", "two_inputs", "nested"])


def built(name, seed=0, **options):
    probe = ProbeRequest(**{key: options.pop(key) for key in ("dtype",) if key in options})
    return open_target(TargetRequest(f"{MODELS}:{name}", **options)).build(seed, probe)


@cache
def standing(name):
    """A network, its anatomy and its numbers, for tests that draw into it; they begin with ``as_built``."""
    subject = built(name)
    numbers = {key: parameter.detach().clone() for key, parameter in subject.model.named_parameters()}
    return subject, trace_anatomy(subject).anatomy, numbers


def as_built(name):
    subject, anatomy, numbers = standing(name)
    with torch.no_grad():
        for key, parameter in subject.model.named_parameters():
            parameter.copy_(numbers[key])
    return subject, anatomy, numbers


def tensor_of(model, name):
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}[name]


def weights_of(name):
    subject = built(name)
    return subject, {weight.name: weight for weight in trace_anatomy(subject).anatomy.weights}


def test_layers_have_their_keras_names_and_weights_of_their_own():
    model = built("perceptron").model
    assert isinstance(model, KerasNetwork)
    assert [name for name, _ in model.named_parameters()] == [
        "dense.kernel", "dense.bias", "dense_1.kernel", "dense_1.bias", "dense_2.kernel", "dense_2.bias",
    ]  # fmt: skip
    assert model.dense.kernel.value is tensor_of(model, "dense.kernel")


@EVERY
def test_every_seed_builds_the_same_names_and_other_numbers(name):
    target = open_target(TargetRequest(f"{MODELS}:{name}"))
    first, again, other = (dict(target.build(seed, ProbeRequest()).model.named_parameters()) for seed in (0, 0, 1))
    assert first.keys() == other.keys()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_the_numbers_of_the_caller_go_on_counting():
    import keras

    before = keras.layers.Dense(1).name
    built("perceptron")
    after = keras.layers.Dense(1).name
    assert int(after.rpartition("_")[2]) == int(before.rpartition("_")[2] or 0 if "_" in before else 0) + 1


@EVERY
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_the_network_computes_what_keras_computes(name, mode):
    import keras

    keras.utils.set_random_seed(0)
    from tests.zoo import keras_models

    model = getattr(keras_models, name)()
    inputs = [torch.randn(4, *tensor.shape[1:]) for tensor in model.inputs]
    if name == "tagger":
        inputs = [torch.arange(28).reshape(4, 7)]
    given = inputs if len(inputs) > 1 else inputs[0]
    generators = [value for value in model.variables if "seed" in value.path]
    states = [value.value.detach().clone() for value in generators]
    with torch.no_grad():
        torch.manual_seed(0)  # dropout draws from torch's own generator
        expected = model(given, training=mode == "train")
        for value, state in zip(generators, states, strict=True):
            value.assign(state)
        torch.manual_seed(0)
        network = KerasNetwork(model).train(mode == "train")
        assert torch.equal(network(*inputs), expected)


@pytest.mark.parametrize(
    ("model", "name", "expected"),
    [
        ("perceptron", "dense.kernel", ("linear", 16, 32, 1)),
        ("perceptron", "dense_2.kernel", ("linear", 32, 3, 1)),
        ("pyramid", "conv2d.kernel", ("conv", 27, 8 * 9 / 4, 3)),
        ("pyramid", "depthwise_conv2d.kernel", ("depthwise", 9, 9, None)),
        ("pyramid", "separable_conv2d.depthwise_kernel", ("depthwise", 9, 9, None)),
        ("pyramid", "separable_conv2d.pointwise_kernel", ("conv", 8, 6, 3)),
        ("pyramid", "conv2d_transpose.kernel", ("transposed", 6 * 4 / 4, 5 * 4, 2)),
        ("pyramid", "conv2d_1.kernel", ("conv", 5, 4, 3)),
        ("pyramid", "head.kernel", ("linear", 4, 4, 1)),
        ("tagger", "embedding.embeddings", ("embedding", 1, 16, 1)),
        ("tagger", "lstm.kernel", ("recurrent", 16, 12, 1)),
        ("tagger", "lstm.recurrent_kernel", ("recurrent", 12, 12, 1)),
        ("tagger", "bidirectional.forward_gru.kernel", ("recurrent", 12, 9, 1)),
        ("tagger", "bidirectional.backward_gru.recurrent_kernel", ("recurrent", 9, 9, 1)),
        ("tagger", "simple_rnn.kernel", ("recurrent", 18, 5, 1)),
        ("attention", "multi_head_attention.query.kernel", ("linear", 16, 16, None)),
        ("attention", "multi_head_attention.attention_output.kernel", ("linear", 16, 16, 2)),
        ("attention", "dense_1.kernel", ("linear", 32, 16, 1)),
    ],
)
def test_fans_are_those_of_the_arithmetic(model, name, expected):
    weight = weights_of(model)[1][name]
    assert weight.traced
    assert (weight.role, weight.fan_in, weight.fan_out, weight.unit_axis) == expected


def test_norms_and_biases_are_known():
    pyramid, attention = weights_of("pyramid")[1], weights_of("attention")[1]
    roles = {name: weight.role for name, weight in {**pyramid, **attention}.items()}
    norms = {name for name, role in roles.items() if role == "norm"}
    assert norms == {"batch_normalization.gamma", "layer_normalization.gamma", "layer_normalization_1.gamma"}
    assert {role for name, role in roles.items() if name.endswith(("bias", "beta"))} == {"bias"}
    assert weights_of("attention")[1]["dense_1.kernel"].input_activation.name == "gelu"


def test_he_draws_a_dense_kernel_of_in_by_out():
    subject = built("perceptron(depth=2, width=256)")
    anatomy = trace_anatomy(subject).anatomy
    initialize_model(subject.model, anatomy, InitRequest(SchemeChoice("kaiming_normal")), seed=0)
    kernels = {name: kernel for name, kernel in subject.model.named_parameters() if name.endswith("kernel")}
    for name, fan_in in (("dense.kernel", 16), ("dense_1.kernel", 256)):
        kernel = kernels[name]
        # The error of a standard deviation of n normal numbers is 1 / sqrt(2 n).
        assert kernel.std().item() == pytest.approx(math.sqrt(2 / fan_in), rel=4 / math.sqrt(2 * kernel.numel()))


@EVERY
@pytest.mark.parametrize("scheme", [name for name in SCHEMES if not SCHEMES[name].calibrates])
def test_every_scheme_draws_into_the_layer_that_keras_runs(name, scheme):
    subject, anatomy, before = as_built(name)
    try:
        outcome = initialize_model(subject.model, anatomy, InitRequest(SchemeChoice(scheme)), seed=5)
    except UsageError:  # it is about what this network has not
        assert all(torch.equal(parameter, before[key]) for key, parameter in subject.model.named_parameters())
        return
    drawn = {one.weight for one in outcome.drawn}
    assert drawn | {one.weight for one in outcome.skipped} == before.keys()
    stored = {id(variable.value) for variable in subject.model.wrapped.variables}
    for key, parameter in subject.model.named_parameters():
        assert id(parameter) in stored
        if key not in drawn:
            assert torch.equal(parameter, before[key])
    for one in outcome.drawn:
        numbers = tensor_of(subject.model, one.weight)
        if one.std and numbers.numel() > 100:
            assert numbers.std().item() == pytest.approx(one.std, rel=0.5), one.weight


@pytest.mark.parametrize("scheme", ["kaiming_normal", "autoinit", "mup(base_width=8)"])
@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_a_keras_model_is_drawn_in_place(scheme):
    import keras

    layers = [keras.layers.Dense(32, activation="relu"), keras.layers.BatchNormalization(), keras.layers.Dense(4)]
    model = keras.Sequential([keras.Input((16,)), *layers])
    before = [variable.value.detach().clone() for variable in model.variables]
    outcome = ip.initialize(model, scheme, inputs=(16,))
    assert sum(one.weight.endswith(".kernel") for one in outcome.drawn) == 2
    for variable, old in zip(model.variables, before, strict=True):
        drawn = variable.name == "kernel"
        assert torch.equal(variable.value, old) != drawn, variable.path
    groups = ip.parameter_groups(model, outcome, lr=1.0)
    members = {id(one) for group in groups for one in group["params"]}
    assert members == {id(variable.value) for variable in model.trainable_variables}
    assert len(groups) == (2 if scheme.startswith("mup") else 1)
    model(torch.zeros(2, 16))


def test_gradients_tune_the_weights_that_keras_runs():
    subject = built("pyramid")
    data = Data(subject, 4)
    request = InitRequest(parse_scheme("gradinit(steps=2)"))
    outcome = initialize_model(subject.model, trace_anatomy(subject).anatomy, request, seed=5, data=data)
    scaled = {one.weight for one in outcome.drawn if one.std is None}
    assert {"batch_normalization.gamma", "conv2d.kernel"} <= scaled


def test_statistics_are_buffers_and_frozen_weights_are_weights():
    model = built("pyramid").model
    assert {name for name, _ in model.named_buffers()} == {
        "batch_normalization.moving_mean", "batch_normalization.moving_variance",
    }  # fmt: skip
    frozen = built("frozen").model
    assert {name for name, one in frozen.named_parameters() if not one.requires_grad} == {"dense.kernel", "dense.bias"}
    assert not list(frozen.buffers())


@EVERY
@pytest.mark.parametrize("mode", ["train", "eval", "as-is"])
def test_a_probe_leaves_no_trace(name, mode):
    subject = built(name)
    anatomy = trace_anatomy(subject).anatomy
    before = state_of(subject.model)
    trace = measure_signal(subject, anatomy, ProbeRequest(mode=mode), seed=0, batch=4)
    assert state_of(subject.model) == before
    assert all(site.backward for site in trace.sites)
    assert {site.key for site in trace.sites} <= {site.key for site in anatomy.sites}


def test_train_and_eval_are_heard():
    model = built("nested").model
    x = torch.ones(64, 16)
    assert not model.training, "keras runs a model that is called in inference"
    assert torch.equal(model(x), model(x))
    model.train()
    assert not torch.equal(model(x), model(x)), "dropout draws"
    model = built("pyramid").model.train()
    model(torch.randn(8, 12, 10, 3))
    assert tensor_of(model, "batch_normalization.moving_mean").abs().sum() > 0


def test_a_layer_with_its_activation_inside_shows_both_values():
    subject = built("perceptron")
    anatomy = trace_anatomy(subject).anatomy
    sites = {site.key: site for site in anatomy.sites}
    assert (sites["dense/matmul"].kind, sites["dense/matmul"].weight) == ("weighted", "dense.kernel")
    assert sites["dense"].activation.name == "relu"
    (stream,) = anatomy.streams
    assert stream.sites == ("dense/matmul", "dense_1/matmul", "dense_2/matmul")
    assert stream.ends_model


def test_a_recurrent_layer_is_one_site():
    anatomy = trace_anatomy(built("tagger")).anatomy
    assert [site.key for site in anatomy.sites if site.path == "lstm"] == ["lstm"]
    assert not [site.key for site in anatomy.sites if "gru/" in site.key or "simple_rnn/" in site.key]


def test_channels_stand_last():
    anatomy = trace_anatomy(built("pyramid")).anatomy
    axes = {site.key: (site.units, site.unit_axis) for site in anatomy.sites}
    assert axes["conv2d/conv2d"] == (8, -3)
    assert axes["conv2d"] == (8, -1)
    assert axes["batch_normalization"] == (8, -1)
    assert axes["conv2d_transpose"] == (5, -1)


def test_the_input_is_the_declared_one():
    assert built("perceptron").call(3, 0).args[0].shape == (3, 16)
    tokens = built("tagger").call(64, 0).args[0]
    assert (tokens.dtype, tokens.shape) == (torch.int32, (64, 7))
    assert int(tokens.min()) >= 0
    assert 40 < int(tokens.max()) < 50
    assert [len(x[0]) for x in built("two_inputs").call(3, 0).args] == [5, 3]


@pytest.mark.parametrize("name", ["two_inputs", "named_inputs"])
@pytest.mark.parametrize("inputs", [(), ("left=float32[5]", "right=float32[3]")])
def test_several_inputs_go_where_they_belong(name, inputs):
    subject = built(name, inputs=inputs)
    call = subject.call(4, 0)
    assert subject.model(*call.args, **call.kwargs).shape == (4, 2)


def test_a_model_in_code_has_names_that_torch_can_hold():
    subject = built("written")
    names = [name for name, _ in subject.model.named_parameters()]
    assert names == ["scale", "dense.kernel", "dense.bias", "half_.kernel", "half_.bias"]
    anatomy = trace_anatomy(subject).anatomy
    assert {weight.module_type for weight in anatomy.weights} == {"KerasNetwork", "Dense"}


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")  # Keras and numpy 2
def test_an_instance_is_one_draw_and_stays_keras_own():
    from tests.zoo.keras_models import instance

    before = [value.value.detach().clone() for value in instance.variables]
    target = python_target(instance, name="mine", request=TargetRequest("mine"))
    subject = target.build(0, ProbeRequest())
    assert target.one_draw
    assert all(
        one.value is not other.value
        for one, other in zip(instance.variables, subject.model.wrapped.variables, strict=True)
    )
    with torch.no_grad():
        for parameter in subject.model.parameters():
            parameter.zero_()
    assert all(torch.equal(value.value, old) for value, old in zip(instance.variables, before, strict=True))
    assert instance.layers[0].activation.__name__ == "relu"


def test_a_model_that_is_not_built_is_built_with_its_inputs_or_refused():
    assert tensor_of(built("unbuilt_with_inputs").model, "dense.kernel").shape == (16, 4)
    with pytest.raises(TargetError, match="is not built") as caught:
        built("unbuilt")
    assert "keras.Input" in caught.value.hint


def test_an_open_shape_needs_an_input():
    with pytest.raises(UsageError, match="nothing says what the input"):
        built("open_shape")
    assert built("open_shape", inputs=("5,16",)).call(2, 0).args[0].shape == (2, 5, 16)


def test_the_dtype_is_that_of_the_policy():
    assert tensor_of(built("half_precision").model, "dense.kernel").dtype == torch.bfloat16
    assert built("perceptron", dtype="float32").model
    with pytest.raises(UsageError, match="policy") as caught:
        built("perceptron", dtype="float64")
    assert "set_dtype_policy('float64')" in caught.value.hint


def test_moving_keeps_the_variables_of_keras():
    model = built("pyramid").model
    mean = tensor_of(model, "batch_normalization.moving_mean")
    model.to("cpu", torch.float64)
    assert tensor_of(model, "batch_normalization.moving_mean") is mean
    assert mean.dtype == torch.float64
    assert any(variable.value is mean for variable in model.wrapped.variables)


def test_every_layer_stands_at_its_line():
    places = built("pyramid").locations
    line = places["head"].text
    assert line.strip() == 'layers.Dense(4, name="head"),'
    assert places["conv2d"].line < places["head"].line


# --- keras is not there, or computes with something else


def shell(code, backend):
    environment = {"KERAS_BACKEND": backend, "KERAS_HOME": "/dev/null", "PATH": "", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", f"from initprobe.__main__ import run\n{code}"],
        capture_output=True, text=True, env=environment, check=False, cwd=MODELS.parent,
    )  # fmt: skip
    return done.stdout.strip(), done.stderr


def test_a_backend_that_is_not_there_names_the_variable():
    out, err = shell("print(run(['run', 'keras_models.py:perceptron']))", "tensorflow")
    assert out == "3"
    assert "No module named 'tensorflow'" in err
    assert "= help: set KERAS_BACKEND=torch" in err


def test_another_backend_names_the_variable():
    class Layer:
        __module__ = "keras.src.layers.layer"

    with pytest.raises(UsageError, match=r"a Keras model on the .* backend") as caught:
        check_backend(Layer(), "net.py:build()")
    assert caught.value.hint.startswith("set KERAS_BACKEND=torch")
    with pytest.raises(UsageError, match="Keras model"):
        python_target(Layer(), name="mine", request=TargetRequest("mine"))
    with pytest.raises(UsageError, match="Keras model"):
        python_target(Layer, name="mine", request=TargetRequest("mine")).build(0, ProbeRequest())


def test_without_keras_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    monkeypatch.delitem(sys.modules, "keras_models", raising=False)
    with pytest.raises(TargetError, match="keras") as caught:
        open_target(TargetRequest(f"{MODELS}:perceptron"))
    assert caught.value.hint == 'pip install "initprobe[keras]"'


def test_what_is_not_keras_passes():
    check_backend(object(), "it")
    check_backend(torch.nn.Linear(1, 1), "it")
