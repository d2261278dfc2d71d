"""A file is written whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from initprobe.errors import UsageError
from initprobe.report import write
from initprobe.report.write import rewrite_bytes, write_bytes, write_text


def test_text_is_written_as_it_stands(tmp_path):
    write_text(tmp_path / "a.txt", "é\r\n×\n")
    assert (tmp_path / "a.txt").read_bytes() == "é\r\n×\n".encode()
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_the_mode_follows_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_bytes(tmp_path / "a", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_a_symbolic_link_is_replaced_and_its_target_stays(tmp_path):
    victim, link = tmp_path / "victim", tmp_path / "link"
    victim.write_text("old")
    link.symlink_to(victim)
    write_text(link, "new")
    assert (victim.read_text(), link.read_text(), link.is_symlink()) == ("old", "new", False)


def test_a_dangling_link_is_replaced(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    write_text(link, "new")
    assert link.read_text() == "new"


def test_a_missing_directory_is_one_clear_message(tmp_path):
    with pytest.raises(UsageError, match=r"cannot write .*nowhere.*no such file or directory") as caught:
        write_text(tmp_path / "nowhere" / "a.json", "x")
    assert "make the directory" in str(caught.value.hint)


def test_a_directory_is_no_file(tmp_path):
    with pytest.raises(UsageError, match="it is a directory") as caught:
        write_text(tmp_path, "x")
    assert "result.json" in str(caught.value.hint)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_device_is_one_clear_message():
    with pytest.raises(UsageError, match="no space left on device"):
        write_text("/dev/full", "x")


@pytest.mark.skipif(not Path("/dev/null").is_char_device(), reason="no /dev/null here")
def test_a_device_is_written_and_not_replaced():
    write_text("/dev/null", "x")
    assert Path("/dev/null").is_char_device()


def test_a_pipe_is_written_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_text(pipe, "x")
        assert os.read(reader, 10) == b"x"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_directory_is_one_clear_message(tmp_path):
    (tmp_path / "a").write_text("old")
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(UsageError, match="permission denied"):
            write_text(tmp_path / "a", "new")
    finally:
        tmp_path.chmod(0o755)
    assert (tmp_path / "a").read_text() == "old"


@pytest.mark.parametrize("step", ["fsync", "fdopen", "umask"])
@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), PermissionError(13, "x"), KeyboardInterrupt()]
)
def test_whatever_fails_the_old_file_stays_and_no_temporary_one(tmp_path, monkeypatch, step, error):
    place = tmp_path / "a"
    place.write_text("old")

    def fail(*_args):
        raise error

    monkeypatch.setattr(write.os, step, fail)
    with pytest.raises(UsageError if isinstance(error, OSError) else KeyboardInterrupt):
        write_text(place, "new")
    monkeypatch.undo()
    assert place.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_rewriting_keeps_the_mode_and_the_link(tmp_path):
    place, link = tmp_path / "net.yaml", tmp_path / "link.yaml"
    place.write_text("old")
    place.chmod(0o750)
    link.symlink_to("net.yaml")
    rewrite_bytes(link, b"new")
    assert place.read_text() == "new"
    assert link.is_symlink()
    assert place.stat().st_mode & 0o777 == 0o750
    rewrite_bytes(tmp_path / "other.yaml", b"made")
    assert (tmp_path / "other.yaml").read_text() == "made"
    with pytest.raises(UsageError, match="it is a directory"):
        rewrite_bytes(tmp_path, b"")
