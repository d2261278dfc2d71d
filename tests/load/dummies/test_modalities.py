"""What holds for every modality, and what each makes of a configuration."""

import inspect
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from initprobe.load.dummies.base import MODALITIES, Constant, Network, Noise, Whole, ones
from initprobe.load.dummies.text import Tokens
from initprobe.load.huggingface.configuration import configure
from initprobe.load.target import open_target
from initprobe.records import ProbeRequest, TargetRequest
from initprobe.variates import Variates

MAKERS = [
    (kind, name)
    for kind, modality in MODALITIES.items()
    for name in {**modality.data, **modality.companions, **modality.required}
]


def network(config, *takes, model=None):
    parameters = {name: inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in takes}
    return Network(model or nn.Module(), config, parameters, lambda method, call: method(*call.args, **call.kwargs))


def configured(model_type, **overrides):
    return configure(model_type, {}, overrides, model_type)


def drawn(dummy, batch=2, seed=0):
    return dummy.draw(batch, Variates(seed, "@input.x"), torch.float32)


def made(kind, name, net, **chosen):
    modality = MODALITIES[kind]
    return {**modality.data, **modality.companions, **modality.required}[name](net, chosen)


@pytest.mark.parametrize(("kind", "name"), MAKERS)
@pytest.mark.parametrize("model_type", ["gpt2", "clip", "whisper", "autoformer", "decision_transformer", "qwen2_vl"])
def test_whatever_is_made_of_a_configuration_can_be_drawn_in_any_size(kind, name, model_type):
    net = network(configured(model_type), name)
    for dummy in made(kind, name, net):
        one, three = drawn(dummy, 1), drawn(dummy, 3)
        assert three.shape == (3 * one.shape[0], *one.shape[1:])
        assert torch.equal(drawn(dummy, 3), three)
        assert three.device.type == "cpu"


@pytest.mark.parametrize("name", MODALITIES)
def test_a_configuration_that_says_nothing_breaks_no_modality(name):
    bare = SimpleNamespace(is_encoder_decoder=False, model_type="bare")
    modality = MODALITIES[name]
    for argument, make in {**modality.data, **modality.companions, **modality.required}.items():
        for dummy in make(network(bare, argument), {}):
            assert drawn(dummy).ndim >= 1


def test_floats_come_in_the_dtype_asked_for_and_whole_numbers_keep_theirs():
    for dummy, dtype in (
        (Noise((3,)), torch.float16),
        (Constant([1.0], kind="float"), torch.float16),
        (Whole((3,), 5), torch.int64),
        (ones(3), torch.int64),
        (ones(3, kind="bool"), torch.bool),
        (Tokens((3,), 9), torch.int64),
    ):
        assert dummy.draw(2, Variates(0, "x"), torch.float16).dtype == dtype


def test_tokens_avoid_what_has_a_meaning_of_its_own():
    ids = drawn(Tokens((500,), vocab=8, avoid=(0, 3, 4, 7), opening=(3, 3), ending=7))
    assert ids[:, :2].eq(3).all()
    assert ids[:, -1].eq(7).all()
    assert set(ids[:, 2:-1].flatten().tolist()) == {1, 2, 5, 6}


def test_a_text_fits_vocabulary_and_positions():
    (dummy,) = made("text", "input_ids", network(configured("roberta", max_position_embeddings=42, vocab_size=50)))
    assert dummy.shape == (40,)
    assert dummy.vocab == 50
    assert {0, 1, 2} <= set(dummy.avoid)
    assert dummy.ending == 2
    (dummy,) = made("text", "input_ids", network(configured("llama")))
    assert dummy.shape == (128,)


def test_images_have_the_size_and_channels_of_the_configuration():
    shapes = [dummy.shape for dummy in made("image", "pixel_values", network(configured("vit", image_size=48)))]
    assert shapes[0] == (3, 48, 48)
    assert made("image", "pixel_values", network(configured("vivit", image_size=32)))[0].shape == (32, 3, 32, 32)
    nested = network(configured("clip", vision_config={"image_size": 64, "num_channels": 1}))
    assert made("image", "pixel_values", nested)[0].shape == (1, 64, 64)


def test_whisper_hears_exactly_what_its_positions_are_for():
    config = configured("whisper", max_source_positions=50)
    assert made("audio", "input_features", network(config))[0].shape == (80, 100)


def test_a_text_holds_a_placeholder_for_every_feature_of_its_image():
    text = "{'hidden_size': 32, 'intermediate_size': 48, 'num_hidden_layers': 1, 'num_attention_heads': 2, 'vocab_size': 99}"
    vision = "{'hidden_size': 32, 'intermediate_size': 48, 'num_hidden_layers': 2, 'num_attention_heads': 2, 'image_size': 32, 'patch_size': 8}"
    target = open_target(TargetRequest(f"hf:llava(text_config={text}, vision_config={vision}, image_token_index=7)"))
    subject = target.build(0, ProbeRequest())
    kwargs = subject.call(3, 0).kwargs
    assert kwargs["pixel_values"].shape == (3, 3, 32, 32)
    assert (kwargs["input_ids"] == 7).sum(1).tolist() == [16] * 3
