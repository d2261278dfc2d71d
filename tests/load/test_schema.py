import io
from pathlib import Path

import pytest

from initprobe.errors import SpecError, UsageError
from initprobe.load.schema import checked, read_spec, sections
from initprobe.records import InitRequest, Override, ProbeRequest, SchemeChoice

MODEL = "version: 1\nmodel:\n  input: {shape: [8]}\n  layers: [relu]\n"


def said(text):
    return sections(read_spec("net.yaml", text=MODEL + text))


def test_what_is_not_said_is_not_there():
    found = said("")
    assert found.init is None
    assert found.probe == {}
    assert found.check == {}
    assert found.compare == ()


def test_a_spec_is_called_like_its_file_unless_it_has_a_name():
    assert said("").name == "net"
    assert said("name: deep\n").name == "deep"


def test_schemes_come_with_their_options():
    text = """
init:
  default: {scheme: normal, std: 0.02, mode: fan_in, exact: true, cut: ~}
  overrides:
    - {match: "head*", scheme: zeros}
    - {match: {type: embedding}, scheme: {scheme: normal, std: 2}}
"""
    options = (("std", 0.02), ("mode", "fan_in"), ("exact", True), ("cut", None))
    assert said(text).init == InitRequest(
        SchemeChoice("normal", options),
        (
            Override(SchemeChoice("zeros"), glob="head*"),
            Override(SchemeChoice("normal", (("std", 2),)), layer_type="embedding"),
        ),
    )


def test_an_empty_init_section_keeps_the_own_init():
    assert said("init: {}\n").init == InitRequest()


@pytest.mark.parametrize(
    ("text", "seeds"), [("3", (0, 1, 2)), ("[7, 0]", (7, 0)), ("1", (0,)), ("[999999999999]", (999999999999,))]
)
def test_seeds_are_a_number_or_a_list(text, seeds):
    assert said(f"probe: {{seeds: {text}}}\n").probe == {"seeds": seeds}


def test_probe_values_fit_the_request():
    text = """
probe:
  seeds: 2
  max_seeds: 16
  batch: 64
  dtype: bfloat16
  device: cpu
  mode: eval
  loss: own
  backward: false
  statistics: [histogram]
"""
    probe = ProbeRequest(**said(text).probe)
    assert probe == ProbeRequest(
        (0, 1), 16, 64, "bfloat16", "cpu", "eval", "own", backward=False, statistics=("histogram",)
    )


def test_check_values_fit_the_request():
    text = """
check:
  select: [forward]
  ignore: [dead-units]
  fail_on: warning
  strict: true
  severities: {IP301: error}
  thresholds: {forward_drift: {warning: 10, error: 1e3}, dead_units: {fraction: 0.5}}
  layer_ignores: {"stem*": [dead-units, IP103]}
"""
    assert said(text).check == {
        "select": ("forward",),
        "ignore": ("dead-units",),
        "fail_on": "warning",
        "strict": True,
        "severities": (("IP301", "error"),),
        "thresholds": (("forward_drift.warning", 10.0), ("forward_drift.error", 1000.0), ("dead_units.fraction", 0.5)),
        "layer_ignores": (("stem*", ("dead-units", "IP103")),),
    }


def test_compare_lists_schemes():
    assert said("compare: [he, {scheme: normal, std: 1}]\n").compare == (
        SchemeChoice("he"),
        SchemeChoice("normal", (("std", 1),)),
    )


def test_all_problems_are_told_in_the_order_of_the_file():
    with pytest.raises(SpecError) as caught:
        said('probe: {seeds: "${n}", batch: x}\nname: ""\nnonsense: 3\n')
    lines = [caught.value.spec.locate(problem.path, on=problem.on).line for problem in caught.value.problems]
    assert lines == [5, 5, 6, 7]


def test_what_could_not_be_read_is_not_judged_as_well():
    with pytest.raises(SpecError) as caught:
        read_spec("f", text='version: 1\nmodel: {input: {shape: "${s}"}, layers: [{type: "${t}"}, "${u}"]}\n')
    assert [problem.message for problem in caught.value.problems] == [f"unknown variable {name!r}" for name in "stu"]


def test_too_many_problems_are_counted():
    text = MODEL.replace("[relu]", "[" + "rulu, " * 200 + "relu]")
    with pytest.raises(SpecError) as caught:
        checked(read_spec("f", text=text))
    assert len(caught.value.problems) == 51
    assert caught.value.problems[-1].message == "150 more problems below"


def test_wrong_values_are_cut_and_made_visible():
    with pytest.raises(SpecError) as caught:
        said(f'probe: {{batch: "{"x" * 1000}"}}\ncheck: {{fail_on: "\u00ad"}}\n')
    first, second = caught.value.problems
    assert len(first.message) < 200
    assert "\\xad" in second.message


def test_keys_in_messages_are_made_visible():
    with pytest.raises(SpecError) as caught:
        said('"\u200bprobe": 3\n')
    assert "unknown key '\\u200bprobe'" in str(caught.value)


def test_assignments_are_checked_like_the_file():
    spec = read_spec("f", text=MODEL, sets=[("probe.batc", "3")])
    with pytest.raises(SpecError) as caught:
        sections(spec)
    assert "--> --set:1:7\n" in caught.value.render()
    assert "did you mean 'batch'?" in caught.value.render()


def test_standard_input_is_read(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(MODEL.encode())))
    found = sections(read_spec("-"))
    assert (found.name, found.spec.file) == ("stdin", "-")


def test_files_are_named_relative_to_the_working_directory(tmp_path, monkeypatch):
    (tmp_path / "nets").mkdir()
    path = tmp_path / "nets" / "a.yaml"
    path.write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    assert read_spec(path).file == "nets/a.yaml"
    monkeypatch.chdir(tmp_path / "nets")
    assert read_spec("a.yaml").file == "a.yaml"
    monkeypatch.chdir("/")
    assert Path(read_spec(path).file) == path.relative_to("/")


def test_a_missing_file_is_told_with_its_neighbour(tmp_path, monkeypatch):
    (tmp_path / "network.yaml").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"there is no file 'netwrok\.yaml'") as caught:
        read_spec("netwrok.yaml")
    assert caught.value.hint == "did you mean 'network.yaml'?"


@pytest.mark.parametrize("name", [".", "a\0b.yaml", "x" * 5000 + ".yaml", "no/such/folder.yaml"])
def test_what_cannot_be_opened_is_a_usage_error(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        read_spec(name)
    assert "\0" not in str(caught.value)


def test_a_file_over_the_limit_is_not_read_to_its_end(tmp_path):
    path = tmp_path / "big.yaml"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(SpecError, match="larger than 256 KiB"):
        read_spec(path)
