"""Encoders, decoders and cross-attention are told from the traced structure alone."""

import pytest
import torch
from torch import nn

import initprobe as ip
from initprobe.dissect.anatomy import trace_anatomy
from initprobe.errors import UsageError
from initprobe.init.network import Network
from initprobe.init.towers import check_towers, find_towers, follows_norm, is_pre_norm
from initprobe.load.given import open_given
from initprobe.records import ProbeRequest
from tests.init.stacks import Encoder, EncoderDecoder, Residual, tokens


def network_of(model: nn.Module, inputs) -> Network:
    target, _ = open_given(model, inputs)
    subject = target.build(0, ProbeRequest())
    return Network(subject.model, trace_anatomy(subject).anatomy)


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize(("encoder", "decoder"), [(3, 2), (1, 1), (1, 4)])
def test_an_encoder_and_a_decoder(encoder, decoder, norm_first):
    model = EncoderDecoder(encoder, decoder, norm_first=norm_first)
    network = network_of(model, (tokens(), tokens(seed=1)))
    found = find_towers(network)
    assert [(tower.kind, tower.layers) for tower in found.towers] == [("encoder", encoder), ("decoder", decoder)]
    assert (found.encoder_layers, found.decoder_layers) == (encoder, decoder)
    assert found.towers[0].cross == frozenset()
    cross = [network.anatomy.branches[index] for index in sorted(found.towers[1].cross)]
    assert [branch.tails for branch in cross] == [
        (f"decoder.layers.{layer}.multihead_attn.out_proj.weight",) for layer in range(decoder)
    ]
    for weight in (one for one in network.anatomy.weights if one.role == "linear"):
        tower = found.holding(weight, network)
        kind = weight.name.split(".")[0]
        assert (tower.kind if tower else None) == (kind if "layers" in weight.name else None)
    assert [is_pre_norm(tower, network) for tower in found.towers] == [norm_first] * 2


@pytest.mark.parametrize("norm", ["post", "pre", "sub", "none"])
def test_a_stack_by_itself(norm):
    network = network_of(Encoder(5, norm=norm), tokens())
    (tower,) = find_towers(network).towers
    assert (tower.kind, tower.layers, len(tower.branches), tower.cross) == ("alone", 5, 10, frozenset())
    assert is_pre_norm(tower, network) == (norm != "post")
    assert find_towers(network, layers=7).towers[0].layers == 7


def test_whether_a_scaled_skip_path_follows_a_norm_is_unknown():
    network = network_of(Encoder(3, alpha=2.0), tokens())
    assert {follows_norm(branch, network) for branch in network.anatomy.branches} == {None}
    assert not is_pre_norm(find_towers(network).towers[0], network)


class Parallel(nn.Module):
    """Attention and a deeper feed-forward branch, added to one stream at once."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.feed = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 16))

    def forward(self, x):
        return x + self.attention(x, x, x)[0] + self.feed(x)


def test_parallel_branches_are_one_layer():
    network = network_of(nn.Sequential(*(Parallel() for _ in range(3))), torch.randn(2, 4, 16))
    (tower,) = find_towers(network).towers
    assert (tower.kind, tower.layers, len(tower.branches)) == ("alone", 3, 6)


class TwoTowers(nn.Module):
    """Two encoders that meet only at their ends."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = Encoder(3), Encoder(2)

    def forward(self, x):
        return self.left(x).mean() * self.right(x)


def test_two_encoders_are_two_stacks():
    found = find_towers(network_of(TwoTowers(), tokens()))
    assert [(tower.kind, tower.layers) for tower in found.towers] == [("alone", 3), ("alone", 2)]


def test_networks_that_are_no_transformers():
    for model, shape, what in (
        (nn.Sequential(nn.Linear(8, 8)), (8,), "no residual branch"),
        (Residual(3, 16), (16,), "holds an attention"),
    ):
        with pytest.raises(UsageError, match=what) as raised:
            check_towers("deepnorm", find_towers(network_of(model, shape)))
        assert raised.value.hint
        for scheme in ("deepnorm", "magneto", "t_fixup"):
            with pytest.raises(UsageError, match=what):
                ip.initialize(model, scheme, inputs=shape)
    outcome = ip.initialize(Residual(3, 16), "deepnorm(layers=3)", inputs=(16,))
    assert next(one.std for one in outcome.drawn if one.weight == "blocks.0.weight") == pytest.approx(24**-0.25 / 4)
