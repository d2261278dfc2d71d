"""[tool.initprobe]: found, read, and wrong with its line."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from initprobe.effective import effective
from initprobe.errors import SpecError, UsageError
from initprobe.load.schema import read_spec, sections
from initprobe.project import KEYS, Project, Said, find_project, project_json_schema
from initprobe.records import CheckRequest, ProbeRequest, SchemeChoice, TargetRequest
from initprobe.settings import Flags, check_project, environment_says, resolve

SCHEMA_FILE = Path(__file__).parents[1] / "schema" / "config.v1.json"

TEXT = """\
[project]
name = "x"

[tool.initprobe]
targets = ["configs/*.yaml", "mypkg.models:build(depth=50)"]
scheme = "kaiming_normal"
seeds = 3
batch = 16
fail-on = "warning"
select = ["forward"]
extend-ignore = ["default-init", "IP006"]
baseline = ".initprobe-baseline.json"

[tool.initprobe.layer-ignores]
"*.head" = ["dead-units"]

[tool.initprobe.severity]
vanishing-forward = "info"

[tool.initprobe.thresholds]
forward-drift = {warning = 5, error = 100}
"dead_units.fraction" = 0.5
"""
KNOWN = TEXT.replace('"default-init", ', "")


def project(folder: Path, text: str = KNOWN, name: str = "pyproject.toml", environment=None) -> Project:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return find_project(folder, environment or {})


def test_every_setting_becomes_the_field_of_a_request(tmp_path):
    found = check_project(project(tmp_path))
    assert found.folder == tmp_path
    assert found.targets == ("configs/*.yaml", "mypkg.models:build(depth=50)")
    assert found.baseline == tmp_path / ".initprobe-baseline.json"
    assert found.said == Said(
        "kaiming_normal",
        {"seeds": (0, 1, 2), "batch": 16},
        {
            "select": ("forward",),
            "extend_ignore": ("IP006",),
            "fail_on": "warning",
            "severities": (("vanishing-forward", "info"),),
            "thresholds": (
                ("forward_drift.warning", 5),
                ("forward_drift.error", 100),
                ("dead_units.fraction", 0.5),
            ),
            "layer_ignores": (("*.head", ("dead-units",)),),
        },
    )


def test_the_nearest_file_with_a_table_counts_and_nothing_is_merged(tmp_path):
    project(tmp_path)
    inner = tmp_path / "a" / "b"
    assert project(inner, "[project]\nname = 'y'\n").folder == tmp_path, "a file without the table is passed"
    assert project(inner, "[tool.initprobe]\nseeds = 2\n").said.probe == {"seeds": (0, 1)}
    assert project(inner, "seeds = 4\n", "initprobe.toml").said.probe == {"seeds": (0, 1, 2, 3)}


def test_a_variable_names_another_file(tmp_path):
    project(tmp_path, "seeds = 4\n", "other.toml")
    assert project(tmp_path, environment={"INITPROBE_CONFIG": str(tmp_path / "other.toml")}).said.probe == {
        "seeds": (0, 1, 2, 3)
    }
    with pytest.raises(UsageError, match="there is no settings file"):
        find_project(tmp_path, {"INITPROBE_CONFIG": "none.toml"})


def test_without_a_file_nothing_is_said(tmp_path):
    assert find_project(tmp_path, {}).said == Said()


def test_a_broken_file_of_somebody_else_is_passed_and_one_of_ours_is_told(tmp_path):
    assert project(tmp_path, "[project\n").said == Said()
    with pytest.raises(UsageError, match=r"pyproject.toml is not TOML: .*line 2"):
        project(tmp_path, "[tool.initprobe]\nseeds = \n")


@pytest.mark.parametrize(
    ("line", "place", "told"),
    [
        ("fail_on = 'error'", "2:1", "unknown setting 'fail_on'"),
        ("fail_on = 'error'", "2:1", "did you mean 'fail-on'?"),
        ("allow-code = true", "2:1", "unknown setting 'allow-code'"),
        ("seeds = 0", "2:1", "seeds: "),
        ("seeds = '5'", "2:1", "seeds: "),
        ("seeds = []", "2:1", "seeds: "),
        ("seeds = [0, 0]", "2:1", "seeds: "),
        ("fail-on = 'fatal'", "2:1", "fail-on: input should be 'error', 'warning', 'info' or 'never'"),
        ("loss = 'mypkg:loss'", "2:1", "settings name no code to run"),
        ("ignore = ['dead-unit']", "2:1", "did you mean 'dead-units'?"),
        ("scheme = 'hee'", "2:1", "unknown scheme 'hee'"),
        ("[tool.initprobe.severity]\ndead-unitz = 'info'", "3:1", "unknown rule 'dead-unitz'"),
        (
            "[tool.initprobe.thresholds]\nforward-drift = {errror = 3}",
            "3:1",
            "unknown threshold 'forward_drift.errror'",
        ),
        ("[tool.initprobe.severity]\ndead-units = 'bad'", "3:1", "severity: "),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path, line, place, told):
    with pytest.raises(SpecError) as caught:
        check_project(project(tmp_path, f"[tool.initprobe]\n{line}\n"))
    message = caught.value.render()
    assert message.startswith("error[settings]: ")
    assert f"pyproject.toml:{place}" in message
    assert told in message


SPEC = """\
version: 1
model: {input: {shape: [4]}, layers: [{type: linear, out: 4, name: head}]}
init: {default: xavier_normal}
probe: {seeds: 7}
check: {fail_on: info, ignore: [IP3]}
"""


def test_flags_win_over_the_environment_that_over_a_spec_and_that_over_the_project(tmp_path):
    said = project(tmp_path).said
    spoken = environment_says({"INITPROBE_FAIL_ON": "never", "INITPROBE_BATCH": "8", "INITPROBE_SEEDS": ""})
    spec = sections(read_spec("x.yaml", text=SPEC))
    flags = Flags(None, {"batch": 4}, {"extend_ignore": ("IP2",)}, (), spoken, said)
    request = resolve(TargetRequest("x.yaml"), flags, spec)
    assert request.init.default == SchemeChoice("xavier_normal")
    assert request.probe == ProbeRequest(seeds=tuple(range(7)), batch=4)
    assert request.check.fail_on == "never"
    assert request.check.select == ("forward",)
    assert request.check.ignore == ("IP3", "IP006", "IP2"), "the last `ignore` is the base, and everybody may add"
    bare = resolve(TargetRequest("m:f"), Flags(project=said))
    assert bare.init.default == SchemeChoice("kaiming_normal")
    assert (bare.probe.batch, bare.check.fail_on) == (16, "warning")
    assert not resolve(TargetRequest("m:f", weights="a.pt"), Flags(project=said)).init.draws, "a checkpoint wins"


def test_extending_a_selection_of_everything_selects_everything():
    more = resolve(TargetRequest("m:f"), Flags(check={"extend_select": ("IP404",)})).check
    assert more == CheckRequest(select=("ALL", "IP404")), "an optional rule beside all the others"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("INITPROBE_SEEDS", "many"),
        ("INITPROBE_BATCH", "0"),
        ("INITPROBE_FAIL_ON", "fatal"),
        ("INITPROBE_DTYPE", "int8"),
    ],
)
def test_a_variable_that_cannot_be_read_is_told_by_name(name, text):
    with pytest.raises(UsageError, match=f"{name}: "):
        environment_says({name: text})


def test_every_setting_knows_who_said_it(tmp_path):
    found = {one.key: one for one in effective(project(tmp_path), {"INITPROBE_SEEDS": "2", "INITPROBE_DEVICE": "cuda"})}
    assert list(found) == list(KEYS)
    assert (found["batch"].value, found["batch"].origin) == (16, "pyproject.toml:8")
    assert (found["seeds"].value, found["seeds"].origin) == ([0, 1], "INITPROBE_SEEDS")
    assert (found["device"].value, found["device"].origin) == ("cuda", "INITPROBE_DEVICE")
    assert (found["max-seeds"].value, found["max-seeds"].origin) == (32, "default")
    assert found["severity"].origin == "pyproject.toml:17"


def test_the_stored_schema_is_current_and_refuses_what_the_reader_refuses(request):
    text = json.dumps(project_json_schema(), indent=2) + "\n"
    if request.config.getoption("--update-golden", default=False):
        SCHEMA_FILE.write_text(text)
    assert SCHEMA_FILE.read_text() == text, "pytest tests/test_project.py --update-golden rewrites it"
    schema = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate({"seeds": 5, "thresholds": {"forward-drift": {"error": 10}}}, schema)
    for wrong in ({"seed": 5}, {"loss": "a:b"}, {"batch": 0}, {"scheme": None}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)
