"""The result file: valid, portable, deterministic, and read back to the same report."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from initprobe.errors import UsageError
from initprobe.records import Estimate, Location, Report, TargetRequest
from initprobe.report.render import render
from initprobe.report.result import load_result, portable_path, result_json_schema, to_result

SCHEMA_FILE = Path(__file__).parents[2] / "schema" / "result.v1.json"


def test_the_stored_schema_is_current(request):
    text = json.dumps(result_json_schema(), indent=2) + "\n"
    if request.config.getoption("--update-golden", default=False):
        SCHEMA_FILE.write_text(text)
    assert SCHEMA_FILE.read_text() == text, "pytest tests/report --update-golden rewrites it"


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(result_json_schema())


def test_results_are_valid(named_report):
    jsonschema.validate(json.loads(render(named_report[1], "json")), result_json_schema())


@pytest.mark.parametrize("bad", ["NaN", "Infinity", "1e5", True, None])
def test_the_schema_refuses_other_spellings_of_numbers(canonical, bad):
    payload = to_result(canonical["clean"])
    payload["results"][0]["sites"][0]["forward"]["rms"]["mean"] = bad
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(payload, result_json_schema())


def test_a_report_comes_back_the_same(canonical):
    for name in ("empty", "clean", "failing", "compare"):
        assert load_result(render(canonical[name], "json")) == canonical[name], name


def test_whole_numbers_are_written_in_one_way(canonical):
    entry = canonical["clean"].entries[0]
    text = render(Report("run", (replace(entry, segments=(), sites=(as_int(entry.sites[0]), entry.sites[1])),)), "json")
    assert render(load_result(text), "json") == text


def as_int(summary):
    """A site whose statistics came as integers where the record says float."""
    return replace(summary, forward={"count": Estimate(7, 7, 7, (7, 7)), "rms": Estimate(-0.0, 1e300, 0.5, (1.0,))})


def test_a_hostile_report_comes_back_as_it_was_written(canonical):
    text = render(canonical["hostile"], "json")
    again = load_result(text)
    assert render(again, "json") == text
    assert again.entries[0].sites[2].site.key == "two\nlines"
    assert math.isinf(again.entries[0].segments[0].forward.drift.mean)


def test_fields_of_a_later_version_are_skipped(canonical):
    payload = to_result(canonical["clean"])
    payload["later"] = {"x": 1}
    payload["results"][0]["later"] = [1]
    assert load_result(json.dumps(payload)) == canonical["clean"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ('{"schema": NaN}', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a result file"),
        ("{}", "not a result file"),
        ('{"schema": 1}', "not a result file"),
        ('{"schema": "initprobe/result/v2"}', "reads initprobe/result/v1"),
        ('{"schema": "initprobe/result/v1"}', "tool: Field required"),
    ],
)
def test_what_is_no_result_file_is_told_clearly(text, message):
    with pytest.raises(UsageError) as caught:
        load_result(text)
    assert message in caught.value.render()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("batch", "256"),
        ("batch", 2.5),
        ("one_draw", 1),
        ("one_draw", "yes"),
        ("name", 3),
        ("seeds", 0),
        ("verdict", "maybe"),
    ],
)
def test_values_of_the_wrong_type_are_refused_with_their_place(canonical, key, value):
    payload = to_result(canonical["clean"])
    payload["results"][0][key] = value
    with pytest.raises(UsageError, match=rf"results\.0\.{key}"):
        load_result(json.dumps(payload))


def test_a_number_as_text_is_refused(canonical):
    payload = to_result(canonical["clean"])
    payload["results"][0]["sites"][0]["forward"]["rms"]["mean"] = "1.5"
    with pytest.raises(UsageError, match=r"results\.0\.sites\.0\.forward\.rms"):
        load_result(json.dumps(payload))


@pytest.mark.parametrize("cut", range(0, 4000, 37))
def test_a_torn_file_is_one_clear_message(canonical, cut):
    text = render(canonical["clean"], "json")
    with pytest.raises(UsageError):
        load_result(text[:cut])


@pytest.mark.parametrize(
    ("path", "portable"),
    [
        ("model.py", "model.py"),
        ("../a/model.py", "../a/model.py"),
        ("/home/alice/net/model.py", "model.py"),
        ("/v/lib/python3.11/site-packages/timm/models/resnet.py", "timm/models/resnet.py"),
        ("C:\\Users\\alice\\net.py", "net.py"),
        ("-", "-"),
        ("", ""),
    ],
)
def test_paths_are_portable(path, portable):
    assert portable_path(path) == portable


def test_no_absolute_path_is_written(canonical):
    entry = canonical["failing"].entries[0]
    target = TargetRequest(
        "/home/alice/my nets/a.py:build(w='/data')",
        paths=("/home/alice/src",),
        batch_from="/home/alice/b.py:f",
        weights="/home/alice/last.safetensors",
    )
    finding = replace(entry.findings[0], location=Location("/home/alice/a.py", 1))
    entry = replace(
        entry, name="/home/alice/my nets/a.py:build", request=replace(entry.request, target=target), findings=(finding,)
    )
    text = render(Report("check", (entry, canonical["hostile"].entries[1])), "json")
    assert "alice" not in text
    payload = json.loads(text)["results"]
    assert payload[0]["request"]["target"]["text"] == "a.py:build(w='/data')"
    assert payload[0]["request"]["target"]["weights"] == "last.safetensors"
    assert payload[0]["name"] == "a.py:build"
    assert 'File "model.py", line 3' in payload[1]["failure"]["message"]
