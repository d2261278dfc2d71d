"""A pickle is read for its tensors and never run."""

from __future__ import annotations

import argparse
import os
import pickle
import warnings
import zipfile

import pytest
import torch
from torch import nn

from initprobe.errors import UsageError
from initprobe.load.weights.pickled import check_version, read_pickled


class Makes:
    """A folder, once somebody unpickles it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "net.pt"


def save_archive(value, path):
    torch.save(value, path)


def save_legacy(value, path):
    torch.save(value, path, _use_new_zipfile_serialization=False)


def save_plain(value, path):
    path.write_bytes(pickle.dumps(value, protocol=2))


@pytest.mark.parametrize("save", [save_archive, save_legacy, save_plain])
@pytest.mark.parametrize("forced", [False, True])
def test_code_in_it_does_not_run(save, forced, file, tmp_path, monkeypatch):
    sentinel = tmp_path / "ran"
    save({"weight": torch.ones(2), "x": Makes(sentinel)} if save is not save_plain else Makes(sentinel), file)
    if forced:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(
        UsageError, match=r"holds more than tensors: '(posix|nt)\.mkdir' would have to run, and was refused"
    ) as caught:
        read_pickled(file)
    assert not sentinel.exists()
    assert "torch.save(model.state_dict(), FILE)" in caught.value.hint
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if save is save_plain:
            pickle.loads(file.read_bytes())
        else:
            torch.load(file, weights_only=False)
    assert sentinel.exists(), "the file is live"


@pytest.mark.parametrize(
    ("value", "named"),
    [(nn.Linear(2, 2), "torch.nn.modules.linear.Linear"), ({"args": argparse.Namespace(lr=1)}, "argparse.Namespace")],
)
def test_a_whole_model_and_a_training_script_s_arguments_are_named(value, named, file):
    torch.save(value, file)
    with pytest.raises(UsageError, match=f"'{named}' would have to run"):
        read_pickled(file)


def test_the_format_of_old(file):
    save_legacy({"a": torch.ones(3)}, file)
    assert torch.equal(read_pickled(file)["a"], torch.ones(3))


def test_an_archive_that_would_grow_is_refused(file, tmp_path):
    torch.save({"a": torch.zeros(100_000)}, tmp_path / "plain.pt")
    with zipfile.ZipFile(tmp_path / "plain.pt") as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))
    assert file.stat().st_size < 10_000
    with pytest.raises(UsageError, match="is a compressed archive"):
        read_pickled(file)


def test_a_model_of_torchscript_is_told(file):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates it
        torch.jit.save(torch.jit.script(nn.Linear(2, 2)), file)
    with pytest.raises(UsageError, match="is a TorchScript model, not a checkpoint"):
        read_pickled(file)


def test_nothing_is_said_beside_the_message(file, capfd):
    torch.save({"a": torch.ones(2), "x": Makes(file)}, file)
    with pytest.raises(UsageError):
        read_pickled(file)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("version", ["2.6.0", "2.9.1+cu128", "2.5.1"])
def test_a_torch_with_a_known_hole_reads_none(version):
    with pytest.raises(UsageError, match="is not safe against malicious checkpoints"):
        check_version(version)


@pytest.mark.parametrize("version", ["2.10.0", "2.13.0+cpu", "3.0.0"])
def test_a_torch_without_one_does(version):
    check_version(version)
