"""``ls`` and ``explain``."""

import json

from initprobe.load.presets import preset_files


def test_presets_are_listed_with_what_they_are(initprobe):
    listed = json.loads(initprobe("ls", "presets", "--json").out)
    assert [row["name"] for row in listed] == list(preset_files())
    assert all(row["summary"] for row in listed)
    assert "deep-mlp  " in initprobe("ls", "presets").out


def test_a_preset_is_explained_with_its_spec(initprobe):
    ran = initprobe("explain", "deep-mlp")
    assert ran.code == 0
    assert ran.out.startswith("deep-mlp: Fifty linear layers")
    assert "initprobe run preset:deep-mlp" in ran.out
    assert "\nversion: 1\n" in ran.out


def test_a_mistyped_preset_is_told(initprobe):
    ran = initprobe("explain", "deep-mpl")
    assert ran.code == 2
    assert "did you mean 'deep-mlp'?" in ran.err
