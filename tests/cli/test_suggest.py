"""`initprobe suggest`: a table of what was tried, and the best of it to paste or in a file."""

import importlib.util
import json
import re

import pytest

from initprobe.api import probe
from initprobe.report.render import render
from initprobe.report.result import load_result

SPEC = """\
version: 1
name: narrow
model: {input: {shape: [16]}, layers: [{type: mlp, width: 32, depth: 6, out: 4}]}  # six
init:
  default: {scheme: normal, std: 0.01}  # too small
probe: {seeds: 2, max_seeds: 4, batch: 16}
"""
FIXED = SPEC.replace("{scheme: normal, std: 0.01}", "kaiming_normal")
SHALLOW = """\
import torch
from torch import nn


def build():
    model = nn.Sequential(*(part for _ in range(8) for part in (nn.Linear(16, 16), nn.ReLU())))
    for name, parameter in model.named_parameters():
        nn.init.normal_(parameter, std=0.01)
    return model, torch.randn(16, 16)
"""
FEW = ("--seeds", "3", "--max-seeds", "6", "--batch", "16")


@pytest.fixture
def narrow(folder):
    (folder / "narrow.yaml").write_text(SPEC)
    (folder / "shallow.py").write_text(SHALLOW)
    return folder


def test_a_spec(initprobe, narrow):
    ran = initprobe("suggest", "narrow.yaml", "--write", "fixed.yaml")
    assert ran.code == 0
    assert "init.default: kaiming_normal" in ran.out
    assert "1. init.default: kaiming_normal    verified: " in ran.out
    assert "finding gone, fresh seeds " in ran.out
    assert "in the spec:\ninit:\n  default: kaiming_normal\n" in ran.out
    assert "wrote fixed.yaml" in ran.err
    assert "next: --write" not in ran.err
    assert (narrow / "fixed.yaml").read_text() == FIXED
    assert (narrow / "narrow.yaml").read_text() == SPEC
    assert initprobe("check", "fixed.yaml").code == 0


def test_a_python_target_gets_a_function_with_which_its_check_passes(initprobe, narrow):
    ran = initprobe("suggest", "shallow.py:build", "--write", "init.py", *FEW)
    assert ran.code == 0
    assert "paste this, and call it once the model is built:\nimport torch\n" in ran.out
    text = (narrow / "init.py").read_text()
    assert "initprobe" not in text
    (narrow / "fixed.py").write_text(
        f"{text}\n\nimport shallow\n\n\ndef build():\n    model, inputs = shallow.build()\n"
        "    init_weights(model)\n    return model, inputs\n"
    )
    assert initprobe("check", "shallow.py:build", *FEW).code == 1
    assert initprobe("check", "fixed.py:build", *FEW).code == 0


def test_the_function_of_a_spec(initprobe, narrow):
    ran = initprobe("suggest", "narrow.yaml", "--write", "init.py", "-o", "json")
    assert ran.code == 0
    result = json.loads(ran.out)
    assert result["command"] == "suggest"
    assert result["results"][0]["verdict"] == "fail"
    assert result["results"][1]["change"]["python"] == (narrow / "init.py").read_text()
    found = importlib.util.spec_from_file_location("written", narrow / "init.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    model = module.nn.Linear(64, 64)
    module.init_weights(module.nn.Sequential(model))
    assert probe(model, inputs=(64,), batch=16).entry.weights[1].value["rms"].mean == 0.0


def test_a_section_for_what_is_no_spec(initprobe, narrow):
    ran = initprobe("suggest", "shallow.py:build", "--write", "init.yaml", "-o", "json", *FEW)
    assert (narrow / "init.yaml").read_text() == "init:\n  default: kaiming_normal\n"
    report = load_result(ran.out)
    assert report.command == "suggest"
    assert report.entries[1].change.yaml == "init:\n  default: kaiming_normal\n"
    assert "suggest" in render(report, "markdown")


def test_a_preset_is_no_file_to_be_changed(initprobe, folder):
    ran = initprobe("suggest", "preset:dead-relu", "--write", "init.yaml", *FEW)
    assert ran.code == 0
    assert (folder / "init.yaml").read_text().startswith("init:\n  default: kaiming_normal\n  overrides:\n")
    ran = initprobe("check", "preset:dead-relu", "--suggest", *FEW)
    assert "next: initprobe suggest, with the same target and options, prints what to paste" in ran.err


def test_where_nothing_is_wrong(initprobe, folder):
    ran = initprobe("suggest", "tiny.yaml")
    assert ran.code == 0
    assert "nothing to suggest: the check found nothing that a fresh draw of the weights would heal" in ran.out


def test_it_judges_as_check_does(initprobe, narrow):
    ran = initprobe("suggest", "narrow.yaml", "--select", "IP303", "--precision", "float16")
    assert ran.code == 0
    assert "nothing to suggest: " in ran.out


def test_where_nothing_holds(initprobe, narrow):
    (narrow / "hard.yaml").write_text(
        SPEC + "check: {thresholds: {forward_drift: {warning: 1.0001, error: 1.0001}, backward_drift: {warning: 1.0001, error: 1.0001}}}\n"
    )  # fmt: skip
    ran = initprobe("suggest", "hard.yaml", "--write", "out.yaml")
    assert ran.code == 1
    assert "not verified: FAIL" in ran.out
    assert not (narrow / "out.yaml").exists()
    ran = initprobe("check", "hard.yaml", "--suggest")
    assert ran.code == 1
    assert re.search(r"no fix for narrow: none of \d+ candidates was verified", ran.err)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-"], 2, "standard input can be read once"),
        (["narrow.yaml", "--write", "x.txt"], 2, "neither .py nor .yaml"),
        (["narrow.yaml", "--write", "no/where.py"], 2, "there is no directory"),
        (["models.py:fails"], 3, "no such thing"),
        (["nothing.yaml"], 2, "there is no file"),
        (["."], 2, "suggest takes one network"),
    ],
)
def test_what_cannot_be_done_is_told(initprobe, narrow, arguments, code, message):
    ran = initprobe("suggest", *arguments)
    assert ran.code == code
    assert message in ran.err


def test_a_file_that_is_there_is_left_alone(initprobe, narrow):
    ran = initprobe("suggest", "shallow.py:build", "--write", "shallow.py", *FEW)
    assert ran.code == 2
    assert "the file is there already" in ran.err
    assert (narrow / "shallow.py").read_text() == SHALLOW
