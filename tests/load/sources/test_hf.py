import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers
from huggingface_hub import constants

import initprobe
from initprobe.errors import ExitCode, MissingExtraError, TargetError, UsageError
from initprobe.load.target import open_target
from initprobe.records import ProbeRequest, TargetRequest
from tests.measure.test_restoring import surroundings

GPT2 = "hf:gpt2(n_layer=2, n_embd=32, n_head=2, vocab_size=96, n_positions=40)"
TINY = {"model_type": "gpt2", "n_layer": 2, "n_embd": 32, "n_head": 2, "vocab_size": 96, "n_positions": 40}
PROBE = ProbeRequest()


@pytest.fixture(autouse=True)
def _in_a_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def opened(text, **options):
    return open_target(TargetRequest(text, **options))


def built(text, seed=0, probe=PROBE, **options):
    return opened(text, **options).build(seed, probe)


def weights(subject):
    return torch.cat([parameter.detach().flatten() for parameter in subject.model.parameters()])


def config(path, **values):
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(values))
    return file


# --- what is built


def test_a_model_type_with_overrides_is_drawn_once_per_seed():
    target = opened(GPT2)
    first, again, other = (target.build(seed, PROBE) for seed in (3, 3, 4))
    assert torch.equal(weights(first), weights(again))
    assert not torch.equal(weights(first), weights(other))
    assert first.model.training
    assert not target.one_draw
    assert target.name == GPT2


def test_nothing_around_it_changes():
    before, environment, offline = surroundings(), dict(os.environ), constants.HF_HUB_OFFLINE
    verbosity = transformers.logging.get_verbosity()
    built(GPT2)
    built(
        "hf:diffllama(num_hidden_layers=1, hidden_size=32, num_attention_heads=2, num_key_value_heads=2, vocab_size=96)"
    )
    with pytest.raises(UsageError):
        opened("hf:gpt2(n_head=7)")
    assert surroundings() == before
    assert dict(os.environ) == environment
    assert (constants.HF_HUB_OFFLINE, transformers.logging.get_verbosity()) == (offline, verbosity)


def test_a_file_or_its_directory_is_a_target_and_takes_overrides():
    file = config("nets/small/config.json", **TINY)
    expected = weights(built(GPT2))
    for text in ("hf:nets/small", f"hf:{file}", f"hf:{file.parent.resolve()}"):
        assert torch.equal(weights(built(text)), expected)
    assert opened("hf:nets/small").name == "hf:small"
    target = opened("hf:nets/small(n_layer=3)")
    assert target.name == "hf:small(n_layer=3)"
    assert len(target.build(0, PROBE).model.h) == 3


def test_a_path_may_hold_parentheses():
    config("net (copy)/config.json", **TINY)
    assert len(built("hf:net (copy)").model.h) == 2
    assert len(built("hf:net (copy)(n_layer=1)").model.h) == 1


def test_a_directory_without_a_configuration_hides_no_model_type():
    Path("gpt2").mkdir()
    assert built(GPT2).model.config.n_layer == 2
    Path("nets/empty").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"cannot read 'nets/empty/config\.json'"):
        opened("hf:nets/empty")


def test_nested_overrides_change_one_key_of_a_nested_configuration():
    config("clip/config.json", model_type="clip", text_config={"num_hidden_layers": 2, "vocab_size": 777})
    merged = opened("hf:clip(text_config={'num_hidden_layers': 1})").config
    assert (merged.text_config.num_hidden_layers, merged.text_config.vocab_size) == (1, 777)


def test_the_auto_class_can_be_chosen_and_others_stand_in_for_auto_model():
    assert type(built(GPT2).model).__name__ == "GPT2Model"
    assert type(built(GPT2[:-1] + ", auto='AutoModelForCausalLM')").model).__name__ == "GPT2LMHeadModel"
    assert opened("hf:superpoint").model.func.__self__.__name__ == "AutoModelForKeypointDetection"
    part = "hf:blip_vision_model(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=32)"
    assert type(built(part).model).__name__ == "BlipVisionModel"


