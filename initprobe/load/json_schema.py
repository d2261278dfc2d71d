"""The grammar of specs as JSON Schema, for editors and for `initprobe schema spec`."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from initprobe.load.grammar import spec_schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"
VARIABLE = {
    "type": "string",
    "pattern": r"^\$\{\s*[A-Za-z_][A-Za-z0-9_]*\s*\}$",
    "description": "A variable of `vars`, which is put in its place",
}
FIXED = ("version", "extends", "vars")
"""Keys whose values cannot come from a variable."""

MERGED = ("model", "init")
"""Sections of which a spec that extends another one may say a part."""

PARTIAL = ("LayeredModel", "NamedModel", "DrawnInput", "FileInput", "InitSection", "SchemeMapping")
"""Their definitions: in such a spec nothing is required in them, but for what stands in lists."""

Schema = dict[str, Any]


class Untitled(GenerateJsonSchema):
    """pydantic's own generator, without a title that repeats the key on every field."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the base class calls it
        """Never."""
        return False

    def get_title_from_name(self, name: str) -> str:
        """The name as it is."""
        return name


def spec_json_schema() -> dict[str, Any]:
    """The JSON Schema of a spec, draft 2020-12; every value may also be a ``${variable}``."""
    generated = spec_schema().model_json_schema(by_alias=True, schema_generator=Untitled)
    definitions = generated.pop("$defs")
    schema = {
        "$schema": DIALECT,
        **_open_fields(generated),
        "title": "initprobe spec, version 1",
        "$defs": {
            **{name: _open_fields(definition) for name, definition in sorted(definitions.items())},
            "Variable": VARIABLE,
        },
    }
    properties = schema["properties"]
    properties.update({key: generated["properties"][key] for key in FIXED})
    return _extendable(schema)


def _extendable(schema: Schema) -> Schema:
    """The schema, where whoever extends another spec says what is different and no more."""
    properties, definitions = schema["properties"], schema["$defs"]
    whole = {key: properties[key] for key in MERGED}
    part = {key: _in_part(value) for key, value in whole.items()}
    properties.update({key: {"description": value["description"]} for key, value in whole.items()})
    definitions.update({f"Partial{name}": _in_part(definitions[name]) for name in PARTIAL})
    return {
        **schema,
        "required": [key for key in schema["required"] if key != "model"],
        "if": {"required": ["extends"]},
        "then": {"properties": part},
        "else": {"required": ["model"], "properties": whole},
    }


def _in_part(schema: Any) -> Any:
    """The schema without what it requires; lists are replaced as a whole, and stay as they are."""
    if isinstance(schema, list):
        return [_in_part(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    partial = {key: value if key == "items" else _in_part(value) for key, value in schema.items() if key != "required"}
    reference = str(schema.get("$ref", "")).rpartition("/")[2]
    if reference in PARTIAL:
        partial["$ref"] = f"#/$defs/Partial{reference}"
    return partial


def _open_fields(schema: Schema) -> Schema:
    """The schema, with a variable allowed wherever it describes a value inside."""
    opened = dict(schema)
    for key in ("properties", "patternProperties"):
        if key in opened:
            opened[key] = {name: _or_variable(value) for name, value in opened[key].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(opened.get(key), dict):
            opened[key] = _or_variable(opened[key])
    options = opened.pop("oneOf", opened.get("anyOf"))  # a variable may fit several members of a union
    if options is not None and "properties" not in opened:
        opened["anyOf"] = [_open_fields(option) for option in options]
    return opened


def _or_variable(schema: Schema) -> Schema:
    """The schema or a variable; what describes the field stays outside."""
    kept: Schema = {key: schema[key] for key in ("description", "default") if key in schema}
    inner = _open_fields({key: value for key, value in schema.items() if key not in kept})
    options = inner["anyOf"] if set(inner) == {"anyOf"} else [inner]
    return {**kept, "anyOf": [*options, {"$ref": "#/$defs/Variable"}]}
