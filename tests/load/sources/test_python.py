import importlib
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from initprobe.errors import ExitCode, TargetError, UsageError
from initprobe.load.sources.python import python_target
from initprobe.load.target import open_target
from initprobe.records import ProbeRequest, TargetRequest

PROJECTS = Path(__file__).parents[1] / "projects"
PROBE = ProbeRequest()


@pytest.fixture(autouse=True)
def _in_projects(monkeypatch):
    monkeypatch.chdir(PROJECTS)


def opened(text, **options):
    return open_target(TargetRequest(text, **options))


def built(text, seed=0, probe=PROBE, **options):
    return opened(text, **options).build(seed, probe)


def source(location):
    return location.text[location.column - 1 : location.end_column - 1]


def weights(subject):
    return torch.cat([parameter.detach().flatten().double() for parameter in subject.model.parameters()])


# --- factories


def test_a_class_a_function_and_a_method_are_factories():
    for text, width in (("single.py:Net(5)", 5), ("single.py:build(width=6, depth=1)", 6), ("single.py:Net.wide", 16)):
        subject = built(text, inputs=("3",))
        assert subject.model.stem.out_features == width
        assert not opened(text, inputs=("3",)).one_draw


def test_names_are_short_and_keep_the_call():
    assert opened(f"{PROJECTS}/single.py:build(width=6)", inputs=("3",)).name == "single.py:build(width=6)"
    assert opened("torch.nn:Linear(3, 4)", inputs=("3",)).name == "nn:Linear(3, 4)"


