"""BEiT: the ends of the branches shrink from layer to layer."""

import math

import pytest
import torch
from torch import nn

import initprobe as ip
from initprobe.errors import UsageError

CUT = 0.5396


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_layer_l_is_divided_by_the_root_of_two_l(transformer, norm):
    model = transformer(4, 64, 4, norm)
    found = {one.weight: one.std for one in ip.initialize(model, "beit_fix", inputs=(5, 64)).drawn}
    for layer in range(4):
        for end in ("attention.out", "down"):
            name = f"blocks.{layer}.{end}.weight"
            assert found[name] == pytest.approx(0.02 * CUT / math.sqrt(2 * (layer + 1)), rel=1e-4)
            assert model.get_parameter(name).abs().max() <= 0.02 / math.sqrt(2 * (layer + 1)) + 1e-8
        assert found[f"blocks.{layer}.up.weight"] == pytest.approx(0.02 * CUT, rel=1e-4)


def test_the_stream_grows_by_a_harmonic_sum(added):
    # The branches of layer l add 1 / 2l of what the first would unscaled; measured: 1.78.
    harmonic = [sum(1 / layer for layer in range(1, depth + 1)) for depth in (6, 48)]
    assert added("beit_fix", 48) / added("beit_fix", 6) == pytest.approx(harmonic[1] / harmonic[0], rel=0.1)


def test_branches_side_by_side_are_in_one_layer():
    class Parallel(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(32, 4, batch_first=True)
            self.up, self.down = nn.Linear(32, 64), nn.Linear(64, 32)

        def forward(self, x):
            fed = self.down(torch.relu(self.up(x)))
            return x + fed + self.attention(x, x, x, need_weights=False)[0]

    model = nn.Sequential(Parallel(), Parallel())
    found = {one.weight: one.std for one in ip.initialize(model, "beit_fix(truncated=False)", inputs=(5, 32)).drawn}
    for layer in range(2):
        for end in ("attention.out_proj", "down"):
            assert found[f"{layer}.{end}.weight"] == pytest.approx(0.02 / math.sqrt(2 * (layer + 1)))


def test_it_is_timms_port_without_the_cut(same_law):
    timm = pytest.importorskip("timm")
    sizes = {"img_size": 16, "patch_size": 4, "embed_dim": 64, "depth": 3, "num_heads": 4, "num_classes": 7}
    with torch.random.fork_rng():
        torch.manual_seed(3)
        theirs, ours = (timm.create_model("beit_base_patch16_224", **sizes) for _ in range(2))
    outcome = ip.initialize(ours, "beit_fix(truncated=False)", inputs=(3, 16, 16))
    drawn = {one.weight for one in outcome.drawn}
    assert {one.weight for one in outcome.skipped} == {
        name for name, _ in theirs.named_parameters() if ("norm" in name or "gamma" in name)
    }
    for name, parameter in theirs.named_parameters():
        # timm leaves the patches to torch, and divides the classifier by a thousand for fine-tuning.
        if name in drawn and not name.startswith(("patch_embed", "head")):
            mine = ours.get_parameter(name)
            assert torch.equal(mine, parameter) or same_law(mine, parameter), name


def test_a_network_without_branches_is_told():
    with pytest.raises(UsageError, match="no residual branch"):
        ip.initialize(nn.Sequential(nn.Linear(8, 8)), "beit_fix", inputs=(8,))
