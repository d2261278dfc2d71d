import io
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from initprobe.errors import CodeNotAllowedError, ExitCode, SpecError, TargetError, UsageError
from initprobe.load.datafile import FileInputs
from initprobe.load.inputs import DrawnInputs, InputSpec
from initprobe.load.sources.base import SOURCES
from initprobe.load.target import open_target
from initprobe.records import ProbeRequest, TargetRequest

PROBE = ProbeRequest()
NET = "version: 1\nmodel:\n  input: {shape: [8]}\n  layers:\n    - {type: linear, out: 4}\n    - relu\n"
CODE = """
import torch
from torch import nn

def build(width=8):
    return nn.Sequential(nn.Linear(width, 4))

def with_inputs():
    return build(), torch.zeros(5, 8)

def batches(batch, seed):
    return torch.full((batch, 8), float(seed))

def tokens(batch):
    return torch.arange(batch * 3).reshape(batch, 3) % 7

def two(batch):
    return torch.zeros(batch, 8), torch.zeros(batch, 8)

network = build()
"""


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("nets").mkdir()
    Path("nets/net.yaml").write_text(NET)
    Path("nets/code.py").write_text(CODE)
    np.savez(
        "nets/data.npz",
        x=np.ones((9, 8), np.float32),
        ids=np.arange(27).reshape(9, 3) % 11,
        minus=-np.ones((3, 2), int),
    )


def opened(text, **options):
    return open_target(TargetRequest(text, **options))


def spec(model, more=""):
    path = Path("nets/spec.yaml")
    path.write_text(f"version: 1\nmodel: {model}\n{more}")
    return str(path)


def layered(given, layers="[{type: linear, out: 4}]"):
    return spec(f"{{input: {given}, layers: {layers}}}")


def named(target, given=None):
    return spec(f'{{target: "{target}"' + (f", input: {given}}}" if given else "}"))


def test_a_spec_becomes_a_subject():
    target = opened("nets/net.yaml")
    assert (target.name, target.one_draw) == ("net", False)
    subject = target.build(0, PROBE)
    assert isinstance(subject.model, nn.Sequential)
    assert subject.inputs == DrawnInputs((InputSpec(None, (8,)),))
    assert subject.loss is None
    assert str(subject.locations["linear"]) == "nets/net.yaml:5:7"
    assert subject.layer_types == {"linear": "linear", "relu": "relu"}
    call = subject.inputs.make(3, 0, torch.float32)
    assert subject.model(*call.args).shape == (3, 4)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", None])
def test_the_network_comes_in_the_dtype_of_the_probe(dtype):
    subject = opened("nets/net.yaml").build(0, ProbeRequest(dtype=dtype))
    assert {str(parameter.dtype) for parameter in subject.model.parameters()} == {f"torch.{dtype or 'float32'}"}


def test_a_seed_decides_the_draw():
    target = opened("nets/net.yaml")
    first, again, other = (target.build(seed, PROBE).model.linear.weight for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_standard_input_is_a_spec(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(NET.encode())))
    assert opened("-").name == "stdin"


@pytest.mark.parametrize("text", ["a.yaml", "a.yml", "A.YAML", "-", "dir:x.yaml"])
def test_specs_are_known_by_their_names(text):
    assert SOURCES["yaml"].accepts(text)


def test_assignments_change_the_network():
    subject = opened("nets/net.yaml", sets=(("model.layers.0.out", "7"),)).build(0, PROBE)
    assert subject.model.linear.out_features == 7


def test_the_command_line_gives_another_input():
    subject = opened("nets/net.yaml", inputs=("5",)).build(0, PROBE)
    assert subject.model.linear.in_features == 5
    assert subject.inputs == DrawnInputs((InputSpec(None, (5,)),))


@pytest.mark.parametrize("inputs", [("5", "6"), ("x=float32[5]",)])
def test_layers_take_one_input(inputs):
    with pytest.raises(UsageError, match="one input, without a name"):
        opened("nets/net.yaml", inputs=inputs)


def test_a_data_file_stands_beside_the_spec():
    target = opened(layered("{from: data.npz, array: x}"))
    subject = target.build(0, PROBE)
    assert isinstance(subject.inputs, FileInputs)
    assert subject.model.linear.in_features == 8


def test_whole_numbers_in_a_file_are_tokens():
    subject = opened(layered("{from: data.npz, array: ids}", "[{type: embedding, out: 4}]")).build(0, PROBE)
    assert subject.model.embedding.num_embeddings == 11