def test_every_seed_is_another_draw_and_the_same_seed_the_same():
    target = opened("single.py:Net", inputs=("3",))
    first, again, other = (weights(target.build(seed, PROBE)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_all_global_generators_are_seeded_and_put_back():
    np.random.seed(1)  # noqa: NPY002
    random.seed(1)
    torch.manual_seed(1)
    target = opened("single.py:draws_from_globals")
    expected = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    drawn = [target.build(seed, PROBE).model.drawn for seed in (0, 0, 1)]
    with pytest.raises(TargetError):
        built("single.py:raises")
    assert expected == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())  # noqa: NPY002
    assert drawn[0] == drawn[1]
    assert all(one != two for one, two in zip(drawn[0], drawn[2], strict=True))


def test_a_negative_seed_is_a_seed():
    assert torch.isfinite(weights(built("single.py:Net", seed=-1, inputs=("3",)))).all()


def test_what_user_code_prints_goes_to_stderr(capsys):
    built("single.py:chatty")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "chatty speaks" in printed.err


def test_dtype_changes_floats_only():
    subject = built("single.py:Net", probe=ProbeRequest(dtype="float64"), inputs=("3",))
    assert subject.model.stem.weight.dtype == torch.float64
    assert subject.model.steps.dtype == torch.int64
    assert subject.inputs.make(2, 0, torch.float64).args[0].dtype == torch.float64


@pytest.mark.parametrize(
    "probe", [ProbeRequest(dtype="float8"), ProbeRequest(device="warp"), ProbeRequest(device="cuda:99")]
)
def test_a_dtype_or_device_that_is_not_there_is_a_usage_error(probe):
    with pytest.raises(UsageError):
        built("single.py:Net", probe=probe, inputs=("3",))


def test_a_model_without_numbers_is_refused():
    def build():
        with torch.device("meta"):
            return nn.Linear(3, 4)

    with pytest.raises(TargetError, match="'weight' is on the meta device"):
        python_target(build, name="build", request=TargetRequest("build", inputs=("3",))).build(0, PROBE)


# --- inputs


def test_a_factory_may_bring_its_inputs_and_its_loss():
    assert built("single.py:with_inputs").inputs.fixed == 5
    subject = built("single.py:with_loss")
    call = subject.inputs.make(9, 0, torch.float32)
    assert list(call.kwargs) == ["x"]
    assert subject.loss(subject.model(*call.args, **call.kwargs)).ndim == 0


def test_the_command_line_comes_before_the_factory_and_the_factory_before_the_model():
    assert built("single.py:with_inputs", inputs=("3",), batch_from="single.py:one_batch").inputs.fixed is None
    assert built("single.py:with_inputs", batch_from="single.py:one_batch").inputs.fixed == 6
    assert built("package/shapes_project/nets/conv.py:ConvNet").inputs.fixed == 3
    assert built("package/shapes_project/nets/conv.py:ConvNet", inputs=("2,4,4",)).inputs.fixed is None


def test_a_batch_function_is_found_like_a_target():
    make = built("single.py:Net", batch_from="single.py:batch_of").inputs.make
    assert make(8, 0, torch.float32).args[0].shape == (8, 3)
    assert (
        built("single.py:Net", batch_from="single.py:batch_of_size").inputs.make(4, 0, torch.float32).args[0].sum()
        == 24
    )


@pytest.mark.parametrize(
    ("batch_from", "kind"),
    [
        ("single.py:batch_of(3)", UsageError),
        ("single.py", UsageError),
        ("single.py:CONFIG", TargetError),
        ("single.py:no_batch", TargetError),
        ("nowhere:fn", TargetError),
    ],
)
def test_a_batch_function_that_cannot_be_used_is_told_at_once(batch_from, kind):
    with pytest.raises(kind):
        opened("single.py:Net", batch_from=batch_from)


def test_without_inputs_the_ways_are_listed_with_one_that_fits():
    with pytest.raises(UsageError, match="what the input of Net is") as caught:
        built("single.py:Net")
    for way in ("--input 3,", "--batch-from", "(model, inputs)", "example_input_array"):
        assert way in caught.value.hint
    embedding = nn.Sequential(nn.Embedding(11, 4))
    with pytest.raises(UsageError) as caught:
        python_target(embedding, name="x", request=TargetRequest("x")).build(0, PROBE)
    assert "'int64[128]<11'" in caught.value.hint


# --- what comes back


@pytest.mark.parametrize(
    ("attribute", "says"),
    [
        ("returns_none", r"returned None \(is a `return` missing\?\)"),
        ("returns_class", "returned the class Net itself"),
        ("batch_of_size(3)", "a tuple of Tensor"),
        ("with_shape_only", "no tensors"),
        ("with_odd_loss", "loss function of single.py:with_odd_loss.* is an object of type str"),
    ],
)
def test_a_factory_that_returns_something_else_is_told(attribute, says):
    with pytest.raises(TargetError, match=says):
        built(f"single.py:{attribute}", inputs=("3",) if attribute != "with_shape_only" else ())


# --- five different errors


def test_a_missing_module_names_close_ones():
    with pytest.raises(TargetError, match="no module 'singel'") as caught:
        opened("singel:Net")
    assert "'single'" in caught.value.hint
    with pytest.raises(TargetError, match=r"no module 'torch\.nnn'") as caught:
        opened("torch.nnn.modules:Linear")
    assert "torch.nn.modules" in caught.value.hint


def test_a_missing_file_names_close_ones():
    with pytest.raises(TargetError, match=r"no file 'singel\.py'") as caught:
        opened("singel.py:Net")
    assert caught.value.hint == "did you mean 'single.py'?"


def test_a_src_layout_says_what_to_add(monkeypatch):
    monkeypatch.chdir(PROJECTS / "src_layout")
    with pytest.raises(TargetError, match="no module 'src_project'") as caught:
        opened("src_project.model:build")
    assert caught.value.hint == "'src_project' lies in src/: add --path src"
    by_file = built("src/src_project/model.py:build", inputs=("3",))
    by_name = built("src_project.model:build", inputs=("3",), paths=("src",))
    assert type(by_file.model) is type(by_name.model)
    assert source(by_name.locations["0"]) == "nn.Linear(3, width)"
    assert by_name.locations["0"].file == "src/src_project/parts.py"


def test_a_path_that_is_not_there_is_told():
    with pytest.raises(TargetError, match="no directory 'nowhere'"):
        opened("single.py:Net", paths=("nowhere",))


@pytest.mark.parametrize(
    ("code", "says", "traced"),
    [
        ("def f(:\n", "raised SyntaxError: invalid syntax", "def f(:"),
        ("import torch\n1 / 0\n", "raised ZeroDivisionError: division by zero", "line 2, in <module>"),
        ("import no_such_library\n", "raised ModuleNotFoundError", "import no_such_library"),
        ("import sys\nsys.exit('enough')\n", r"called sys.exit\('enough'\)", "line 2"),
        ("raise RuntimeError\n", "it raised RuntimeError$", "raise RuntimeError"),
        ("\x00", "SyntaxError", ""),
    ],
)
def test_a_module_that_raises_shows_its_own_frames_only(tmp_path, code, says, traced):
    (tmp_path / "broken_module.py").write_text(code)
    with pytest.raises(TargetError, match=says) as caught:
        opened(f"{tmp_path}/broken_module.py:Net")
    assert traced in caught.value.trace
    assert "importlib" not in caught.value.trace
    assert "importing.py" not in caught.value.trace
    assert str(caught.value).startswith(f"{tmp_path}/broken_module.py could not be imported")


def test_a_failed_import_can_be_mended_and_tried_again(tmp_path):
    file = tmp_path / "mended_module.py"
    file.write_text("raise ValueError('not yet')\n")
    with pytest.raises(TargetError, match="not yet"):
        opened(f"{file}:build", inputs=("3",))
    file.write_text("from torch import nn\n\n\ndef build():\n    return nn.Linear(3, 2)\n")
    assert built(f"{file}:build", inputs=("3",)).model.out_features == 2


def test_a_missing_attribute_names_close_ones_or_all():
    with pytest.raises(TargetError, match=r"single.py has no 'biuld'") as caught:
        opened("single.py:biuld")
    assert caught.value.hint == "did you mean 'single.py:build'?"
    with pytest.raises(TargetError) as caught:
        opened("single.py:Transformer")
    assert caught.value.hint.startswith("it has: Net, model, umlaut, build, ")
    with pytest.raises(TargetError, match=r"single.py.Net has no 'wise'") as caught:
        opened("single.py:Net.wise")
    assert caught.value.hint == "did you mean 'single.py:Net.wide'?"


def test_an_attribute_that_is_no_target_is_told():
    with pytest.raises(TargetError, match=r"single.py:CONFIG is an object of type dict, not a class"):
        opened("single.py:CONFIG")


def test_a_factory_that_raises_shows_the_users_frames_made_visible():
    with pytest.raises(TargetError, match=r"single.py:raises\(\) raised RuntimeError") as caught:
        built("single.py:raises")
    assert "in raises" in caught.value.trace
    assert "sources" not in caught.value.trace
    assert "\x1b" not in caught.value.render()
    assert r"no \x1b[31mweights" in caught.value.trace
    assert caught.value.exit_code == ExitCode.TARGET


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        ("build", "'single.py:build(width=256)'"),
        ("build(depth=3)", "'single.py:build(depth=3, width=256)'"),
        ("decorated", "'single.py:decorated(width=256)'"),
        ("annotated(0.5)", "\"single.py:annotated(0.5, name='name', deep=True)\""),
        ("build(4, size=3)", "it takes (width, depth: int = 2)"),
        ("Net(1, 2, 3)", "it takes (width=4, depth=2)"),
        ("needs_object", "it takes (config: dict); write a function that builds what is no literal"),
    ],
)
def test_wrong_arguments_show_the_right_call(call, hint):
    with pytest.raises(TargetError, match=r"could not call single.py:") as caught:
        built(f"single.py:{call}", inputs=("3",))
    assert caught.value.hint == hint
    assert "single.py:" in caught.value.trace
    assert "Traceback" not in caught.value.trace


