"""What Keras draws, on torch's layers."""

import math

import pytest
import torch
from torch import nn

import initprobe
from initprobe.dissect.anatomy import trace_anatomy
from initprobe.init.choose import parse_scheme
from initprobe.init.initialize import initialize_model
from initprobe.load.given import open_given
from initprobe.records import InitRequest, ProbeRequest

keras = pytest.importorskip("keras")


def theirs_of(layer, shape, name, draws=1):
    """A parameter as Keras draws it, in Keras' layout."""
    found = []
    for seed in range(draws):
        keras.utils.set_random_seed(seed)
        built = layer()
        built.build(shape)
        found.append(getattr(built, name).value.detach().clone())
    return torch.cat(found)


class Last(nn.Module):
    """The sequence that a recurrent layer puts out."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)[0]


def drawn(layer, shape):
    model = Last(layer) if isinstance(layer, nn.RNNBase) else nn.Sequential(layer)
    initprobe.initialize(model, "keras_default", inputs=shape)
    return layer


L = keras.layers
PAIRS = [
    (nn.Linear(40, 90), (40,), lambda: L.Dense(90), (None, 40), "weight", "kernel"),
    (nn.Conv2d(16, 24, 3), (16, 5, 5), lambda: L.Conv2D(24, 3), (None, 5, 5, 16), "weight", "kernel"),
    (nn.Conv1d(16, 48, 3, groups=4), (16, 5), lambda: L.Conv1D(48, 3, groups=4), (None, 5, 16), "weight", "kernel"),
    (
        nn.Conv2d(48, 96, 3, groups=48), (48, 5, 5), lambda: L.DepthwiseConv2D(3, depth_multiplier=2),
        (None, 5, 5, 48), "weight", "kernel",
    ),
    (
        nn.ConvTranspose2d(16, 24, 4, stride=2), (16, 5, 5), lambda: L.Conv2DTranspose(24, 4, strides=2),
        (None, 5, 5, 16), "weight", "kernel",
    ),
    (nn.LSTM(20, 30, batch_first=True), (4, 20), lambda: L.LSTMCell(30), (None, 20), "weight_ih_l0", "kernel"),
    (nn.LSTM(20, 40, batch_first=True), (4, 20), lambda: L.LSTMCell(40), (None, 20), "weight_hh_l0", "recurrent_kernel"),
    (nn.GRU(20, 30, batch_first=True), (4, 20), lambda: L.GRUCell(30), (None, 20), "weight_ih_l0", "kernel"),
    (nn.GRU(20, 40, batch_first=True), (4, 20), lambda: L.GRUCell(40), (None, 20), "weight_hh_l0", "recurrent_kernel"),
    (nn.RNN(20, 60, batch_first=True), (4, 20), lambda: L.SimpleRNNCell(60), (None, 20), "weight_ih_l0", "kernel"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("layer", "shape", "build", "theirs", "names"),
    [(*pair[:4], pair[4:]) for pair in PAIRS],
    ids=[f"{type(pair[0]).__name__}.{pair[4]}" for pair in PAIRS],
)
def test_numbers_are_distributed_as_keras(layer, shape, build, theirs, names, ks_distance):
    ours_name, theirs_name = names
    ours = getattr(drawn(layer, shape), ours_name).detach()
    drawn_by_keras = theirs_of(build, theirs, theirs_name, draws=4)
    assert drawn_by_keras.numel() == 4 * ours.numel()
    n = 0.8 * ours.numel()
    assert ks_distance(ours, drawn_by_keras) < 1.95 / math.sqrt(n)  # passes by chance but once in a thousand
    # The ends of a uniform distribution tell its width far better: they are missed by about 1 / numel of it.
    if "hh" not in ours_name:
        assert float(ours.abs().max()) == pytest.approx(float(drawn_by_keras.abs().max()), rel=10 / ours.numel() + 1e-3)


def test_biases_are_keras():
    layer = drawn(nn.LSTM(20, 30, num_layers=2, bidirectional=True, batch_first=True), (4, 20))
    expected = theirs_of(lambda: L.LSTMCell(30), (None, 20), "bias")
    for name in ("l0", "l1_reverse"):
        assert torch.equal((getattr(layer, f"bias_ih_{name}") + getattr(layer, f"bias_hh_{name}")).detach(), expected)
    gru = drawn(nn.GRU(20, 30, batch_first=True), (4, 20))
    assert gru.bias_ih_l0.eq(0).all()
    assert theirs_of(lambda: L.GRUCell(30), (None, 20), "bias").eq(0).all()


def test_the_forget_gate_may_be_closed():
    model = Last(nn.LSTM(6, 8, batch_first=True))
    initprobe.initialize(model, "keras_default(unit_forget_bias=False)", inputs=(4, 6))
    assert model.layer.bias_ih_l0.eq(0).all()


def test_the_packed_hidden_matrix_is_orthogonal_as_a_whole():
    hidden = drawn(nn.LSTM(20, 40, batch_first=True), (4, 20)).weight_hh_l0.detach()
    torch.testing.assert_close(hidden.T @ hidden, torch.eye(40), atol=1e-5, rtol=0)
    theirs = theirs_of(lambda: L.LSTMCell(40), (None, 20), "recurrent_kernel")
    torch.testing.assert_close(theirs @ theirs.T, torch.eye(40), atol=1e-5, rtol=0)


def test_embeddings_are_keras(ks_distance):
    model = nn.Sequential(nn.Embedding(50, 30))
    outcome = initprobe.initialize(model, "keras_default", inputs=torch.zeros(2, 4, dtype=torch.long))
    theirs = theirs_of(lambda: L.Embedding(50, 30), (None,), "embeddings")
    assert float(model[0].weight.detach().abs().max()) == pytest.approx(0.05, rel=0.01)
    assert ks_distance(model[0].weight.detach(), theirs) < 1.95 / math.sqrt(750)
    assert outcome.drawn[0].std == pytest.approx(0.05 / 3**0.5)


def test_query_key_and_value_are_layers_of_their_own():
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(32, 4, batch_first=True)

        def forward(self, x):
            return self.attention(x, x, x)[0]

    model = Attention()
    initprobe.initialize(model, "keras_default", inputs=(6, 32))
    keras.utils.set_random_seed(0)
    layer = L.MultiHeadAttention(4, 8)
    layer.build((None, 6, 32), (None, 6, 32))
    limit = float(layer.query_dense.kernel.value.detach().abs().max())
    assert float(model.attention.in_proj_weight.detach().abs().max()) == pytest.approx(limit, rel=0.01)
    assert limit == pytest.approx(math.sqrt(6 / 64), rel=0.01)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # from Keras, as it is copied
def test_a_keras_model_gets_what_it_was_built_with():
    layers = [
        L.DepthwiseConv2D(3, depth_multiplier=4),
        L.Conv2D(24, 3, groups=4),
        L.Conv2DTranspose(16, 4, strides=2),
        L.Reshape((-1, 16)),
        L.LSTM(20),
        L.Dense(30),
    ]
    subject = open_given(keras.Sequential([keras.Input((8, 8, 6)), *layers]), None)[0].build(0, ProbeRequest())
    before = {name: one.detach().clone() for name, one in subject.model.named_parameters()}
    choice = parse_scheme("keras_default")
    outcome = initialize_model(subject.model, trace_anatomy(subject).anatomy, InitRequest(choice), 0)
    assert {one.weight for one in outcome.drawn} == set(before)
    for name, now in subject.model.named_parameters():
        if "bias" in name:
            assert torch.equal(now, before[name])
        else:
            assert not torch.equal(now, before[name])
            assert float(now.detach().std()) == pytest.approx(float(before[name].std()), rel=0.15)