@pytest.mark.parametrize(
    ("given", "layers", "message"),
    [
        ("{from: no.npz}", "[relu]", "there is no data file"),
        ("{from: code.py}", "[relu]", "cannot read"),
        ("{from: data.npz, array: y}", "[relu]", "has no array 'y'"),
        ("{from: data.npz, array: minus}", "[{type: embedding, out: 4}]", "token ids cannot be negative"),
        ("{from: data.npz, array: ids}", "[relu]", "relu takes real numbers, here come whole ones"),
        ("{shape: [100000000, 3]}", "[relu]", "numbers in one sample"),
    ],
)
def test_what_is_wrong_with_an_input_has_a_place(given, layers, message):
    with pytest.raises(SpecError, match=message) as caught:
        opened(layered(given, layers))
    assert "--> nets/spec.yaml:2:" in caught.value.render()


@pytest.mark.parametrize(
    "path",
    [lambda: named("code.py:build"), lambda: layered("{from: 'code.py:batches'}"), lambda: named("code.py:network")],
)
def test_code_that_a_spec_names_does_not_run_unless_the_command_line_says_so(path):
    Path("nets/code.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(CodeNotAllowedError, match=r"nets/spec\.yaml:2:\d+ names code to run: 'code\.py:") as caught:
        opened(path())
    assert "--allow-code" in caught.value.hint
    assert caught.value.exit_code == ExitCode.USAGE


def test_no_key_of_a_spec_can_allow_code():
    text = named("code.py:build")
    for key in ("allow_code", "model.allow_code", "probe.allow_code"):
        with pytest.raises(SpecError, match="unknown key 'allow_code'"):
            opened(text, sets=((key, "true"),))


def test_named_code_is_found_beside_the_spec():
    target = opened(named("code.py:build", "{shape: [8], dist: uniform}"), allow_code=True)
    assert (target.name, target.one_draw) == ("spec", False)
    subject = target.build(0, PROBE)
    assert isinstance(subject.model[0], nn.Linear)
    assert subject.inputs == DrawnInputs((InputSpec(None, (8,), "uniform"),))
    assert subject.locations["0"].file == "nets/code.py"


def test_named_code_takes_arguments():
    subject = opened(named("code.py:build(width=3)", "{shape: [3]}"), allow_code=True).build(0, PROBE)
    assert subject.model[0].in_features == 3


def test_a_named_target_has_its_own_input_where_the_spec_gives_none():
    subject = opened(named("code.py:with_inputs"), allow_code=True).build(0, PROBE)
    assert subject.inputs.fixed == 5


def test_the_input_of_the_spec_replaces_that_of_the_target():
    subject = opened(named("code.py:with_inputs", "{from: data.npz, array: x}"), allow_code=True).build(0, PROBE)
    assert isinstance(subject.inputs, FileInputs)


def test_the_command_line_replaces_both():
    subject = opened(named("code.py:with_inputs", "{shape: [3]}"), allow_code=True, inputs=("8",)).build(0, PROBE)
    assert subject.inputs == DrawnInputs((InputSpec(None, (8,)),))


def test_an_instance_stays_one_draw():
    assert opened(named("code.py:network", "{shape: [8]}"), allow_code=True).one_draw


def test_a_named_target_keeps_the_sections():
    path = spec('{target: "code.py:build", input: {shape: [8]}}', "probe: {seeds: 2}\n")
    assert opened(path, allow_code=True).sections.probe == {"seeds": (0, 1)}


def test_a_function_beside_the_spec_makes_the_batches():
    subject = opened(layered("{from: 'code.py:batches'}"), allow_code=True).build(0, PROBE)
    (batch,) = subject.inputs.make(3, 4, torch.float32).args
    assert torch.equal(batch, torch.full((3, 8), 4.0))
    assert subject.model.linear.in_features == 8


def test_a_function_may_make_tokens():
    subject = opened(layered("{from: 'code.py:tokens'}", "[{type: embedding, out: 4}]"), allow_code=True).build(
        0, PROBE
    )
    assert subject.model.embedding.num_embeddings >= 6


def test_a_function_with_two_tensors_does_not_fit_layers():
    with pytest.raises(TargetError, match="one tensor"):
        opened(layered("{from: 'code.py:two'}"), allow_code=True)


@pytest.mark.parametrize("target", ["other.yaml", "-", "nets/spec.yaml"])
def test_a_spec_names_no_spec(target):
    with pytest.raises(SpecError, match="cannot name another spec"):
        opened(named(target), allow_code=True)


def test_rules_ignored_on_a_layer_join_those_of_the_section():
    path = spec(
        "{input: {shape: [8]}, layers: [{type: relu, ignore: [{rule: dead-units}]}]}",
        "check: {layer_ignores: {head: [IP103]}}\n",
    )
    check = opened(path).sections.check
    assert check["layer_ignores"] == (("head", ("IP103",)),)
    assert [(one.globs, one.rule, one.reason) for one in check["ignores"]] == [(("relu", "relu.*"), "dead-units", "")]
