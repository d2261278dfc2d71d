"""`initprobe new`: a spec to start from, with a schema that an editor finds."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from initprobe.load.parse import parse
from initprobe.load.presets import preset_files
from initprobe.load.schema import read_spec


def test_a_commented_spec_and_its_schema(initprobe, folder):
    ran = initprobe("new", "-o", "net.yaml")
    assert (ran.code, ran.out) == (0, "")
    assert "wrote net.yaml and schema/spec.v1.json" in ran.err
    assert "next: initprobe validate net.yaml  |  initprobe run net.yaml  |  initprobe compare net.yaml" in ran.err
    text = (folder / "net.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=./schema/spec.v1.json\n#\n# Fifty linear layers")
    assert "# expect" not in text
    assert "initprobe compare net.yaml" in text
    assert "\nname: net\n" in text
    schema = json.loads((folder / "schema" / "spec.v1.json").read_text())
    Draft202012Validator(schema).validate(parse(text, "net.yaml").values)


@pytest.mark.untraced
@pytest.mark.parametrize("preset", sorted(preset_files()))
def test_every_preset_is_a_start(initprobe, folder, preset):
    assert initprobe("new", preset, "-o", "mine.yaml").code == 0
    ran = initprobe("validate", "mine.yaml")
    assert ran.code == 0, ran.err
    ours, theirs = (dict(read_spec(file).values) for file in ("mine.yaml", preset_files()[preset]))
    assert ours.pop("name") == "mine"
    theirs.pop("name")
    if "from" not in theirs["model"].get("input", {}):
        assert ours == theirs


def test_what_is_there_stays_there(initprobe, folder):
    before = (folder / "tiny.yaml").read_text()
    ran = initprobe("new", "-o", "tiny.yaml")
    assert ran.code == 2
    assert "'tiny.yaml' is there already\n  = help: --force writes over it" in ran.err
    assert (folder / "tiny.yaml").read_text() == before
    assert not (folder / "schema").exists()
    assert initprobe("new", "-o", "tiny.yaml", "--force").code == 0
    assert "Fifty linear layers" in (folder / "tiny.yaml").read_text()


def test_the_schema_of_the_project_is_used_and_kept_up_to_date(initprobe, folder):
    initprobe("new", "-o", "one.yaml")
    schema = folder / "schema" / "spec.v1.json"
    current = schema.read_text()
    (folder / "nets").mkdir()
    assert "wrote nets/two.yaml\n" in initprobe("new", "-o", "nets/two.yaml").err
    assert (
        (folder / "nets" / "two.yaml")
        .read_text()
        .startswith("# yaml-language-server: $schema=../schema/spec.v1.json\n")
    )
    schema.write_text('{"title": "initprobe spec, version 1"}')
    assert "and nets/../schema/spec.v1.json" in initprobe("new", "-o", "nets/three.yaml").err
    assert schema.read_text() == current
    schema.write_text('{"title": "of somebody else"}')
    initprobe("new", "-o", "four.yaml")
    assert schema.read_text() == '{"title": "of somebody else"}'


def test_standard_output_holds_the_spec_alone(initprobe, folder):
    ran = initprobe("new", "siren")
    assert ran.code == 0
    assert ran.out.startswith("# yaml-language-server: $schema=./schema/spec.v1.json\n")
    assert "initprobe schema spec > schema/spec.v1.json" in ran.err
    assert sorted(path.name for path in folder.iterdir()) == ["models.py", "tiny.yaml"]
    (folder / "piped.yaml").write_text(ran.out)
    assert initprobe("validate", "piped.yaml").code == 0


def test_data_of_a_preset_are_found_from_anywhere(initprobe, folder):
    ran = initprobe("new", "digits", "-o", "mine.yaml")
    assert "its data stay where they are: " in ran.err
    assert Path(read_spec("mine.yaml").values["model"]["input"]["from"]).is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dep-mlp"], "did you mean preset:deep-mlp?"),
        (["-o", "-"], "'-' is no name of a spec\n  = help: without -o, the spec goes to standard output"),
        (["-o", "net.txt"], "'net.txt' is no name of a spec\n  = help: net.yaml"),
        (["-o", "nowhere/net.yaml"], "there is no directory 'nowhere'"),
    ],
)
def test_what_cannot_be_started_is_told(initprobe, folder, arguments, message):
    ran = initprobe("new", *arguments)
    assert ran.code == 2
    assert message in ran.err


def test_a_name_that_yaml_would_misread_is_quoted(initprobe, folder):
    initprobe("new", "-o", "3 nets: a.yaml")
    assert read_spec("3 nets: a.yaml").values["name"] == "3 nets: a"
    initprobe("new", "-o", "true.yaml")
    assert read_spec("true.yaml").values["name"] == "true"
