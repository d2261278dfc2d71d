import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from initprobe.errors import SpecError
from initprobe.load.blocks.base import BLOCKS
from initprobe.load.document import decode
from initprobe.load.json_schema import spec_json_schema
from initprobe.load.parse import parse
from initprobe.load.schema import checked, read_spec

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
MALFORMED = sorted((Path(__file__).parent / "malformed").glob("*.yaml"))
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


@pytest.mark.untraced
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_it_accepts_what_ships(path, validator):
    validator.validate(parse(path.read_text(), path.name).values)


BEYOND = {
    "what fits together depends on shapes": "conv_on_vector embedding_on_numbers glu_of_odd_width groups_do_not_divide "
    "kernel_too_large kernel_with_three_axes linear_on_tokens pooling_too_often residual_changes_shape softmax_over_batch",
    "sizes are products of numbers all over the file": "a_billion_layers a_trillion_parameters "
    "more_than_can_be_counted nested_repeats sample_too_large sweep_too_large",
    "other files are not looked at": "data_file_missing extends_itself extends_what_is_not_there",
    "a variable stands for its value": "no_variables sweep_over_unknown_variable unknown_variable variable_bomb "
    "variable_circle variable_of_wrong_type",
    "names are compared with each other, and with those of torch": "name_that_modules_use two_layers_of_one_name",
}
"""Mistakes that JSON Schema cannot know, and why."""


def readable(path):
    """The values of a malformed spec; None where the text itself is wrong, which every YAML editor tells."""
    try:
        document = parse(decode(path.read_bytes(), path.name), path.name)
    except SpecError:
        return None
    return None if document.problems else document.values


@pytest.mark.parametrize("path", MALFORMED, ids=lambda path: path.stem)
def test_it_refuses_what_is_malformed(path, validator):
    values = readable(path)
    beyond = path.stem in " ".join(BEYOND.values()).split()
    assert values is None or validator.is_valid(values) is beyond


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
