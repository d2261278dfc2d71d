"""`initprobe run` on a directory: everything in turn, and a table of all at the end."""

import shutil
from pathlib import Path


def test_a_directory_ends_with_a_table_of_all(initprobe, folder):
    (folder / "nets").mkdir()
    for number in range(6):
        shutil.copy("tiny.yaml", f"nets/net{number}.yaml")
        text = Path(f"nets/net{number}.yaml").read_text()
        Path(f"nets/net{number}.yaml").write_text(text.replace("name: tiny", f"name: net{number}"))
    (folder / "nets" / "broken.yaml").write_text("version: 1\nmodel: {input: {shape: [2]}, layers: [rulu]}\n")
    ran = initprobe("run", "nets")
    assert ran.code == 2
    table = ran.out.partition("\nall 7 targets\n")[2]
    assert [line.split()[0] for line in table.splitlines() if line.startswith("net") and ".yaml" not in line] == [
        f"net{n}" for n in range(6)
    ]
    assert "nets/broken.yaml" in table
    assert "could not be probed" in table
    assert table.rstrip().splitlines()[-1].endswith(" in 6 targets · 1 target could not be probed · seeds 0–1")
    assert "unknown layer type 'rulu'\n  --> nets/broken.yaml:2:39" in ran.out


def test_one_target_has_no_such_table(initprobe, folder):
    assert "\nall " not in initprobe("run", "tiny.yaml").out
