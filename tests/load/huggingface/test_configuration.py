"""What a configuration file may hold: whatever it is, it runs nothing, fetches nothing and fills no memory."""

import json
from pathlib import Path

import pytest
from transformers import BertConfig, GPT2Config, ViTConfig

from initprobe.errors import ExitCode, InitprobeError, UsageError
from initprobe.load.huggingface.configuration import MAX_BYTES, configure, read_configuration
from initprobe.load.target import open_target
from initprobe.records import TargetRequest

SMALL = {"model_type": "gpt2", "n_layer": 1, "n_embd": 32, "n_head": 2, "vocab_size": 96, "n_positions": 40}


@pytest.fixture(autouse=True)
def _in_a_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def written(text):
    Path("config.json").write_text(text if isinstance(text, str) else json.dumps(text))
    return Path("config.json")


def opened():
    return open_target(TargetRequest("hf:config.json"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{not json", "is no JSON"),
        ("", "is no JSON"),
        ("\x00\xff", "is no JSON"),
        ("[1, 2]", "it is a list, not an object"),
        ("3", "it is a int, not an object"),
        ("{}", "names no model type"),
        ('{"model_type": ["bert"]}', "names no model type"),
        ('{"model_type": "berd"}', "no model type 'berd', and nothing is downloaded"),
        ('{"model_type": "bert", "x": ' + "[" * 100_000 + "]" * 100_000 + "}", "is no JSON"),
        ('{"model_type": "bert", "x": ' + "[" * 40 + "]" * 40 + "}", "nested more than 32 levels deep"),
        ('{"model_type": "bert", "hidden_size": ' + "9" * 5000 + "}", "is no JSON"),
        ('{"model_type": "gpt2", "to_dict": 5}', "key 'to_dict', which is no value of GPT2Config but a method"),
        ('{"model_type": "gpt2", "get_text_config": {}}', "key 'get_text_config', which is no value"),
        ('{"model_type": "gpt2", "activation_function": "os.system"}', "KeyError"),
        ('{"model_type": "clip", "text_config": 5}', "no configuration that CLIPConfig takes"),
        ('{"model_type": "clip", "text_config": {"vocab_size": "x"}}', "'vocab_size' expected int"),
        ('{"model_type": "bert", "num_labels": 1000000000}', "num_labels is 1e.09, and no network"),
        ('{"model_type": "gpt2", "n_positions": 50000000}', "needs 154.1 GB"),
    ],
    ids=range(18),
)
def test_hostile_content_has_one_clear_message(text, says):
    written(text)
    with pytest.raises(UsageError, match=says) as caught:
        opened()
    assert caught.value.exit_code == ExitCode.USAGE
    assert "\n" not in str(caught.value)


def test_a_file_beyond_the_limit_is_not_read_to_its_end():
    with Path("config.json").open("wb") as file:
        file.truncate(200 * 2**20)
    with pytest.raises(UsageError, match=r"larger than 16\.0 MB"):
        opened()
    assert MAX_BYTES < 200 * 2**20


@pytest.mark.parametrize("value", [10**12, 10**18, 10**30, -1, 0, 2.5, "x", None, True, [], {"a": 1}])
@pytest.mark.parametrize("kind", [GPT2Config, ViTConfig])
def test_whatever_a_key_holds_it_opens_or_is_refused(kind, value):
    base = {**SMALL} if kind is GPT2Config else {"model_type": "vit", "num_hidden_layers": 1, "hidden_size": 36}
    refused = 0
    for key, default in kind().to_dict().items():
        if key in {"model_type", "transformers_version"} or isinstance(default, dict):
            continue
        written({**base, key: value})
        try:
            opened()
        except InitprobeError as error:
            refused += 1
            assert error.exit_code == ExitCode.USAGE, error.render()  # noqa: PT017
    assert refused or value is True


def test_keys_that_lead_to_code_or_to_the_hub_are_dropped_at_any_depth():
    hostile = {
        "auto_map": {"AutoConfig": "evil--code.Config", "AutoModel": "evil--code.Model"},
        "trust_remote_code": True,
        "_attn_implementation": "evil/kernel",
        "_attn_implementation_internal": "evil/kernel",
        "_experts_implementation_internal": "evil/kernel",
        "attn_implementation": "evil/kernel",
        "_name_or_path": "evil/model",
        "name_or_path": "evil/model",
        "quantization_config": {"quant_method": "bitsandbytes"},
    }
    values = {**SMALL, **hostile, "text_config": {"list": [hostile, 3], **hostile}}
    assert read_configuration(written(values)) == {**SMALL, "text_config": {"list": [{}, 3]}}
    written({**SMALL, **hostile})
    Path("code.py").write_text("import pathlib\npathlib.Path('ran').touch()\n")
    Path("modeling_evil.py").write_text("import pathlib\npathlib.Path('ran').touch()\n")
    target = opened()
    assert target.config._attn_implementation != "evil/kernel"
    assert not hasattr(target.config, "auto_map")
    assert not Path("ran").exists()


def test_names_of_many_classes_are_read():
    labels = {str(index): f"a class with a name of some length {index}" for index in range(22_000)}
    written({"model_type": "vit", "id2label": labels, "num_hidden_layers": 1})
    assert len(opened().config.id2label) == 22_000


def test_overrides_win_key_by_key():
    config = configure("bert", {"model_type": "bert", "hidden_size": 48}, {"num_hidden_layers": 3}, "here")
    assert isinstance(config, BertConfig)
    assert (config.hidden_size, config.num_hidden_layers) == (48, 3)


@pytest.mark.parametrize("key", ["hidden_size", "n_embd", "num_labels", "id2label"])
def test_other_names_of_a_key_are_known(key):
    value = {0: "a", 1: "b", 2: "c"} if key == "id2label" else 3 if key == "num_labels" else 24
    config = configure("gpt2", {}, {key: value}, "here")
    assert getattr(config, key) == value


def test_two_spellings_of_one_rope_are_known():
    assert configure("llama", {}, {"rope_theta": 500.0}, "here").rope_parameters["rope_theta"] == 500.0
