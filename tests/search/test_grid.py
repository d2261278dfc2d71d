"""Which points a sweep visits, and what they are called."""

from dataclasses import replace

import pytest

from initprobe.errors import UsageError
from initprobe.records import Entry, Failure, Request, TargetRequest
from initprobe.search.grid import Point, grid, visit


def test_every_combination_the_last_axis_fastest():
    points = grid({"vars.a": [1, 2], "init.default": ["he", {"scheme": "normal", "std": 0.02}]})
    assert [point.sets for point in points] == [
        (("vars.a", "1"), ("init.default", "he")),
        (("vars.a", "1"), ("init.default", '{"scheme": "normal", "std": 0.02}')),
        (("vars.a", "2"), ("init.default", "he")),
        (("vars.a", "2"), ("init.default", '{"scheme": "normal", "std": 0.02}')),
    ]
    assert [point.name for point in points] == ["a=1", "a=1", "a=2", "a=2"]
    assert points[0].scheme == "he"


def test_text_that_yaml_would_take_for_something_else_is_quoted():
    points = grid({"vars.a": ["true", "null", "1", "two words", True, None, 1e-5]})
    assert [dict(point.sets)["vars.a"] for point in points] == [
        '"true"', '"null"', '"1"', '"two words"', "true", "null", "1e-05",
    ]  # fmt: skip


def test_what_the_command_line_decides_is_no_axis():
    assert [point.name for point in grid({"vars.a": [1, 2], "vars.b": [3]}, ["vars.a"])] == ["b=3"]
    with pytest.raises(UsageError, match="nothing is left to sweep over"):
        grid({"vars.a": [1, 2]}, ["vars.a"])
    with pytest.raises(UsageError, match="no `sweep:` section"):
        grid({})


def test_a_point_is_an_entry_with_its_assignment_as_name():
    asked = []

    def probe(request):
        asked.append(request)
        entry = Entry("net", "own init", Request(request))
        return replace(entry, failure=Failure(3, "broken")) if len(asked) == 2 else entry

    points = grid({"vars.a": [1], "init.default": ["he", "xavier"]})
    heard = []
    entries = visit(points, TargetRequest("net.yaml", (("vars.b", "7"),)), probe, heard.append)
    assert asked[1].sets == (("vars.b", "7"), ("vars.a", "1"), ("init.default", "xavier"))
    assert [(entry.name, entry.scheme) for entry in entries] == [("a=1", "own init"), ("a=1", "xavier")]
    assert heard == ["vars.a=1, init.default=he", "vars.a=1, init.default=xavier"]


def test_a_sweep_over_schemes_alone_keeps_the_name():
    (entry,) = visit(
        [Point((("init.default", "he"),))], TargetRequest("a.yaml"), lambda at: Entry("net", "he", Request(at))
    )
    assert entry.name == "net"


def test_standard_input_is_refused():
    with pytest.raises(UsageError, match="standard input can be read once"):
        visit([Point(())], TargetRequest("-"), lambda at: Entry("net", "he", Request(at)))