def test_a_type_error_inside_the_factory_is_the_factorys():
    with pytest.raises(TargetError, match=r"single.py:wrong_inside\(\) raised TypeError") as caught:
        built("single.py:wrong_inside")
    assert "Net(widht=3)" in caught.value.trace


def test_sys_exit_is_an_error_and_ctrl_c_passes():
    with pytest.raises(TargetError, match=r"called sys.exit\(7\)"):
        built("single.py:leaves")
    before = nn.Module.__init__, list(sys.path), torch.get_rng_state()
    with pytest.raises(KeyboardInterrupt):
        built("single.py:interrupted")
    assert (nn.Module.__init__, sys.path) == before[:2]
    assert torch.equal(torch.get_rng_state(), before[2])


# --- places


def test_layers_of_a_package_stand_in_its_files():
    places = built("package/shapes_project/nets/conv.py:ConvNet").locations
    assert places["block.conv"].file == "package/shapes_project/layers.py"
    assert source(places["block.conv"]) == "nn.Conv2d(channels, channels, 3, padding=1)"
    assert source(places[""]) == "class ConvNet(nn.Module):"
    assert places[""].approximate


def test_a_library_class_stands_at_its_own_class_line():
    places = built("torch.nn:TransformerEncoderLayer(4, 1, 8)", inputs=("5,4",)).locations
    assert source(places[""]).startswith("class TransformerEncoderLayer")
    assert places["linear1"].approximate


