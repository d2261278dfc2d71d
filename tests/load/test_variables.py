import pytest

from initprobe.errors import SpecError, UsageError
from initprobe.load.document import BROKEN, decode
from initprobe.load.parse import parse
from initprobe.load.variables import assign, substitute


def document(text, *sets):
    read = parse(decode(text.encode(), "spec.yaml"), "spec.yaml")
    assign(read, sets)
    substitute(read)
    return read


def test_variables_keep_their_types():
    values = document(
        'vars: {a: 1, b: 1e-3, c: [1, 2], d: no, e: null}\nx: ["${a}", "${b}", "${c}", "${d}", "${e}"]'
    ).values
    assert values["x"] == [1, 1e-3, [1, 2], "no", None]
    assert isinstance(values["x"][0], int)


def test_variables_may_name_variables_in_any_order():
    values = document('vars: {a: "${b}", b: ["${c}"], c: 3}\nx: "${a}"\n').values
    assert values["x"] == [3]
    assert values["vars"] == {"a": [3], "b": [3], "c": 3}


def test_a_substituted_value_stands_where_its_reference_stands():
    read = document('vars: {shape: [3, 4]}\nmodel:\n  input: "${shape}"\n')
    place = read.spec().locate(("model", "input", 1))
    assert (place.line, place.column, place.end_column) == (3, 10, 20)


@pytest.mark.parametrize("text", ['"a${b}"', '"${b} "', '"${}"', '"${b.c}"', '"${1}"', '"$${b}"'])
def test_only_whole_scalars_are_references(text):
    read = document(f"vars: {{b: 1}}\nx: {text}\n")
    assert read.values["x"] is BROKEN
    assert read.problems[0].path == ("x",)


def test_every_unknown_variable_is_told():
    read = document('vars: {width: 1}\nx: "${widht}"\ny: ["${times}"]\n')
    assert [(problem.path, problem.hint) for problem in read.problems] == [
        (("x",), "did you mean 'width'?"),
        (("y", 0), "the variables are width"),
    ]


@pytest.mark.parametrize("count", [1, 2, 3, 30])
def test_circles_are_told_once(count):
    names = [f"v{number}" for number in range(count)]
    pairs = ", ".join(f'{name}: "${{{after}}}"' for name, after in zip(names, [*names[1:], names[0]], strict=True))
    read = document(f'vars: {{{pairs}}}\nx: "${{v0}}"\n')
    assert [problem.path for problem in read.problems] == [("vars", names[-1])]
    assert "circle" in read.problems[0].message


def reference(number):
    return f'"${{v{number}}}"'


def test_expansion_is_refused_before_it_happens():
    lines = ["  v0: [a, a, a, a, a, a, a, a, a, a]"]
    lines += [f"  v{number}: [{', '.join([reference(number - 1)] * 10)}]" for number in range(1, 40)]
    read = document("vars:\n" + "\n".join(lines) + '\nx: "${v39}"\n')
    assert "more than 50000 values" in read.problems[0].message


def test_variables_do_not_nest_without_end():
    lines = ["  v0: 1"] + [f'  v{number}: ["${{v{number - 1}}}"]' for number in range(1, 2000)]
    read = document("vars:\n" + "\n".join(lines) + '\nx: "${v1999}"\n')
    assert "nested more than 32 deep" in read.problems[0].message


def test_long_chains_are_refused():
    lines = [f'  v{number}: "${{v{number + 1}}}"' for number in range(2000)] + ["  v2000: 1"]
    read = document("vars:\n" + "\n".join(lines) + '\nx: "${v0}"\n')
    assert "a chain of more than 32 variables" in read.problems[0].message


SPEC = "vars: {width: 8}\nmodel:\n  layers: [{out: 1}, relu]\n"


@pytest.mark.parametrize(
    ("key", "text", "path", "value"),
    [
        ("vars.width", "512", ("vars", "width"), 512),
        ("vars.width", "1e-3", ("vars", "width"), 1e-3),
        ("vars.width", "[1, 2]", ("vars", "width"), [1, 2]),
        ("vars.width", "", ("vars", "width"), None),
        ("model.layers.0.out", "7", ("model", "layers", 0, "out"), 7),
        ("model.layers.0.out", "${width}", ("model", "layers", 0, "out"), 8),
        ("model.layers.1", "{type: tanh}", ("model", "layers", 1), {"type": "tanh"}),
        ("init.default", "he", ("init", "default"), "he"),
        ("check.thresholds.forward_drift.error", "50", ("check", "thresholds", "forward_drift", "error"), 50),
    ],
)
def test_assignments_reach_every_value(key, text, path, value):
    read = document(SPEC, (key, text))
    found = read.values
    for part in path:
        found = found[part]
    assert found == value
    place = read.spec().locate(path)
    assert place.file == "--set"
    assert place.text == f"{key}={text}"
    assert place.text[place.column - 1 : place.end_column - 1] == text


def test_assignments_come_before_substitution():
    assert document('vars: {width: 8}\nx: "${width}"\n', ("vars.width", "16")).values["x"] == 16


def test_the_last_assignment_wins():
    assert document(SPEC, ("vars.width", "1"), ("vars.width", "2")).values["vars"] == {"width": 2}


def test_places_below_a_replaced_value_are_forgotten():
    read = document(SPEC, ("model.layers.0", "{type: relu}"))
    assert read.spec().locate(("model", "layers", 0, "out")).file == "--set"
    assert read.spec().locate(("model", "layers", 1)).file == "spec.yaml"


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("vars.widht", "no variable 'widht'"),
        ("model.layers.2", "has no item '2'"),
        ("model.layers.-1", "has no item '-1'"),
        ("model.layers.first", "has no item 'first'"),
        ("vars.width.more", "vars.width is a single value"),
        ("model..layers", "no key"),
        ("", "no key"),
    ],
)
def test_keys_that_lead_nowhere_are_usage_errors(key, message):
    with pytest.raises(UsageError, match=message):
        document(SPEC, (key, "1"))


@pytest.mark.parametrize("text", ["[1, 2", "&a 1", "!!int 3", '"', "{a: 1, a: 2}", ".nan", "\x1b", "a\nb: 1"])
def test_values_that_cannot_be_read_are_refused(text):
    with pytest.raises((UsageError, SpecError)) as caught:
        document(SPEC, ("vars.width", text))
    assert "--set" in caught.value.render()
