"""What every test runs under."""

import gc
import os
import runpy
import sys
import threading
from collections.abc import Generator
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


def pytest_configure(config: pytest.Config) -> None:
    """The process that only hands out tests runs nothing that coverage is about."""
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput") and _covered(sys.gettrace()):
        sys.settrace(None)
        threading.settrace(None)


def pytest_collection_finish() -> None:
    """What is there by now stays; the garbage collector need not look through it again and again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Coverage looks away from a test that is marked ``untraced``, its fixtures included.

    Traced line by line, Python takes up to four times as long. What such a test runs, tests of single rooms count.
    """
    tracer = sys.gettrace()
    if item.get_closest_marker("untraced") is None or not _covered(tracer):
        return (yield)
    sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(tracer)


def _covered(tracer: object) -> bool:
    """Whether it is coverage that traces; a debugger stays."""
    return type(tracer).__module__.startswith("coverage")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Neighbours run in one process, so that what they share is made once; the slow ones are taken over at the end."""
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log) if config.getoption("dist") == "load" else None
