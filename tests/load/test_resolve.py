"""A resolved spec reads back as the same."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from initprobe.init.schemes.base import SCHEMES
from initprobe.load.parse import parse
from initprobe.load.resolve import resolved_text
from initprobe.load.schema import checked, read_spec, sections
from initprobe.load.validate import validate_spec
from initprobe.records import CheckRequest, ProbeRequest, TargetRequest
from initprobe.settings import Flags, resolve

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
SPEC = """\
version: 1
vars: {width: 8, shape: [8], inner: [relu, {type: linear, out: 8}], text: "1e-3"}
model:
  input: {shape: "${shape}"}
  layers:
    - {type: repeat, times: 2, layers: "${inner}"}
    - {type: residual, layers: "${inner}", shortcut: "${inner}"}
init:
  default: {scheme: he, mode: fan_out}
  overrides: [{match: "no", scheme: glorot}, {match: "${text}", scheme: zeros}]
compare: [he, {scheme: glorot, gain: 2.0}]
check: {thresholds: {forward_drift: {error: 1.0e-05}}, layer_ignores: {"1": [dead-units]}}
sweep: {vars.width: [8], init.default: [he]}
"""


def meant(spec):
    """Everything that decides a probe, in the types of the other rooms."""
    found = sections(spec)
    request = resolve(TargetRequest("same"), Flags(), found)
    probe = replace(request.probe, loss="gaussian" if request.probe.loss == "auto" else request.probe.loss)
    choices = [str(SCHEMES.canonical(one.name)) for one in request.init.choices]
    return checked(spec).model, choices, probe, request.check, found.name


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_reads_back_as_the_same(path):
    found = validate_spec(str(path)).sections
    text = resolved_text(found, SCHEMES.canonical)
    again = read_spec(path, text=text)
    assert meant(again) == meant(found.spec)
    assert resolved_text(sections(again), SCHEMES.canonical) == text
    assert "vars" not in again.values


def resolved(text, *sets):
    found = sections(read_spec("f.yaml", text=text, sets=sets))
    return resolved_text(found, SCHEMES.canonical)


def test_nothing_is_left_to_fill_in():
    text = resolved(SPEC, ("probe.batch", "32"))
    values = parse(text, "f").values
    assert "${" not in text
    assert "&" not in text, "no anchors"
    assert values["name"] == "f"
    assert values["model"]["layers"][1]["shortcut"] == ["relu", {"type": "linear", "out": 8}]
    assert values["init"]["default"] == {"scheme": "kaiming_normal", "mode": "fan_out"}
    assert [one["scheme"] for one in values["init"]["overrides"]] == ["xavier_normal", "zeros"]
    assert values["compare"] == ["kaiming_normal", {"scheme": "xavier_normal", "gain": 2.0}]
    assert values["probe"]["batch"] == 32
    assert values["probe"]["seeds"] == 5
    assert values["check"]["fail_on"] == "error"
    assert values["sweep"] == {"init.default": ["he"]}


def test_text_stays_text_and_numbers_stay_numbers():
    values = parse(resolved(SPEC), "f").values
    assert [one["match"] for one in values["init"]["overrides"]] == ["no", "1e-3"]
    assert values["check"]["thresholds"]["forward_drift"]["error"] == 1e-5
    assert values["check"]["layer_ignores"] == {"1": ["dead-units"]}
    assert yaml.safe_load(resolved(SPEC)) is not None


def test_a_resolved_spec_extends_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("base.yaml").write_text(SPEC)
    Path("child.yaml").write_text("version: 1\nextends: base.yaml\nprobe: {seeds: [7]}\n")
    found = validate_spec("child.yaml").sections
    values = parse(resolved_text(found), "f").values
    assert "extends" not in values
    assert values["name"] == "child"
    assert values["probe"]["seeds"] == [7]
    assert values["model"]["layers"][0]["times"] == 2


def test_the_loss_of_a_named_target_stays_its_own(tmp_path):
    text = 'version: 1\nmodel: {target: "net.py:build"}\n'
    assert "loss" not in parse(resolved(text), "f").values["probe"]
    assert parse(resolved(text + "probe: {loss: own}\n"), "f").values["probe"]["loss"] == "own"


def test_the_defaults_are_those_of_the_requests():
    found = sections(read_spec("f", text=resolved(SPEC.replace("check:", "# check:"))))
    assert ProbeRequest(**found.probe) == ProbeRequest(loss="gaussian")
    assert CheckRequest(**found.check) == CheckRequest()