def test_weights_are_float32_whatever_the_file_says_and_keys_and_values_are_no_output():
    config("config.json", **TINY, dtype="bfloat16", use_cache=True)
    subject = built("hf:config.json")
    call = subject.call(2, 0)
    assert weights(subject).dtype == torch.float32
    assert subject.model(**call.kwargs).past_key_values is None
    assert built("hf:config.json", probe=ProbeRequest(dtype="float64")).model.wte.weight.dtype == torch.float64


def test_attention_is_computed_in_the_open():
    subject = built(GPT2)
    assert subject.model.config._attn_implementation == "eager"
    attention = subject.model.h[0].attn(torch.randn(2, 5, 32))
    assert attention[1].shape == (2, 2, 5, 5)


# --- inputs


def test_tokens_fit_the_configuration_in_any_batch_size():
    inputs = built(GPT2).inputs
    assert inputs.fixed is None
    for batch in (1, 2, 9):
        (ids,) = inputs.make(batch, 0, torch.float32).kwargs.values()
        assert ids.shape == (batch, 38)
        assert 0 <= ids.min() <= ids.max() < 96
    assert not torch.equal(
        inputs.make(2, 0, torch.float32).kwargs["input_ids"], inputs.make(2, 1, torch.float32).kwargs["input_ids"]
    )


def test_the_command_line_wins_over_the_dummy_inputs():
    subject = built(GPT2, inputs=("input_ids=int64[7]<50",))
    assert subject.call(3, 0).kwargs["input_ids"].shape == (3, 7)
    Path("batches.py").write_text(
        "import torch\n\ndef ids(batch):\n    return {'input_ids': torch.arange(5).repeat(batch, 1)}\n"
    )
    subject = built(GPT2, batch_from="batches.py:ids")
    assert subject.call(2, 0).kwargs["input_ids"].tolist() == [[0, 1, 2, 3, 4]] * 2


def test_inputs_that_cannot_be_guessed_are_asked_for():
    vision = "{'hidden_size': 32, 'intermediate_size': 48, 'num_hidden_layers': 1, 'num_attention_heads': 2, 'image_size': 32}"
    text = "{'hidden_size': 32, 'ffn_dim': 48, 'num_hidden_layers': 1, 'num_attention_heads': 2, 'word_embed_proj_dim': 32, 'vocab_size': 99}"
    query = "{'hidden_size': 32, 'intermediate_size': 48, 'num_hidden_layers': 1, 'num_attention_heads': 2, 'encoder_hidden_size': 32}"
    with pytest.raises(UsageError, match=r"the input of Blip2Model .* could not be guessed: AttributeError") as caught:
        built(f"hf:blip-2(vision_config={vision}, text_config={text}, qformer_config={query})")
    assert "--input 'pixel_values=float32[3,32,32]' --input 'input_ids=int64[128]<99'" in caught.value.hint
    assert "--batch-from" in caught.value.hint
    assert "its forward takes pixel_values, input_ids, attention_mask" in caught.value.hint
    assert "cannot do without pixel_values, input_ids" in caught.value.hint


def test_a_bundle_of_models_without_a_forward_names_its_parts():
    sizes = "{'num_layers': 1, 'hidden_size': 32, 'num_heads': 2, 'input_vocab_size': 64, 'output_vocab_size': 64}"
    parts = ", ".join(f"{part}_config={sizes}" for part in ("semantic", "coarse_acoustics", "fine_acoustics"))
    with pytest.raises(UsageError, match=r"BarkModel \(hf:bark.* has no forward") as caught:
        built(f"hf:bark({parts})")
    assert caught.value.hint == "probe one of its parts: hf:encodec"


# --- mistakes


