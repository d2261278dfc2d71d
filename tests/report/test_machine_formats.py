"""What machines read is held to what those machines demand, by readers that are not ours."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import junitparser
import pytest
from jsonschema.validators import validator_for

from initprobe.records import (
    CheckRequest,
    Entry,
    Finding,
    Fix,
    Gain,
    Location,
    Report,
    Request,
    RuleCard,
    TargetRequest,
)
from initprobe.report.fingerprint import identified
from initprobe.report.formats.base import RenderOptions
from initprobe.report.render import render
from initprobe.report.result import SCHEMA

SARIF = json.loads((Path(__file__).parent / "data" / "sarif-2.1.0.schema.json").read_text(encoding="utf-8"))

# https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
GITLAB = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "location", "severity"],
        "properties": {
            "description": {"type": "string", "minLength": 1, "pattern": r"^[^\n]*$"},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "minLength": 1, "not": {"pattern": r"^\./"}},
                    "lines": {
                        "type": "object",
                        "required": ["begin"],
                        "properties": {"begin": {"type": "integer", "minimum": 1}},
                    },
                },
            },
        },
        "additionalProperties": False,
    },
}

COMMAND = re.compile(r"::(?P<level>error|warning|notice) (?P<properties>[^\n]*?)::(?P<message>[^\n]*)")

RULE = RuleCard("IP301", "dead-units", "warning", "high", "units are silent")
HERE = Location("net.yaml", 3, 5, 20, "    - {type: linear, out: 8}")


def entry_of(*findings: Finding, target: str = "net.yaml", **fields) -> Entry:
    return replace(Entry("net", "he", Request(TargetRequest(target)), seeds=(0,)), findings=findings, **fields)


def finding(severity="error", message="it is wrong", sites=("a.0",), place=HERE, card=RULE, **fields) -> Finding:
    return replace(Finding(card, severity, message, sites, "a.0", place), **fields)


def strict(text: str):
    def refuse(constant):
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


def sarif_of(report, options=None):
    return strict(render(report, "sarif", options))["runs"][0]


def annotations(text: str) -> list[tuple[str, dict[str, str], str]]:
    """The commands of a log as the runner decodes them (actions/runner, ``ActionCommand.TryParseV2``)."""

    def decoded(value: str) -> str:
        for code, char in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
            value = value.replace(code, char)
        return value

    found = []
    for line in text.splitlines():
        if line.lstrip().startswith("::"):
            command = COMMAND.fullmatch(line)
            assert command, line
            pairs = [pair.partition("=") for pair in command["properties"].split(",")]
            properties = {key: decoded(value) for key, _, value in pairs}
            assert len(properties) == len(pairs)
            found.append((command["level"], properties, decoded(command["message"])))
    return found


class TestSarif:
    def test_is_valid(self, named_report):
        text = render(named_report[1], "sarif")
        validator_for(SARIF)(SARIF).validate(strict(text))

    def test_has_what_github_demands(self, named_report):
        # docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
        text = render(named_report[1], "sarif", RenderOptions(anchor="pyproject.toml"))
        log = strict(text)
        assert log["$schema"].endswith("sarif-2.1.0.json")
        assert log["version"] == "2.1.0"
        (run,) = log["runs"]
        assert re.fullmatch(r"initprobe/[^/]*/", run["automationDetails"]["id"])
        rules = run["tool"]["driver"]["rules"]
        for rule in rules:
            assert {"id", "shortDescription", "fullDescription", "help", "properties"} <= set(rule)
            assert 0 < len(rule["shortDescription"]["text"]) <= 1024
            assert 0 < len(rule["fullDescription"]["text"]) <= 1024
            assert rule["help"]["text"]
            assert rule["properties"]["precision"] in {"very-high", "high", "medium", "low"}
            assert rule["properties"]["problem.severity"] in {"error", "warning", "recommendation"}
            assert len(rule["properties"]["tags"]) <= 10
        assert len(run["results"]) == sum(len(entry.findings) for entry in named_report[1].entries)
        for result in run["results"]:
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
            assert result["message"]["text"]
            place = result["locations"][0]["physicalLocation"]
            assert place["artifactLocation"]["uri"]
            assert place["region"]["startLine"] >= 1
            assert re.fullmatch(r"[0-9a-f]{32}:1", result["partialFingerprints"]["primaryLocationLineHash"])

    def test_a_rule_brings_its_documentation(self, canonical):
        rules = sarif_of(canonical["failing"])["tool"]["driver"]["rules"]
        rule = next(rule for rule in rules if rule["id"] == "IP101")
        assert rule["fullDescription"]["text"] == "Fits ``log RMS`` against depth, stack by stack."
        assert "**Why is this bad**\n" in rule["help"]["markdown"]
        assert "g < 1" in rule["help"]["text"]

    def test_a_suppressed_finding_is_there_and_suppressed(self, canonical):
        results = sarif_of(canonical["failing"])["results"]
        assert [result["ruleId"] for result in results if "suppressions" in result] == ["IP002"]

    def test_a_fix_is_text(self, canonical):
        result = sarif_of(canonical["failing"])["results"][0]
        assert "fix: init.default: kaiming_normal" in result["message"]["text"]
        assert result["properties"]["fix"]["yaml"] == "init:\n  default: kaiming_normal"
        assert "fixes" not in result

    def test_a_target_that_could_not_be_probed_is_a_notification(self, canonical):
        (invocation,) = sarif_of(canonical["hostile"])["invocations"]
        assert invocation["executionSuccessful"] is False
        assert "build() raised ValueError" in invocation["toolExecutionNotifications"][0]["message"]["text"]

    def test_a_finding_without_any_file_is_a_notification_and_not_a_result(self):
        report = Report("check", (entry_of(finding(place=None), target="timm:resnet50"),))
        run = sarif_of(report)
        assert run["results"] == []
        assert run["tool"]["driver"]["rules"] == []
        (notification,) = run["invocations"][0]["toolExecutionNotifications"]
        assert "IP301 dead-units: it is wrong" in notification["message"]["text"]

    @pytest.mark.parametrize("file", ["a b/ü#%.py", "x:y.py", "lone\ud800.py"])
    def test_any_name_of_a_file_is_an_address(self, file):
        run = sarif_of(Report("check", (entry_of(finding(place=replace(HERE, file=file))),)))
        uri = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"(?:[A-Za-z0-9_.~/-]|%[0-9A-F]{2})+", uri)
        assert unquote(uri, errors="surrogatepass") == file

    def test_a_name_becomes_no_link(self):
        run = sarif_of(Report("check", (entry_of(finding(message="layer [click](https://example.org)")),)))
        assert run["results"][0]["message"]["text"].startswith("layer [click] (https")

    def test_no_more_results_than_github_takes(self, monkeypatch):
        monkeypatch.setattr("initprobe.report.formats.sarif._MOST", 2)
        many = [finding("warning", sites=("w",)), finding(sites=("a",)), finding(sites=("b",))]
        run = sarif_of(Report("check", (entry_of(*many),)))
        assert [result["level"] for result in run["results"]] == ["error", "error"]
        assert "1 more findings" in run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]


class TestPlace:
    @pytest.mark.parametrize(
        ("target", "anchor", "expected"),
        [
            ("specs/net.yaml", "", ("specs/net.yaml", 1)),
            ("pkg/net.py:build(depth=50)", "", ("pkg/net.py", 1)),
            ("timm:resnet50", "pyproject.toml", ("pyproject.toml", 1)),
            ("-", "README.md", ("README.md", 1)),
        ],
    )
    def test_a_finding_without_a_place_stands_at_a_file_that_is_there(self, target, anchor, expected):
        report = Report("check", (entry_of(finding(place=None), target=target),))
        run = sarif_of(report, RenderOptions(anchor=anchor))
        place = run["results"][0]["locations"][0]["physicalLocation"]
        assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == expected
        assert "nearest line" in run["results"][0]["message"]["text"]

    def test_a_layer_that_the_finding_names_is_nearer_than_the_target(self, canonical):
        (entry,) = canonical["failing"].entries
        found = replace(entry, findings=(replace(entry.findings[0], location=None),))
        run = sarif_of(replace(canonical["failing"], entries=(found,)))
        region = run["results"][0]["locations"][0]["physicalLocation"]["region"]
        assert region == {"startLine": 15}

    @pytest.mark.parametrize("name", ["-", "<string>", "<stdin>"])
    def test_what_was_typed_is_no_file(self, name):
        report = Report("check", (entry_of(finding(place=replace(HERE, file=name)), target="-"),))
        assert sarif_of(report)["results"] == []
        assert "file=" not in render(report, "github")

    @pytest.mark.parametrize("name", ["sarif", "github", "gitlab", "junit"])
    def test_paths_begin_at_the_root_of_the_repository(self, name):
        report = Report("check", (entry_of(finding()),))
        assert "services/model/net.yaml" in render(report, name, RenderOptions(folder="services/model"))

    @pytest.mark.parametrize(
        ("file", "expected"),
        [
            ("/repo/lib/net.py", "lib/net.py"),
            ("../lib/net.py", "services/lib/net.py"),
            ("./net.yaml", "services/model/net.yaml"),
            ("../../../other/net.py", "/other/net.py"),
            ("/repository/net.py", "/repository/net.py"),
            ("C:/repo/net.py", "C:/repo/net.py"),
        ],
    )
    def test_what_lies_in_the_checkout_is_named_from_its_root(self, file, expected):
        report = Report("check", (entry_of(finding(place=replace(HERE, file=file))),))
        (issue,) = strict(render(report, "gitlab", RenderOptions(folder="services/model", root="/repo")))
        assert issue["location"]["path"] == expected

    def test_an_absolute_path_stays_what_it_is(self):
        report = Report("check", (entry_of(finding(place=replace(HERE, file="/home/alice/net.yaml"))),))
        assert '"file:///home/alice/net.yaml"' in render(report, "sarif", RenderOptions(folder="services"))


class TestFingerprints:
    def test_they_do_not_move_with_lines_and_numbers(self):
        before = finding(sites=("block.3.linear",), message="×0.7", measured="0.7 per layer")
        moved = replace(before, sites=("block.4.linear",), message="×0.6", location=replace(HERE, line=99, column=7))
        prints = [identified(Report("check", (entry_of(one),)))[0].fingerprint for one in (before, moved)]
        assert prints[0] == prints[1]

    @pytest.mark.parametrize(
        "other",
        [
            entry_of(finding(card=replace(RULE, code="IP302"))),
            entry_of(finding(sites=("b.0",))),
            entry_of(finding(place=replace(HERE, file="other.yaml"))),
            entry_of(finding(place=replace(HERE, text="- {type: linear, out: 9}"))),
            entry_of(finding(), scheme="xavier_normal"),
            entry_of(finding(), target="other.yaml"),
        ],
    )
    def test_they_tell_different_findings_apart(self, other):
        first, second = identified(Report("check", (entry_of(finding()), other)))
        assert first.fingerprint != second.fingerprint

    def test_they_are_unique_in_a_report(self, named_report):
        twice = replace(named_report[1], entries=named_report[1].entries * 2)
        prints = [one.fingerprint for one in identified(twice)]
        assert len(prints) == len(set(prints))

    def test_they_are_the_same_on_another_machine(self):
        texts = ["/home/alice/net.py:build", "/home/alice/work/net.py:build"]
        places = ["/home/alice/net.py", "/home/alice/work/net.py"]
        entries = [entry_of(finding(place=replace(HERE, file=p)), target=t) for t, p in zip(texts, places, strict=True)]
        prints = {identified(Report("check", (entry,)))[0].fingerprint for entry in entries}
        assert len(prints) == 1


class TestJunit:
    def parsed(self, report, tmp_path):
        file = tmp_path / "r.xml"
        file.write_text(render(report, "junit"), encoding="utf-8")
        return junitparser.JUnitXml.fromfile(str(file))

    def test_it_parses_and_counts_what_it_holds(self, named_report, tmp_path):
        _, report = named_report
        found = self.parsed(report, tmp_path)
        suites = list(found)
        assert len(suites) == len(report.entries)
        for suite in suites:
            cases = list(suite)
            assert suite.tests == len(cases) > 0
            for kind, total in (("Failure", suite.failures), ("Error", suite.errors), ("Skipped", suite.skipped)):
                held = [case for case in cases if any(type(one).__name__ == kind for one in case.result)]
                assert len(held) == total
        totals = [sum(suite.tests for suite in suites), sum(suite.failures for suite in suites)]
        assert totals == [found.tests, found.failures]

    def test_it_has_nothing_that_the_strictest_reader_refuses(self, named_report):
        # what the xUnit plugin of Jenkins allows (its schema junit-10), of what is used here
        allowed = {
            "testsuites": {"name", "tests", "failures", "errors"},
            "testsuite": {"name", "tests", "failures", "errors", "skipped"},
            "properties": set(),
            "property": {"name", "value"},
            "testcase": {"name", "classname"},
            "failure": {"type", "message"},
            "error": {"type", "message"},
            "skipped": {"type", "message"},
            "system-out": set(),
        }
        for element in ET.fromstring(render(named_report[1], "junit").encode()).iter():
            assert set(element.attrib) <= allowed[element.tag]

    def test_the_text_has_the_place(self, canonical):
        assert "place: deep_mlp.yaml:15:11</failure>" in render(canonical["failing"], "junit")

    def test_names_do_not_repeat_within_a_suite(self, named_report, tmp_path):
        for suite in self.parsed(named_report[1], tmp_path):
            names = [case.name for case in suite]
            assert len(names) == len(set(names))

    def test_the_properties_say_what_was_probed(self, canonical, tmp_path):
        (suite,) = self.parsed(canonical["failing"], tmp_path)
        found = {one.name: one.value for one in suite.properties()}
        assert found["seeds"] == "0,1,2,3,4"
        assert found["scheme"] == "xavier_normal"
        assert found["torch"] == "2.13.0+cpu"

    @pytest.mark.parametrize(("fail_on", "failures"), [("error", 2), ("warning", 3), ("never", 0)])
    def test_what_fails_is_what_fails_the_check(self, canonical, tmp_path, fail_on, failures):
        (entry,) = canonical["failing"].entries
        judged = replace(entry, request=replace(entry.request, check=CheckRequest(fail_on=fail_on)))
        (suite,) = self.parsed(replace(canonical["failing"], entries=(judged,)), tmp_path)
        assert suite.failures == failures
        assert suite.skipped == 1  # the suppressed one, whatever fails

    def test_rules_that_found_nothing_pass(self, canonical, tmp_path):
        (suite,) = self.parsed(canonical["clean"], tmp_path)
        assert {case.name for case in suite if case.is_passed} == {
            "uncalled-module",
            "vanishing-forward: block.0–3.linear",
            "exploding-forward: block.0–3.linear",
            "vanishing-backward: block.0–3.linear",
            "dead-units",
        }

    def test_what_nobody_knows_is_skipped(self, canonical, tmp_path):
        (entry,) = canonical["clean"].entries
        (segment,) = entry.segments
        drift = replace(segment.forward.drift, low=1e-4, high=0.5)
        open_ = replace(segment, forward=replace(segment.forward, status="inconclusive", drift=drift))
        unjudged = replace(open_, backward=Gain(drift, drift, "unjudged", reason="three sites"))
        undecided = finding("info", card=RuleCard("IP006", "inconclusive", "info", "certain", "open"))
        report = replace(canonical["clean"], entries=(replace(entry, segments=(unjudged,), findings=(undecided,)),))
        (suite,) = self.parsed(report, tmp_path)
        assert {case.name for case in suite if case.is_skipped} == {
            "inconclusive: a.0",
            "vanishing-forward: block.0–3.linear",
            "vanishing-backward: block.0–3.linear",
        }

    def test_a_target_that_could_not_be_probed_is_an_error(self, canonical, tmp_path):
        suite = list(self.parsed(canonical["hostile"], tmp_path))[1]
        assert (suite.tests, suite.errors) == (1, 1)


class TestGithub:
    def test_every_command_is_one_that_the_runner_reads_back(self, named_report):
        _, report = named_report
        found = annotations(render(report, "github"))
        counted = sum(one.suppressed is None for entry in report.entries for one in entry.findings)
        failed = sum(entry.failure is not None for entry in report.entries)
        assert len(found) == counted + failed
        for _, properties, message in found:
            assert set(properties) <= {"file", "line", "endLine", "col", "endColumn", "title"}
            assert ("col" in properties) == ("endColumn" in properties)
            assert properties["line"] == properties["endLine"]
            assert message
            assert properties["title"]

    def test_special_characters_come_back(self):
        title = replace(RULE, name="100%, a:b")
        place = replace(HERE, file="a,b:c%.yaml")
        report = Report("check", (entry_of(finding(card=title, place=place, message="50 % of it: a,b::c")),))
        ((_, properties, message),) = annotations(render(report, "github"))
        assert properties["file"] == "a,b:c%.yaml"
        assert properties["title"] == "100%, a:b (IP301) in net"
        assert message.splitlines()[0] == "50 % of it: a,b::c"

    def test_the_most_severe_come_first_and_the_tenth_counts_the_rest(self):
        severities = ["info"] * 5 + ["warning"] * 5 + ["error"] * 3
        many = [finding(severity, sites=(f"{severity}{number}",)) for number, severity in enumerate(severities)]
        text = render(Report("check", (entry_of(*many),)), "github")
        found = annotations(text)
        assert [level for level, _, _ in found] == ["error"] * 3 + ["warning"] * 5 + ["notice"] * 2
        assert found[-1][2] == "…and 4 more, in the log"
        assert text.splitlines()[-1].startswith("3 errors, 5 warnings, 5 notes in 1 target")

    def test_ten_need_no_count(self):
        found = annotations(render(Report("check", (entry_of(*[finding()] * 10),)), "github"))
        assert [level for level, _, _ in found] == ["error"] * 10

    def test_an_approximate_place_has_no_columns(self):
        report = Report("check", (entry_of(finding(place=replace(HERE, approximate=True))),))
        ((_, properties, message),) = annotations(render(report, "github"))
        assert "col" not in properties
        assert "nearest line" in message

    def test_a_suppressed_finding_is_not_told(self):
        report = Report("check", (entry_of(finding(suppressed="on purpose")),))
        assert annotations(render(report, "github")) == []


class TestGitlab:
    def test_is_valid_and_unique(self, named_report):
        issues = strict(render(named_report[1], "gitlab"))
        validator_for(GITLAB)(GITLAB).validate(issues)
        prints = [issue["fingerprint"] for issue in issues]
        assert len(prints) == len(set(prints))

    def test_the_description_begins_with_the_rule_and_ends_with_the_fix(self):
        fixed = finding(fix=Fix("use he", "gain 1.0"))
        (issue,) = strict(render(Report("check", (entry_of(fixed),)), "gitlab"))
        assert issue["description"] == "dead-units: it is wrong — a.0 — fix: use he    verified: gain 1.0"

    def test_severities_differ(self):
        found = [finding(severity, sites=(severity,)) for severity in ("error", "warning", "info")]
        issues = strict(render(Report("check", (entry_of(*found),)), "gitlab"))
        assert [issue["severity"] for issue in issues] == ["critical", "major", "info"]

    def test_a_network_in_no_file_has_a_path_all_the_same(self):
        report = Report("check", (entry_of(finding(place=None), target="timm:resnet50"),))
        (issue,) = strict(render(report, "gitlab"))
        assert issue["location"]["path"] == "timm:resnet50"


class TestJsonLines:
    def test_every_line_is_an_object_and_the_entries_come_in_order(self, named_report):
        _, report = named_report
        lines = [strict(line) for line in render(report, "jsonl").splitlines()]
        assert lines[0]["type"] == "report"
        assert lines[0]["schema"] == SCHEMA
        expected = []
        for number, entry in enumerate(report.entries):
            expected += [("finding", number)] * len(entry.findings) + [("summary", number)]
        assert [(line["type"], line["entry"]) for line in lines[1:]] == expected

    def test_a_finding_has_the_fields_of_the_result_file(self, canonical):
        line = strict(render(canonical["failing"], "jsonl").splitlines()[1])
        result = strict(render(canonical["failing"], "json"))["results"][0]["findings"][0]
        del result["rule"]["doc"]
        assert {key: line[key] for key in result} == result
        assert line["fix"]["summary"] == "init.default: kaiming_normal"

    def test_the_summary_counts(self, canonical):
        summary = strict(render(canonical["failing"], "jsonl").splitlines()[-1])
        assert summary["findings"] == {"error": 2, "warning": 1, "info": 0}
        assert summary["suppressed"] == 1
        assert summary["verdict"] == "fail"
        assert summary["failure"] is None


def test_markdown_shows_the_fix_and_what_to_paste(canonical):
    text = render(canonical["failing"], "markdown")
    assert "fix: init.default: kaiming\\_normal (verified: 0.996" in text
    assert "<pre>\ninit:\n  default: kaiming_normal\n</pre>" in text
