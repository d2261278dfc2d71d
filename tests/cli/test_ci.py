"""GitHub Actions is told by itself, and nobody else notices."""

import io
import json
import re

import pytest

from initprobe.cli.ci import shortened

BAD = ("check", "models.py:vanishing", "--input", "32")


@pytest.fixture
def actions(monkeypatch, folder):
    """A step of a job; answers with the file of its summary."""
    summary = folder / "summary.md"
    summary.write_text("# before\n")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    return summary


def commands(text):
    return [line for line in text.splitlines() if line.startswith("::")]


def test_annotations_go_to_standard_error_and_the_report_into_the_summary(initprobe, actions):
    ran = initprobe(*BAD, "-o", "json")
    json.loads(ran.out)
    (first, *_) = commands(ran.err)
    assert first.startswith("::error file=models.py,line=")
    assert "title=vanishing-" in first
    text = actions.read_text()
    assert text.startswith("# before\n## initprobe check: ")
    assert "IP201" in text


def test_a_network_that_passes_is_annotated_with_nothing(initprobe, actions):
    assert commands(initprobe("check", "tiny.yaml", "--ignore", "IP006").err) == []
    assert "no findings" in actions.read_text()


def test_the_format_on_standard_output_is_enough(initprobe, actions):
    ran = initprobe(*BAD, "-o", "github")
    assert commands(ran.err) == []
    assert commands(ran.out)


@pytest.mark.parametrize("arguments", [("--no-ci",), ("-qq",)])
def test_both_can_be_switched_off(initprobe, actions, arguments):
    ran = initprobe(*BAD, *arguments)
    assert ran.code == 1
    assert commands(ran.err) == []
    assert actions.read_text() == "# before\n"


def test_elsewhere_nothing_is_added(initprobe, actions, monkeypatch):
    monkeypatch.delenv("GITHUB_ACTIONS")
    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    assert commands(initprobe(*BAD).err) == []
    assert actions.read_text() == "# before\n"


def test_run_measures_and_tells_nobody(initprobe, actions):
    assert commands(initprobe("run", "models.py:vanishing").err) == []
    assert actions.read_text() == "# before\n"


def test_a_summary_that_was_asked_for_is_not_written_twice(initprobe, actions):
    initprobe(*BAD, "-o", f"markdown={actions}")
    assert actions.read_text().count("## initprobe check") == 1


def test_a_summary_that_cannot_be_written_changes_no_verdict(initprobe, actions, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "absent/summary.md")
    ran = initprobe(*BAD)
    assert ran.code == 1
    assert "the job summary could not be written: No such file" in ran.err


def test_a_target_that_is_broken_is_an_annotation(initprobe, actions):
    ran = initprobe("check", "models.py:fails")
    assert ran.code == 3
    (only,) = commands(ran.err)
    assert only.startswith("::error file=models.py,")
    assert "no such thing" in only


def test_paths_begin_at_the_checkout(initprobe, actions, folder, monkeypatch):
    monkeypatch.setenv("GITHUB_WORKSPACE", str(folder.parent))
    ran = initprobe(*BAD, "-o", "sarif")
    assert f"file={folder.name}/models.py," in ran.err
    result = json.loads(ran.out)["runs"][0]["results"][0]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == f"{folder.name}/models.py"


def test_a_network_of_no_file_stands_at_a_file_of_the_project(initprobe, folder, monkeypatch):
    (folder / "pyproject.toml").write_text("[project]\n")
    spec = (folder / "tiny.yaml").read_text().replace("kaiming_normal", "{scheme: normal, std: 0.01}")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(spec.encode())))
    run = json.loads(initprobe("check", "-", "-o", "sarif").out)["runs"][0]
    places = [result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in run["results"]]
    assert places
    assert set(places) == {"pyproject.toml"}


class TestShortened:
    TEXT = "# head\n\n<details><summary>Layers</summary>\n\n" + "| a | ü |\n" * 1000 + "\n</details>\n"

    def test_what_fits_stays(self):
        assert shortened(self.TEXT, len(self.TEXT.encode())) == self.TEXT

    @pytest.mark.parametrize("limit", [301, 400, 1000, 5000, len(TEXT.encode()) - 1])
    def test_what_does_not_is_cut_between_lines_and_counted(self, limit):
        text = shortened(self.TEXT, limit)
        assert len(text.encode()) <= limit
        assert text.count("<details>") == text.count("</details>")
        told = re.search(r"\n(\d+) more lines did not fit; .*\n$", text)
        kept = len(self.TEXT.splitlines()) - int(told[1])
        assert text.startswith("".join(self.TEXT.splitlines(keepends=True)[:kept]))

    def test_no_room_is_no_text(self):
        assert shortened(self.TEXT, 0) == ""
        assert shortened(self.TEXT, -5) == ""
