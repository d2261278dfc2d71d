"""pytest plug-in: the fixture ``initprobe``, and a report of every network that a test looked at.

It is loaded by every pytest run of an environment that has initprobe, so it imports nothing until a test asks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from initprobe.api import Result

REPORT_FORMATS = ("json", "markdown")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--initprobe-report DIR``, and the same as a setting."""
    help_text = "write a report of every network that a test probes through the initprobe fixture into DIR"
    parser.getgroup("initprobe").addoption("--initprobe-report", metavar="DIR", default=None, help=help_text)
    parser.addini("initprobe_report", help_text, default="")


@dataclass
class Checker:
    """What the fixture ``initprobe`` hands to a test.

    Attributes:
        test: the test's id, which names its reports.
        directory: where reports go, None for nowhere.
        seen: how many networks the test has looked at.
    """

    test: str
    directory: Path | None = None
    seen: int = field(default=0, init=False)

    def assert_healthy_init(self, target: Any, inputs: Any = None, **options: Any) -> Result:
        """As ``initprobe.assert_healthy_init``; the report is written first, whatever the verdict is."""
        __tracebackhide__ = True
        from initprobe.api import UnhealthyInitError, assert_healthy_init

        try:
            return self._written(assert_healthy_init(target, inputs, **options))
        except UnhealthyInitError as error:
            self._written(error.result)
            raise

    def probe(self, target: Any, **options: Any) -> Result:
        """As ``initprobe.probe``."""
        from initprobe.api import probe

        return self._written(probe(target, **options))

    def _written(self, result: Result) -> Result:
        self.seen += 1
        if self.directory is not None:
            from initprobe.report.formats.base import FORMATS

            name = re.sub(r"[^\w.-]+", "_", self.test)[-150:].strip("_") + (f"-{self.seen}" if self.seen > 1 else "")
            for format_name in REPORT_FORMATS:
                result.save(self.directory / f"{name}{FORMATS[format_name].extension}", format_name)
        return result


@pytest.fixture(name="initprobe")
def initprobe_fixture(request: pytest.FixtureRequest) -> Checker:
    """``initprobe.assert_healthy_init(factory, inputs)`` and ``initprobe.probe(target)``, with reports."""
    asked: Callable[[str], Any] = request.config.getini
    said = request.config.getoption("--initprobe-report") or asked("initprobe_report")
    directory = request.config.rootpath / said if said else None
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
    return Checker(request.node.nodeid, directory)
