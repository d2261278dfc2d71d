"""Schemes by fans, on the projections that an attention packs into one parameter."""

import math

import pytest
import torch
from torch import nn

import initprobe as ip

WIDTH = 64


class Self(nn.Module):
    """Torch's attention of a signal with itself, or with a narrower one."""

    def __init__(self, narrow=None):
        super().__init__()
        self.narrow = narrow
        self.attention = nn.MultiheadAttention(WIDTH, 4, kdim=narrow, vdim=narrow, batch_first=True)

    def forward(self, x):
        memory = x if self.narrow is None else x[..., : self.narrow]
        return self.attention(x, memory, memory, need_weights=False)[0]


def drawn(scheme, narrow=None, seed=0):
    model = Self(narrow)
    outcome = ip.initialize(model, scheme, inputs=(5, WIDTH), seed=seed)
    return model.attention, {one.weight.removeprefix("attention."): one.std for one in outcome.drawn}


@pytest.mark.parametrize("scheme", ["xavier_uniform", "xavier_normal", "lecun_normal", "vit_moco"])
def test_query_key_and_value_have_variance_one_over_the_width_each(scheme):
    attention, stds = drawn(scheme)
    assert stds["in_proj_weight"] == pytest.approx(1 / math.sqrt(WIDTH))
    for part in attention.in_proj_weight.detach().chunk(3):
        assert float(part.var()) == pytest.approx(1 / WIDTH, rel=4 * math.sqrt(2 / part.numel()))
    torch_draws = torch.cat([nn.MultiheadAttention(WIDTH, 4).in_proj_weight.detach() for _ in range(4)])
    assert float(torch_draws.var()) == pytest.approx(0.5 / WIDTH, rel=0.05)


def test_scores_have_variance_one_where_torchs_own_have_a_quarter():
    x = torch.randn(512, WIDTH, generator=torch.Generator().manual_seed(1))
    variances = {}
    for scheme in ("xavier_uniform", "torch_default"):
        query, key, _ = drawn(scheme)[0].in_proj_weight.detach().chunk(3)
        scores = torch.einsum("qhd,khd->hqk", (x @ query.T).unflatten(-1, (4, 16)), (x @ key.T).unflatten(-1, (4, 16)))
        variances[scheme] = float((scores / 4).var())
    assert variances["xavier_uniform"] == pytest.approx(1.0, rel=0.1)
    assert variances["torch_default"] == pytest.approx(0.25, rel=0.1)


def test_projections_of_other_widths_have_their_own_fans():
    attention, stds = drawn("xavier_uniform", narrow=16)
    assert stds["q_proj_weight"] == pytest.approx(1 / math.sqrt(WIDTH))
    for name in ("k_proj_weight", "v_proj_weight"):
        assert stds[name] == pytest.approx(math.sqrt(2 / (WIDTH + 16)))
        assert getattr(attention, name).abs().max() <= math.sqrt(6 / (WIDTH + 16))
    assert stds["out_proj.weight"] == pytest.approx(1 / math.sqrt(WIDTH))


def test_packed_or_not_the_fans_are_the_same(transformer):
    stds = []
    for packed in (True, False):
        model = transformer(1, 32, 4, packed=packed)
        outcome = ip.initialize(model, "xavier_uniform", inputs=(5, 32))
        stds.append({one.std for one in outcome.drawn if ".attention." in one.weight})
    assert stds[0] == stds[1]
    assert sorted(stds[0]) == pytest.approx([0.0, 1 / math.sqrt(32)])
