import copy

import pytest
import torch

from initprobe.errors import SpecError
from initprobe.load.blocks.base import Signal
from initprobe.load.build import construct, plan
from initprobe.load.schema import checked, read_spec

TOKENS = Signal((5,), 11)


def planned(*layers, signal=TOKENS):
    lines = "\n".join(f"    - {layer}" for layer in layers)
    spec = read_spec("net.yaml", text=f"version: 1\nmodel:\n  input: {{shape: [1]}}\n  layers:\n{lines}\n")
    return spec, plan(spec, checked(spec).model.layers, signal, memory=10**9)


def test_the_weight_is_that_of_the_embedding():
    spec, found = planned("{type: embedding, out: 4}", "tanh", "{type: tied_head, bias: true}")
    model = construct(spec, found, 0)
    assert found.output.shape == (5, 11)
    assert found.parameters == 11 * 4 + 11
    assert [name for name, _ in model.named_parameters()] == ["embedding.weight", "tied_head.bias"]
    tokens = torch.randint(11, (3, 5))
    table = model.embedding.weight
    torch.testing.assert_close(model(tokens), table[tokens].tanh() @ table.T, atol=1e-6, rtol=1e-5)


def test_a_copy_shares_its_own_weight():
    spec, found = planned("{type: embedding, out: 4}", "tied_head")
    model = construct(spec, found, 0)
    twin = copy.deepcopy(model).double()
    twin.embedding.weight.data.zero_()
    assert not twin(torch.zeros(1, 5, dtype=torch.long)).any()
    assert model(torch.zeros(1, 5, dtype=torch.long)).any()


def test_an_embedding_is_found_by_its_path():
    spec, found = planned(
        "{type: sequential, name: input, layers: [{type: embedding, out: 4, name: tokens}]}",
        "{type: tied_head, embedding: input.tokens}",
    )
    assert found.parameters == 44
    assert construct(spec, found, 0)(torch.zeros(1, 5, dtype=torch.long)).shape == (1, 5, 11)


@pytest.mark.parametrize(
    ("layers", "said", "place"),
    [
        (["{type: embedding, out: 4}", "{type: tied_head, embedding: words}"], "there is embedding", "6:36"),
        (["{type: embedding, out: 4}", "{type: linear, out: 3}", "tied_head"], "(4,), here it is (5, 3)", "7:7"),
        (["{type: embedding, out: 4, name: x}", "tied_head"], "finds no embedding 'embedding'", "6:7"),
    ],
)
def test_what_does_not_fit_is_told_at_its_place(layers, said, place):
    with pytest.raises(SpecError) as caught:
        planned(*layers)
    text = caught.value.render()
    assert said in text
    assert f"--> net.yaml:{place}" in text


def test_there_may_be_no_embedding():
    with pytest.raises(SpecError, match="no embedding"):
        planned("tied_head", signal=Signal((5, 4)))
