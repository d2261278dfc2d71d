import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from initprobe.errors import SpecError
from initprobe.load.document import BROKEN, decode
from initprobe.load.limits import MAX_BYTES, MAX_DEPTH
from initprobe.load.parse import parse


def read(text):
    return parse(decode(text.encode(), "spec.yaml"), "spec.yaml")


def refusal(text):
    raw = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(SpecError) as caught:
        parse(decode(raw, "spec.yaml"), "spec.yaml")
    return caught.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1e3", 1000.0),
        ("-1.5E+2", -150.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("12", 12),
        ("+12", 12),
        ("010", 10),
        ("0o17", 15),
        ("0xff", 255),
        ("999999999999999999", 999999999999999999),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2024-01-02", "2024-01-02"),
        ("0b1", "0b1"),
        ("nan", "nan"),
        ("no", "no"),
        ("On", "On"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("tRue", "tRue"),
        ("null", None),
        ("~", None),
        ("", None),
        ('"12"', "12"),
        ("'true'", "true"),
        ('"null"', "null"),
        ("'it''s'", "it's"),
        ('"a\\tb"', "a\tb"),
    ],
)
def test_scalars_follow_yaml_one_point_two(text, value):
    found = read(f"key: {text}\n").values["key"]
    assert found == value
    assert type(found) is type(value)


def test_block_scalars_are_text():
    assert read("a: |\n  1\n  2\nb: >\n  x\n  y\n").values == {"a": "1\n2\n", "b": "x y\n"}


TEXT = """\
version: 1   # comment
model:
  input: {shape: [784, 3], dist: normal}
  layers:
    - {type: linear, out: "${width}"}
    - relu   # the rectifier
    - type: repeat   # twice
      times: 2
      layers: [relu,
               tanh]
"""


@pytest.mark.parametrize(
    ("path", "line", "underlined"),
    [
        (("version",), 1, "1"),
        (("model",), 3, "input: {shape: [784, 3], dist: normal}"),
        (("model", "input"), 3, "{shape: [784, 3], dist: normal}"),
        (("model", "input", "shape"), 3, "[784, 3]"),
        (("model", "input", "shape", 1), 3, "3"),
        (("model", "layers"), 5, '- {type: linear, out: "${width}"}'),
        (("model", "layers", 0), 5, '{type: linear, out: "${width}"}'),
        (("model", "layers", 0, "out"), 5, '"${width}"'),
        (("model", "layers", 1), 6, "relu"),
        (("model", "layers", 2), 7, "type: repeat"),
        (("model", "layers", 2, "layers"), 9, "[relu"),
        (("model", "layers", 2, "layers", 1), 10, "tanh"),
    ],
)
def test_every_value_has_its_place(path, line, underlined):
    place = read(TEXT).value_at[path]
    assert place.line == line
    assert place.text == TEXT.splitlines()[line - 1]
    assert place.text[place.column - 1 : place.end_column - 1] == underlined


def test_every_key_has_its_place():
    keys = read(TEXT).key_at
    for path, place in keys.items():
        assert place.text[place.column - 1 : place.end_column - 1] == path[-1]
    assert ("model", "layers", 2, "times") in keys


def test_places_hold_behind_a_byte_order_mark_and_with_carriage_returns():
    document = parse(decode("\ufeffa: 1\r\nb: [2, x]\r\n".encode(), "f"), "f")
    assert document.values == {"a": 1, "b": [2, "x"]}
    assert document.value_at[("b", 1)].text == "b: [2, x]"
    assert (document.value_at[("a",)].line, document.value_at[("a",)].column) == (1, 4)


def test_mistakes_that_do_not_stop_the_reading_are_collected():
    document = read("a: 1\na: 2\nb: .nan\nc: 99999999999999999999\nd: x\n")
    assert [problem.path for problem in document.problems] == [("a",), ("b",), ("c",)]
    assert document.values["b"] is BROKEN
    assert document.values["d"] == "x"


@pytest.mark.parametrize(
    ("raw", "place", "message"),
    [
        (b"\xff\xfea\x00", "1:1", "not UTF-8"),
        (b"a: 1\nb: caf\xe9\n", "2:7", "byte 0xe9"),
        (b"a: 1\nb: \x1b[31mred\n", "2:4", "U+001B"),
        ("a: x\u202ey\n".encode(), "1:5", "U+202E"),
        ("a: x\u2028y\n".encode(), "1:5", "U+2028"),
        (b"a: \x00\n", "1:4", "U+0000"),
        (b"a" * (MAX_BYTES + 1), "1:1", "256 KiB"),
    ],
)
def test_bytes_that_hide_something_are_refused(raw, place, message):
    error = refusal(raw)
    assert message in str(error)
    assert f"spec.yaml:{place}\n" in error.render() + "\n"
    assert all(char.isprintable() or char == "\n" for char in error.render())


def test_brackets_without_end_are_refused_where_the_limit_is():
    error = refusal("[" * 100_000)
    assert f"spec.yaml:1:{MAX_DEPTH + 1}" in error.render()
    assert len(error.render()) < 1000


def test_nesting_up_to_the_limit_is_read():
    assert read("[" * MAX_DEPTH + "]" * MAX_DEPTH).values is not None


def test_too_many_values_are_refused(monkeypatch):
    monkeypatch.setattr("initprobe.load.parse.MAX_EVENTS", 1000)
    assert len(read(f"[{'1,' * 990}]").values) == 990
    error = refusal(f"[{'1,' * 1000}]")
    assert "more than 1000" in str(error)


def test_a_line_that_is_too_long_is_cut():
    document = read(f"a: 1\nb: [{'x, ' * 100}y]\n")
    assert len(document.value_at[("b", 0)].text) == 201
    assert document.value_at[("b", 99)].text == ""
    assert document.value_at[("b", 99)].column == 302


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(min_codepoint=32, max_codepoint=126)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1), inner, max_size=4)
    ),
    max_leaves=20,
)


class Plain(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


def quoted(dumper, text):
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')


Plain.add_representer(str, quoted)


@given(plain)
def test_what_was_written_is_read_again(value):
    text = yaml.dump({"value": value}, Dumper=Plain)
    document = parse(text, "f")
    assert document.values == {"value": value}
    assert not document.problems


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_no_text_raises_anything_else(text):
    try:
        values = parse(decode(text.encode("utf-8", "surrogatepass"), "f"), "f").values
    except SpecError as error:
        values = error.render()
    assert values is not None or text.strip() in ("null", "Null", "NULL", "~", "---", "")
