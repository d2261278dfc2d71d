from pathlib import Path

import pytest

from initprobe.load.presets import preset_files, read_presets

CONFIGS = Path(__file__).parents[2] / "configs"


def test_every_config_of_the_checkout_is_a_preset():
    assert {name: file.resolve() for name, file in preset_files().items()} == {
        path.stem: path for path in sorted(CONFIGS.glob("*.yaml"))
    }
    assert {"deep-mlp", "digits"} <= preset_files().keys()


@pytest.mark.parametrize("name", preset_files())
def test_a_preset_is_a_comment_and_a_spec(name):
    preset = read_presets()[name]
    assert "yaml-language-server" not in preset.comment
    assert "Look at" in preset.comment
    assert not any(line.startswith("#") for line in preset.comment.splitlines())
    assert preset.spec.startswith("version: 1\n")
    assert preset.file.read_text(encoding="utf-8").endswith(f"{preset.spec}\n")


@pytest.mark.parametrize("name", preset_files())
def test_a_summary_is_the_first_sentence(name):
    preset = read_presets()[name]
    assert preset.summary.endswith(".")
    assert preset.summary.count(". ") == 0
    assert " ".join(preset.comment.split()).startswith(preset.summary)
