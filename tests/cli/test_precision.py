"""``--precision`` and ``check: {precision: ...}``: a type that the network is going to run in, and is not probed in."""

import pytest

from initprobe.errors import ExitCode

LARGE = """\
version: 1
model:
  input: {shape: [16]}
  layers: [{type: linear, out: 16}, {type: linear, out: 4}]
init: {default: {scheme: normal, std: 200.0}}
probe: {seeds: 2, max_seeds: 2, batch: 16}
"""


@pytest.mark.parametrize(
    ("flags", "section", "expected"),
    [
        ([], "", ExitCode.OK),
        (["--precision", "float16"], "", ExitCode.FINDINGS),
        ([], "check: {precision: float16}\n", ExitCode.FINDINGS),
        (["--precision", "bfloat16"], "check: {precision: float16}\n", ExitCode.OK),
        (["--precision", "float16", "--ignore", "dtype-overflow"], "", ExitCode.OK),
        (["--precision", "float8"], "", ExitCode.USAGE),
        ([], "check: {precision: float8}\n", ExitCode.USAGE),
    ],
)
def test_the_flag_wins_over_the_file(initprobe, folder, flags, section, expected):
    (folder / "large.yaml").write_text(LARGE + section)
    ended = initprobe("check", "large.yaml", "-o", "concise", *flags)
    assert ended.code == expected
    assert ("IP801" in ended.out) == (expected == ExitCode.FINDINGS)
