"""A spec takes over another one: what is merged, where mistakes are told, and what is refused."""

import shutil
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
import torch
from jsonschema import Draft202012Validator

from initprobe.errors import CodeNotAllowedError, SpecError, UsageError
from initprobe.load.json_schema import spec_json_schema
from initprobe.load.limits import MAX_BASES, MAX_BYTES
from initprobe.load.parse import parse
from initprobe.load.schema import checked, read_spec, sections
from initprobe.load.target import open_target
from initprobe.records import ProbeRequest, TargetRequest

CONFIGS = Path(__file__).parents[2] / "configs"
BASE = """\
version: 1
name: base
vars: {width: 8, sizes: {a: 1, b: 2}}
model:
  input: {shape: [4], dist: uniform}
  layers:
    - {type: linear, out: "${width}"}
    - relu
init: {default: {scheme: normal, std: 0.02}}
probe: {seeds: 2, batch: 16}
check: {thresholds: {forward_drift: {warning: 5, error: 50}}}
compare: [he, xavier]
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """``write("child.yaml", "extends: base.yaml\\n")``; ``base.yaml`` is there, ``version: 1`` comes by itself."""
    monkeypatch.chdir(tmp_path)
    Path("base.yaml").write_text(BASE)

    def put(name, text):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text if text.startswith("version") else f"version: 1\n{text}")
        return name

    return put


def values(name, **options):
    return read_spec(name, **options).values


def refusal(name, **options):
    with pytest.raises(SpecError) as caught:
        checked(read_spec(name, **options))
    return caught.value.render()


def test_mappings_merge_and_everything_else_is_replaced(write):
    name = write(
        "child.yaml",
        """\
