"""The models of timm and torchvision: a sample always, a small one of every family on request."""

from __future__ import annotations

import pytest

from tests.zoo.walk_timm import Row, one_of_each_family, walk
from tests.zoo.walking import walked

pytestmark = pytest.mark.untraced

SAMPLE = {
    "timm:convnext_atto": 12,
    "timm:mobilenetv3_small_050": 7,  # six, and one where half of 40 and of 48 channels are rounded alike
    "timm:nf_resnet26": 8,
    "timm:vit_tiny_patch16_224": 24,
    "torchvision:shufflenet_v2_x0_5": 0,
    "torchvision:resnet18": 8,
}
"""A few models, and how many residual branches each has by its paper."""


@pytest.mark.parametrize("name", SAMPLE)
def test_a_sample(name):
    row = walk(name)
    assert row.result == "full", row.detail
    assert row.branches == SAMPLE[name]


@pytest.mark.slow
def test_one_of_each_family():
    rows = list(walked("tests.zoo.walk_timm", one_of_each_family(), Row))
    assert len(rows) >= 150
    assert not [row for row in rows if row.result in {"crash", "changed"}]
    assert sum(row.result == "full" for row in rows) >= 0.95 * len(rows)
