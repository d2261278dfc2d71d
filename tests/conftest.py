"""What every test runs under."""

import os
import runpy
from pathlib import Path

import pytest

# Before torch is imported anywhere: spinning threads make tests crawl where cores are shared.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# One thread in each process, that of a worker of pytest-xdist and of one that runs alone: the same sums in both, and on
# networks as small as these a second thread waits more than it works.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# What tests see is no terminal and has no width, whatever the terminal is that they run in.
os.environ.pop("COLUMNS", None)

# Nor is it a job of a CI, which would be told what tests find wrong on purpose.
for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE", "CI_PROJECT_DIR"):
    os.environ.pop(name, None)

# Here, and in every process that a test starts: a torchvision that was built for another torch can be imported.
STARTUP = Path(__file__).parent / "startup"
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(STARTUP), os.environ.get("PYTHONPATH")]))
runpy.run_path(str(STARTUP / "sitecustomize.py"))
# Before Keras is: without these it asks for tensorflow, and writes a file into the home directory.
os.environ["KERAS_BACKEND"] = "torch"
os.environ["KERAS_HOME"] = os.devnull


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite what is generated and compared with files")
