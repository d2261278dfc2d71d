"""Exported programs: refused without the flag, probed with it, and told clearly where they cannot be."""

from __future__ import annotations

import contextlib
import io
import json
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from initprobe.dissect.anatomy import trace_anatomy
from initprobe.errors import CodeNotAllowedError, ExitCode, TargetError, UsageError
from initprobe.load.target import open_target
from initprobe.records import ProbeRequest, TargetRequest
from initprobe.subject import Subject

PROBE = ProbeRequest()
WIDTH = 12


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear, self.act = nn.Linear(width, width), nn.ReLU()

    def forward(self, x):
        return self.act(self.linear(x))


class Skip(Block):
    def forward(self, x):
        return F.relu(self.linear(x)) + x


class Net(nn.Module):
    def __init__(self, depth=5):
        super().__init__()
        self.blocks = nn.ModuleList(Block(WIDTH) for _ in range(depth))
        self.skip = Skip(WIDTH)
        self.norm = nn.BatchNorm1d(WIDTH)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(WIDTH, 3)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(self.drop(self.norm(self.skip(x))))


class Two(nn.Module):
    """Takes token ids and, by keyword, a scale; makes a tensor of a dtype of its own."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(7, WIDTH)
        self.head = nn.Linear(WIDTH, WIDTH)

    def forward(self, ids, *, scale):
        place = torch.arange(ids.shape[1], dtype=torch.float32)[None, :, None]
        return self.head(F.relu(self.embedding(ids) + place) * scale[:, None, None])


def exported(path, model, args, kwargs=None, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, of its own deprecations
        torch.export.save(torch.export.export(model, args, kwargs, **options), path)


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """``static.pt2``, ``dynamic.pt2``, ``eval.pt2`` and ``two.pt2``."""
    folder = tmp_path_factory.mktemp("programs")
    torch.manual_seed(0)
    batch, sizes = (torch.randn(8, WIDTH),), ({0: torch.export.Dim("batch", min=2, max=64)},)
    exported(folder / "static.pt2", Net(), batch)
    exported(folder / "dynamic.pt2", Net(), batch, dynamic_shapes=sizes)
    exported(folder / "eval.pt2", Net().eval(), batch)
    exported(folder / "two.pt2", Two(), (torch.randint(7, (4, 3)),), {"scale": torch.ones(4)})
    return folder


@pytest.fixture
def here(programs, monkeypatch):
    monkeypatch.chdir(programs)
    return programs


def opened(text, **options):
    return open_target(TargetRequest(str(text), allow_code=True, **options))


def edited(source: Path, copy: Path, change) -> Path:
    """A copy of an archive with every entry changed; None leaves it out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(copy, "w") as new:
        for entry in old.infolist():
            data = change(entry.filename, old.read(entry))
            if data is not None:
                new.writestr(entry, data)
    return copy


def same(name, data):
    return data


# --- what may run


class Touches:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def pickled_inputs(source, copy, sentinel):
    """Exploit 1: the example inputs are unpickled in full when the safe way fails."""
    buffer = io.BytesIO()
    torch.save((Touches(sentinel),), buffer)
    return edited(source, copy, lambda name, data: buffer.getvalue() if "sample_inputs" in name else data)


def evaluated_shape(source, copy, sentinel):
    """Exploit 2: a symbolic shape is text that sympy evaluates, whatever torch is told about pickles."""
    old = b'"expr_str": "'
    new = old + f"__import__('pathlib').Path({str(sentinel)!r}).touch() or ".encode()
    return edited(source, copy, lambda name, data: data.replace(old, new) if name.endswith("model.json") else data)


@pytest.mark.parametrize("exploit", [pickled_inputs, evaluated_shape])
@pytest.mark.parametrize("command", ["run", "check", "compare", "spec"])
def test_a_file_that_runs_code_when_loaded_is_refused(exploit, command, here, tmp_path, capsys):
    from initprobe.__main__ import run

    sentinel = tmp_path / "ran"
    file = exploit(here / "dynamic.pt2", tmp_path / "net.pt2", sentinel)
    spec = tmp_path / "net.yaml"
    spec.write_text("version: 1\nmodel: {target: net.pt2}\n")
    arguments = {
        "run": ["run", str(file)],
        "check": ["check", str(file)],
        "compare": ["compare", "he", "xavier", "--on", str(file)],
        "spec": ["check", str(spec)],
    }[command]
    assert run(arguments) == ExitCode.USAGE
    assert not sentinel.exists()
    assert "add --allow-code if you trust" in capsys.readouterr().err


