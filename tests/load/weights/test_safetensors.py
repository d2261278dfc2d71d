"""A header that lies is found out before anything is reserved."""

from __future__ import annotations

import json
import sys

import pytest
import torch

from initprobe.errors import MissingExtraError, UsageError
from initprobe.load.weights.safetensors import HEADER_LIMIT, read_safetensors


def written(path, header, numbers=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + numbers)
    return path


def tensor(shape, first, last, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [first, last]}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "net.safetensors"


def test_a_file_by_hand(file):
    read = read_safetensors(written(file, {"a": tensor([2], 0, 8)}, bytes(8)))
    assert torch.equal(read["a"], torch.zeros(2))


@pytest.mark.parametrize("length", [0, 1, 2**60, 2**64 - 1, HEADER_LIMIT + 1])
def test_a_length_that_cannot_be(file, length):
    with pytest.raises(UsageError, match=r"a header of .* in a file of"):
        read_safetensors(written(file, {"a": tensor([2], 0, 8)}, bytes(8), length=length))


@pytest.mark.parametrize(
    "header",
    [
        b"x" * 20,
        b"[1, 2, 3]",
        b"{" * 5000,
        {"a": tensor([2**50], 0, 8)},
        {"a": tensor([2], 0, 2**60)},
        {"a": tensor([2], 8, 0)},
        {"a": tensor([-2], 0, 8)},
        {"a": tensor([2], 0, 8, dtype="F33")},
        {"a": tensor([2], 0, 8), "b": tensor([2], 0, 8)},
        {"a": {}},
    ],
)
def test_a_header_that_lies(file, header):
    with pytest.raises(UsageError) as caught:
        read_safetensors(written(file, header, bytes(8)))
    assert len(caught.value.render().splitlines()) == 1


def test_without_the_library_the_extra_is_named(file, monkeypatch):
    written(file, {"a": tensor([2], 0, 8)}, bytes(8))
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(MissingExtraError, match=r"reading 'net.safetensors' needs the 'safetensors' extra") as caught:
        read_safetensors(file)
    assert caught.value.hint == 'pip install "initprobe[safetensors]"'
