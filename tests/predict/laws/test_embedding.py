"""The law of tables against tables."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from initprobe.predict.moments import ParameterMoments
from tests.predict.laws.monte_carlo import NAMES, Case, Compared, Whole, measure, network_of


class Table(nn.Module):
    """Tokens and their places."""

    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(50, 64), nn.Embedding(6, 64)

    def forward(self, x):
        tokens = (x.abs() * 1e6).long() % 50
        return self.words(tokens) + self.places(torch.arange(x.shape[1]))


def test_tables_of_words_and_of_places():
    """Words meet by chance, one in 50; all samples have the same places."""
    torch.manual_seed(0)
    found = Compared()
    for _ in range(60):
        table = Table()
        with torch.no_grad():
            for parameter in table.parameters():
                parameter.normal_()
            measure(found, "out", table(torch.randn(16, 6)), -1)
    case = Case(Table, ((6,),), backward=False)
    network = network_of(case, Whole(Table()))
    network.facts.parameters.update(
        {name: ParameterMoments(1.0) for name in ("inner.words.weight", "inner.places.weight")}
    )
    (out,) = network.flow.outputs
    expected = network.forward(reset=False).expected[out]
    found.expected = {f"out {name}": getattr(expected, name) for name in NAMES}
    assert expected.second == pytest.approx(2.0)
    assert expected.pair == pytest.approx(1.02)
    assert found.wrong(0.03) == []
