"""What stands between a measurement and the exit code of ``check``: an earlier result, and the baseline."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from initprobe.check.baseline import Known, match, read_baseline, updated, write_baseline
from initprobe.check.regression import against
from initprobe.cli.output import exit_code, tell
from initprobe.errors import ExitCode, UsageError
from initprobe.project import Project
from initprobe.records import Report
from initprobe.report.numbers import plural
from initprobe.report.reading import read_result
from initprobe.report.visible import visible
from initprobe.report.write import check_writable, write_text


@dataclass(frozen=True, slots=True)
class Verdict:
    """A report that was judged to the end, and what a shell is told of it."""

    report: Report
    code: ExitCode


@dataclass(frozen=True, slots=True)
class Gate:
    """Read before anything is measured, so that what is wrong with it is told at once.

    Attributes:
        golden: the earlier result, None where none was asked for.
        baseline: what is known; None where none was asked for.
        file: where the baseline stands.
        update: whether to write it anew.
        strict: whether a stale entry of the baseline fails.
    """

    golden: Report | None = None
    baseline: tuple[Known, ...] | None = None
    file: Path | None = None
    update: bool = False
    strict: bool = False

    @property
    def folder(self) -> str:
        """The working directory, as the baseline's own folder sees it: its targets are relative to that."""
        assert self.file is not None
        return Path(os.path.relpath(Path.cwd(), self.file.parent)).as_posix()

    def known(self, report: Report) -> Report:
        """The report under the baseline as it is; nothing is told, and nothing is written."""
        return report if self.baseline is None else match(report, self.baseline, self.folder).report

    def held(self, report: Report) -> Report:
        """The report with what changed since the earlier result."""
        return report if self.golden is None else against(self.golden, report, complete=False)

    def applied(self, report: Report) -> Report:
        """The report under both as they are; nothing is told, and nothing is written."""
        return self.known(self.held(report))

    def judge(self, report: Report) -> Verdict:
        """The report under both, and the exit code; an updated baseline is written."""
        report = self.held(report)
        stale: tuple[Known, ...] = ()
        if self.file is not None and self.baseline is not None:
            known = self._updated(report) if self.update else self.baseline
            found = match(report, known, self.folder)
            report, stale = found.report, found.stale
        for one in stale:
            told = f"{visible(one.target)}: {visible(one.rule)} at {visible(one.layers) or 'the network'}"
            tell(f"warning: not found any more, and still in {visible(str(self.file))}: {told}")
        if stale:
            tell("  = help: --update-baseline takes it out")
        code = exit_code(report, judged=True)
        return Verdict(report, ExitCode.FINDINGS if stale and self.strict and code == ExitCode.OK else code)

    def _updated(self, report: Report) -> tuple[Known, ...]:
        """The baseline with what was found now, written."""
        assert self.file is not None
        before, now = self.baseline or (), updated(report, self.baseline or (), self.folder)
        write_text(self.file, write_baseline(now))
        came, went = len(set(now) - set(before)), len(set(before) - set(now))
        tell(f"wrote {self.file}: {plural(len(now), 'entry', 'entries')}, {came} new, {went} gone")
        return now


def gate(project: Project, golden: str | None, baseline: Path | None, *, update: bool, strict: bool) -> Gate:
    """The gate with its files read; what the command line does not say, the project's settings may.

    Raises:
        UsageError: a file is not there or not what it should be, or there is no baseline to update.
    """
    baseline, strict = baseline or project.baseline, strict or bool(project.said.check.get("strict"))
    if baseline is None and update:
        raise UsageError(
            "--update-baseline does not know which file", hint="--baseline FILE, or baseline in [tool.initprobe]"
        )
    earlier = None if golden is None else read_result(golden)
    if baseline is None:
        return Gate(earlier, strict=strict)
    if update:
        check_writable(baseline)
    return Gate(earlier, _known(baseline, missing_is_empty=update), baseline, update, strict)


def _known(file: Path, *, missing_is_empty: bool) -> tuple[Known, ...]:
    try:
        return read_baseline(file.read_text(encoding="utf-8"), visible(str(file)))
    except FileNotFoundError:
        if missing_is_empty:
            return ()
        raise UsageError(f"there is no baseline {str(file)!r}", hint="--update-baseline writes it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the baseline {str(file)!r}: {error}") from None
