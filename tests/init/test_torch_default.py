"""torch_default against the constructors of torch's own layers."""

import math

import pytest
import torch
from torch import nn

from initprobe.init.initialize import initialize_model
from initprobe.records import InitRequest, SchemeChoice

REQUEST = InitRequest(SchemeChoice("torch_default"))


class Derived(nn.Linear):
    """A user's subclass follows torch's class."""


LAYERS = {
    "linear": lambda: nn.Linear(40, 60),
    "derived": lambda: Derived(40, 60),
    "conv1d": lambda: nn.Conv1d(12, 24, 5, groups=2),
    "conv2d": lambda: nn.Conv2d(8, 16, 3, groups=4, stride=2),
    "conv3d": lambda: nn.Conv3d(4, 8, 3),
    "transposed": lambda: nn.ConvTranspose2d(16, 8, 4, stride=2, groups=2),
    "bilinear": lambda: nn.Bilinear(20, 5, 12),
    "embedding": lambda: nn.Embedding(50, 30, padding_idx=3),
    "bag": lambda: nn.EmbeddingBag(50, 30),
    "rnn": lambda: nn.RNN(10, 20, bidirectional=True),
    "lstm": lambda: nn.LSTM(10, 20, num_layers=2, proj_size=7),
    "gru": lambda: nn.GRU(10, 20),
    "cell": lambda: nn.LSTMCell(10, 20),
    "attention": lambda: nn.MultiheadAttention(24, 2),
    "attention-kv": lambda: nn.MultiheadAttention(24, 2, kdim=10, vdim=12, add_bias_kv=True),
    "batchnorm": lambda: nn.BatchNorm2d(20),
    "layernorm": lambda: nn.LayerNorm(20),
    "groupnorm": lambda: nn.GroupNorm(4, 20),
    "rmsnorm": lambda: nn.RMSNorm(20),
    "prelu": lambda: nn.PReLU(5, init=0.1),
    "weight-normed": lambda: nn.utils.parametrizations.weight_norm(nn.Linear(40, 60)),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_two_samples_of_every_parameter(layer, anatomy_of, ks_distance):
    draws = 30
    theirs: dict[str, list] = {}
    ours: dict[str, list] = {}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        for seed in range(draws):
            model = nn.Sequential(LAYERS[layer]())
            for name, parameter in model.named_parameters():
                theirs.setdefault(name, []).append(parameter.detach().clone().flatten()[:4000])
                if "original" not in name:
                    parameter.data.fill_(77.0)
            outcome = initialize_model(model, anatomy_of(model), REQUEST, seed)
            assert outcome.skipped == ()
            for name, parameter in model.named_parameters():
                ours.setdefault(name, []).append(parameter.detach().clone().flatten()[:4000])
    for name, samples in theirs.items():
        mine, reference = torch.cat(ours[name]), torch.cat(samples)
        if float(reference.std()) < 1e-7:
            torch.testing.assert_close(mine, reference)
        else:
            n = mine.numel() / 2
            assert ks_distance(mine, reference) < 2.2 / math.sqrt(n)  # by chance once in ten thousand


def test_the_padding_row_is_zero(anatomy_of):
    model = nn.Sequential(LAYERS["embedding"]())
    initialize_model(model, anatomy_of(model), REQUEST, 0)
    assert model[0].weight[3].eq(0).all()
    assert model[0].weight[2].ne(0).all()


def test_declared_widths(anatomy_of):
    model = nn.Sequential(nn.Linear(48, 60), nn.Embedding(5, 6), nn.LayerNorm(5), nn.PReLU())
    outcome = initialize_model(model, anatomy_of(model), REQUEST, 0)
    expected = {
        "0.weight": 1 / 12,
        "0.bias": 1 / 12,
        "1.weight": 1.0,
        "2.weight": 0.0,
        "2.bias": 0.0,
        "3.weight": 0.0,
    }
    assert {drawn.weight: drawn.std for drawn in outcome.drawn} == pytest.approx(expected)


def test_a_module_that_is_none_of_torchs_is_skipped(anatomy_of):
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3, 3))

    model = nn.Sequential(Own())
    outcome = initialize_model(model, anatomy_of(model), REQUEST, 0)
    assert [(one.weight, one.reason) for one in outcome.skipped] == [
        ("0.weight", "Own is no layer of torch: it has no default to follow")
    ]
    assert model[0].weight.eq(1).all()


def test_a_transformer_of_torch_draws_all_of_its_matrices_anew(anatomy_of):
    built, model = (nn.Transformer(32, 4, 2, 2, 48, batch_first=True) for _ in range(2))
    outcome = initialize_model(model, anatomy_of(model), REQUEST, 0)
    declared = {one.weight: one.std for one in outcome.drawn}
    assert declared.keys() == dict(built.named_parameters()).keys()
    for name, theirs in built.named_parameters():
        if theirs.dim() < 2:
            continue
        std = math.sqrt(2 / sum(theirs.shape))
        assert declared[name] == pytest.approx(std), name
        for drawn in (theirs, model.get_parameter(name)):  # the error of n uniform numbers' is √(1/5n) of it
            assert float(drawn.detach().std()) == pytest.approx(std, rel=4 / math.sqrt(5 * drawn.numel())), name
