import pytest

from initprobe.errors import CodeNotAllowedError, SpecError, UsageError
from initprobe.load.presets import preset_files
from initprobe.load.target import open_target
from initprobe.records import ProbeRequest, TargetRequest

PROBE = ProbeRequest()


def opened(text, **options):
    return open_target(TargetRequest(text, **options))


@pytest.mark.untraced
@pytest.mark.parametrize("name", preset_files())
def test_a_preset_is_found_from_anywhere(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    target = opened(f"preset:{name}")
    assert (target.name, target.one_draw) == (name, False)
    subject = target.build(0, PROBE)
    call = subject.call(3, 0)
    output = subject.model(*call.args)
    first = output[0] if isinstance(output, tuple) else output
    assert first.shape == (3, *target.plan.output.shape)


def test_it_is_a_spec_with_its_sections_and_assignments():
    target = opened("preset:deep-mlp", sets=(("vars.depth", "3"),))
    assert target.sections.init.default.name == "kaiming_normal"
    assert sum(path.endswith(".linear") for path in target.build(0, PROBE).locations) == 3


def test_findings_point_into_the_file():
    location = opened("preset:siren").build(0, PROBE).locations["stem"]
    assert location.file.endswith("configs/siren.yaml")
    assert "name: stem" in location.text


@pytest.mark.parametrize(
    ("text", "says", "hint"),
    [
        ("preset:deep-mpl", "no preset 'deep-mpl'", "did you mean preset:deep-mlp? `initprobe ls presets`"),
        ("preset:xyzzy", "no preset 'xyzzy'", "`initprobe ls presets` lists"),
        ("preset:", "no preset ''", "`initprobe ls presets` lists"),
        ("preset:../configs/deep-mlp", "no preset", "`initprobe ls presets` lists"),
        ("preset:deep-mlp(depth=3)", "takes no arguments", "--set vars.depth="),
    ],
)
def test_a_name_that_is_none_is_told_with_those_that_are(text, says, hint):
    with pytest.raises(UsageError, match=says) as caught:
        opened(text)
    assert hint in caught.value.hint


def test_a_spec_names_no_preset(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text('version: 1\nmodel: {target: "preset:deep-mlp"}\n')
    with pytest.raises(CodeNotAllowedError):
        opened(str(path))
    with pytest.raises(SpecError, match="a spec cannot name another spec"):
        opened(str(path), allow_code=True)
