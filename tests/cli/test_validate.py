"""`initprobe validate`: what is right, what is wrong, and the spec as it will be used."""

import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


def test_a_line_for_every_spec(initprobe, folder):
    ran = initprobe("validate", "tiny.yaml", "preset:deep-mlp")
    assert ran.code == 0
    assert ran.out.startswith(
        "tiny.yaml: valid; 2,176 parameters in 26 modules, (16,) -> (16,)\npreset:deep-mlp: valid;"
    )


def test_a_broken_one_hides_no_other(initprobe, folder):
    (folder / "bad.yaml").write_text("version: 1\nmodel: {input: {shape: [2]}, layers: [rulu]}\n")
    ran = initprobe("validate", "bad.yaml", "tiny.yaml", "models.py:healthy")
    assert ran.code == 2
    assert "tiny.yaml: valid" in ran.out
    assert "--> bad.yaml:2:39" in ran.err
    assert "did you mean 'relu'?" in ran.err
    assert "'models.py:healthy' is no spec" in ran.err


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("init: {default: hee}", "2:17"),
        ("init: {overrides: [{match: a, scheme: hee}]}", "2:39"),
        ("compare: [he, hee]", "2:15"),
        ("sweep: {init.default: [he, hee]}", "2:28"),
        ("check: {select: [IP999]}", "2:"),
    ],
)
def test_schemes_and_rules_that_are_not_there_are_told(initprobe, folder, text, place):
    (folder / "bad.yaml").write_text(f"version: 1\n{text}\nmodel: {{input: {{shape: [2]}}, layers: [relu]}}\n")
    ran = initprobe("validate", "bad.yaml")
    assert ran.code == 2
    assert f"--> bad.yaml:{place}" in ran.err


def test_several_resolved_specs_are_documents_of_one_stream(initprobe, folder):
    ran = initprobe("validate", "--resolved", "tiny.yaml", "preset:deep-mlp")
    first, second = ran.out.split("---\n")
    assert first.startswith("# yaml-language-server: $schema=./schema/spec.v1.json\nversion: 1\nname: tiny\n")
    (folder / "second.yaml").write_text(second)
    assert initprobe("validate", "second.yaml").code == 0


def test_standard_input_is_read_once(initprobe, folder, monkeypatch):
    text = (folder / "tiny.yaml").read_bytes()
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(text)))
    ran = initprobe("validate", "--resolved", "-")
    assert ran.code == 0
    assert "name: tiny\n" in ran.out
