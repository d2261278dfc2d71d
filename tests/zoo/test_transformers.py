"""The transformers library through ``hf:``: a sample always, every model type on request."""

from __future__ import annotations

import pytest
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

from tests.zoo.walk import Row, outcome, walk
from tests.zoo.walking import walked

pytestmark = pytest.mark.untraced

SAMPLE = {
    "bert": "input_ids",
    "clip": "pixel_values, input_ids",
    "llama": "input_ids",
    "llava": "pixel_values, input_ids",
    "qwen3_moe": "input_ids",
    "t5": "input_ids, decoder_input_ids",
    "vit": "pixel_values",
    "wav2vec2": "input_values",
    "whisper": "input_features, decoder_input_ids",
}


@pytest.mark.parametrize("model_type", SAMPLE)
def test_a_sample(model_type):
    row = walk(model_type)
    assert row.result == "full", row.detail
    assert f"({SAMPLE[model_type]}" in outcome(row)
    assert row.called > 0.8 * row.modules, "the dummy inputs reach the whole model"


@pytest.mark.slow
def test_all_of_them():
    rows = list(walked("tests.zoo.walk", sorted(CONFIG_MAPPING_NAMES), Row))
    assert not [row for row in rows if row.result in ("crash", "changed")]
    assert sum(row.result == "full" for row in rows) >= 0.6 * len(rows)
