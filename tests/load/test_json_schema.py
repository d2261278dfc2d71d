import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from initprobe.errors import SpecError
from initprobe.load.blocks.base import BLOCKS
from initprobe.load.json_schema import spec_json_schema
from initprobe.load.parse import parse
from initprobe.load.schema import checked, read_spec

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
MODEL = "version: 1\nmodel:\n  input: {shape: [8]}\n  layers:\n    - "


@pytest.fixture(scope="module")
def validator():
    return Draft202012Validator(spec_json_schema())


def test_the_published_schema_is_current():
    published = json.loads((ROOT / "schema" / "spec.v1.json").read_text())
    assert published == spec_json_schema(), "run `initprobe schema spec > schema/spec.v1.json`"


def test_it_is_a_schema():
    Draft202012Validator.check_schema(spec_json_schema())


def test_it_knows_every_block():
    known = {option["$ref"] for option in spec_json_schema()["$defs"]["AnyLayer"]["anyOf"][1]["anyOf"]}
    assert len(known) == len(BLOCKS)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_it_accepts_what_ships(path, validator):
    validator.validate(parse(path.read_text(), path.name).values)


@pytest.mark.parametrize(
    "layer",
    [
        "relu",
        '"${layer}"',
        '{type: linear, out: "${width}"}',
        "{type: repeat, times: 2, layers: [relu, {type: residual, layers: [tanh]}]}",
        "rulu",
        "linear",
        "{type: linear}",
        "{type: linear, out: 0}",
        "{type: linear, out: x}",
        "{type: linear, out: 3, kernel: 3}",
        "{out: 3}",
        "3",
    ],
)
def test_it_agrees_with_the_grammar(layer, validator):
    text = MODEL + layer + "\n"
    accepted = validator.is_valid(parse(text, "f").values)
    text += "vars: {layer: relu, width: 3}\n"
    try:
        checked(read_spec("f", text=text))
    except SpecError:
        assert not accepted
    else:
        assert accepted


def test_every_key_is_described():
    for name, section in spec_json_schema()["$defs"].items():
        for key, field in section.get("properties", {}).items():
            assert "description" in field or name in activations(), f"{name}.{key}"


def activations():
    return {layer.__name__ for layer in BLOCKS.values() if hasattr(layer, "defaults")}