@pytest.mark.parametrize("exploit", [pickled_inputs, evaluated_shape])
def test_the_exploits_are_live(exploit, here, tmp_path):
    # Where this fails, torch has become safer: the refusal stays, and its reason can be told in milder words.
    sentinel = tmp_path / "ran"
    with contextlib.suppress(UsageError):  # the first one leaves no example inputs
        opened(exploit(here / "dynamic.pt2", tmp_path / "net.pt2", sentinel))
    assert sentinel.exists()


def test_no_environment_variable_allows_it(here, monkeypatch):
    for name in ("INITPROBE_ALLOW_CODE", "ALLOW_CODE"):
        monkeypatch.setenv(name, "1")
    with pytest.raises(CodeNotAllowedError):
        open_target(TargetRequest("static.pt2"))


# --- the model


def test_the_hierarchy_is_back_and_every_hook_fires(here):
    subject = opened("static.pt2").build(0, PROBE)
    seen = []
    for name, module in subject.model.named_modules():
        module.register_forward_hook(lambda _m, _a, _o, name=name: seen.append(name))
    call = subject.call(8, 0)
    subject.model(*call.args)
    assert set(seen) >= {"", "blocks.0.linear", "blocks.4.act", "norm", "drop", "head"}


def test_modules_have_the_names_of_their_classes(here):
    model = opened("static.pt2").build(0, PROBE).model
    assert type(model).__name__ == "Net"
    assert type(model.get_submodule("blocks.1.linear")).__name__ == "Linear"
    assert type(model.get_submodule("blocks.1")).__name__ == "Block"


def test_its_sites_are_those_of_its_model(here):
    subject = opened("static.pt2").build(0, PROBE)
    found = trace_anatomy(subject).anatomy
    expected = trace_anatomy(Subject(Net(), subject.inputs)).anatomy
    assert [(site.key, site.kind, site.module_type) for site in found.sites] == [
        (site.key, site.kind, site.module_type) for site in expected.sites
    ]
    assert found.streams == expected.streams
    assert "skip/relu" in {site.key for site in found.sites}, "what a module of the user's hides is shown"


def test_it_is_one_draw_with_the_weights_of_the_file(here):
    target = opened("static.pt2")
    assert target.one_draw
    first, other = target.build(0, PROBE).model, target.build(1, PROBE).model
    expected = target.program.state_dict["head.weight"]
    assert torch.equal(first.head.weight, expected)
    assert torch.equal(other.head.weight, expected)


def test_what_is_drawn_into_a_probe_stays_in_it(here):
    target = opened("static.pt2")
    with torch.no_grad():
        target.build(0, PROBE).model.head.weight.zero_()
    assert target.program.state_dict["head.weight"].abs().max() > 0
    assert target.build(0, PROBE).model.head.weight.abs().max() > 0


def test_another_dtype(here):
    subject = opened("static.pt2").build(0, ProbeRequest(dtype="float64"))
    call = subject.call(8, 0)
    assert call.args[0].dtype == subject.model(*call.args).dtype == torch.float64


def test_a_dtype_that_is_written_into_the_operations_stays(here):
    target = opened("two.pt2")
    assert target.build(0, ProbeRequest(dtype="float32"))
    with pytest.raises(UsageError, match="names float32 in its operations and cannot run in bfloat16") as caught:
        target.build(0, ProbeRequest(dtype="bfloat16"))
    assert "leave --dtype" in caught.value.hint


def test_a_device_that_is_written_into_the_operations_stays(here):
    with pytest.raises(UsageError, match="names the device cpu in its operations and cannot run on cuda:1"):
        opened("two.pt2").build(0, ProbeRequest(device="cuda:1"))


@pytest.mark.parametrize(
    ("file", "asked", "told"),
    [
        ("static.pt2", "train", None),
        ("static.pt2", "eval", "train"),
        ("eval.pt2", "train", "eval"),
        ("eval.pt2", "eval", None),
        ("eval.pt2", "as-is", None),
        ("two.pt2", "eval", None),
    ],
)
def test_its_mode_is_that_of_its_export_and_the_report_says_so(file, asked, told, here):
    notes = opened(file).build(0, ProbeRequest(mode=asked)).notes
    expected = f"dropout and normalization run in {told} mode: {file} was exported so, whatever --mode says"
    assert notes == ((expected,) if told else ())


# --- inputs


