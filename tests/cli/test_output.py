"""Standard output holds what was asked for and nothing else; files are whole or not there; equal runs, equal bytes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from initprobe.report.formats.base import FORMATS


def test_the_users_prints_do_not_reach_standard_output(initprobe):
    ran = initprobe("run", "models.py:talks", "-o", "json")
    json.loads(ran.out)
    assert "hello from the factory" in ran.err
    assert "hello from forward" in ran.err


def test_several_outputs_of_one_run(initprobe, folder):
    ran = initprobe(
        "check", "models.py:vanishing", "-o", "concise", "-o", "json=r.json", "-o", "csv=r.csv", "--save", "s.json"
    )
    assert "IP201" in ran.out
    assert json.loads((folder / "r.json").read_text())["schema"] == "initprobe/result/v1"
    assert (folder / "s.json").read_bytes() == (folder / "r.json").read_bytes()
    assert (folder / "r.csv").read_text().count("\n") > 2


def test_all_formats_at_once_are_what_each_is_alone(initprobe, folder):
    files = [argument for name in sorted(FORMATS) for argument in ("-o", f"{name}=all.{name}")]
    ran = initprobe("check", "tiny.yaml", "-o", "concise", *files)
    assert ran.code == 0
    assert ran.out == (folder / "all.concise").read_text()
    for name in ("sarif", "junit", "github"):
        assert (folder / f"all.{name}").read_text() == initprobe("check", "tiny.yaml", "-o", name).out


def test_an_output_that_fails_late_takes_no_other_with_it(initprobe, folder):
    ran = initprobe("check", "models.py:vanishing", "-o", "concise", "-o", "sarif=/dev/full", "-o", "junit=r.xml")
    assert ran.code == 2
    assert "cannot write '/dev/full': no space left on device" in ran.err
    assert "Traceback" not in ran.err
    assert "IP201" in ran.out
    assert (folder / "r.xml").read_text().startswith("<?xml")


def test_two_formats_do_not_share_a_file(initprobe, folder):
    ran = initprobe("check", "models.py:talks", "-o", "sarif=r", "-o", "junit=./r")
    assert ran.code == 2
    assert "two formats want 'r'" in ran.err
    assert not (folder / "r").exists()
    assert initprobe("check", "tiny.yaml", "-o", "sarif=/dev/null", "-o", "junit=/dev/null").code == 0


def test_every_output_that_fails_is_told(initprobe):
    ran = initprobe("check", "tiny.yaml", "-o", "sarif=/dev/full", "-o", "junit=/dev/full", "--save", "/dev/full")
    assert ran.code == 2
    assert ran.err.count("no space left on device") == 3


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_takes_no_files_is_told_first(initprobe, folder):
    (folder / "locked").mkdir(mode=0o500)
    ran = initprobe("check", "models.py:talks", "-o", "sarif=locked/r.sarif")
    assert ran.code == 2
    assert "takes no files" in ran.err
    assert "hello from the factory" not in ran.err


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_two_runs_give_identical_bytes(initprobe, name):
    first, second = (initprobe("run", "tiny.yaml", "-o", name).out for _ in range(2))
    assert first == second
    assert first


@pytest.mark.untraced
def test_plots_are_drawn_and_named_and_identical(initprobe, folder):
    ran = initprobe("run", "tiny.yaml", "--plots", "a")
    initprobe("run", "tiny.yaml", "--plots", "b")
    names = sorted(path.name for path in (folder / "a").iterdir())
    assert {"signal.png", "signal.svg"} <= set(names)
    for name in names:
        assert f"a{os.sep}{name}" in ran.err
        assert (folder / "a" / name).read_bytes() == (folder / "b" / name).read_bytes()


def test_piped_output_keeps_every_name_and_has_no_escape(initprobe):
    ran = initprobe("run", "tiny.yaml", "--layers", "all")
    for layer in range(8):
        assert f"block.{layer}.linear" in ran.out
    assert "\x1b" not in ran.out
    assert "…\n" not in ran.out


def test_an_ascii_terminal_gets_ascii(folder):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "NO_COLOR": "1"}
    ended = subprocess.run(
        [sys.executable, "-m", "initprobe", "run", "tiny.yaml"],
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
    )
    assert ended.returncode == 0, ended.stderr
    ended.stdout.decode("ascii")


def test_an_unwritable_place_is_one_clear_message(initprobe):
    ran = initprobe("run", "tiny.yaml", "-o", "json=no/such/folder/r.json")
    assert ran.code == 2
    assert "no/such/folder" in ran.err
    assert "Traceback" not in ran.err


def test_ctrl_c_ends_with_130_and_leaves_no_partial_file(folder):
    (folder / "slow.py").write_text(
        "import time, torch\nfrom torch import nn\n\n\ndef build():\n    print('ready', flush=True)\n    time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "initprobe",
            "run",
            "slow.py:build",
            "--input",
            "8",
            "-o",
            "json=r.json",
            "--save",
            "s.json",
        ],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stderr:
        if "ready" in line:
            break
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    process.stderr.close()
    assert sorted(path.name for path in folder.iterdir() if path.name != "__pycache__") == [
        "models.py",
        "slow.py",
        "tiny.yaml",
    ]


@pytest.mark.parametrize(
    "arguments", [["--help"], ["run", "--help"], ["ls", "rules"], ["explain", "he"], ["explain", "IP101"]]
)
def test_help_and_reference_load_neither_torch_nor_matplotlib(arguments):
    code = (
        "import sys\nfrom initprobe.__main__ import run\n"
        f"run({arguments!r})\nassert not {{'torch', 'matplotlib'}} & set(sys.modules), 'heavy'"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_importing_the_package_is_light():
    code = "import sys, initprobe\nassert not {'torch', 'matplotlib', 'pydantic', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "arguments",
    [["-o", "json=absent/r.json"], ["--save", "absent/r.json"], ["--save", "."], ["--plots", "models.py"]],
)
def test_what_cannot_be_kept_is_told_before_anything_is_measured(initprobe, arguments):
    ran = initprobe("run", "models.py:talks", *arguments)
    assert ran.code == 2
    assert "hello from the factory" not in ran.err
    assert ran.out == ""


def test_a_dash_is_standard_output(initprobe, folder):
    assert initprobe("run", "tiny.yaml", "-o", "concise=-").out == initprobe("run", "tiny.yaml", "-o", "concise").out
    assert not (folder / "-").exists()


def test_what_user_code_says_is_no_command_to_a_ci_runner(initprobe, folder):
    (folder / "evil.py").write_text("def build():\n    raise ValueError('a\\n::error::b\\n  ##[group]c')\n")
    ran = initprobe("check", "evil.py:build", "--input", "3")
    assert ran.code == 3
    assert not [line for line in ran.err.splitlines() if line.lstrip().startswith(("::", "##["))]


def test_a_full_disk_behind_standard_output_is_no_bug_of_ours(folder):
    command = [sys.executable, "-m", "initprobe", "ls", "rules"]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, check=False, stdout=full, stderr=subprocess.PIPE)
    assert ended.returncode == 2
    assert b"cannot write to standard output" in ended.stderr


@pytest.mark.untraced
def test_targets_that_are_called_alike_are_told_apart(initprobe, folder):
    for name in ("a", "b"):
        (folder / name).mkdir()
        (folder / name / "net.yaml").write_text((folder / "tiny.yaml").read_text())
    ran = initprobe("compare", "a/net.yaml", "b/net.yaml", "--seeds", "1", "--max-seeds", "1")
    assert "a/net.yaml" in ran.out
    assert "b/net.yaml" in ran.out
    initprobe("run", "a", "b", "--plots", "p", "--seeds", "1", "--max-seeds", "1")
    assert len([path for path in (folder / "p").iterdir() if path.name.startswith("signal")]) == 4
