"""Parameter groups from an Outcome: every parameter once, with its own learning rate."""

import pytest
import torch
from torch import nn

import initprobe as ip
from initprobe.errors import UsageError
from initprobe.records import Outcome
from tests.init.stacks import plain


def test_groups_by_multiplier():
    model = plain(256)
    outcome = ip.initialize(model, "mup", inputs=(16,))
    groups = ip.parameter_groups(model, outcome, lr=0.1, weight_decay=0.5)
    assert [group["lr"] for group in groups] == [0.1, 0.025]
    assert [group["weight_decay"] for group in groups] == [0.5, 0.5]
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert [[names[id(one)] for one in group["params"]] for group in groups] == [
        ["0.weight", "0.bias", "2.bias", "4.bias", "6.bias"],
        ["2.weight", "4.weight", "6.weight"],
    ]
    optimizer = torch.optim.AdamW(groups)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.025]


class Tied(nn.Module):
    """The head is the embedding; one layer is frozen and one was not drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(20, 128), nn.Linear(128, 20)
        self.head.weight = self.embed.weight
        self.middle = nn.Linear(128, 128)
        self.middle.bias.requires_grad_(False)
        self.norm = nn.LayerNorm(128)

    def forward(self, x):
        return self.head(self.norm(torch.relu(self.middle(self.embed(x)))))


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_every_parameter_is_in_one_group(optimizer):
    model = Tied()
    outcome = ip.initialize(model, f"mup(optimizer={optimizer})", inputs="int64[5]<20")
    members = [one for group in ip.parameter_groups(model, outcome, lr=1.0) for one in group["params"]]
    assert len(members) == len({id(one) for one in members}) == len(list(model.parameters()))
    torch.optim.SGD(ip.parameter_groups(model, outcome, lr=1.0), momentum=0.9)
    names = {one.weight for one in outcome.drawn}
    assert ("norm.weight" in names) == (optimizer == "sgd")


def test_without_multipliers_there_is_one_group():
    model = plain(8)
    (group,) = ip.parameter_groups(model, ip.initialize(model, "he", inputs=(16,)), lr=0.1)
    assert len(group["params"]) == 8
    assert set(group) == {"params", "lr"}
    (same,) = ip.parameter_groups(model, Outcome("own init"), lr=0.1)
    assert same["lr"] == 0.1


def test_the_outcome_of_another_model():
    outcome = ip.initialize(plain(256), "mup", inputs=(16,))
    with pytest.raises(UsageError, match=r"3 parameters that this model does not have, '2\.weight' first") as raised:
        ip.parameter_groups(nn.Linear(3, 3), outcome, lr=0.1)
    assert raised.value.hint
