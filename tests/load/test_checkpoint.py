"""A checkpoint in any target."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from initprobe.errors import UsageError
from initprobe.load.checkpoint import read_weights, weighted
from initprobe.load.sources.python import python_target
from initprobe.load.target import open_target
from initprobe.records import ProbeRequest, TargetRequest

PROBE = ProbeRequest()
SPEC = """\
version: 1
name: spec
model: {input: {shape: [4]}, layers: [{type: linear, out: 4, name: head}]}
"""
STATE = {"head.weight": torch.full((4, 4), 2.0), "head.bias": torch.full((4,), 3.0)}


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spec.yaml").write_text(SPEC)
    (tmp_path / "named.yaml").write_text("version: 1\nmodel: {target: 'net.py:Net'}\n")
    (tmp_path / "net.py").write_text(
        "from torch import nn, randn\n"
        "class Net(nn.Module):\n"
        "    example_input_array = randn(5, 4)\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.head = nn.Linear(4, 4)\n"
        "    def forward(self, x):\n"
        "        return self.head(x)\n"
        "instance = Net()\n"
    )
    save_file(STATE, "net.safetensors")


@pytest.mark.parametrize("text", ["spec.yaml", "named.yaml", "net.py:Net", "net.py:instance"])
def test_every_kind_of_target_takes_one_and_is_one_draw(text):
    target = open_target(TargetRequest(text, weights="net.safetensors", allow_code=True))
    assert target.one_draw
    for seed in (0, 1):
        subject = target.build(seed, ProbeRequest(dtype="float64"))
        assert (subject.model.head.weight == 2).all()
        assert subject.model.head.weight.dtype == torch.float64
        assert subject.call(3, 0)


def test_the_name_and_the_sections_are_the_targets():
    plain = open_target(TargetRequest("spec.yaml"))
    target = weighted(plain, "net.safetensors")
    assert target.name == "spec"
    assert target.sections is plain.sections
    assert weighted(plain, None) is plain


def test_the_users_instance_is_left_alone():
    model = nn.Sequential()
    model.head = nn.Linear(4, 4)
    before = model.head.weight.clone()
    request = TargetRequest("model", inputs=("4",))
    built = weighted(python_target(model, name="model", request=request), "net.safetensors").build(0, PROBE)
    assert (built.model.head.weight == 2).all()
    assert torch.equal(model.head.weight, before)


def test_what_is_drawn_over_it_stays_out_of_the_file():
    target = open_target(TargetRequest("spec.yaml", weights="net.safetensors"))
    with torch.no_grad():
        target.build(0, PROBE).model.head.weight.zero_()
    assert (target.build(0, PROBE).model.head.weight == 2).all()
    assert (read_weights("net.safetensors")["head.weight"] == 2).all()


@pytest.mark.parametrize(
    "held",
    [
        {"state_dict": STATE},
        {"epoch": 3, "model": STATE, "optimizer": {"state": {}}},
        {"model_state_dict": STATE, "loss": torch.ones(1)},
        {"model": {"state_dict": STATE, "args": 1}},
        {**STATE, "epoch": 3},
    ],
)
def test_the_dictionary_of_a_training_loop(held):
    torch.save(held, "net.pt")
    assert read_weights("net.pt").keys() == STATE.keys()


def test_a_module_may_be_called_model():
    torch.save({"model": torch.ones(2), "state_dict": torch.ones(1)}, "net.pt")
    assert read_weights("net.pt").keys() == {"model", "state_dict"}


@pytest.mark.parametrize(
    ("held", "told"),
    [
        ({}, "an empty dictionary"),
        ({"optimizer": {"a": 1}, "epoch\n::error": 2}, r"a dictionary of 'optimizer', 'epoch\\n::error'"),
        ({str(number): number for number in range(9)}, r"'4' \.\.\."),
        (torch.ones(3), "an object of type Tensor"),
        ([torch.ones(3)], "an object of type list"),
        ({1: torch.ones(2)}, "a dictionary of '1'"),
    ],
)
def test_a_file_without_weights(held, told):
    torch.save(held, "net.pt")
    with pytest.raises(UsageError, match=f"'net.pt' holds no weights but .*{told}"):
        read_weights("net.pt")
