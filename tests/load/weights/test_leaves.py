"""What holds for every checkpoint format: it reads back what was written, and refuses everything else in one message."""

from __future__ import annotations

import pytest
import safetensors.torch
import torch

from initprobe.errors import UsageError
from initprobe.load.checkpoint import read_weights
from initprobe.load.weights.base import WEIGHTS

WRITERS = {"pickled": torch.save, "safetensors": safetensors.torch.save_file}
SUFFIXES = [(name, suffix) for name, leaf in WEIGHTS.items() for suffix in leaf.suffixes]


def test_every_format_has_a_writer_here_and_no_suffix_is_of_two():
    assert WRITERS.keys() == WEIGHTS.keys()
    suffixes = [suffix for _, suffix in SUFFIXES]
    assert len(set(suffixes)) == len(suffixes)
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in suffixes)


@pytest.mark.parametrize(("name", "suffix"), SUFFIXES)
def test_it_reads_what_was_written(name, suffix, tmp_path):
    written = {
        "a.weight": torch.arange(6.0).reshape(2, 3),
        "b": torch.ones(2, dtype=torch.bfloat16),
        "n": torch.tensor(7),
        "empty": torch.empty(0),
    }
    file = str(tmp_path / f"net{suffix.upper()}")
    WRITERS[name](written, file)
    read = read_weights(file)
    assert read.keys() == written.keys()
    for key, value in written.items():
        assert read[key].dtype == value.dtype
        assert torch.equal(read[key], value)


@pytest.mark.parametrize(("name", "suffix"), SUFFIXES)
@pytest.mark.parametrize(
    "content",
    [b"hello world", b"\0" * 64, b"\xff" * 64, b"PK\x03\x04 and so on", b"\x80\x02}q\x00.", b"\x02\0\0\0\0\0\0\0{}"],
    ids=["text", "zeros", "ones", "archive", "pickle of nothing", "header of nothing"],
)
def test_what_is_no_checkpoint_is_one_message(name, suffix, content, tmp_path, capfd):
    file = tmp_path / f"net{suffix}"
    file.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_weights(str(file))
    assert str(file) in str(caught.value)
    assert len(caught.value.render().splitlines()) <= 2
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("name", "suffix"), SUFFIXES)
def test_a_file_that_was_cut_off_anywhere_is_one_message(name, suffix, tmp_path):
    whole, file = tmp_path / f"whole{suffix}", tmp_path / f"net{suffix}"
    WRITERS[name]({"a": torch.ones(40), "b": torch.ones(3)}, str(whole))
    data = whole.read_bytes()
    for length in range(1, len(data), max(1, len(data) // 23)):
        file.write_bytes(data[:length])
        with pytest.raises(UsageError):
            read_weights(str(file))


def test_a_file_is_judged_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for suffix in (".safetensors", ".pt"):
        with (tmp_path / f"sparse{suffix}").open("wb") as file:
            file.truncate(2**42)
        (tmp_path / f"nothing{suffix}").touch()
        (tmp_path / f"folder{suffix}").mkdir()
        for stem, message in (
            ("sparse", "is larger than the memory: 4.4 TB"),
            ("nothing", "is empty"),
            ("folder", "is a directory"),
            ("absent", "there is no file"),
        ):
            with pytest.raises(UsageError, match=message):
                read_weights(f"{stem}{suffix}")


def test_a_close_match_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"a": torch.ones(1)}, "last.pt")
    with pytest.raises(UsageError) as caught:
        read_weights("lats.pt")
    assert caught.value.hint == "did you mean 'last.pt'?"


@pytest.mark.parametrize("name", ["net.npz", "net", "net.pt2", "net.safetensors.index.json"])
def test_another_kind_of_file_is_told_what_there_is(name, tmp_path):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UsageError, match="is no checkpoint by its name") as caught:
        read_weights(str(tmp_path / name))
    assert ".safetensors" in caught.value.hint