extends: base.yaml
vars: {width: 16, sizes: {a: 3}, depth: 2}
model: {layers: [tanh]}
probe: {seeds: 3}
check: {thresholds: {forward_drift: {error: 60}, backward_drift: {error: 70}}}
compare: [orthogonal]
""",
    )
    assert values(name) == {
        "vars": {"width": 16, "sizes": {"a": 3}, "depth": 2},
        "model": {"input": {"shape": [4], "dist": "uniform"}, "layers": ["tanh"]},
        "init": {"default": {"scheme": "normal", "std": 0.02}},
        "probe": {"seeds": 3, "batch": 16},
        "check": {"thresholds": {"forward_drift": {"warning": 5, "error": 60}, "backward_drift": {"error": 70}}},
        "compare": ["orthogonal"],
        "version": 1,
    }


def test_a_variable_of_the_one_fills_in_the_other(write):
    name = write("child.yaml", "extends: base.yaml\nvars: {width: 16}\n")
    assert values(name)["model"]["layers"][0]["out"] == 16
    assert values(name, sets=[("vars.width", "32")])["model"]["layers"][0]["out"] == 32
    with pytest.raises(UsageError, match="only a file says what it extends"):
        read_spec(name, sets=[("extends", "other.yaml")])


def test_a_name_is_not_taken_over(write):
    name = write("child.yaml", "extends: base.yaml\n")
    assert sections(read_spec(name)).name == "child"


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("init: {default: {scheme: uniform}}", ("init", "default"), {"scheme": "uniform"}),
        ("init: {default: {std: 0.5}}", ("init", "default"), {"scheme": "normal", "std": 0.5}),
        ("init: {default: he}", ("init", "default"), "he"),
        ("model: {input: {from: x.npz}}", ("model", "input"), {"from": "x.npz"}),
        ("model: {input: {shape: [9]}}", ("model", "input"), {"shape": [9], "dist": "uniform"}),
        (
            'model: {target: "net.py:build"}',
            ("model",),
            {"input": {"shape": [4], "dist": "uniform"}, "target": "net.py:build"},
        ),
    ],
)
def test_what_is_of_another_kind_replaces(write, text, path, expected):
    found = values(write("child.yaml", f"extends: base.yaml\n{text}\n"))
    for key in path:
        found = found[key]
    assert found == expected


def test_a_chain_over_folders(write):
    write("lib/deep/middle.yaml", "extends: ../../base.yaml\nvars: {width: 5}\n")
    name = write("mine/top.yaml", "extends: ../lib/deep/middle.yaml\nprobe: {seeds: 7}\n")
    found = values(name)
    assert (found["vars"]["width"], found["probe"]["seeds"], found["probe"]["batch"]) == (5, 7, 16)


def test_a_preset_is_extended(write):
    name = write("child.yaml", "extends: preset:deep-mlp\nvars: {depth: 3}\n")
    assert open_target(TargetRequest(name)).plan.modules == 1 + 2 + 1 + 3 * 3 + 1
    assert "did you mean preset:deep-mlp?" in refusal(write("typo.yaml", "extends: preset:deep-mpl\n"))


def test_mistakes_are_told_in_the_file_that_made_them(write):
    write("base.yaml", BASE.replace("out:", "oot:").replace("seeds: 2", "seeds: 0"))
    text = refusal(write("child.yaml", "extends: base.yaml\ncompare: []\nprobe: {batch: 0}\n"))
    assert "--> child.yaml:3:10" in text
    assert "--> child.yaml:4:16" in text
    assert "unknown key 'oot'\n  --> base.yaml:7:22" in text
    assert "--> base.yaml:10:16" in text
    assert text.index("child.yaml") < text.index("base.yaml")


def test_shapes_are_told_in_the_file_that_has_the_layer(write):
    name = write("child.yaml", "extends: base.yaml\nmodel: {input: {shape: [3, 8, 8]}}\n")
    write("base.yaml", BASE.replace("- relu", "- {type: conv2d, out: 3, kernel: 3}"))
    open_target(TargetRequest(write("fits.yaml", "extends: base.yaml\nmodel: {layers: [relu]}\n")))
    with pytest.raises(SpecError) as caught:
        open_target(TargetRequest(name, sets=(("model.input.shape", "[8]"),)))
    assert "--> base.yaml:8:7" in caught.value.render()
    assert "here it is (8,)" in caught.value.render()


def test_findings_point_at_the_layer_where_it_is_written(write):
    subject = open_target(TargetRequest(write("child.yaml", "extends: base.yaml\n"))).build(0, ProbeRequest())
    assert str(subject.locations["linear"]) == "base.yaml:7:7"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends: bse.yaml", "there is no file 'bse.yaml'\n  --> child.yaml:2:10"),
        ("extends: bse.yaml", "did you mean 'base.yaml'?"),
        ("extends: child.yaml", "child.yaml → child.yaml goes in a circle\n  --> child.yaml:2:10"),
        ("extends: [base.yaml]", "'extends' must be the name of a spec\n  --> child.yaml:2:10"),
        ("extends: base.json", "'extends' must be a file that ends in .yaml"),
        ("extends: /dev/stdin", "'extends' must be a file that ends in .yaml"),
        ('extends: "${base}"', "'extends' cannot come from a variable"),
        ("extends: folder.yaml", "cannot read 'folder.yaml'"),
    ],
)
def test_what_cannot_be_extended_is_one_error_at_its_place(write, text, message):
    Path("folder.yaml").mkdir()
    told = refusal(write("child.yaml", text + "\n"))
    assert message in told
    assert told.count("error[spec]") == 1


def test_a_circle_of_several_is_told_where_it_closes(write):
    write("a.yaml", "extends: sub/b.yaml\n")
    write("sub/b.yaml", "extends: ../c.yaml\n")
    write("c.yaml", "extends: a.yaml\n")
    told = refusal("a.yaml")
    assert "a.yaml → b.yaml → c.yaml → a.yaml goes in a circle\n  --> c.yaml:2:10" in told


def test_a_chain_has_an_end(write):
    for number in range(MAX_BASES + 1):
        write(f"{number}.yaml", f"extends: {number + 1}.yaml\n")
    shutil.copy("base.yaml", f"{MAX_BASES + 1}.yaml")
    assert values("1.yaml")["probe"]["batch"] == 16
    assert f"a chain of more than {MAX_BASES} specs" in refusal("0.yaml")


def test_all_files_together_are_as_large_as_one(write):
    padding = "# " + "x" * (MAX_BYTES - 1000) + "\n"
    write("large.yaml", BASE + padding)
    assert values(write("child.yaml", "extends: large.yaml\n"))
    told = refusal(write("child.yaml", f"extends: large.yaml\n{padding}"))
    assert "larger than 256 KiB together with what it extends\n  --> child.yaml:2:10" in told


@pytest.mark.untraced
def test_too_many_values_together_are_refused(write):
    row = "[" + "0, " * 1000 + "0]"
    many = "".join(f"  v{{}}{number}: {row}\n" for number in range(30))
    write("base.yaml", "version: 1\nvars:\n" + many.replace("{}", "a"))
    told = refusal(write("child.yaml", "extends: base.yaml\nvars:\n" + many.replace("{}", "b")))
    assert "more than 50000 values" in told


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ("version: 2\n", "'version' must be 1\n  --> base.yaml:1:10"),
        ("probe: {seeds: 1}\n", "a spec needs 'version'\n  --> base.yaml:1:1"),
        ("- relu\n", "a spec must be a mapping (`key: value`)\n  --> base.yaml:1:1"),
        ("version: 1\nprobe: &x {}\n", "anchors (&) are not allowed\n  --> base.yaml:2:8"),
        ("version: 1\nversion: 1\n", "'version' is given twice, first in line 1\n  --> base.yaml:2:1"),
    ],
)
def test_a_wrong_base_is_told_in_its_own_file(write, base, message):
    name = write("child.yaml", "extends: base.yaml\nmodel: {input: {shape: [4]}, layers: [relu]}\n")
    Path("base.yaml").write_text(base)
    assert message in refusal(name)


def test_every_file_says_its_version(write):
    Path("child.yaml").write_text("extends: base.yaml\n")
    assert "a spec needs 'version'\n  --> child.yaml:1:1" in refusal("child.yaml")


def test_a_part_of_a_spec_can_be_extended(write):
    write("judging.yaml", "check: {strict: true}\n")
    name = write("child.yaml", "extends: judging.yaml\nmodel: {input: {shape: [4]}, layers: [relu]}\n")
    assert sections(read_spec(name)).check == {"strict": True}


def test_data_lie_beside_the_file_that_names_them(write):
    shutil.copytree(CONFIGS / "data", "lib/data")
    shutil.copy(CONFIGS / "digits.yaml", "lib/digits.yaml")
    write("lib/more/middle.yaml", "extends: ../digits.yaml\n")
    name = write("mine/top.yaml", "extends: ../lib/more/middle.yaml\n")
    expected = open_target(TargetRequest("lib/digits.yaml")).inputs.make(4, 0, torch.float32).args[0]
    for extending in (name, write("preset.yaml", "extends: preset:digits\n")):
        made = open_target(TargetRequest(extending)).inputs.make(4, 0, torch.float32).args[0]
        assert torch.equal(made, expected)


def test_data_named_by_a_variable_lie_beside_the_file_that_gives_it(write):
    text = (CONFIGS / "digits.yaml").read_text().replace("data/digits.npz", '"${data}"')
    Path("lib").mkdir()
    shutil.copy(CONFIGS / "data" / "digits.npz", "lib/one.npz")
    shutil.copy(CONFIGS / "data" / "digits.npz", "two.npz")
    Path("lib/digits.yaml").write_text(text + "vars: {data: one.npz}\n")
    for name, path in {
        write("theirs.yaml", "extends: lib/digits.yaml\n"): "lib/one.npz",
        write("ours.yaml", "extends: lib/digits.yaml\nvars: {data: two.npz}\n"): "two.npz",
    }.items():
        assert read_spec(name).values["model"]["input"]["from"] == path
        open_target(TargetRequest(name))


def test_code_that_a_base_names_is_not_run(write):
    write("lib/base.yaml", 'version: 1\nmodel: {target: "net.py:build"}\n')
    name = write("child.yaml", "extends: lib/base.yaml\n")
    assert read_spec(name).values["model"]["target"] == "lib/net.py:build"
    with pytest.raises(CodeNotAllowedError, match=r"lib/base.yaml:2:17 names code to run"):
        open_target(TargetRequest(name))


def test_standard_input_extends_what_lies_in_the_working_directory(write, monkeypatch):
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(b"version: 1\nextends: base.yaml\nvars: {width: 3}\n")))
    assert open_target(TargetRequest("-")).plan.output.shape == (3,)


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("extends: base.yaml", True),
        ("extends: base.yaml\nmodel: {input: {dist: normal}}\ninit: {default: {std: 0.5}}", True),
        ("extends: base.yaml\nmodel: {layers: [relu]}", True),
        ("extends: base.yaml\nmodel: {layers: [rulu]}", False),
        ("extends: base.yaml\nmodel: {layers: [{type: linear}]}", False),
        ("extends: base.yaml\nmodel: {laiers: [relu]}", False),
        ("extends: 3", False),
        ("model: {layers: [relu]}", False),
        ("probe: {seeds: 1}", False),
    ],
)
def test_the_json_schema_agrees(write, text, accepted):
    text = f"version: 1\n{text}\n"
    assert Draft202012Validator(spec_json_schema()).is_valid(parse(text, "f").values) is accepted
    Path("f").write_text(text)
    try:
        checked(read_spec("f"))
    except SpecError:
        assert not accepted
    else:
        assert accepted


def test_a_scheme_named_by_the_base_takes_no_options_from_the_other(write):
    write("base.yaml", BASE.replace("{scheme: normal, std: 0.02}", "he"))
    assert "needs 'scheme'\n  --> child.yaml:3:17" in refusal(
        write("child.yaml", "extends: base.yaml\ninit: {default: {std: 0.5}}\n")
    )
