"""The plug-in as a project's tests meet it: in a pytest run of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

# A pytest run in this process takes away the modules that it was the first to import, and torch cannot come twice.
import initprobe.api  # noqa: F401

pytest_plugins = ["pytester"]

MODEL = """
import torch
from torch import nn

def deep(gain):
    layers = []
    for _ in range(12):
        linear = nn.Linear(32, 32, bias=False)
        nn.init.normal_(linear.weight, std=gain * (2 / 32) ** 0.5)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers)

def healthy():
    return deep(1.0)

def exploding():
    return deep(5.0)
"""


@pytest.fixture
def project(pytester):
    pytester.makepyfile(models=MODEL)
    return pytester


def run(project, *arguments):
    return project.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:xdist", *arguments)


def test_the_fixture_passes_and_fails_as_a_check_does(project):
    project.makepyfile(
        """
        import models

        def test_healthy(initprobe):
            result = initprobe.assert_healthy_init(models.healthy, (32,), seeds=4, batch=4)
            assert result.verdict != "fail"

        def test_exploding(initprobe):
            initprobe.assert_healthy_init(models.exploding, (32,), seeds=4, batch=4)
        """
    )
    result = run(project)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*UnhealthyInitError*exploding-forward*", "*models.py:7*", "*IP102*"])
    result.stdout.no_fnmatch_line("*initprobe/api.py*")


def test_the_function_needs_no_fixture(project):
    project.makepyfile(
        """
        import initprobe
        import models
        import pytest

        def test_exploding():
            with pytest.raises(AssertionError) as caught:
                initprobe.assert_healthy_init(models.exploding, (32,), seeds=4, batch=4)
            assert caught.value.result.verdict == "fail"
            initprobe.assert_healthy_init(models.exploding, (32,), seeds=4, batch=4, ignore=["forward", "backward"])
        """
    )
    run(project).assert_outcomes(passed=1)


@pytest.mark.parametrize("by", ["option", "setting"])
def test_reports_are_written_whatever_the_verdict(project, by):
    project.makepyfile(
        """
        import models
        import pytest

        @pytest.mark.parametrize("name", ["healthy", "exploding"])
        def test_it(initprobe, name):
            initprobe.assert_healthy_init(getattr(models, name), (32,), seeds=4, batch=4)

        def test_two(initprobe):
            initprobe.probe(models.healthy, inputs=(32,), seeds=2, max_seeds=4, batch=4)
            initprobe.probe(models.exploding, inputs=(32,), seeds=2, max_seeds=4, batch=4)
        """
    )
    if by == "option":
        result = run(project, "--initprobe-report", "reports/init")
    else:
        project.makeini("[pytest]\ninitprobe_report = reports/init\n")
        result = run(project)
    result.assert_outcomes(passed=2, failed=1)
    written = {path.name for path in (project.path / "reports" / "init").iterdir()}
    stems = ["test_it_healthy", "test_it_exploding", "test_two", "test_two-2"]
    file = "test_reports_are_written_whatever_the_verdict.py_"
    assert written == {f"{file}{stem}{ending}" for stem in stems for ending in (".json", ".md")}
    found = json.loads((project.path / "reports" / "init" / f"{file}test_it_exploding.json").read_text())
    assert found["results"][0]["verdict"] == "fail"


def test_a_misspelt_option_is_told_with_the_nearest(project):
    project.makepyfile(
        """
        import models

        def test_it(initprobe):
            initprobe.assert_healthy_init(models.healthy, (32,), seeds=2, fail_onn="error")
        """
    )
    result = run(project)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*unknown option 'fail_onn'*", "*did you mean 'fail_on'*"])


def test_loading_it_loads_neither_torch_nor_anything_of_ours():
    code = "import sys, initprobe.pytest_plugin; print(sorted(n for n in sys.modules if n in ('torch', 'rich', 'pydantic', 'matplotlib', 'initprobe.api')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
