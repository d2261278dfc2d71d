"""Saved Keras models: read only where the command line allows it, one draw, the same weights every time."""

from __future__ import annotations

import sys

import keras
import pytest
import torch
from keras import layers

from initprobe.errors import CodeNotAllowedError, ExitCode, TargetError, UsageError
from initprobe.load.sources.base import SOURCES
from initprobe.load.target import open_target
from initprobe.records import ProbeRequest, TargetRequest
from tests.zoo.keras_models import perceptron

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")  # numpy 2


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def saved():
    model = perceptron()
    model.save("net.keras")
    return model


def opened(text, **options):
    return open_target(TargetRequest(text, **{"allow_code": True, **options}))


@pytest.mark.parametrize("text", ["net.keras", "keras:net.keras"])
def test_a_saved_model_is_one_draw_with_its_own_weights(saved, text):
    target = opened(text)
    assert (target.name, target.one_draw) == ("net.keras", True)
    for seed in (0, 1):
        subject = target.build(seed, ProbeRequest())
        first = next(subject.model.parameters())
        assert torch.equal(first, saved.variables[0].value)
        assert first is not saved.variables[0].value
        assert subject.call(3, 0).args[0].shape == (3, 16)


def test_an_archive_is_not_read_unless_the_command_line_says_so(saved, monkeypatch):
    monkeypatch.setattr(keras.saving, "load_model", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(CodeNotAllowedError, match="can run code") as caught:
        opened("net.keras", allow_code=False)
    assert "--allow-code" in caught.value.hint
    assert caught.value.exit_code == ExitCode.USAGE


def test_a_lambda_layer_is_the_code_that_was_allowed():
    keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Lambda(lambda x: x * 2)]).save("code.keras")
    subject = opened("code.keras").build(0, ProbeRequest())
    assert subject.model(torch.ones(2, 4)).shape == (2, 3)


def test_a_class_of_ones_own_needs_a_function():
    class Own(layers.Layer):
        def call(self, inputs):
            return inputs

    keras.Sequential([keras.Input((4,)), layers.Dense(3), Own()]).save("own.keras")
    with pytest.raises(TargetError, match=r"reading own\.keras") as caught:
        opened("own.keras").build(0, ProbeRequest())
    assert "FILE.py:load" in caught.value.hint


def test_what_is_no_archive_is_told(tmp_path):
    (tmp_path / "text.keras").write_text("hello")
    with pytest.raises(TargetError, match=r"reading text\.keras"):
        opened("text.keras").build(0, ProbeRequest())
    with pytest.raises(UsageError, match="there is no file"):
        opened("missing.keras")


def test_without_keras_the_extra_is_named(saved, monkeypatch):
    target = opened("net.keras")
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(TargetError, match="keras") as caught:
        target.build(0, ProbeRequest())
    assert caught.value.hint == 'pip install "initprobe[keras]"'


def test_archives_are_known_by_their_names():
    assert SOURCES["keras"].accepts("runs/Best.KERAS")
    assert not SOURCES["keras"].accepts("keras.applications:ResNet50")
