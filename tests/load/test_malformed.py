"""Every file under malformed/ says in its first lines what is wrong with it: line, column and message."""

import re
from pathlib import Path

import pytest

from initprobe.errors import SpecError
from initprobe.load.target import open_target
from initprobe.records import TargetRequest

FILES = sorted((Path(__file__).parent / "malformed").glob("*.yaml"))
EXPECTED = re.compile(r"# expect: (\d+):(\d+) (.+)")


def refused(path):
    with pytest.raises(SpecError) as caught:
        open_target(TargetRequest(str(path)))
    return caught.value


def test_there_are_enough_of_them():
    assert len(FILES) >= 50


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_mistake_is_told_at_its_place(path):
    expected = [(int(line), int(column), text) for line, column, text in EXPECTED.findall(path.read_text())]
    error = refused(path)
    places = [error.spec.locate(problem.path, on=problem.on) for problem in error.problems]
    told = [(place.line, place.column) for place in places]
    assert told == [(line, column) for line, column, _ in expected]
    for problem, (_, _, text) in zip(error.problems, expected, strict=True):
        assert text in problem.message


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_text_shows_file_line_and_caret_and_nothing_of_ours(path):
    error = refused(path)
    text = error.render()
    assert text.count("error[spec]: ") == len(error.problems)
    assert len(re.findall(rf"--> \S*{path.name}:\d+:\d+\n", text)) == len(error.problems)
    assert all(re.search(r"\| *\^+", part) for part in text.split("error[spec]: ")[1:])
    assert "Traceback" not in text
    assert "pydantic" not in text


def test_options_at_the_wrong_place_are_shown_at_the_right_one(tmp_path):
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "version: 1\n"
        "model:\n"
        "  input: {shape: [8]}\n"
        "  layers: [{type: linear, out: 8, name: head}]\n"
        "init:\n"
        "  default: lsuv(tolerance=0.01, max_passes = 3)\n"
        "  overrides: [{match: head, scheme: normal, std: 0.1}]\n"
    )
    default, override = refused(spec).problems
    assert default.hint == "options stand beside it: {scheme: lsuv, tolerance: 0.01, max_passes: 3}"
    assert override.hint == (
        "known here: match, scheme; options of a scheme stand beside its name: scheme: {scheme: normal, std: 0.02}"
    )