@pytest.mark.parametrize(
    ("text", "says", "hint"),
    [
        ("hf:", "names no model", "write hf:gpt2"),
        ("hf:(n_layer=2)", "names no model", "write hf:gpt2"),
        ("hf:gpt2(2)", "need names", "n_layer=4"),
        ("hf:gpt2(n_layer=two)", "only literals", "'two', with its quotes"),
        ("hf:gpt3", "no model type 'gpt3', and nothing is downloaded", "hf:gpt2"),
        ("hf:bert-base-uncased", "nothing is downloaded", "did you mean hf:bert?"),
        ("hf:openai-community/gpt2", "no file or directory 'openai-community/gpt2', and nothing is downloaded", "hf:gpt2"),
        ("hf:nowhere/config.json", "no file or directory", "config.json"),
        ("hf:gpt2(n_leyer=2)", "GPT2Config .* has no 'n_leyer'", "did you mean n_layer"),
        ("hf:clip(text_config={'num_layers': 2})", "CLIPTextConfig .* has no 'num_layers'", "num_hidden_layers"),
        ("hf:gpt2(trust_remote_code=True)", "'trust_remote_code' cannot be set", None),
        ("hf:gpt2(attn_implementation='kernels-community/x')", "'attn_implementation' cannot be set", None),
        ("hf:gpt2(auto='AutoModelForCausal')", "no 'AutoModelForCausal'", "AutoModelForCausalLM"),
        ("hf:gpt2(auto='AutoModelForCTC')", "AutoModelForCTC has no model", "AutoModelForCausalLM"),
        ("hf:gpt2(auto=3)", "auto is the name of an auto class", None),
        ("hf:gpt2(n_head=7)", "must be divisible by num_heads", None),
        ("hf:gpt2(n_layer='two')", "'n_layer' expected int, got str", None),
        ("hf:gpt2(n_layer=10**3)", "only literals", None),
        ("hf:bert(vocab_size=2000000000)", "needs 6.1 TB for its 1,5.* parameters", "word_embeddings.weight takes 6.1 TB"),
        ("hf:bert(vocab_size=1000000000000)", r"vocab_size is 1e\+12, and no network is that large", None),
        ("hf:bert(num_hidden_layers=1000000000)", r"num_hidden_layers is 1e\+09", None),
        ("hf:dinat", "needs a package that is not there: .*natten", None),
    ],
)  # fmt: skip
def test_a_mistake_has_one_clear_message(text, says, hint):
    with pytest.raises(UsageError, match=says) as caught:
        opened(text)
    assert caught.value.exit_code == ExitCode.USAGE
    assert "\n" not in str(caught.value)
    if hint is not None:
        assert hint in caught.value.hint


def test_a_name_of_the_hub_reaches_no_network(monkeypatch):
    def connect(*_):
        raise AssertionError("somebody goes to the network")

    monkeypatch.setattr(socket.socket, "connect", connect)
    for text in ("hf:openai-community/gpt2", "hf:gpt2-medium", GPT2):
        try:
            built(text)
        except UsageError as error:
            assert "nothing is downloaded" in str(error)  # noqa: PT017


def test_a_model_that_cannot_be_placed_is_told_like_any_other():
    with pytest.raises(UsageError, match="unknown dtype"):
        built(GPT2, probe=ProbeRequest(dtype="float8"))


def test_without_transformers_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError) as caught:
        opened(GPT2)
    assert 'pip install "initprobe[hf]"' in caught.value.render()


def test_an_old_transformers_is_refused(monkeypatch):
    monkeypatch.setattr(sys.modules["transformers"], "__version__", "5.4.1")  # it replaces itself there
    with pytest.raises(UsageError, match=r"5\.4\.1 is too old") as caught:
        opened(GPT2)
    assert "transformers>=5.5" in caught.value.hint


@pytest.mark.slow
def test_a_torchvision_of_another_build_is_named():
    package = Path("site/torchvision")
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    record = Path("site/torchvision-0.99.0.dist-info")
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: torchvision\nVersion: 0.99.0\n")
    (record / "RECORD").write_text("torchvision/__init__.py,,\n")
    code = "from initprobe.__main__ import run; raise SystemExit(run(['run', 'hf:vitmatte']))"
    finished = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": f"site{os.pathsep}{Path(initprobe.__file__).parents[1]}"},
    )
    assert finished.returncode == ExitCode.USAGE, finished.stderr
    assert "torchvision's build does not match torch's" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_code_of_the_library_that_raises_is_told_without_its_traceback():
    target = opened(GPT2, inputs=("nonsense=float32[3]",))
    subject = target.build(0, PROBE)
    with pytest.raises(TargetError, match="forward failed"):
        initprobe.probe(GPT2, inputs="nonsense=float32[3]", seeds=1)
    assert list(subject.call(1, 0).kwargs) == ["nonsense"]
