import pytest
import torch
from torch import nn

import initprobe as ip
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


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bias", [False, True])
def test_steps_in_a_row_are_what_torch_computes_at_once(kind, bias):
    reference = KINDS[kind](5, 4, bias=bias, batch_first=True)
    found, layer = built(f"{{type: unrolled, kind: {kind}, out: 4, bias: {str(bias).lower()}, output: sequence}}")
    assert found.parameters == sum(parameter.numel() for parameter in reference.parameters())
    layer.cell.load_state_dict({key.removesuffix("_l0"): value for key, value in reference.state_dict().items()})
    torch.testing.assert_close(layer(X), reference(X)[0], atol=1e-5, rtol=0)
    assert found.output.shape == (7, 4)


def test_the_last_state_is_the_end_of_the_sequence():
    found, layer = built("{type: unrolled, kind: rnn, nonlinearity: relu, out: 4}")
    assert layer.cell.nonlinearity == "relu"
    last = layer(X)
    layer.output = "sequence"
    assert torch.equal(last, layer(X)[:, -1])
    assert found.output.shape == (4,)


def test_every_step_is_a_call_site_with_a_gradient(tmp_path):
    file = tmp_path / "net.yaml"
    file.write_text("version: 1\nmodel:\n  input: {shape: [7, 5]}\n  layers: [{type: unrolled, kind: gru, out: 4}]\n")
    result = ip.probe(file, batch=4, seeds=1, max_seeds=1)
    steps = [site for name, site in result.sites.items() if "cell" in name]
    assert len(steps) == 7
    assert all(site.backward for site in steps)


@pytest.mark.parametrize(
    ("layer", "shape", "said", "key"),
    [
        ("{type: unrolled, out: 4}", (5,), "(steps, features)", None),
        ("{type: unrolled, out: 4}", (5001, 5), "at most 5,000 times, here it is 5,001", None),
        ("{type: unrolled, out: 4, kind: gru, nonlinearity: tanh}", (7, 5), "`kind: rnn` alone", "nonlinearity"),
        ("{type: unrolled, out: 4, kind: gruu}", (7, 5), "'kind' must be", "kind"),
    ],
)
def test_what_does_not_fit_is_refused(layer, shape, said, key):
    with pytest.raises(SpecError) as caught:
        built(layer, shape)
    (problem,) = caught.value.problems
    assert said in problem.message
    assert caught.value.spec.locate(problem.path).line == 5
    if key:
        assert problem.path[-1] == key
