"""Every config that ships opens, builds and runs."""

from pathlib import Path

import pytest
import torch

from initprobe.load.target import open_target
from initprobe.records import ProbeRequest, TargetRequest
from tests.load.expectations import expectations, probed

CONFIGS = Path(__file__).parents[2] / "configs"
FILES = sorted(CONFIGS.glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_config_runs(path):
    target = open_target(TargetRequest(str(path)))
    subject = target.build(0, ProbeRequest())
    call = subject.inputs.make(4, 0, torch.float32)
    output = subject.model(*call.args, **call.kwargs)
    first = output if isinstance(output, torch.Tensor) else output[0]  # a vae and a gan have several outputs
    assert first.shape == (4, *target.plan.output.shape)
    assert target.name == path.stem


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_config_says_what_to_look_at(path):
    text = path.read_text()
    assert text.startswith("# yaml-language-server: $schema=../schema/spec.v1.json\n")
    assert "Look at" in text


def test_the_data_are_real_and_standardized():
    subject = open_target(TargetRequest(str(CONFIGS / "digits.yaml"))).build(0, ProbeRequest())
    (x,) = subject.inputs.make(500, 0, torch.float32).args
    assert x.shape == (500, 1, 8, 8)
    assert x.mean().item() == pytest.approx(0, abs=1e-5)
    assert x.std().item() == pytest.approx(1, abs=1e-3)
    assert "CC BY 4.0" in (CONFIGS / "data" / "README.md").read_text()


@pytest.mark.untraced
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_config_shows_the_numbers_that_its_comment_states(path):
    wanted = expectations(path.read_text())
    assert wanted, "say in the comment what one should see: `# expect: forward gain 0.995 +- 0.02`"
    for one, entry in probed(path, wanted):
        one.hold(entry)