# --- instances


def test_an_instance_is_one_draw_and_stays_as_it_is():
    target = opened("single.py:model", inputs=("3",))
    first, second = target.build(0, ProbeRequest(dtype="float64")), target.build(1, PROBE)
    assert target.one_draw
    assert torch.equal(weights(first), weights(second))
    with torch.no_grad():
        first.model[0].weight.zero_()
        second.model[0].weight.zero_()
    third = target.build(0, PROBE)
    assert third.model[0].weight.dtype == torch.float32
    assert third.model[0].weight.abs().sum() > 0


def test_an_instance_that_was_built_while_its_file_was_imported_has_exact_lines(tmp_path):
    (tmp_path / "fresh_instance.py").write_text("from torch import nn\n\nnet = nn.Sequential(nn.Linear(3, 2))\n")
    places = built(f"{tmp_path}/fresh_instance.py:net", inputs=("3",)).locations
    assert source(places["0"]) == "nn.Linear(3, 2)"
    assert not places["0"].approximate


def test_an_instance_is_not_called():
    with pytest.raises(UsageError, match=r"single.py:model is a model") as caught:
        opened("single.py:model()")
    assert caught.value.hint == "leave the call: single.py:model"


def test_an_instance_that_cannot_be_copied_says_what_to_do():
    model = nn.Linear(3, 4)
    model.cached = model.weight * 2
    with pytest.raises(TargetError, match="copying mine raised") as caught:
        python_target(model, name="mine", request=TargetRequest("mine", inputs=("3",))).build(0, PROBE)
    assert "function" in caught.value.hint


@pytest.mark.parametrize("make", [torch.jit.script, lambda model: torch.jit.trace(model, torch.randn(2, 3))])
@pytest.mark.filterwarnings("ignore:`torch.jit.*` is deprecated")
def test_script_modules_are_refused_in_words(make):
    scripted = make(nn.Sequential(nn.Linear(3, 4), nn.ReLU()))
    for target in (scripted, lambda: scripted):
        with pytest.raises(TargetError, match="ScriptModule") as caught:
            python_target(target, name="mine", request=TargetRequest("mine", inputs=("3",))).build(0, PROBE)
        assert "nn.Module" in caught.value.hint


# --- importing


def test_two_projects_may_have_modules_of_the_same_name():
    first, second = opened("twin_a/net.py:build", inputs=("3",)), opened("twin_b/net.py:build", inputs=("3",))
    for _ in range(2):
        assert first.build(0, PROBE).model.out_features == 5
        assert second.build(0, PROBE).model.out_features == 7


def test_a_file_is_imported_once():
    first, again = opened("single.py:Net", inputs=("3",)), opened(f"{PROJECTS}/single.py:Net", inputs=("3",))
    assert first.factory.function is again.factory.function


def test_a_file_named_like_a_library_takes_nobodys_place(tmp_path):
    for name in ("statistics", "torch", "my-model"):
        (tmp_path / f"{name}.py").write_text("from torch import nn\n\n\ndef build():\n    return nn.Linear(3, 2)\n")
        assert built(f"{tmp_path}/{name}.py:build", inputs=("3",)).model.out_features == 2
    import statistics

    assert statistics.mean([1, 3]) == 2
    assert sys.modules["torch"] is torch


def test_a_package_that_is_loaded_from_elsewhere_is_not_mistaken(tmp_path, monkeypatch):
    for place in ("theirs", "ours"):
        package = tmp_path / place / "rival_package"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        (package / "net.py").write_text("from torch import nn\n")
    monkeypatch.syspath_prepend(tmp_path / "theirs")
    importlib.import_module("rival_package.net")
    with pytest.raises(TargetError, match=r"'rival_package.net' is already imported from .*theirs"):
        opened(f"{tmp_path}/ours/rival_package/net.py:Net")


def test_the_working_directory_is_importable_in_a_fresh_process():
    code = (
        "from initprobe.load.target import open_target; from initprobe.records import *;"
        "print(open_target(TargetRequest('package.shapes_project.nets.conv:ConvNet')).build(0, ProbeRequest()).inputs.fixed)"
    )
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert (done.stdout.strip(), done.stderr) == ("3", "")
