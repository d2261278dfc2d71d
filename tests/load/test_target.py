import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initprobe.errors import ExitCode, InitprobeError, NothingToProbeError, TargetError, UsageError
from initprobe.load.reference import Reference, parse_call, parse_name, parse_reference, written
from initprobe.load.sources.base import SOURCES
from initprobe.load.target import expand_targets, open_target
from initprobe.records import TargetRequest

PROJECTS = Path(__file__).parent / "projects"


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("pkg.mod:build", Reference("pkg.mod", "build")),
        ("net.py:Net.wide", Reference("net.py", "Net.wide")),
        ("net.py:build()", Reference("net.py", "build", called=True)),
        (
            "a/net.py:build(1, 'x:y(2)', depth=-3, sizes=[1, (2,)], flags={'a': True, 'b': None})",
            Reference(
                "a/net.py",
                "build",
                called=True,
                args=(1, "x:y(2)"),
                kwargs={"depth": -3, "sizes": [1, (2,)], "flags": {"a": True, "b": None}},
            ),
        ),
        (r"C:\work\net.py:Net", Reference(r"C:\work\net.py", "Net")),
        ("a (copy)/net.py:Net(3)", Reference("a (copy)/net.py", "Net", called=True, args=(3,))),
    ],
)
def test_reads_a_reference(text, reference):
    assert parse_reference(text) == reference


@pytest.mark.parametrize(
    "call",
    [
        "(x)",
        "(__import__('os').system('true'))",
        "(f'{1}')",
        "(lambda: 0)",
        "(*[1])",
        "(**{'a': 1})",
        "(1 + 1)",
        "(a=b.c)",
    ],
)
def test_only_literals_are_arguments(call):
    with pytest.raises(UsageError, match=r"only literals|not allowed"):
        parse_call(call)


@pytest.mark.parametrize("call", ["(", "(1,,2)", "(a=)", "(1)(2)", "(1).real", "(1) + g()", "(" * 300 + ")" * 300])
def test_what_is_no_call_is_refused(call):
    with pytest.raises(UsageError, match="cannot read the arguments"):
        parse_call(call)


def test_an_argument_cannot_be_given_twice():
    with pytest.raises(UsageError, match="'a' is given twice"):
        parse_call("(a=1, a=2)")


def test_a_forgotten_quote_is_noticed():
    with pytest.raises(UsageError) as caught:
        parse_call("(act=relu)")
    assert "'relu', with its quotes" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "name", "kwargs"),
    [
        ("resnet50", "resnet50", {}),
        (" resnet50.a1_in1k ()", "resnet50.a1_in1k", {}),
        ("vit(img_size=(32, 32), drop=0.1)", "vit", {"img_size": (32, 32), "drop": 0.1}),
        ("", "", {}),
    ],
)
def test_reads_a_name_with_a_call(text, name, kwargs):
    assert parse_name(text) == (name, kwargs)


def test_what_a_name_is_called_with_has_names_itself():
    with pytest.raises(UsageError, match="the argument 10 of resnet50 has no name"):
        parse_name("resnet50(10)")
    with pytest.raises(UsageError, match="cannot read the arguments"):
        parse_name("resnet50(num_classes=10")


def test_arguments_are_written_as_they_are_read():
    args, kwargs = (1, "x"), {"sizes": (2,), "act": "relu"}
    assert parse_call(f"({written(args, kwargs)})") == (args, kwargs)


@given(st.text(alphabet="ab.:()[]{}'\"=,1\\/ \n\x00é-*", max_size=25))
def test_any_text_is_a_target_or_a_clear_refusal(text):
    try:
        parse_reference(text)
    except UsageError as error:
        assert str(error)  # noqa: PT017 - hypothesis passes both


@pytest.mark.parametrize(
    ("text", "kind", "code", "says"),
    [
        ("net", UsageError, 2, "cannot read the target"),
        ("none/", UsageError, 2, "cannot read the target"),
        ("", UsageError, 2, "cannot read the target"),
        ("net.py:", UsageError, 2, "cannot read the target"),
        ("old.json", UsageError, 2, "saved result"),
        ("net.onnx", UsageError, 2, "no target"),
        (".", UsageError, 2, "directory"),
        ("nowhere.py:Net", TargetError, 3, "no file 'nowhere.py'"),
        ("n" * 300 + ".py:Net", TargetError, 3, "no file"),
        ("no_such_package.mod:Net", TargetError, 3, "no module 'no_such_package'"),
        ("t:Net", TargetError, 3, "no module 't'"),
    ],
)
def test_every_mistake_has_its_error_and_its_exit_code(text, kind, code, says):
    with pytest.raises(InitprobeError, match=says) as caught:
        open_target(TargetRequest(text))
    assert type(caught.value) is kind
    assert caught.value.exit_code == ExitCode(code)


def test_a_file_without_a_name_is_told_what_is_in_it(monkeypatch):
    monkeypatch.chdir(PROJECTS)
    with pytest.raises(UsageError) as caught:
        open_target(TargetRequest("single.py"))
    assert "single.py:Net" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        open_target(TargetRequest("./single:Net"))
    assert "./single.py:Net" in caught.value.hint


def test_a_prefix_reaches_a_source():
    opened = open_target(TargetRequest("python:torch.nn:Linear(3, 4)", inputs=("3",)))
    assert opened.name == "nn:Linear(3, 4)"


def test_opening_leaves_sys_path_alone(monkeypatch):
    before = list(sys.path)
    open_target(TargetRequest(f"{PROJECTS / 'single.py'}:Net", inputs=("3",), paths=(str(PROJECTS),)))
    with pytest.raises(TargetError):
        open_target(TargetRequest(f"{PROJECTS / 'single.py'}:Nothing", paths=(str(PROJECTS),)))
    assert sys.path == before


def test_directories_become_their_specs(tmp_path):
    for name in ("b.yaml", "a.yml", "notes.txt", "deeper.yaml/x"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    assert expand_targets(["x.py:Net", str(tmp_path), "-", ""]) == (
        "x.py:Net",
        str(tmp_path / "a.yml"),
        str(tmp_path / "b.yaml"),
        "-",
        "",
    )


def test_a_directory_without_specs_is_nothing_to_probe(tmp_path):
    with pytest.raises(NothingToProbeError) as caught:
        expand_targets([str(tmp_path)])
    assert caught.value.exit_code == ExitCode.NOTHING


@pytest.mark.parametrize("name", list(SOURCES))
def test_a_source_says_what_it_is(name):
    found = SOURCES[name]
    assert found.name == name
    assert found.form
    assert len(name) > 1, "one letter would be a drive"
    for text in ("pkg.mod:build", "net.py:Net(3)", "", ":", r"C:\net.py:Net"):
        assert found.accepts(text) is False, "Python references have no prefix and belong to nobody else"