def test_a_batch_of_one_is_told_and_how_to_have_more(here, tmp_path):
    exported(tmp_path / "one.pt2", nn.Linear(WIDTH, 3), (torch.randn(1, WIDTH),))
    (note,) = opened(tmp_path / "one.pt2").build(0, PROBE).notes
    assert note.startswith("one.pt2 takes one sample at a time")
    assert "dynamic_shapes" in note
    (note,) = opened("dynamic.pt2").build(0, PROBE).notes
    assert note == "the batch of 8 is that of the example inputs; --input 12 draws what --batch says"
    assert opened("dynamic.pt2", inputs=("12",)).build(0, PROBE).notes == ()


def test_a_program_that_takes_no_small_batch_is_traced_with_its_least(here, tmp_path):
    sizes = ({0: torch.export.Dim("batch", min=5)},)
    exported(tmp_path / "many.pt2", nn.Linear(WIDTH, 3), (torch.randn(6, WIDTH),), dynamic_shapes=sizes)
    subject = opened(tmp_path / "many.pt2", inputs=("12",)).build(0, PROBE)
    assert subject.inputs.fixed == 5
    assert subject.notes == ()
    with pytest.raises(UsageError, match=r"exported for float32\[5 or more, 12\]"):
        subject.call(4, 0)


def test_arguments_inside_of_arguments(here, tmp_path):
    class Summed(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(WIDTH, 3)

        def forward(self, pair, times=2):
            return self.layer(pair["a"] + times * pair["b"])

    exported(tmp_path / "net.pt2", Summed(), ({"a": torch.randn(4, WIDTH), "b": torch.randn(4, WIDTH)}, 3))
    subject = opened(tmp_path / "net.pt2").build(0, PROBE)
    call = subject.call(4, 0)
    assert subject.model(*call.args, **call.kwargs).shape == (4, 3)
    refused = opened(tmp_path / "net.pt2", inputs=("12",)).build(0, PROBE)
    with pytest.raises(UsageError) as caught:
        refused.call(4, 0)
    assert str(caught.value) == (
        "net.pt2 was exported for ({'a': float32[4, 12], 'b': float32[4, 12]}, 3) and is given float32[4, 12]"
    )


def test_the_example_inputs_are_the_batch(here):
    target = opened("static.pt2")
    subject = target.build(0, PROBE)
    assert subject.inputs.fixed == 8
    assert torch.equal(subject.call(8, 0).args[0], target.program.example_inputs[0][0])


def test_arguments_by_keyword(here):
    subject = opened("two.pt2").build(0, PROBE)
    call = subject.call(4, 0)
    assert list(call.kwargs) == ["scale"]
    assert subject.model(*call.args, **call.kwargs).shape == (4, 3, WIDTH)


def test_an_input_of_the_command_line_comes_in_the_only_batch_that_fits(here):
    inputs = opened("static.pt2", inputs=(str(WIDTH),)).build(0, PROBE).inputs
    assert inputs.fixed == 8
    assert inputs.make(8, 0, torch.float32).args[0].shape == (8, WIDTH)


def test_a_batch_axis_that_was_exported_free_takes_what_fits(here):
    inputs = opened("dynamic.pt2", inputs=(str(WIDTH),)).build(0, PROBE).inputs
    assert inputs.fixed is None
    assert inputs.make(64, 0, torch.float32).args[0].shape == (64, WIDTH)
    with pytest.raises(
        UsageError, match=r"exported for float32\[2 to 64, 12\] and is given float32\[65, 12\]"
    ) as caught:
        inputs.make(65, 0, torch.float32)
    assert caught.value.hint == "--batch 64"


@pytest.mark.parametrize(
    ("file", "inputs", "given", "hint"),
    [
        ("static.pt2", ("13",), "float32[8, 13]", "--input 12"),
        ("static.pt2", ("3,4",), "float32[8, 3, 4]", "--input 12"),
        ("static.pt2", ("int64[12]<4",), "int64[8, 12]", "--input 12"),
        ("static.pt2", ("12", "12"), "(float32[8, 12], float32[8, 12])", "--input 12"),
        ("static.pt2", ("x=12",), "x=float32[8, 12]", "--input 12"),
        ("two.pt2", ("int64[3]<7",), "int64[4, 3]", "--batch-from"),
    ],
)
def test_an_input_that_does_not_fit_is_told_with_one_that_does(file, inputs, given, hint, here):
    subject = opened(file, inputs=inputs).build(0, PROBE)
    with pytest.raises(UsageError) as caught:
        subject.call(subject.inputs.fixed, 0)
    assert f"and is given {given}" in str(caught.value)
    assert caught.value.hint.startswith(hint)


def test_keywords_in_any_order(here):
    subject = opened("two.pt2", inputs=("scale=[]", "ids=int64[3]<7")).build(0, PROBE)
    with pytest.raises(UsageError, match=r"exported for \(int64\[4, 3\], scale=float32\[4\]\)"):
        subject.call(4, 0)


def test_without_example_inputs_the_command_line_must_say(here, tmp_path):
    program = torch.export.load("static.pt2")
    program.example_inputs = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(program, tmp_path / "bare.pt2")
    with pytest.raises(UsageError, match="holds no example inputs") as caught:
        opened(tmp_path / "bare.pt2")
    assert caught.value.hint == f"--input {WIDTH}"
    assert opened(tmp_path / "bare.pt2", inputs=(str(WIDTH),)).build(0, PROBE).inputs.fixed == 8


# --- files that are none


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_text("hello"), "is no exported program, or was cut off"),
        (
            lambda path: path.write_bytes(Path("static.pt2").read_bytes()[:5000]),
            "is no exported program, or was cut off",
        ),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.mkdir(), "is a directory"),
        (lambda path: torch.save({"a": torch.ones(2)}, path), "is an archive, but not of an exported program"),
        (
            lambda path: edited(Path("static.pt2"), path, lambda name, data: None if "weight_3" in name else data),
            "weight_3",
        ),
        (
            lambda path: edited(
                Path("static.pt2"), path, lambda name, data: b"99" if name.endswith("archive_version") else data
            ),
            "archive version 99 does not match",
        ),
        (
            lambda path: edited(
                Path("static.pt2"), path, lambda _, data: data.replace(b"aten.relu.default", b"aten.rulu.default")
            ),
            "failed to resolve torch.ops.aten.rulu.default to an operator",
        ),
        (
            lambda path: edited(
                Path("static.pt2"), path, lambda name, data: newer(data) if name.endswith("model.json") else data
            ),
            "does not match our current schema version",
        ),
    ],
    ids=["text", "cut off", "empty", "directory", "checkpoint", "entry missing", "archive", "operator", "schema"],
)
def test_a_broken_file_is_one_message(make, message, here, tmp_path, capfd):
    make(tmp_path / "net.pt2")
    with pytest.raises(TargetError) as caught:
        opened(tmp_path / "net.pt2")
    assert message in str(caught.value)
    assert len(caught.value.render().splitlines()) <= 2
    assert capfd.readouterr() == ("", ""), "torch's own log says it once more, with a traceback"


