"""What findings of real networks say: the layer that is meant, its own numbers, and what would help."""

import torch
from torch import nn

import initprobe as ip


class Beside(nn.Module):
    """Two activations in a row that are made of two layers side by side."""

    def __init__(self):
        super().__init__()
        self.wide, self.narrow = nn.Linear(32, 32), nn.Linear(32, 32)
        nn.init.normal_(self.wide.weight, std=2.0)
        nn.init.normal_(self.narrow.weight, std=1.4)

    def forward(self, x):
        wide, narrow = self.wide(x), self.narrow(x)
        return torch.sigmoid(narrow) + torch.tanh(wide)


def only(build, code, width=32, **options):
    check = {"select": (code,), "complete": True}
    (finding,) = ip.probe(build, inputs=(width,), check=check, **options).findings
    return finding


def test_a_saturated_activation_is_told_by_its_own_bounds_and_with_its_own_input():
    finding = only(Beside, "IP302", batch=64)
    assert finding.sites == ("(model)/sigmoid", "(model)/tanh")
    assert finding.message.endswith("of the values of (model)/tanh are saturated: tanh is flat there")
    assert "at most -0.975 or at least 0.975" in finding.measured, "not those of the sigmoid"
    assert finding.notes[0].startswith("its input, wide, has an RMS of 11"), "not what ran just before"


def stack(norm, depth):
    parts = [part for _ in range(depth) for part in (nn.Linear(32, 32, bias=False), norm(32), nn.ReLU())]
    return nn.Sequential(*parts)


def test_a_stack_of_batch_normalizations_is_held_against_theory():
    finding = only(lambda: stack(nn.BatchNorm1d, 40), "IP603", batch=64)
    assert finding.label == "118 … 1 (40 normalizations)"
    assert finding.expected.startswith("×1.21 by each")
    assert finding.notes[0].endswith("skip connections do, fewer layers, or an activation that is nearer to linear")


def test_what_theory_says_of_them_is_said_of_no_other():
    def build():  # behind the activation, layer normalization takes off the mean of all units likewise
        parts = [part for _ in range(40) for part in (nn.Linear(32, 32, bias=False), nn.ReLU(), nn.LayerNorm(32))]
        return nn.Sequential(*parts)

    finding = only(build, "IP603", batch=64)
    assert finding.label == "119 … 2 (40 normalizations)"
    assert finding.expected == ""
