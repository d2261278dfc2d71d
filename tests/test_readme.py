"""README's two commands are what a newcomer types and what CI runs."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh[ \t]*\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def steps(block: str) -> list[list[str]]:
    """The commands of a line that are chained with ``&&``."""
    words = shlex.split(block)
    ends = [at for at, word in enumerate(words) if word == "&&"]
    return [words[start:end] for start, end in zip([0, *(end + 1 for end in ends)], [*ends, len(words)], strict=True)]


def test_there_are_two_commands_of_one_line():
    assert [block.count("\n") for block in BLOCKS] == [1, 1]


@pytest.mark.parametrize("block", BLOCKS)
def test_each_sets_up_an_environment_of_its_own(block):
    make, install, _ = steps(block)
    assert make == ["python3", "-m", "venv", ".venv"]
    assert install[:2] == [".venv/bin/pip", "install"]
    assert "constraints.txt" in install


def test_the_second_runs_the_tests():
    *_, last = steps(BLOCKS[1])
    assert last == [".venv/bin/python", "-m", "pytest", "-q", "-n", "auto"]


def test_ci_runs_the_second(tmp_path):
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    extract = re.search(r"^readme_test_command\(\) \{.*?^\}$", script, re.MULTILINE | re.DOTALL)[0]
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash on this machine")

    def extracted(readme: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "README.md").write_text(readme, encoding="utf-8")
        command = [bash, "-c", f"{extract}\nreadme_test_command"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert extracted(README).stdout == BLOCKS[1]
    assert extracted(README + "\n```sh\nanother\n```\n").returncode == 1
    assert extracted("```sh\none\n```\n\n```sh\ntwo\nthree\n```\n").returncode == 1


def test_the_first_prints_a_table_a_verdict_and_the_plots(tmp_path):
    *_, last = steps(BLOCKS[0])
    assert last[0] == ".venv/bin/initprobe"
    plots = tmp_path / "plots"
    arguments = [*last[1 : last.index("--plots")], "--plots", str(plots)]
    finished = subprocess.run(
        [sys.executable, "-m", "initprobe", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert "gain/layer" in finished.stdout
    assert "\nverdict: pass" in finished.stdout
    drawn = {plots / line.removeprefix("wrote ") for line in finished.stderr.splitlines() if line.startswith("wrote ")}
    assert drawn == set(plots.iterdir())
    assert {path.suffix for path in drawn} == {".png", ".svg"}
