import pytest
import torch
from torch import nn

from initprobe.errors import SpecError
from initprobe.load.blocks.base import Signal
from initprobe.load.build import construct, plan
from initprobe.load.schema import checked, read_spec

X = torch.randn(3, 7, 5, generator=torch.Generator().manual_seed(0))
KINDS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def built(layer, shape=(7, 5)):
    spec = read_spec("f", text=f"version: 1\nmodel:\n  input: {{shape: {list(shape)}}}\n  layers:\n    - {layer}\n")
    found = plan(spec, checked(spec).model.layers, Signal(shape))
    return found, construct(spec, found, 0)[0]


def refused(layer, shape=(7, 5)):
    with pytest.raises(SpecError) as caught:
        built(layer, shape)
    (problem,) = caught.value.problems
    place = caught.value.spec.locate(problem.path, on=problem.on)
    assert place.line == 5
    return problem


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_it_computes_what_torch_computes(kind, depth, bidirectional, bias):
    reference = KINDS[kind](5, 4, depth, bias=bias, batch_first=True, bidirectional=bidirectional)
    options = f"out: 4, depth: {depth}, bidirectional: {str(bidirectional).lower()}, bias: {str(bias).lower()}"
    found, layer = built(f"{{type: {kind}, {options}}}")
    assert found.parameters == sum(parameter.numel() for parameter in reference.parameters())
    assert [name for name, _ in layer.rnn.named_parameters()] == [name for name, _ in reference.named_parameters()]
    layer.rnn.load_state_dict(reference.state_dict())
    torch.testing.assert_close(layer(X), reference(X)[0], atol=1e-5, rtol=0)
    assert found.output.shape == (7, 8 if bidirectional else 4)


@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_a_projection_is_torchs():
    reference = nn.LSTM(5, 6, 2, batch_first=True, bidirectional=True, proj_size=3)
    found, layer = built("{type: lstm, out: 6, depth: 2, bidirectional: true, projection: 3}")
    assert found.parameters == sum(parameter.numel() for parameter in reference.parameters())
    layer.rnn.load_state_dict(reference.state_dict())
    torch.testing.assert_close(layer(X), reference(X)[0], atol=1e-5, rtol=0)
    assert found.output.shape == (7, 6)


def test_a_plain_layer_may_be_of_rectifiers():
    reference = nn.RNN(5, 4, nonlinearity="relu", batch_first=True)
    _, layer = built("{type: rnn, out: 4, nonlinearity: relu}")
    layer.rnn.load_state_dict(reference.state_dict())
    torch.testing.assert_close(layer(X), reference(X)[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depth", [1, 2])
def test_the_last_output_is_the_last_state_of_each_direction(kind, depth):
    for bidirectional in (False, True):
        options = f"out: 4, depth: {depth}, bidirectional: {str(bidirectional).lower()}, output: last"
        found, layer = built(f"{{type: {kind}, {options}}}")
        state = layer.rnn(X)[1]
        hidden = state[0] if kind == "lstm" else state
        expected = torch.cat([hidden[-2], hidden[-1]], dim=-1) if bidirectional else hidden[-1]
        torch.testing.assert_close(layer(X), expected, atol=1e-6, rtol=0)
        assert found.output.shape == tuple(expected.shape[1:])


def test_dropout_reaches_torch():
    _, layer = built("{type: gru, out: 4, depth: 2, dropout: 0.25}")
    assert layer.rnn.dropout == 0.25


def test_what_does_not_fit_is_refused_at_its_option():
    assert "(steps, features)" in refused("{type: lstm, out: 4}", (5,)).message
    problem = refused("{type: gru, out: 4, dropout: 0.5}")
    assert problem.path[-1] == "dropout"
    assert problem.hint == "give a `depth:` above 1"
    problem = refused("{type: lstm, out: 4, projection: 4}")
    assert problem.path[-1] == "projection"
    assert "(4), not to 4" in problem.message
    assert "unknown key 'projection'" in refused("{type: gru, out: 4, projection: 2}").message
    assert refused("{type: rnn, out: 4, nonlinearity: rleu}").hint == "did you mean 'relu'?"


def test_a_linear_layer_behind_it_acts_at_every_step():
    spec = read_spec(
        "f", text="version: 1\nmodel: {input: {shape: [7, 5]}, layers: [{type: gru, out: 4}, {type: linear, out: 2}]}"
    )
    found = plan(spec, checked(spec).model.layers, Signal((7, 5)))
    model = construct(spec, found, 0)
    assert found.output.shape == (7, 2)
    torch.testing.assert_close(model(X)[:, 3], model[1](model[0](X)[:, 3]))