def newer(data):
    values = json.loads(data)
    values["schema_version"]["major"] += 1
    return json.dumps(values).encode()


def test_a_file_larger_than_the_memory_is_told_before_it_is_read(here, tmp_path):
    with (tmp_path / "net.pt2").open("wb") as file:
        file.truncate(2**42)  # an archive may have anything before it
        file.seek(2**42)
        file.write(Path("static.pt2").read_bytes())
    with pytest.raises(TargetError, match=r"is larger than the memory: 2 x 4.4 TB to read it"):
        opened(tmp_path / "net.pt2")


def test_a_missing_file_has_close_matches(here):
    with pytest.raises(TargetError, match=r"there is no file 'statics.pt2'") as caught:
        opened("statics.pt2")
    assert caught.value.hint == "did you mean 'static.pt2' or 'dynamic.pt2'?"


def test_the_copy_itself_is_sound(here, tmp_path):
    assert opened(edited(here / "static.pt2", tmp_path / "net.pt2", same)).build(0, PROBE)


# --- in a spec


def test_a_spec_may_name_it_and_it_lies_beside_the_spec(here, tmp_path):
    (here / "named.yaml").write_text("version: 1\nname: frozen\nmodel: {target: static.pt2}\n")
    here = str(here / "named.yaml")
    assert opened(here).one_draw
    assert opened(here).build(0, PROBE).inputs.fixed == 8


def test_the_input_that_a_spec_writes_comes_in_the_programs_batch(here, monkeypatch, tmp_path):
    (here / "drawn.yaml").write_text("version: 1\nmodel: {target: static.pt2, input: {shape: [12], dist: uniform}}\n")
    monkeypatch.chdir(tmp_path)
    subject = opened(here / "drawn.yaml").build(0, PROBE)
    assert subject.inputs.fixed == 8
    values = subject.call(8, 0).args[0]
    assert values.abs().max() <= 1
