"""The GitHub Action is what it says, and its steps turn red and green."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = ACTION["runs"]["steps"]
EXPRESSION = re.compile(r"\$\{\{ (.*?) \}\}")

SPEC = """\
version: 1
name: net
model:
  input: {{shape: [8]}}
  layers:
    - {{type: repeat, times: 8, name: block, layers: [{{type: linear, out: 8}}]}}
init: {{default: {init}}}
probe: {{seeds: 2, max_seeds: 2, batch: 8}}
"""


def names_in(expressions, where):
    return {name for text in expressions for name in re.findall(rf"{where}\.([\w.-]+)", text)}


def test_every_input_is_described_and_used():
    used = names_in(EXPRESSION.findall((ROOT / "action.yml").read_text(encoding="utf-8")), "inputs")
    assert used == set(ACTION["inputs"])
    assert all(given["description"].endswith(".") for given in ACTION["inputs"].values())
    assert [name for name, given in ACTION["inputs"].items() if given.get("required")] == ["targets"]


def test_nothing_is_interpolated_into_a_script():
    assert [step["name"] for step in STEPS if "${{" in step.get("run", "")] == []


def test_every_action_is_pinned_by_its_commit():
    used = [step["uses"] for step in STEPS if "uses" in step]
    assert len(used) == 3
    assert [name for name in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", name)] == []


def test_what_is_uploaded_is_uploaded_after_a_failure_and_only_when_asked():
    for name, word in (("Upload to code scanning", "inputs.sarif"), ("Keep the report", "inputs.report")):
        (step,) = [step for step in STEPS if step["name"] == name]
        assert "always()" in step["if"]
        assert f"{word} != ''" in step["if"]
    assert {ACTION["inputs"][name]["default"] for name in ("sarif", "report")} == {""}


def test_the_hook_runs_in_the_environment_of_the_project():
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert hook["entry"] == "initprobe check"
    assert hook["language"] == "system"
    assert hook["pass_filenames"] is False
    assert "pre-commit" not in hook["stages"]


class Runner:
    """As much of the runner as a composite action of scripts needs."""

    def __init__(self, repository: Path, temporary: Path) -> None:
        self.repository, self.temporary = repository, temporary
        self.summary = temporary / "summary.md"
        # A PATH of its own: python is this one, and pip is called by nobody.
        (temporary / "bin").mkdir(parents=True)
        python = temporary / "bin" / "python"
        python.write_text(
            f'#!/bin/sh\ncase "$*" in "-m pip "*) echo "$*" >>{shlex.quote(str(temporary / "pip"))}; exit;; esac\n'
            f'exec {shlex.quote(sys.executable)} "$@"\n'
        )
        python.chmod(0o755)

    def use(self, **inputs: str) -> tuple[int, dict[str, str], str]:
        """Exit code, outputs and log of the action."""
        given = {name: one.get("default", "") for name, one in ACTION["inputs"].items()}
        given |= {name.replace("_", "-"): value for name, value in inputs.items()}
        values = {f"inputs.{name}": value for name, value in given.items()}
        log = ""
        for step in STEPS:
            if "run" not in step or any(name in step.get("if", "") for name in ("always", "failure")):
                continue
            code, said, outputs = self.step(step, values)
            values |= {f"steps.{step.get('id')}.outputs.{key}": value for key, value in outputs.items()}
            log += said
            if code:
                break
        read = {name: EXPRESSION.fullmatch(one["value"])[1] for name, one in ACTION["outputs"].items()}
        return code, {name: values.get(path, "") for name, path in read.items()}, log

    def step(self, step: dict, values: dict[str, str]) -> tuple[int, str, dict[str, str]]:
        def filled(text: str) -> str:
            return EXPRESSION.sub(lambda found: values[found[1]], text)

        outputs = self.temporary / "outputs"
        outputs.write_text("")
        environment = {
            **os.environ,
            "PATH": f"{self.temporary / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_OUTPUT": str(outputs),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_WORKSPACE": str(self.repository),
            "RUNNER_TEMP": str(self.temporary),
            **{name: filled(value) for name, value in step.get("env", {}).items()},
        }
        ended = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.repository / filled(step.get("working-directory", ".")),
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )
        found = dict(line.split("=", 1) for line in outputs.read_text().splitlines())
        return ended.returncode, ended.stdout + ended.stderr, found


@pytest.fixture
def runner(tmp_path):
    (tmp_path / "repository" / "specs").mkdir(parents=True)
    return Runner(tmp_path / "repository", tmp_path / "runner")


def check(runner, init, **inputs):
    (runner.repository / "specs" / "my net.yaml").write_text(SPEC.format(init=init))
    return runner.use(targets="\n  my net.yaml\n", args="--ignore 'IP006'", working_directory="specs", **inputs)


def test_a_bad_network_is_red(runner):
    code, outputs, log = check(runner, "normal", sarif="here")
    assert code == 1
    assert outputs == {"verdict": "fail", "findings": "2"}
    assert "::error file=specs/my net.yaml,line=6," in log
    assert "error[vanishing-forward]" in log
    assert "vanishing-forward" in runner.summary.read_text()
    (file,) = runner.temporary.glob("initprobe-*/initprobe.sarif")
    assert len(json.loads(file.read_text())["runs"][0]["results"]) == 2
    assert not (runner.temporary / "pip").exists()  # torch and initprobe are there


@pytest.mark.slow
def test_it_turns_green_when_the_network_is_mended(runner):
    assert check(runner, "normal")[0] == 1
    assert check(runner, "orthogonal")[:2] == (0, {"verdict": "pass", "findings": "0"})
    assert runner.summary.read_text().count("## initprobe") == 2


@pytest.mark.slow
def test_annotations_and_summary_can_be_switched_off(runner):
    code, _, log = check(runner, "normal", annotations="false", summary="false")
    assert code == 1
    assert "\n::" not in log
    assert not runner.summary.exists()


@pytest.mark.slow
def test_a_target_that_is_not_there_is_an_error_and_no_finding(runner):
    code, outputs, log = runner.use(targets="absent.yaml")
    assert code == 2
    assert outputs == {"verdict": "error", "findings": "0"}
    assert "absent.yaml" in log


@pytest.mark.parametrize(
    ("version", "packages", "installed"),
    [
        ("", "", ""),
        ("0.1.0", "", "-m pip install --quiet initprobe==0.1.0\n"),
        (">=0.1,<0.2", "'timm>=1' einops", "-m pip install --quiet timm>=1 einops initprobe>=0.1,<0.2\n"),
    ],
)
def test_what_is_installed(runner, version, packages, installed):
    (step,) = [step for step in STEPS if step["name"] == "Install"]
    code, log, _ = runner.step(
        step, {"inputs.version": version, "inputs.extra-packages": packages, "inputs.torch-index": "index"}
    )
    assert code == 0, log
    pip = runner.temporary / "pip"
    assert (pip.read_text() if pip.exists() else "") == installed


def test_a_python_is_set_up_where_it_is_asked_for_or_none_has_torch(runner):
    (step,) = [step for step in STEPS if step.get("id") == "python"]
    assert runner.step(step, {"inputs.python": ""})[2] == {"version": ""}
    assert runner.step(step, {"inputs.python": "3.13"})[2] == {"version": "3.13"}
    (runner.temporary / "bin" / "python").write_text("#!/bin/sh\nexit 1\n")
    assert runner.step(step, {"inputs.python": ""})[2] == {"version": "3.12"}
